#include <weft/net/wire/icmp.hpp>

#include <weft/net/wire/checksum.hpp>

#include <algorithm>

namespace weft::net::wire {
namespace {

std::optional<icmp_type> known_type(std::uint8_t value) noexcept {
    const auto type = static_cast<icmp_type>(value);
    switch (type) {
        case icmp_type::echo_reply:
        case icmp_type::destination_unreachable:
        case icmp_type::source_quench:
        case icmp_type::redirect:
        case icmp_type::echo_request:
        case icmp_type::time_exceeded:
        case icmp_type::parameter_problem: return type;
    }
    return std::nullopt;
}

std::optional<quoted_datagram> parse_quote(bytes_view quote) noexcept {
    const auto header = parse_quoted_ipv4(quote);
    if (!header || quote.size() < header->header_bytes + icmp_quoted_transport_bytes) {
        return std::nullopt;
    }
    quoted_datagram result;
    result.header = *header;
    std::copy_n(quote.begin() + header->header_bytes, icmp_quoted_transport_bytes,
                result.transport.begin());
    return result;
}

delivery_problem unreachable_problem(std::uint8_t code) noexcept {
    switch (code) {
        case unreachable_code::protocol: return delivery_problem::protocol_unreachable;
        case unreachable_code::port: return delivery_problem::port_unreachable;
        case unreachable_code::fragmentation_needed: return delivery_problem::packet_too_big;
        case unreachable_code::source_route_failed: return delivery_problem::source_route_failed;
        // RFC 1122 §3.2.2.1: 6, 8 and 11 are about a network; 7 and 12 about a host.
        case unreachable_code::network:
        case 6:
        case 8:
        case 11: return delivery_problem::network_unreachable;
        case 9:
        case 10:
        case unreachable_code::administratively_prohibited: return delivery_problem::prohibited;
        default: return delivery_problem::host_unreachable;
    }
}

delivery_problem problem_of(const icmp_message& message) noexcept {
    switch (message.type) {
        case icmp_type::destination_unreachable: return unreachable_problem(message.code);
        case icmp_type::time_exceeded:
            return message.code == time_exceeded_code::in_reassembly
                       ? delivery_problem::reassembly_timed_out
                       : delivery_problem::hop_limit_exceeded;
        default: return delivery_problem::parameter_problem;
    }
}

}  // namespace

parsed<icmp_message, icmp_error> parse_icmp(bytes_view message) noexcept {
    if (message.size() < icmp_header_bytes) {
        return icmp_error::too_short;
    }
    if (!checksum_is_valid(checksum_partial(message))) {
        return icmp_error::bad_checksum;
    }
    const std::byte* at = message.data();
    const auto type = known_type(load_u8(at));
    if (!type) {
        return icmp_error::unknown_type;
    }
    icmp_message result;
    result.type = *type;
    result.code = load_u8(at + 1);
    if (*type == icmp_type::echo_request || *type == icmp_type::echo_reply) {
        result.identifier = load_be16(at + 4);
        result.sequence = load_be16(at + 6);
    }
    if (result.is_error()) {
        const auto quoted = parse_quote(message.subspan(icmp_header_bytes));
        if (!quoted) {
            return icmp_error::bad_quote;
        }
        result.quoted = *quoted;
        if (*type == icmp_type::destination_unreachable &&
            result.code == unreachable_code::fragmentation_needed) {
            result.next_hop_mtu = load_be16(at + 6);
        }
    }
    return result;
}

std::optional<icmp_report> report_of(const icmp_message& message) noexcept {
    if (!message.is_error() || message.quoted.header.fragment_offset_bytes != 0) {
        return std::nullopt;  // a later fragment quotes text where ports would be
    }
    const quoted_datagram& quoted = message.quoted;
    icmp_report report;
    report.problem = problem_of(message);
    report.protocol = quoted.header.protocol;
    report.source = quoted.header.source;
    report.destination = quoted.header.destination;
    report.source_port = quoted.source_port();
    report.destination_port = quoted.destination_port();
    report.sequence = quoted.header.protocol == ip_protocol::tcp ? quoted.tcp_sequence() : 0;
    report.next_hop_mtu = message.next_hop_mtu;
    report.quoted_total_bytes = quoted.header.total_bytes;
    return report;
}

std::size_t emit_icmp_header(icmp_type type, std::uint8_t code, std::uint32_t rest,
                             std::byte* out) noexcept {
    store_u8(out, static_cast<unsigned>(type));
    store_u8(out + 1, code);
    store_be16(out + 2, 0);
    store_be32(out + 4, rest);
    return icmp_header_bytes;
}

void fill_icmp_checksum(std::span<std::byte> message) noexcept {
    store_be16(message.data() + 2, 0);
    store_be16(message.data() + 2, checksum_finish(checksum_partial(message)));
}

}  // namespace weft::net::wire
