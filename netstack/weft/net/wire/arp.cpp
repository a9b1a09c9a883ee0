#include <weft/net/wire/arp.hpp>

#include <weft/net/wire/ethernet.hpp>

namespace weft::net::wire {
namespace {

constexpr std::uint16_t hardware_ethernet = 1;

}  // namespace

parsed<arp_packet, arp_error> parse_arp(bytes_view bytes) noexcept {
    if (bytes.size() < arp_bytes) {
        return arp_error::too_short;
    }
    const std::byte* at = bytes.data();
    if (load_be16(at) != hardware_ethernet || load_u8(at + 4) != 6) {
        return arp_error::bad_hardware;
    }
    if (load_be16(at + 2) != ethernet_type::ipv4 || load_u8(at + 5) != 4) {
        return arp_error::bad_protocol;
    }
    const std::uint16_t operation = load_be16(at + 6);
    if (operation != static_cast<std::uint16_t>(arp_operation::request) &&
        operation != static_cast<std::uint16_t>(arp_operation::reply)) {
        return arp_error::bad_operation;
    }
    return arp_packet{static_cast<arp_operation>(operation), load_mac(at + 8), load_ipv4(at + 14),
                      load_mac(at + 18), load_ipv4(at + 24)};
}

std::size_t emit_arp(const arp_packet& packet, std::byte* out) noexcept {
    store_be16(out, hardware_ethernet);
    store_be16(out + 2, ethernet_type::ipv4);
    store_u8(out + 4, 6);
    store_u8(out + 5, 4);
    store_be16(out + 6, static_cast<std::uint16_t>(packet.operation));
    store_mac(out + 8, packet.sender_mac);
    store_ipv4(out + 14, packet.sender_ip);
    store_mac(out + 18, packet.target_mac);
    store_ipv4(out + 24, packet.target_ip);
    return arp_bytes;
}

}  // namespace weft::net::wire
