// What an ARP packet means for the neighbour cache, and the packets we answer and ask with.
//
// RFC 826's algorithm with its merge flag: any ARP refreshes an entry that exists, only one whose
// target is ours may add one. What could poison the cache is refused: a sender that claims an
// address of ours (a conflict, counted; RFC 5227 §2.4), a group MAC, a sender IP that is no host on
// our links. Called by the stack; neighbor_cache knows nothing of ARP.
#pragma once

#include <weft/base/instant.hpp>
#include <weft/net/counters.hpp>
#include <weft/net/ip/neighbor_cache.hpp>
#include <weft/net/ip/route_table.hpp>
#include <weft/net/wire/arp.hpp>

#include <optional>

namespace weft::net::ip {

/// Takes in a packet that parse_arp() accepted; returns the reply to send to its sender, if any.
/// Counts what it refuses (arp_conflict, arp_bad_sender); the caller counts what comes and goes.
[[nodiscard]] std::optional<wire::arp_packet> on_arp(neighbor_cache& neighbors,
                                                     const route_table& routes,
                                                     const mac_address& our_mac,
                                                     const wire::arp_packet& packet, instant now,
                                                     stack_counters& counters);

/// The ARP request for a solicitation of an IPv4 neighbour; its Ethernet destination is
/// `question.unicast_to`, or broadcast. Precondition: question.target.is_v4().
[[nodiscard]] wire::arp_packet make_arp_request(const solicitation& question,
                                                const mac_address& our_mac, ipv4_address our_ip);

/// An announcement of our own address (RFC 5227 §2.3), to be broadcast when it is configured.
[[nodiscard]] wire::arp_packet make_arp_announcement(const mac_address& our_mac,
                                                     ipv4_address our_ip);

}  // namespace weft::net::ip
