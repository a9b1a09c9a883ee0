// Frames out: polled one at a time into a device's slot. In order: ARP, the queue of stateless
// replies, then UDP and TCP in turn, one frame a turn of the line.

#include <weft/net/ip/arp.hpp>
#include <weft/net/ip/fragmenter.hpp>
#include <weft/net/stack.hpp>
#include <weft/net/wire/ethernet.hpp>
#include <weft/net/wire/icmp.hpp>
#include <weft/net/wire/ipv4.hpp>
#include <weft/net/wire/tcp.hpp>

#include <algorithm>
#include <cstring>

namespace weft::net {

namespace {
constexpr std::uint32_t least_ipv4_mtu = 68;  // RFC 791; RFC 1191 §3
}

bool stack::is_transmit_pending() noexcept {
    return tcp_.transmitting() != nullptr || tcp_.answering() != nullptr || !replies_.is_empty() ||
           !arp_replies_.empty() || neighbors_.has_request() || announce_due_ ||
           udp_.is_transmit_pending(neighbors_.generation());
}

bool stack::poll_frame(tx_slot& slot, instant now) {
    // ARP once more: a reply that finds its next hop unresolved gives rise to a question.
    const bool has_frame = poll_arp(slot, now) || poll_reply(slot, now) ||
                           poll_transport(slot, now) || poll_arp(slot, now);
    if (has_frame) ++counters_.frames_sent;
    return has_frame;
}

bool stack::is_ethernet() const noexcept {
    return options_.device.link == device_capabilities::link_type::ethernet;
}

void stack::emit_ethernet(const mac_address& to, std::uint16_t type, tx_slot& slot) noexcept {
    if (!is_ethernet()) return;
    slot.header_bytes += static_cast<std::uint32_t>(
        wire::emit_ethernet({to, options_.mac, type}, slot.headers.data() + slot.header_bytes));
}

// ---- ARP

bool stack::poll_arp(tx_slot& slot, instant now) {
    if (!is_ethernet() || !options_.address.address().is_v4()) {
        announce_due_ = false;
        return false;
    }
    const auto emit = [&](const wire::arp_packet& packet, const mac_address& to) {
        emit_ethernet(to, wire::ethernet_type::arp, slot);
        slot.header_bytes += static_cast<std::uint32_t>(
            wire::emit_arp(packet, slot.headers.data() + slot.header_bytes));
        return true;
    };
    if (announce_due_) {
        announce_due_ = false;
        return emit(ip::make_arp_announcement(options_.mac, options_.address.address().v4()),
                    mac_address::broadcast());
    }
    if (!arp_replies_.empty()) {
        const wire::arp_packet answer = arp_replies_.front();
        arp_replies_.pop_front();
        ++counters_.arp_replies_sent;
        return emit(answer, answer.target_mac);
    }
    const auto question = neighbors_.poll_request(now);
    if (!question) return false;
    ++counters_.arp_requests_sent;
    const auto source = routes_.source_for(question->target);
    return emit(ip::make_arp_request(*question, options_.mac,
                                     source.value_or(options_.address.address()).v4()),
                question->unicast_to.value_or(mac_address::broadcast()));
}

// ---- stateless replies

bool stack::poll_reply(tx_slot& slot, instant now) {
    if (replies_.is_empty()) return false;
    const auto ready = replies_.poll(is_ethernet() ? &neighbors_ : nullptr, now);
    if (!ready) return false;
    slice copy = pool_.allocate_for(ready->packet.size());
    if (!copy) {
        ++counters_.reply_queue_dropped;
        return false;
    }
    std::ranges::copy(ready->packet, copy.data());
    copy.extend(static_cast<std::uint32_t>(ready->packet.size()));
    emit_ethernet(ready->mac, wire::ethernet_type::ipv4, slot);
    slot.append(std::move(copy));
    return true;
}

/// A datagram that no connection sends: cut into fragments if it has to be, queued for its next
/// hop.
void stack::send_datagram(const wire::ipv4_header& header, wire::bytes_view payload) {
    const auto hop = routes_.lookup(header.destination);
    if (!hop || hop->kind == ip::hop_kind::local) {
        ++counters_.ipv4_no_route;
        return;
    }
    ip::fragmenter pieces{header, payload, options_.device.mtu};
    const std::size_t bytes = payload.size() + pieces.remaining() * wire::ipv4_header_bytes;
    if (!replies_.has_room(pieces.remaining(), bytes)) {
        ++counters_.reply_queue_dropped;
        return;
    }
    while (const auto piece = pieces.next()) {
        const std::span<std::byte> room =
            replies_.push(hop->address, wire::ipv4_header_bytes + piece->payload.size());
        if (room.empty()) return;
        const std::size_t at = wire::emit_ipv4(piece->header, room.data());
        std::ranges::copy(piece->payload, room.data() + at);
    }
}

void stack::send_echo_reply(const wire::ipv4_header& request, wire::bytes_view message) {
    slice answer = pool_.allocate_for(message.size());
    if (!answer) {
        ++counters_.reply_queue_dropped;
        return;
    }
    answer.extend(static_cast<std::uint32_t>(message.size()));
    ip::make_echo_reply(message, answer.bytes());
    ++counters_.icmp_echo_replied;
    send_datagram(
        ip::reply_header(request, wire::ip_protocol::icmp, message.size(), ++identification_),
        answer.bytes());
}

void stack::send_icmp_error(const ip::icmp_problem& problem, const wire::ipv4_header& header,
                            wire::bytes_view payload, ip::link_delivery delivery, instant now) {
    // The quotation begins with the header as it came, but for its options.
    wire::ipv4_header plain = header;
    plain.header_bytes = wire::ipv4_header_bytes;
    plain.total_bytes =
        static_cast<std::uint16_t>(header.payload_bytes() + wire::ipv4_header_bytes);
    std::array<std::byte, ip::icmp_max_error_bytes> packet;
    const std::size_t at = wire::emit_ipv4(plain, packet.data());
    const std::size_t quoted = std::min(payload.size(), packet.size() - at);
    std::copy_n(payload.data(), quoted, packet.data() + at);
    std::array<std::byte, ip::icmp_max_error_bytes> message;
    const std::size_t size =
        icmp_errors_.make_error(problem, routes_, plain, std::span{packet}.first(at + quoted),
                                delivery, message, now, counters_);
    if (size == 0) return;
    send_datagram(ip::reply_header(header, wire::ip_protocol::icmp, size, ++identification_),
                  std::span{message}.first(size));
}

void stack::send_reply(const tcp::reply& r, instant now) noexcept {
    if (!r.tuple.remote_address.is_v4()) return;
    wire::tcp_header tcp;
    tcp.source_port = r.tuple.local_port;
    tcp.destination_port = r.tuple.remote_port;
    tcp.sequence = r.sequence;
    tcp.flags = r.flags;
    tcp.window = r.window;
    if (r.flags.has(wire::tcp_flags::ack)) tcp.acknowledgment = r.acknowledgment;
    std::array<std::byte, wire::tcp_header_bytes + wire::tcp_max_options_bytes> room;
    const std::size_t size = wire::emit_tcp(tcp, r.options, room.data());
    const std::span<std::byte> bytes = std::span{room}.first(size);
    wire::fill_tcp_checksum(r.tuple.local_address, r.tuple.remote_address, bytes, 0, 0);

    wire::ipv4_header ip;
    ip.source = r.tuple.local_address.v4();
    ip.destination = r.tuple.remote_address.v4();
    ip.protocol = wire::ip_protocol::tcp;
    ip.total_bytes = static_cast<std::uint16_t>(wire::ipv4_header_bytes + size);
    ip.traffic_class = r.traffic_class;
    ip.ttl = r.hop_limit != 0 ? r.hop_limit : options_.tcp.hop_limit;
    ip.dont_fragment = true;
    ++counters_.tcp_segments_sent;
    if (r.flags.has(wire::tcp_flags::rst)) ++counters_.tcp_resets_sent;
    watch_sent(r.tuple, {tcp, r.options}, 0, false, now);
    send_datagram(ip, bytes);
}

/// Neither transport keeps the other from the wire.
bool stack::poll_transport(tx_slot& slot, instant now) {
    if (!udp_.is_transmit_pending(neighbors_.generation())) return poll_tcp(slot, now);
    is_turn_of_udp_ = !is_turn_of_udp_;
    if (is_turn_of_udp_) return poll_udp(slot, now) || poll_tcp(slot, now);
    return poll_tcp(slot, now) || poll_udp(slot, now);
}

// ---- connections

/// Handshakes and connections take turns: neither a flood of SYNs nor bulk data keeps the other
/// from the wire.
bool stack::poll_tcp(tx_slot& slot, instant now) {
    is_turn_of_connections_ = !is_turn_of_connections_;
    if (is_turn_of_connections_) return poll_connection(slot, now) || poll_syn_ack(slot, now);
    return poll_syn_ack(slot, now) || poll_connection(slot, now);
}

bool stack::poll_syn_ack(tx_slot& slot, instant now) {
    while (tcp::half_open* h = tcp_.answering()) {
        const auto hop = routes_.lookup(h->tuple().remote_address);
        ip::neighbor_answer neighbor{ip::resolution::resolved, {}};
        if (hop && is_ethernet()) neighbor = neighbors_.lookup(hop->address, now);
        if (!hop || neighbor.status == ip::resolution::failed) {
            tcp_.on_unreachable(*h, now);
            continue;
        }
        if (neighbor.status == ip::resolution::waiting) {
            neighbors_.park(hop->address, *h);
            resume_resolved();
            if (poll_arp(slot, now)) return true;
            continue;
        }
        tcp::outgoing out;
        const tcp::four_tuple tuple = h->tuple();
        tcp_.poll_syn_ack(*h, out, now);
        emit_tcp_frame(tuple, out, neighbor.mac, slot, now);
        return true;
    }
    return false;
}

bool stack::poll_connection(tx_slot& slot, instant now) {
    while (tcp::connection* c = tcp_.transmitting()) {
        const auto hop = routes_.lookup(c->tuple().remote_address);
        // No answer to several retransmissions: the next hop may be gone (MUST-20).
        if (c->take_doubt() && hop && is_ethernet())
            neighbors_.on_reachability_doubted(hop->address);
        ip::neighbor_answer neighbor{ip::resolution::resolved, {}};
        if (hop && is_ethernet()) neighbor = neighbors_.lookup(hop->address, now);
        if (!hop || neighbor.status == ip::resolution::failed) {
            tcp_.on_unreachable(*c, hop ? errc::host_unreachable : errc::network_unreachable, now);
            continue;
        }
        if (neighbor.status == ip::resolution::waiting) {
            neighbors_.park(hop->address, *c);
            resume_resolved();
            if (poll_arp(slot, now)) return true;
            continue;
        }
        // The neighbour passes on what we send: no need to ask it (RFC 4861 §7.3.1).
        if (c->take_progress(now) && hop && is_ethernet() && !neighbor.is_fresh) {
            neighbors_.on_reachability_confirmed(hop->address, now);
        }
        tcp::outgoing out;
        const bool has_segment = c->poll_segment(out, slot, now);
        tcp_.end_turn(*c, has_segment, now);
        if (has_segment) {
            emit_tcp_frame(c->tuple(), out, neighbor.mac, slot, now);
            return true;
        }
    }
    return false;
}

void stack::emit_tcp_frame(const tcp::four_tuple& tuple, const tcp::outgoing& out,
                           const mac_address& to, tx_slot& slot, instant now) {
    emit_ethernet(to, wire::ethernet_type::ipv4, slot);
    const std::uint32_t ip_at = slot.header_bytes;
    const std::uint32_t tcp_at = ip_at + static_cast<std::uint32_t>(wire::ipv4_header_bytes);
    std::byte* const tcp_header = slot.headers.data() + tcp_at;
    const std::size_t tcp_bytes = wire::emit_tcp(out.header, out.options, tcp_header);
    slot.header_bytes = tcp_at + static_cast<std::uint32_t>(tcp_bytes);

    wire::ipv4_header ip;
    ip.source = tuple.local_address.v4();
    ip.destination = tuple.remote_address.v4();
    ip.protocol = wire::ip_protocol::tcp;
    ip.total_bytes =
        static_cast<std::uint16_t>(wire::ipv4_header_bytes + tcp_bytes + slot.payload_bytes);
    ip.traffic_class = out.traffic_class;
    ip.ttl = out.hop_limit;
    ip.dont_fragment = !out.may_fragment;
    if (out.may_fragment) ip.identification = ++identification_;  // RFC 6864 §4
    wire::emit_ipv4(ip, slot.headers.data() + ip_at);

    const std::span<std::byte> header{tcp_header, tcp_bytes};
    if (options_.device.checksum_offload) {
        wire::fill_tcp_partial_checksum(tuple.local_address, tuple.remote_address, header,
                                        slot.payload_bytes);
        slot.offload.needs_checksum = true;
        slot.offload.checksum_start = static_cast<std::uint16_t>(tcp_at);
        slot.offload.checksum_offset = wire::tcp_checksum_offset;
        slot.offload.segment_bytes = out.segment_bytes;
    } else {
        wire::checksum_chain sum;
        for (const slice& part : slot.payload_slices()) sum.add(part.bytes());
        wire::fill_tcp_checksum(tuple.local_address, tuple.remote_address, header, sum.sum(),
                                slot.payload_bytes);
    }
    counters_.tcp_segments_sent += segments_of(slot.payload_bytes, out.segment_bytes);
    watch_sent(tuple, {out.header, out.options}, slot.payload_bytes, out.retransmission, now);
}

void stack::watch_sent(const tcp::four_tuple& tuple, const wire::tcp_segment_header& header,
                       std::uint32_t payload_bytes, bool retransmission, instant now) {
    if (tcp_.watcher == nullptr) return;
    tcp_.watcher->on_segment({segment_event::direction::sent, tuple.local(), tuple.remote(),
                              header.header, header.options, payload_bytes, retransmission, now});
}

std::uint32_t stack::max_segment_to(const ip_address& remote, instant now) const noexcept {
    const std::uint32_t path = paths_.lookup(remote, now).value_or(options_.device.mtu);
    return std::min(path, options_.device.mtu) -
           static_cast<std::uint32_t>(wire::ipv4_header_bytes);
}

std::uint32_t stack::max_segment_of_link() const noexcept {
    return options_.device.mtu - static_cast<std::uint32_t>(wire::ipv4_header_bytes);
}

void stack::learn_path_mtu(const ip_address& remote, std::uint32_t mtu_bytes,
                           instant now) noexcept {
    if (mtu_bytes < options_.device.mtu) {
        paths_.learn(remote, std::max(mtu_bytes, least_ipv4_mtu), now);
    } else {
        paths_.forget(remote);
    }
}

std::uint32_t stack::max_offload_bytes() const noexcept {
    // A frame's IP packet has 16 bits for its length; headers and options come off it.
    const auto& device = options_.device;
    return device.segmentation_offload && device.checksum_offload ? 65535 - 20 - 60 : 0;
}

}  // namespace weft::net
