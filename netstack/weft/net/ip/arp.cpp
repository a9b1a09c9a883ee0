#include <weft/net/ip/arp.hpp>

#include <cassert>

namespace weft::net::ip {
namespace {

bool has_possible_sender(const wire::arp_packet& packet) noexcept {
    const bool is_probe = packet.sender_ip.is_unspecified();  // RFC 5227 §1.1: asks, claims nothing
    return !packet.sender_mac.is_multicast() && !packet.sender_mac.is_unspecified() &&
           (is_probe || packet.sender_ip.is_unicast());
}

}  // namespace

std::optional<wire::arp_packet> on_arp(neighbor_cache& neighbors, const route_table& routes,
                                       const mac_address& our_mac, const wire::arp_packet& packet,
                                       instant now, stack_counters& counters) {
    if (packet.sender_mac == our_mac) {
        return std::nullopt;  // an echo of our own
    }
    if (!has_possible_sender(packet) || routes.is_broadcast(packet.sender_ip)) {
        ++counters.arp_bad_sender;
        return std::nullopt;
    }
    if (routes.is_local(packet.sender_ip)) {
        ++counters.arp_conflict;
        return std::nullopt;
    }
    const bool is_for_us = routes.is_local(packet.target_ip);
    const bool is_request = packet.operation == wire::arp_operation::request;
    if (routes.is_on_link(packet.sender_ip)) {
        const claim kind = !is_for_us   ? claim::refresh
                           : is_request ? claim::create
                                        : claim::confirm;
        neighbors.on_claim(packet.sender_ip, packet.sender_mac, kind, now);
    }
    if (!is_for_us || !is_request) {
        return std::nullopt;
    }
    return wire::arp_packet{wire::arp_operation::reply, our_mac, packet.target_ip,
                            packet.sender_mac, packet.sender_ip};
}

wire::arp_packet make_arp_request(const solicitation& question, const mac_address& our_mac,
                                  ipv4_address our_ip) {
    assert(question.target.is_v4());
    return {wire::arp_operation::request, our_mac, our_ip,
            question.unicast_to.value_or(mac_address{}), question.target.v4()};
}

wire::arp_packet make_arp_announcement(const mac_address& our_mac, ipv4_address our_ip) {
    return {wire::arp_operation::request, our_mac, our_ip, mac_address{}, our_ip};
}

}  // namespace weft::net::ip
