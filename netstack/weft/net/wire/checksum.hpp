// The Internet checksum (RFC 1071), in steps that can be chained over pieces of a packet.
//
// checksum_partial() sums a span onto a seed; fold it once at the end. A sum is in network order of
// its 16-bit words: the folded complement is stored with store_be16. Pieces after one of odd length
// need checksum_chain, which remembers the parity. Senders: checksum_finish(sum) with the field
// zero; receivers: the sum over everything, field included, folds to 0xffff (checksum_is_valid).
// The pseudo-headers are those of RFC 9293 §3.1 (IPv4) and RFC 8200 §8.1 (IPv6).
#pragma once

#include <weft/net/address.hpp>
#include <weft/net/wire/bytes.hpp>

#include <cstddef>
#include <cstdint>

namespace weft::net::wire {

/// Adds the 16-bit words of `bytes` to `seed`; a last odd byte counts as the high half of a word
/// (RFC 1071 §1). The sum is not folded: pass it on as a seed as often as needed.
[[nodiscard]] std::uint64_t checksum_partial(bytes_view bytes, std::uint64_t seed = 0) noexcept;

/// Sixteen bits of ones' complement sum (RFC 1071 §2), not complemented.
[[nodiscard]] constexpr std::uint16_t checksum_fold(std::uint64_t sum) noexcept {
    sum = (sum >> 32) + (sum & 0xffff'ffffU);
    sum = (sum >> 32) + (sum & 0xffff'ffffU);
    sum = (sum >> 16) + (sum & 0xffffU);
    sum = (sum >> 16) + (sum & 0xffffU);
    return static_cast<std::uint16_t>((sum >> 16) + sum);
}

/// What a sender stores in the checksum field: the complement of the folded sum.
[[nodiscard]] constexpr std::uint16_t checksum_finish(std::uint64_t sum) noexcept {
    return static_cast<std::uint16_t>(~checksum_fold(sum) & 0xffffU);
}

/// True for the sum over data that includes a right checksum.
[[nodiscard]] constexpr bool checksum_is_valid(std::uint64_t sum) noexcept {
    return checksum_fold(sum) == 0xffff;
}

/// Ones' complement sum of two sums.
[[nodiscard]] constexpr std::uint64_t checksum_add(std::uint64_t a, std::uint64_t b) noexcept {
    const std::uint64_t sum = a + b;
    return sum + (sum < a ? 1 : 0);
}

/// The sum of a piece that starts at an odd offset (RFC 1071 §2 B): its bytes change places.
[[nodiscard]] constexpr std::uint64_t checksum_swap(std::uint64_t sum) noexcept {
    const std::uint32_t folded = checksum_fold(sum);
    return ((folded << 8) | (folded >> 8)) & 0xffffU;
}

/// Sums pieces of any length in order, as if they were one.
class checksum_chain {
public:
    constexpr explicit checksum_chain(std::uint64_t seed = 0) noexcept : sum_{seed} {}

    void add(bytes_view piece) noexcept { add(checksum_partial(piece), piece.size()); }
    /// Adds a piece whose own sum is known already, from when it was copied.
    constexpr void add(std::uint64_t piece_sum, std::size_t piece_bytes) noexcept {
        sum_ = checksum_add(sum_, odd_ ? checksum_swap(piece_sum) : piece_sum);
        odd_ = odd_ != (piece_bytes % 2 != 0);
    }
    [[nodiscard]] constexpr std::uint64_t sum() const noexcept { return sum_; }

private:
    std::uint64_t sum_;
    bool odd_ = false;
};

/// Changes one 16-bit word under a checksum without summing the rest (RFC 1624 §3, eqn. 3).
[[nodiscard]] constexpr std::uint16_t checksum_update(std::uint16_t checksum, std::uint16_t before,
                                                      std::uint16_t after) noexcept {
    const std::uint64_t sum = std::uint64_t{static_cast<std::uint16_t>(~checksum)} +
                              static_cast<std::uint16_t>(~before) + after;
    return checksum_finish(sum);
}

/// The pseudo-header's sum for a segment of `length` bytes (transport header and payload).
[[nodiscard]] constexpr std::uint64_t pseudo_header_sum(ipv4_address source,
                                                        ipv4_address destination,
                                                        std::uint8_t protocol,
                                                        std::uint32_t length) noexcept {
    return std::uint64_t{source.value() >> 16} + (source.value() & 0xffffU) +
           (destination.value() >> 16) + (destination.value() & 0xffffU) + protocol +
           (length >> 16) + (length & 0xffffU);
}

[[nodiscard]] constexpr std::uint64_t pseudo_header_sum(const ipv6_address& source,
                                                        const ipv6_address& destination,
                                                        std::uint8_t protocol,
                                                        std::uint32_t length) noexcept {
    std::uint64_t sum = std::uint64_t{protocol} + (length >> 16) + (length & 0xffffU);
    for (const std::uint64_t word :
         {source.high(), source.low(), destination.high(), destination.low()}) {
        sum +=
            (word >> 48) + ((word >> 32) & 0xffffU) + ((word >> 16) & 0xffffU) + (word & 0xffffU);
    }
    return sum;
}

/// Either family. Precondition: both addresses are of one family.
[[nodiscard]] constexpr std::uint64_t pseudo_header_sum(const ip_address& source,
                                                        const ip_address& destination,
                                                        std::uint8_t protocol,
                                                        std::uint32_t length) noexcept {
    return source.is_v4() ? pseudo_header_sum(source.v4(), destination.v4(), protocol, length)
                          : pseudo_header_sum(source.v6(), destination.v6(), protocol, length);
}

}  // namespace weft::net::wire
