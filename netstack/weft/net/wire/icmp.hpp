// ICMP for IPv4 (RFC 792): echo, and the errors that quote a datagram, with the next hop's MTU
// (RFC 1191 §4).
//
// parse_icmp() gives a message; report_of() turns an error message into an icmp_report, the form in
// which transports hear of it and which ICMPv6 will give as well. Whether a report is believed is
// the transport's decision (RFC 5927); which errors may be sent is in ip/icmp.hpp.
#pragma once

#include <weft/net/wire/bytes.hpp>
#include <weft/net/wire/ipv4.hpp>
#include <weft/net/wire/parsed.hpp>

#include <array>
#include <optional>

namespace weft::net::wire {

/// Type, code, checksum and the four bytes whose meaning depends on the type.
inline constexpr std::size_t icmp_header_bytes = 8;
/// What every quoted datagram must carry of its transport header (RFC 792).
inline constexpr std::size_t icmp_quoted_transport_bytes = 8;

enum class icmp_type : std::uint8_t {
    echo_reply = 0,
    destination_unreachable = 3,
    source_quench = 4,
    redirect = 5,
    echo_request = 8,
    time_exceeded = 11,
    parameter_problem = 12,
};

/// Codes of destination_unreachable (RFC 792, RFC 1122 §3.2.2.1, RFC 1812 §5.2.7.1).
namespace unreachable_code {
inline constexpr std::uint8_t network = 0;
inline constexpr std::uint8_t host = 1;
inline constexpr std::uint8_t protocol = 2;
inline constexpr std::uint8_t port = 3;
inline constexpr std::uint8_t fragmentation_needed = 4;
inline constexpr std::uint8_t source_route_failed = 5;
inline constexpr std::uint8_t administratively_prohibited = 13;
}  // namespace unreachable_code

/// Codes of time_exceeded.
namespace time_exceeded_code {
inline constexpr std::uint8_t in_transit = 0;
inline constexpr std::uint8_t in_reassembly = 1;
}  // namespace time_exceeded_code

enum class icmp_error : std::uint8_t {
    none,
    too_short,  ///< fewer than 8 bytes
    bad_checksum,
    bad_quote,     ///< an error that does not quote an IPv4 header and 8 bytes behind it
    unknown_type,  ///< none of icmp_type: silently discarded (RFC 1122 §3.2.2)
};

/// The start of the datagram that an ICMP error is about.
struct quoted_datagram {
    ipv4_header header;
    std::array<std::byte, icmp_quoted_transport_bytes> transport{};

    /// The first four bytes of TCP and UDP alike.
    [[nodiscard]] constexpr std::uint16_t source_port() const noexcept {
        return load_be16(transport.data());
    }
    [[nodiscard]] constexpr std::uint16_t destination_port() const noexcept {
        return load_be16(transport.data() + 2);
    }
    /// SEG.SEQ of a quoted TCP segment.
    [[nodiscard]] constexpr std::uint32_t tcp_sequence() const noexcept {
        return load_be32(transport.data() + 4);
    }
};

struct icmp_message {
    icmp_type type = icmp_type::echo_reply;
    std::uint8_t code = 0;
    std::uint16_t identifier = 0;    ///< echo only
    std::uint16_t sequence = 0;      ///< echo only
    std::uint16_t next_hop_mtu = 0;  ///< fragmentation_needed only; zero from old routers
    quoted_datagram quoted;          ///< errors only; not source quench's or redirect's

    [[nodiscard]] constexpr bool is_error() const noexcept {
        return type == icmp_type::destination_unreachable || type == icmp_type::time_exceeded ||
               type == icmp_type::parameter_problem;
    }
};

/// Reads a message: all of the IP packet's payload. An echo's data follows icmp_header_bytes.
parsed<icmp_message, icmp_error> parse_icmp(bytes_view message) noexcept;

/// What went wrong with a packet of ours, in words that serve IPv4 and IPv6.
enum class delivery_problem : std::uint8_t {
    network_unreachable,
    host_unreachable,
    protocol_unreachable,
    port_unreachable,
    packet_too_big,
    source_route_failed,
    prohibited,
    hop_limit_exceeded,
    reassembly_timed_out,
    parameter_problem,
};

/// An ICMP error for the transport whose packet it quotes; source and ports are ours.
struct icmp_report {
    delivery_problem problem = delivery_problem::network_unreachable;
    std::uint8_t protocol = 0;
    ip_address source;
    ip_address destination;
    std::uint16_t source_port = 0;
    std::uint16_t destination_port = 0;
    std::uint32_t sequence = 0;            ///< SEG.SEQ when protocol is TCP
    std::uint32_t next_hop_mtu = 0;        ///< packet_too_big only; zero when not told
    std::uint16_t quoted_total_bytes = 0;  ///< of the packet that was too big (RFC 1191 §5)
};

/// Nothing unless the message is an error about a datagram's first fragment.
[[nodiscard]] std::optional<icmp_report> report_of(const icmp_message& message) noexcept;

/// Writes type, code, a checksum of zero and `rest`, and returns 8. Precondition: they fit.
std::size_t emit_icmp_header(icmp_type type, std::uint8_t code, std::uint32_t rest,
                             std::byte* out) noexcept;

/// Computes and stores the checksum of a whole emitted message. Precondition: 8 bytes or more.
void fill_icmp_checksum(std::span<std::byte> message) noexcept;

}  // namespace weft::net::wire
