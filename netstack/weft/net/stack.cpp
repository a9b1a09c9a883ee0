// Frames in: Ethernet, ARP, IPv4 and what is in it. What goes out is in stack_output.cpp, what is
// UDP's in stack_udp.cpp.

#include <weft/net/ip/arp.hpp>
#include <weft/net/stack.hpp>
#include <weft/net/wire/ethernet.hpp>
#include <weft/net/wire/ipv4.hpp>
#include <weft/net/wire/tcp.hpp>

#include <algorithm>
#include <stdexcept>

namespace weft::net {

stack::stack(const stack_options& options, block_pool& pool)
    : options_{options},
      pool_{pool},
      fragments_{counters_},
      replies_{counters_},
      tcp_{*this, options.tcp, options.secret, pool, counters_},
      udp_{{options.tcp.ephemeral_port_first, options.tcp.ephemeral_port_last,
            std::max(options.shard.map.count, 1U), options.shard.index},
           pool,
           counters_} {
    // Below the least MTU of IPv4 (RFC 791) no frame of ours would fit; beyond 16 bits none can be.
    options_.device.mtu = std::clamp(options.device.mtu, 68U, 65535U);
    announce_due_ = options.shard.index == 0;
    tcp_.serve(options.shard);
    if (!routes_.add_address(options.address)) {
        throw std::invalid_argument{options.address.to_string() + " cannot be a host's address"};
    }
    if (options.gateway) {
        const ip_address any = options.gateway->is_v4() ? ip_address{ipv4_address{}} : ip_address{};
        if (!routes_.add_route(ip_prefix{any, 0}, *options.gateway)) {
            throw std::invalid_argument{"the gateway " + options.gateway->to_string() +
                                        " is not in the network " + options.address.to_string()};
        }
    }
}

void stack::on_frame(slice frame, const rx_offload& offload, instant now) {
    ++counters_.frames_received;
    if (offload.truncated) {
        ++counters_.truncated_frames;
        return;
    }
    if (options_.device.link == device_capabilities::link_type::raw_ip) {
        on_ipv4(std::move(frame), 0, ip::link_delivery::unicast, offload, now);
        return;
    }
    const auto header = wire::parse_ethernet(frame.bytes());
    if (!header) {
        ++counters_.ethernet_too_short;
        return;
    }
    const bool is_group = header->destination.is_multicast();
    if (!is_group && header->destination != options_.mac) {
        ++counters_.ethernet_not_for_us;
        return;
    }
    switch (header->type) {
        case wire::ethernet_type::ipv4:
            on_ipv4(std::move(frame), wire::ethernet_header_bytes,
                    is_group ? ip::link_delivery::group : ip::link_delivery::unicast, offload, now);
            break;
        case wire::ethernet_type::arp:
            on_arp(frame.bytes().subspan(wire::ethernet_header_bytes), now);
            break;
        default: ++counters_.ethernet_unknown_type; break;
    }
}

void stack::on_arp(std::span<const std::byte> bytes, instant now) {
    const auto packet = wire::parse_arp(bytes);
    if (!packet) {
        ++counters_.arp_malformed;
        return;
    }
    if (!options_.shard.is_alone() && share_arp(bytes)) return;
    ++counters_.arp_received;
    const auto answer = ip::on_arp(neighbors_, routes_, options_.mac, *packet, now, counters_);
    if (answer) {
        // Framed at once: an ARP reply has no next hop to resolve.
        if (arp_replies_.size() < max_arp_replies) {
            arp_replies_.push_back(*answer);
        } else {
            ++counters_.reply_queue_dropped;
        }
    }
    resume_resolved();
}

void stack::resume_resolved() {
    while (ip::neighbor_waiter* w = neighbors_.poll_woken()) {
        tcp_.resume(*w);
    }
}

namespace {

void count(stack_counters& counters, wire::ipv4_error error) noexcept {
    switch (error) {
        case wire::ipv4_error::none: break;
        case wire::ipv4_error::too_short: ++counters.ipv4_too_short; break;
        case wire::ipv4_error::bad_version: ++counters.ipv4_bad_version; break;
        case wire::ipv4_error::bad_header_length: ++counters.ipv4_bad_header_length; break;
        case wire::ipv4_error::bad_total_length: ++counters.ipv4_bad_total_length; break;
        case wire::ipv4_error::bad_checksum: ++counters.ipv4_bad_checksum; break;
        case wire::ipv4_error::bad_options: ++counters.ipv4_bad_options; break;
    }
}

}  // namespace

void stack::on_ipv4(slice frame, std::uint32_t offset, ip::link_delivery delivery,
                    const rx_offload& offload, instant now) {
    frame.remove_prefix(offset);
    const auto header = wire::parse_ipv4(frame.bytes());
    if (!header) {
        count(counters_, header.error());
        return;
    }
    ++counters_.ipv4_received;
    const ipv4_address source = header->source;
    if (!source.is_unicast() || routes_.is_broadcast(source) || routes_.is_local(source)) {
        ++counters_.ipv4_bad_source;  // RFC 1122 §3.2.1.3; MUST-63
        return;
    }
    if (!routes_.is_local(header->destination) && !routes_.is_broadcast(header->destination)) {
        ++counters_.ipv4_not_for_us;
        return;
    }
    if (!options_.shard.is_alone() && pass_on(*header, frame.bytes(), delivery, offload)) return;
    frame.remove_prefix(header->header_bytes);
    frame.truncate(static_cast<std::uint32_t>(header->payload_bytes()));  // padding ends here
    if (!header->is_fragment()) {
        on_datagram(*header, std::move(frame), delivery, offload, now);
        return;
    }
    const auto whole = fragments_.on_fragment(*header, frame.bytes(), now);
    if (!whole) return;
    if (!options_.shard.is_alone() && pass_on_whole(whole->header, whole->payload, delivery))
        return;
    slice copy = pool_.allocate_for(whole->payload.size());
    if (!copy) {
        ++counters_.fragments_over_limit;
        return;
    }
    std::ranges::copy(whole->payload, copy.data());
    copy.extend(static_cast<std::uint32_t>(whole->payload.size()));
    on_datagram(whole->header, std::move(copy), delivery, rx_offload{}, now);
}

void stack::on_datagram(const wire::ipv4_header& header, slice payload, ip::link_delivery delivery,
                        const rx_offload& offload, instant now) {
    switch (header.protocol) {
        case wire::ip_protocol::tcp:
            if (delivery == ip::link_delivery::group || routes_.is_broadcast(header.destination)) {
                ++counters_.tcp_bad_address;  // MUST-57
                return;
            }
            on_tcp(header, std::move(payload), offload, now);
            return;
        case wire::ip_protocol::icmp: on_icmp(header, payload, delivery, now); return;
        case wire::ip_protocol::udp:
            on_udp(header, std::move(payload), delivery, offload, now);
            return;
        default:
            ++counters_.ipv4_unknown_protocol;
            send_icmp_error(ip::protocol_unreachable, header, payload.bytes(), delivery, now);
            return;
    }
}

void stack::on_tcp(const wire::ipv4_header& header, slice payload, const rx_offload& offload,
                   instant now) {
    ++counters_.tcp_segments_received;
    const auto parsed = wire::parse_tcp(payload.bytes());
    if (!parsed) {
        switch (parsed.error()) {
            case wire::tcp_error::too_short: ++counters_.tcp_too_short; break;
            case wire::tcp_error::bad_data_offset: ++counters_.tcp_bad_data_offset; break;
            default: ++counters_.tcp_bad_options; break;  // MUST-7
        }
        return;
    }
    if (!offload.checksum_verified &&
        !wire::verify_tcp_checksum(header.source, header.destination, payload.bytes())) {
        ++counters_.tcp_bad_checksum;  // MUST-3
        return;
    }
    const wire::tcp_header& tcp = parsed->header;
    const tcp::four_tuple tuple{header.destination, header.source, tcp.destination_port,
                                tcp.source_port};
    payload.remove_prefix(tcp.data_offset_bytes);
    counters_.tcp_segments_received += segments_of(payload.size(), offload.segment_bytes) - 1;
    if (tcp_.watcher != nullptr) {
        tcp_.watcher->on_segment({segment_event::direction::received, tuple.local(), tuple.remote(),
                                  tcp, parsed->options, payload.size(), false, now});
    }
    tcp::segment seg;
    seg.seq = tcp::sequence_number{tcp.sequence};
    seg.ack = tcp::sequence_number{tcp.acknowledgment};
    seg.wnd = tcp.window;
    seg.up = tcp.urgent_pointer;
    seg.flags = tcp.flags;
    seg.traffic_class = header.traffic_class;
    seg.options = parsed->options;
    seg.text = std::move(payload);
    seg.segment_bytes = offload.segment_bytes;
    tcp_.on_segment(tuple, seg, now);
}

void stack::on_icmp(const wire::ipv4_header& header, const slice& payload,
                    ip::link_delivery delivery, instant now) {
    const auto message = wire::parse_icmp(payload.bytes());
    if (!message) {
        switch (message.error()) {
            case wire::icmp_error::bad_checksum: ++counters_.icmp_bad_checksum; break;
            case wire::icmp_error::unknown_type: ++counters_.icmp_unknown_type; break;
            default: ++counters_.icmp_malformed; break;
        }
        return;
    }
    ++counters_.icmp_received;
    switch (message->type) {
        case wire::icmp_type::echo_request:
            if (ip::may_answer_echo(routes_, header, delivery)) {
                send_echo_reply(header, payload.bytes());
            }
            return;
        case wire::icmp_type::source_quench: ++counters_.icmp_source_quench; return;  // MUST-55
        case wire::icmp_type::redirect: ++counters_.icmp_redirect; return;
        case wire::icmp_type::echo_reply: return;
        default: break;
    }
    const auto report = wire::report_of(*message);
    if (report && report->protocol == wire::ip_protocol::udp) {
        on_udp_error(*report);
        return;
    }
    if (!report || report->protocol != wire::ip_protocol::tcp ||
        !routes_.is_local(report->source)) {
        ++counters_.icmp_error_unmatched;
        return;
    }
    using enum wire::delivery_problem;
    const tcp::four_tuple tuple{report->source, report->destination, report->source_port,
                                report->destination_port};
    const tcp::sequence_number quoted{report->sequence};
    if (report->problem == packet_too_big) {
        tcp_.on_packet_too_big(tuple, report->next_hop_mtu, report->quoted_total_bytes, quoted,
                               now);
        return;
    }
    // MUST-54, MUST-56, SHLD-26: which errors are hard.
    const bool is_hard =
        report->problem == protocol_unreachable || report->problem == port_unreachable;
    const errc kind = is_hard                                  ? errc::connection_refused
                      : report->problem == network_unreachable ? errc::network_unreachable
                                                               : errc::host_unreachable;
    tcp_.on_icmp_error(tuple, kind, is_hard, quoted, now);
}

void stack::on_timeout(instant now) {
    neighbors_.on_timeout(now);
    counters_.neighbor_unresolved = neighbors_.unresolved_count();
    counters_.neighbor_evicted = neighbors_.evicted_count();
    resume_resolved();
    while (const auto expired = fragments_.poll_expired(now)) {
        send_icmp_error(ip::reassembly_time_exceeded, expired->header, expired->first_bytes,
                        ip::link_delivery::unicast, now);
    }
    tcp_.on_timeout(now);
}

instant stack::next_timeout() const noexcept {
    return std::min({tcp_.next_timeout(), neighbors_.next_timeout(), fragments_.next_timeout()});
}

result<tcp::connection*> stack::connect(const endpoint& remote,
                                        const tcp::connection_options& options, instant now,
                                        const endpoint& local) {
    const ip_address& to = remote.address;
    if (remote.port == 0 || to.is_unspecified() || to.is_multicast() || routes_.is_broadcast(to)) {
        return errc::invalid_endpoint;  // MUST-46
    }
    const auto hop = routes_.lookup(to);
    if (!hop || hop->kind == ip::hop_kind::local) return errc::network_unreachable;
    const ip_address from =
        local.address.is_unspecified() ? hop->source : local.address;  // MUST-44
    if (!routes_.is_local(from)) return errc::address_not_available;
    return tcp_.connect({from, local.port}, remote, options, now);
}

result<tcp::listener*> stack::listen(const endpoint& local, const tcp::listen_options& options,
                                     instant now) {
    if (!local.address.is_unspecified() && !routes_.is_local(local.address)) {
        return errc::address_not_available;
    }
    return tcp_.listen(local, options, now);
}

}  // namespace weft::net
