// What a stack does that shares its address with others: whose is this, and how it gets there.

#include <weft/net/ip/arp.hpp>
#include <weft/net/stack.hpp>
#include <weft/net/wire/icmp.hpp>
#include <weft/net/wire/ipv4.hpp>

#include <algorithm>

namespace weft::net {

namespace {

/// The ports of a TCP or UDP header, or of what is quoted of one.
constexpr std::size_t ports_bytes = 4;

/// Shard 0 has what no connection claims.
std::uint32_t owner_of(const tcp::shard_map& map, const wire::ipv4_header& header,
                       wire::bytes_view payload) {
    if (header.is_fragment()) return 0;
    const bool is_tcp = header.protocol == wire::ip_protocol::tcp;
    const bool is_udp = header.protocol == wire::ip_protocol::udp;
    if ((is_tcp || is_udp) && payload.size() >= ports_bytes) {
        const tcp::four_tuple tuple{header.destination, header.source,
                                    wire::load_be16(payload.data() + 2),
                                    wire::load_be16(payload.data())};
        return is_tcp ? tcp::shard_of(map, tuple) : tcp::shard_of_datagram(map, tuple);
    }
    if (header.protocol != wire::ip_protocol::icmp) return 0;
    const auto message = wire::parse_icmp(payload);
    if (!message) return 0;
    const auto report = wire::report_of(*message);
    if (!report) return 0;
    const tcp::four_tuple tuple{report->source, report->destination, report->source_port,
                                report->destination_port};
    if (report->protocol == wire::ip_protocol::tcp) return tcp::shard_of(map, tuple);
    if (report->protocol == wire::ip_protocol::udp) return tcp::shard_of_datagram(map, tuple);
    return 0;
}

}  // namespace

/// True: another shard's, and on its way there. TCP in a group's frame is nobody's (MUST-57).
bool stack::pass_on(const wire::ipv4_header& header, wire::bytes_view packet,
                    ip::link_delivery delivery, const rx_offload& offload) {
    const wire::bytes_view payload = header.payload_in(packet);
    const bool is_group = delivery == ip::link_delivery::group;
    if (is_group && header.protocol == wire::ip_protocol::tcp) return false;
    const std::uint32_t owner = owner_of(options_.shard.map, header, payload);
    if (owner == options_.shard.index) return false;
    forward(owner, is_group ? shard_cargo::group_packet : shard_cargo::packet,
            packet.first(header.total_bytes), offload);
    return true;
}

/// The same of a datagram that was put together, as if it had come in one piece.
bool stack::pass_on_whole(const wire::ipv4_header& header, wire::bytes_view payload,
                          ip::link_delivery delivery) {
    slice packet = pool_.allocate_for(wire::ipv4_header_bytes + payload.size());
    if (!packet) {
        ++counters_.fragments_over_limit;
        return true;
    }
    wire::ipv4_header plain = header;
    plain.header_bytes = wire::ipv4_header_bytes;
    plain.total_bytes = static_cast<std::uint16_t>(wire::ipv4_header_bytes + payload.size());
    packet.extend(plain.total_bytes);
    std::ranges::copy(payload, packet.data() + wire::emit_ipv4(plain, packet.data()));
    return pass_on(plain, packet.bytes(), delivery, rx_offload{});
}

void stack::forward(std::uint32_t to, shard_cargo what, wire::bytes_view bytes,
                    const rx_offload& offload) {
    if (forwarder_ != nullptr && forwarder_->forward(to, what, bytes, offload)) {
        ++counters_.shard_passed_on;
    } else {
        ++counters_.shard_refused;
    }
}

/// True: nothing is left to do here. One shard speaks ARP, all learn.
bool stack::share_arp(wire::bytes_view bytes) {
    if (options_.shard.index != 0) {
        forward(0, shard_cargo::arp, bytes, {});
        return true;
    }
    for (std::uint32_t other = 1; other < options_.shard.map.count; ++other) {
        forward(other, shard_cargo::arp, bytes, {});
    }
    return false;
}

void stack::on_forwarded(shard_cargo what, slice bytes, const rx_offload& offload, instant now) {
    ++counters_.shard_taken_over;
    if (what != shard_cargo::arp) {
        on_ipv4(std::move(bytes), 0,
                what == shard_cargo::packet ? ip::link_delivery::unicast : ip::link_delivery::group,
                offload, now);
    } else if (options_.shard.index == 0) {
        on_arp(bytes.bytes(), now);
    } else if (const auto packet = wire::parse_arp(bytes.bytes())) {
        // Shard 0 answers.
        (void)ip::on_arp(neighbors_, routes_, options_.mac, *packet, now, counters_);
        resume_resolved();
    }
}

}  // namespace weft::net
