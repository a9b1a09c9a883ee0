// The TCP header and its options (RFC 9293 §3.1, §3.2; RFC 7323 §2, §3; RFC 2018 §2, §3; RFC 7413
// §4.1.1).
//
// parse_tcp() gives a valid value; the checksum is verified apart, so that a device which vouches
// for it saves the sum. Options may stand in any segment and on any byte (MUST-5, MUST-64), unknown
// ones are skipped by their length (MUST-6, MUST-68), an illegal length is an error (MUST-7). The
// meaning of a segment is decided in tcp/.
#pragma once

#include <weft/net/wire/bytes.hpp>
#include <weft/net/wire/checksum.hpp>
#include <weft/net/wire/parsed.hpp>
#include <weft/net/wire/tcp_options.hpp>

namespace weft::net::wire {

inline constexpr std::size_t tcp_header_bytes = 20;
inline constexpr std::size_t tcp_max_header_bytes = 60;
inline constexpr std::size_t tcp_checksum_offset = 16;

/// The control bits (RFC 9293 §3.1, RFC 3168 §6.1).
struct tcp_flags {
    std::uint8_t bits = 0;

    static const tcp_flags fin, syn, rst, psh, ack, urg, ece, cwr;

    [[nodiscard]] constexpr bool has(tcp_flags all) const noexcept {
        return (bits & all.bits) == all.bits;
    }
    [[nodiscard]] constexpr bool has_any(tcp_flags some) const noexcept {
        return (bits & some.bits) != 0;
    }
    [[nodiscard]] constexpr explicit operator bool() const noexcept { return bits != 0; }

    friend constexpr tcp_flags operator|(tcp_flags a, tcp_flags b) noexcept {
        return {static_cast<std::uint8_t>(a.bits | b.bits)};
    }
    friend constexpr tcp_flags operator&(tcp_flags a, tcp_flags b) noexcept {
        return {static_cast<std::uint8_t>(a.bits & b.bits)};
    }
    friend constexpr tcp_flags operator~(tcp_flags a) noexcept {
        return {static_cast<std::uint8_t>(~a.bits & 0xff)};
    }
    constexpr tcp_flags& operator|=(tcp_flags other) noexcept { return *this = *this | other; }
    constexpr tcp_flags& operator&=(tcp_flags other) noexcept { return *this = *this & other; }
    friend constexpr bool operator==(tcp_flags, tcp_flags) noexcept = default;
};

inline constexpr tcp_flags tcp_flags::fin{0x01};
inline constexpr tcp_flags tcp_flags::syn{0x02};
inline constexpr tcp_flags tcp_flags::rst{0x04};
inline constexpr tcp_flags tcp_flags::psh{0x08};
inline constexpr tcp_flags tcp_flags::ack{0x10};
inline constexpr tcp_flags tcp_flags::urg{0x20};
inline constexpr tcp_flags tcp_flags::ece{0x40};
inline constexpr tcp_flags tcp_flags::cwr{0x80};

enum class tcp_error : std::uint8_t {
    none,
    too_short,          ///< fewer than 20 bytes
    bad_data_offset,    ///< below 5 words or beyond the segment
    bad_option_length,  ///< 0, 1, beyond the header, or not the length its RFC gives (MUST-7)
};

struct tcp_header {
    std::uint16_t source_port = 0;
    std::uint16_t destination_port = 0;
    std::uint32_t sequence = 0;
    std::uint32_t acknowledgment = 0;
    tcp_flags flags;
    std::uint8_t data_offset_bytes = tcp_header_bytes;  ///< header with options; set by parsing
    std::uint16_t window = 0;                           ///< as on the wire, unscaled
    std::uint16_t urgent_pointer = 0;

    friend constexpr bool operator==(const tcp_header&, const tcp_header&) noexcept = default;
};

/// A header with its options: what parsing a segment gives.
struct tcp_segment_header {
    tcp_header header;
    tcp_options options;

    friend constexpr bool operator==(const tcp_segment_header&,
                                     const tcp_segment_header&) noexcept = default;
};

/// Reads a segment: all of the IP packet's payload. The text starts at header.data_offset_bytes.
/// Does not look at the checksum.
parsed<tcp_segment_header, tcp_error> parse_tcp(bytes_view segment) noexcept;

/// True when the segment's checksum is right under its pseudo-header (MUST-3).
[[nodiscard]] bool verify_tcp_checksum(const ip_address& source, const ip_address& destination,
                                       bytes_view segment) noexcept;

/// Writes header and options with a checksum of zero and returns their size, a multiple of 4 and at
/// most 60; data_offset_bytes is computed. SACK blocks that do not fit are left out.
/// Precondition: `out` has room for tcp_header_bytes + options.encoded_bytes().
std::size_t emit_tcp(const tcp_header& header, const tcp_options& options, std::byte* out) noexcept;

/// Stores the full checksum into an emitted header (MUST-2). `payload_sum` is the checksum_partial
/// or checksum_chain sum of the payload alone.
void fill_tcp_checksum(const ip_address& source, const ip_address& destination,
                       std::span<std::byte> header, std::uint64_t payload_sum,
                       std::size_t payload_bytes) noexcept;

/// Stores the pseudo-header's folded sum, not complemented: what a device that completes the
/// checksum (VIRTIO_NET_HDR_F_NEEDS_CSUM) expects, also for a segment that it cuts into several.
void fill_tcp_partial_checksum(const ip_address& source, const ip_address& destination,
                               std::span<std::byte> header, std::size_t payload_bytes) noexcept;

}  // namespace weft::net::wire
