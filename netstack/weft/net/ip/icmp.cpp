#include <weft/net/ip/icmp.hpp>

#include <weft/net/wire/checksum.hpp>

#include <algorithm>
#include <cassert>

namespace weft::net::ip {
namespace {

/// One host, and not one of ours.
bool is_possible_peer(const route_table& routes, ipv4_address source) noexcept {
    return source.is_unicast() && !routes.is_broadcast(source) && !routes.is_local(source);
}

bool is_to_one_host(const route_table& routes, ipv4_address destination,
                    link_delivery delivery) noexcept {
    return delivery == link_delivery::unicast && !destination.is_multicast() &&
           !routes.is_broadcast(destination);
}

/// Queries may be answered with errors; errors, and what we do not know, may not.
bool is_icmp_query(wire::bytes_view payload) noexcept {
    if (payload.empty()) {
        return false;
    }
    const auto type = static_cast<wire::icmp_type>(wire::load_u8(payload.data()));
    return type == wire::icmp_type::echo_request || type == wire::icmp_type::echo_reply;
}

}  // namespace

bool may_answer_echo(const route_table& routes, const wire::ipv4_header& request,
                     link_delivery delivery) noexcept {
    return is_possible_peer(routes, request.source) &&
           is_to_one_host(routes, request.destination, delivery);
}

std::size_t make_echo_reply(wire::bytes_view request, std::span<std::byte> out) noexcept {
    assert(request.size() >= wire::icmp_header_bytes && out.size() >= request.size());
    const std::uint16_t checksum = wire::load_be16(request.data() + 2);
    const std::uint16_t type_and_code = wire::load_be16(request.data());
    if (out.data() != request.data()) {
        std::copy(request.begin(), request.end(), out.begin());
    }
    const auto reply = static_cast<std::uint16_t>(type_and_code & 0xffU);  // type 0, same code
    wire::store_be16(out.data(), reply);
    wire::store_be16(out.data() + 2, wire::checksum_update(checksum, type_and_code, reply));
    return request.size();
}

wire::ipv4_header reply_header(const wire::ipv4_header& request, std::uint8_t protocol,
                               std::size_t payload_bytes, std::uint16_t identification) noexcept {
    wire::ipv4_header header;
    header.source = request.destination;
    header.destination = request.source;
    header.protocol = protocol;
    // RFC 1122 §3.2.2.6 keeps the TOS; the ECN bits say nothing about a reply (RFC 3168 §5).
    header.traffic_class = static_cast<std::uint8_t>(request.traffic_class & ~wire::ecn::mask);
    header.identification = identification;
    header.total_bytes = static_cast<std::uint16_t>(wire::ipv4_header_bytes + payload_bytes);
    return header;
}

bool may_send_error(const route_table& routes, const wire::ipv4_header& header,
                    wire::bytes_view payload, link_delivery delivery) noexcept {
    return header.fragment_offset_bytes == 0 && is_possible_peer(routes, header.source) &&
           is_to_one_host(routes, header.destination, delivery) &&
           (header.protocol != wire::ip_protocol::icmp || is_icmp_query(payload));
}

std::size_t icmp_error_sender::make_error(const icmp_problem& problem, const route_table& routes,
                                          const wire::ipv4_header& header, wire::bytes_view packet,
                                          link_delivery delivery, std::span<std::byte> out,
                                          instant now, stack_counters& counters) noexcept {
    assert(out.size() >= icmp_max_error_bytes);
    if (packet.size() < header.header_bytes ||
        !may_send_error(routes, header, packet.subspan(header.header_bytes), delivery)) {
        return 0;
    }
    if (!bucket_.take(now)) {
        ++counters.icmp_errors_limited;
        return 0;
    }
    const std::size_t room = icmp_max_error_bytes - wire::icmp_header_bytes;
    const std::size_t quoted = std::min({room, packet.size(), std::size_t{header.total_bytes}});
    const std::uint32_t rest = problem.type == wire::icmp_type::parameter_problem
                                   ? std::uint32_t{problem.pointer} << 24
                                   : 0U;
    wire::emit_icmp_header(problem.type, problem.code, rest, out.data());
    std::copy_n(packet.begin(), quoted, out.begin() + wire::icmp_header_bytes);
    const std::span<std::byte> message = out.first(wire::icmp_header_bytes + quoted);
    wire::fill_icmp_checksum(message);
    ++counters.icmp_errors_sent;
    return message.size();
}

}  // namespace weft::net::ip
