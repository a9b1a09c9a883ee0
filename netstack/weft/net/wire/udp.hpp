// The UDP header (RFC 768): 8 bytes, with its checksum rules.
//
// A checksum of zero means that the sender made none; IPv4 allows that (RFC 1122 §4.1.3.4).
#pragma once

#include <weft/net/wire/bytes.hpp>
#include <weft/net/wire/parsed.hpp>

namespace weft::net::wire {

inline constexpr std::size_t udp_header_bytes = 8;

enum class udp_error : std::uint8_t {
    none,
    too_short,   ///< fewer than 8 bytes
    bad_length,  ///< below the header or beyond the packet
};

struct udp_header {
    std::uint16_t source_port = 0;
    std::uint16_t destination_port = 0;
    std::uint16_t length = 0;    ///< header and payload
    std::uint16_t checksum = 0;  ///< as received; zero: none

    friend constexpr bool operator==(const udp_header&, const udp_header&) noexcept = default;
};

/// Reads a datagram: all of the IP packet's payload. Bytes beyond `length` are not the datagram's.
parsed<udp_header, udp_error> parse_udp(bytes_view datagram) noexcept;

/// True when the checksum is right, or absent over IPv4. Precondition: parse_udp() accepted it.
[[nodiscard]] bool verify_udp_checksum(const ip_address& source, const ip_address& destination,
                                       bytes_view datagram) noexcept;

/// Writes 8 bytes and returns 8: ports, length (header and `payload_bytes`) and the checksum, with
/// a result of zero sent as 0xffff. `payload_sum` is the payload's checksum_partial sum.
/// Preconditions: they fit; payload_bytes <= 65527.
std::size_t emit_udp(const ip_address& source, const ip_address& destination,
                     std::uint16_t source_port, std::uint16_t destination_port,
                     std::uint64_t payload_sum, std::size_t payload_bytes, std::byte* out) noexcept;

}  // namespace weft::net::wire
