// UDP's part of the stack (RFC 768, RFC 1122 §4.1): datagrams in, and what is to be said about
// those for nobody; calls; datagrams out, cut into fragments where they are larger than the path.
//
// Policy: a broadcast is delivered to a socket that is bound to no address, and sent by one that
// asked for it; multicast is not offered. No UDP datagram has DF set: those that fit may be cut on
// their way, and no size has to be learned.

#include <weft/net/stack.hpp>
#include <weft/net/wire/checksum.hpp>
#include <weft/net/wire/ethernet.hpp>
#include <weft/net/wire/ipv4.hpp>
#include <weft/net/wire/udp.hpp>

#include <algorithm>

namespace weft::net {
namespace {

constexpr std::uint64_t udp_port_purpose = 0x756470;  // "udp", apart from the hash's other uses

}  // namespace

// ---- in

void stack::on_udp(const wire::ipv4_header& header, slice payload, ip::link_delivery delivery,
                   const rx_offload& offload, instant now) {
    const auto udp = wire::parse_udp(payload.bytes());
    if (!udp) {
        ++counters_.udp_malformed;
        return;
    }
    if (!offload.checksum_verified &&
        !wire::verify_udp_checksum(header.source, header.destination, payload.bytes())) {
        ++counters_.udp_bad_checksum;  // RFC 1122 §4.1.3.4: silently discarded
        return;
    }
    const bool is_broadcast = routes_.is_broadcast(header.destination);
    if (delivery == ip::link_delivery::group && !is_broadcast) {
        ++counters_.udp_bad_address;  // RFC 1122 §3.3.6
        return;
    }
    const endpoint from{header.source, udp->source_port};
    udp::socket* const to =
        udp_.find({header.destination, udp->destination_port}, from, is_broadcast);
    if (to == nullptr) {
        ++counters_.udp_no_port;  // RFC 1122 §4.1.3.1
        send_icmp_error(ip::port_unreachable, header, payload.bytes(), delivery, now);
        return;
    }
    payload.truncate(udp->length);
    payload.remove_prefix(wire::udp_header_bytes);
    udp_.on_datagram(*to, from, header.destination, std::move(payload));
}

/// RFC 1122 §4.1.3.3. What a router says need not last.
void stack::on_udp_error(const wire::icmp_report& report) {
    if (!routes_.is_local(report.source)) {
        ++counters_.icmp_error_unmatched;
        return;
    }
    using enum wire::delivery_problem;
    if (report.problem == packet_too_big) {
        ++counters_.icmp_mtu_ignored;  // nothing that we sent had DF
        return;
    }
    const bool is_hard =
        report.problem == protocol_unreachable || report.problem == port_unreachable;
    const errc kind = is_hard                                 ? errc::connection_refused
                      : report.problem == network_unreachable ? errc::network_unreachable
                                                              : errc::host_unreachable;
    udp_.on_error({report.source, report.source_port},
                  {report.destination, report.destination_port}, kind, is_hard);
}

// ---- calls

result<udp::socket*> stack::bind_udp(const endpoint& local, const udp::socket_options& options) {
    if (!local.address.is_unspecified() && !routes_.is_local(local.address)) {
        return errc::address_not_available;
    }
    if (!options_.shard.may_bind_udp(local.port)) return errc::address_not_available;
    const std::uint64_t random =
        tcp::keyed_hash(options_.secret, {udp_port_purpose, ++udp_sockets_opened_});
    return udp_.open(local, options, random);
}

/// The address that datagrams to `remote` come from.
result<ip_address> stack::source_to(const endpoint& remote, bool may_broadcast) const {
    const ip_address& to = remote.address;
    if (remote.port == 0 || to.is_unspecified() || to.is_multicast() || !to.is_v4()) {
        return errc::invalid_endpoint;
    }
    if (routes_.is_broadcast(to)) {
        if (!may_broadcast) return errc::broadcast_not_allowed;
        return options_.address.address();
    }
    const auto hop = routes_.lookup(to);
    if (!hop || hop->kind == ip::hop_kind::local) return errc::network_unreachable;
    return hop->source;
}

result<void> stack::connect(udp::socket& s, const endpoint& remote) {
    const result<ip_address> source = source_to(remote, s.options().allow_broadcast);
    if (!source) return source.error();
    const ip_address& local = s.local().address.is_unspecified() ? *source : s.local().address;
    if (!options_.shard.owns_datagram({local, remote.address, s.local().port, remote.port})) {
        return errc::address_not_available;  // the answers would be another shard's
    }
    udp_.connect(s, local, remote);
    return {};
}

result<std::uint32_t> stack::send(udp::socket& s, std::span<const std::byte> payload,
                                  const endpoint& to) {
    if (payload.size() > udp::max_payload_bytes) return errc::message_too_large;
    const result<ip_address> source = source_to(to, s.options().allow_broadcast);
    if (!source) return source.error();
    const ip_address& from = s.local().address.is_unspecified() ? *source : s.local().address;
    return udp_.send(s, from, to, payload, ++identification_);
}

// ---- out

bool stack::poll_udp(tx_slot& slot, instant now) {
    udp_.reconsider(neighbors_.generation(), [this, now](const ip_address& next_hop) {
        return neighbors_.lookup(next_hop, now).status;
    });
    while (udp::socket* s = udp_.transmitting()) {
        udp::outgoing_datagram& next = udp_.outgoing(*s);
        ip::neighbor_answer neighbor{ip::resolution::resolved, mac_address::broadcast()};
        if (!routes_.is_broadcast(next.to.address)) {
            const auto hop = routes_.lookup(next.to.address);
            if (!hop) {
                udp_.drop_outgoing(*s, errc::network_unreachable);
                continue;
            }
            if (is_ethernet()) neighbor = neighbors_.lookup(hop->address, now);
            if (neighbor.status == ip::resolution::failed) {
                udp_.drop_outgoing(*s, errc::host_unreachable);
                continue;
            }
            if (neighbor.status == ip::resolution::waiting) {
                udp_.set_aside(*s, hop->address);
                continue;
            }
        }
        emit_udp_fragment(next, neighbor.mac, slot, now);
        udp_.on_fragment_sent(*s);
        return true;
    }
    return false;
}

/// The whole datagram if it fits, else the next piece of it (RFC 791 §3.2).
void stack::emit_udp_fragment(udp::outgoing_datagram& sent, const mac_address& to, tx_slot& slot,
                              instant now) {
    const std::uint32_t path = std::min(
        paths_.lookup(sent.to.address, now).value_or(options_.device.mtu), options_.device.mtu);
    const std::uint32_t room = path - static_cast<std::uint32_t>(wire::ipv4_header_bytes);
    const std::uint32_t left = sent.total_bytes() - sent.sent_bytes;
    const std::uint32_t size = left <= room ? left : room / 8 * 8;

    emit_ethernet(to, wire::ethernet_type::ipv4, slot);
    wire::ipv4_header ip;
    ip.source = sent.from.address.v4();
    ip.destination = sent.to.address.v4();
    ip.protocol = wire::ip_protocol::udp;
    ip.total_bytes = static_cast<std::uint16_t>(wire::ipv4_header_bytes + size);
    ip.traffic_class = sent.traffic_class;
    ip.ttl = sent.hop_limit;
    ip.identification = sent.identification;
    ip.fragment_offset_bytes = static_cast<std::uint16_t>(sent.sent_bytes);
    ip.more_fragments = size < left;
    wire::emit_ipv4(ip, slot.headers.data() + slot.header_bytes);
    slot.header_bytes += static_cast<std::uint32_t>(wire::ipv4_header_bytes);

    constexpr auto header_bytes = static_cast<std::uint32_t>(wire::udp_header_bytes);
    std::uint32_t begin = sent.sent_bytes;
    if (begin == 0) {
        wire::emit_udp(sent.from.address, sent.to.address, sent.from.port, sent.to.port,
                       wire::checksum_partial(sent.payload.bytes()), sent.payload.size(),
                       slot.headers.data() + slot.header_bytes);
        slot.header_bytes += header_bytes;
        begin = header_bytes;
    }
    sent.sent_bytes += size;
    if (sent.sent_bytes > begin) {
        slot.append(sent.payload.sub(begin - header_bytes, sent.sent_bytes - begin));
    }
}

}  // namespace weft::net
