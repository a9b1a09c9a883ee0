// ICMP as a host owes it (RFC 1122 §3.2.2): the echo server, and errors about what we cannot
// deliver.
//
// Functions from a received packet to the bytes of an answer; they queue and route nothing. Errors
// are sent only where §3.2.2 allows them and no faster than a token bucket. Messages that arrive
// for a transport are wire::report_of()'s.
#pragma once

#include <weft/base/instant.hpp>
#include <weft/net/counters.hpp>
#include <weft/net/ip/route_table.hpp>
#include <weft/net/ip/token_bucket.hpp>
#include <weft/net/wire/icmp.hpp>

#include <cstdint>
#include <optional>
#include <span>

namespace weft::net::ip {

/// How the link delivered the frame.
enum class link_delivery : std::uint8_t { unicast, group };

/// Whether an echo request may be answered: one that came to a broadcast or group address, or from
/// an address that is no host's, is not (RFC 1122 §3.2.2.6, RFC 1812 §4.3.3.6).
[[nodiscard]] bool may_answer_echo(const route_table& routes, const wire::ipv4_header& request,
                                   link_delivery delivery) noexcept;

/// Turns an echo request (a whole ICMP message that parse_icmp() accepted) into its reply in `out`,
/// same data, and returns the size. Precondition: out.size() >= request.size(); they may be one.
std::size_t make_echo_reply(wire::bytes_view request, std::span<std::byte> out) noexcept;

/// The header for a reply to `request`: addresses exchanged, its traffic class kept, DF not set.
[[nodiscard]] wire::ipv4_header reply_header(const wire::ipv4_header& request,
                                             std::uint8_t protocol, std::size_t payload_bytes,
                                             std::uint16_t identification) noexcept;

/// An error that we would send.
struct icmp_problem {
    wire::icmp_type type = wire::icmp_type::destination_unreachable;
    std::uint8_t code = 0;
    std::uint8_t pointer = 0;  ///< parameter_problem: the offset of the bad byte
};

inline constexpr icmp_problem port_unreachable{wire::icmp_type::destination_unreachable,
                                               wire::unreachable_code::port};
inline constexpr icmp_problem protocol_unreachable{wire::icmp_type::destination_unreachable,
                                                   wire::unreachable_code::protocol};
inline constexpr icmp_problem reassembly_time_exceeded{wire::icmp_type::time_exceeded,
                                                       wire::time_exceeded_code::in_reassembly};

/// The largest error message: with its IP header at most 576 bytes (RFC 1812 §4.3.2.3).
inline constexpr std::size_t icmp_max_error_bytes = 576 - wire::ipv4_header_bytes;

class icmp_error_sender {
public:
    constexpr icmp_error_sender(std::uint32_t per_second = 100, std::uint32_t burst = 20) noexcept
        : bucket_{per_second, burst} {}

    /// Writes the ICMP message about `packet` (IP header and what is left of its payload, as it
    /// came) and returns its size, or 0 when no error may be sent: about an ICMP error, a later
    /// fragment, a broadcast or group destination, a source that is no single host (RFC 1122
    /// §3.2.2), or above the rate. Precondition: out.size() >= icmp_max_error_bytes.
    std::size_t make_error(const icmp_problem& problem, const route_table& routes,
                           const wire::ipv4_header& header, wire::bytes_view packet,
                           link_delivery delivery, std::span<std::byte> out, instant now,
                           stack_counters& counters) noexcept;

private:
    token_bucket bucket_;
};

/// Whether RFC 1122 §3.2.2 lets an ICMP error about this packet be sent at all.
[[nodiscard]] bool may_send_error(const route_table& routes, const wire::ipv4_header& header,
                                  wire::bytes_view payload, link_delivery delivery) noexcept;

}  // namespace weft::net::ip
