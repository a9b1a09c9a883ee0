// ARP for IPv4 over Ethernet (RFC 826): 28 bytes, requests and replies.
//
// Other hardware, other protocols and other operations are named as errors; what an ARP means for
// the neighbour cache is decided in ip/arp.hpp.
#pragma once

#include <weft/net/wire/bytes.hpp>
#include <weft/net/wire/parsed.hpp>

namespace weft::net::wire {

inline constexpr std::size_t arp_bytes = 28;

enum class arp_operation : std::uint16_t { request = 1, reply = 2 };

enum class arp_error : std::uint8_t {
    none,
    too_short,
    bad_hardware,   ///< not Ethernet with 6-byte addresses
    bad_protocol,   ///< not IPv4 with 4-byte addresses
    bad_operation,  ///< neither request nor reply
};

struct arp_packet {
    arp_operation operation = arp_operation::request;
    mac_address sender_mac;
    ipv4_address sender_ip;
    mac_address target_mac;
    ipv4_address target_ip;

    friend constexpr bool operator==(const arp_packet&, const arp_packet&) noexcept = default;
};

/// Reads what follows the Ethernet header; padding behind the 28 bytes is ignored.
parsed<arp_packet, arp_error> parse_arp(bytes_view bytes) noexcept;

/// Writes 28 bytes and returns 28. Precondition: they fit.
std::size_t emit_arp(const arp_packet& packet, std::byte* out) noexcept;

}  // namespace weft::net::wire
