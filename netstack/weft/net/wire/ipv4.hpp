// The IPv4 header (RFC 791 §3.1), parsed into a valid value and emitted without options.
//
// Options are checked for their lengths and skipped (RFC 1122 §3.2.1.8 lets a host ignore what it
// does not know). No policy: whether the packet is for us, and what its TTL means, is the stack's.
#pragma once

#include <weft/net/wire/bytes.hpp>
#include <weft/net/wire/parsed.hpp>

namespace weft::net::wire {

inline constexpr std::size_t ipv4_header_bytes = 20;

/// Values of ipv4_header::protocol and of IPv6's next header.
namespace ip_protocol {
inline constexpr std::uint8_t icmp = 1;
inline constexpr std::uint8_t tcp = 6;
inline constexpr std::uint8_t udp = 17;
inline constexpr std::uint8_t icmpv6 = 58;
}  // namespace ip_protocol

/// The two ECN bits of the traffic class (RFC 3168 §5).
namespace ecn {
inline constexpr std::uint8_t mask = 0b11;
inline constexpr std::uint8_t not_ect = 0b00;
inline constexpr std::uint8_t ect1 = 0b01;
inline constexpr std::uint8_t ect0 = 0b10;
inline constexpr std::uint8_t ce = 0b11;
}  // namespace ecn

enum class ipv4_error : std::uint8_t {
    none,
    too_short,          ///< fewer than 20 bytes
    bad_version,        ///< not 4
    bad_header_length,  ///< IHL below 5 or beyond the frame
    bad_total_length,   ///< below the header or beyond the frame
    bad_checksum,
    bad_options,  ///< an option's length is 0, 1 or beyond the header
};

struct ipv4_header {
    ipv4_address source;
    ipv4_address destination;
    std::uint8_t protocol = 0;
    std::uint8_t ttl = 64;
    std::uint8_t traffic_class = 0;  ///< DSCP in the six high bits, ECN in the two low
    std::uint8_t header_bytes = ipv4_header_bytes;
    std::uint16_t total_bytes = 0;  ///< header and payload
    std::uint16_t identification = 0;
    std::uint16_t fragment_offset_bytes = 0;
    bool dont_fragment = false;
    bool more_fragments = false;

    [[nodiscard]] constexpr bool is_fragment() const noexcept {
        return more_fragments || fragment_offset_bytes != 0;
    }
    [[nodiscard]] constexpr std::size_t payload_bytes() const noexcept {
        return std::size_t{total_bytes} - header_bytes;
    }
    /// The payload in the bytes this header was parsed from, without a short frame's padding.
    [[nodiscard]] constexpr bytes_view payload_in(bytes_view packet) const noexcept {
        return packet.subspan(header_bytes, payload_bytes());
    }

    friend constexpr bool operator==(const ipv4_header&, const ipv4_header&) noexcept = default;
};

/// Reads a packet that may be followed by padding. Checks everything but the meaning.
parsed<ipv4_header, ipv4_error> parse_ipv4(bytes_view packet) noexcept;

/// Reads the header quoted in an ICMP error: its checksum, total length and payload are not
/// checked, because routers change and cut what they quote.
parsed<ipv4_header, ipv4_error> parse_quoted_ipv4(bytes_view quoted) noexcept;

/// Writes 20 bytes with their checksum and returns 20; header_bytes is not looked at.
/// Preconditions: they fit; fragment_offset_bytes is a multiple of 8.
std::size_t emit_ipv4(const ipv4_header& header, std::byte* out) noexcept;

}  // namespace weft::net::wire
