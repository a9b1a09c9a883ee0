// Ethernet II frames (RFC 894): the 14-byte header and its types.
//
// A frame is what a TAP gives: no preamble, no frame check sequence. VLAN tags are not read: a
// tagged frame has the type 0x8100, which nobody knows, and is dropped and counted as such.
#pragma once

#include <weft/net/wire/bytes.hpp>

#include <optional>

namespace weft::net::wire {

inline constexpr std::size_t ethernet_header_bytes = 14;
/// The least a frame may carry behind its header; shorter payloads are padded (RFC 894).
inline constexpr std::size_t ethernet_min_payload_bytes = 46;

/// Values of ethernet_header::type.
namespace ethernet_type {
inline constexpr std::uint16_t ipv4 = 0x0800;
inline constexpr std::uint16_t arp = 0x0806;
inline constexpr std::uint16_t ipv6 = 0x86dd;
}  // namespace ethernet_type

struct ethernet_header {
    mac_address destination;
    mac_address source;
    std::uint16_t type = 0;

    friend constexpr bool operator==(const ethernet_header&,
                                     const ethernet_header&) noexcept = default;
};

/// Nothing when the frame is shorter than its header.
[[nodiscard]] inline std::optional<ethernet_header> parse_ethernet(bytes_view frame) noexcept {
    if (frame.size() < ethernet_header_bytes) {
        return std::nullopt;
    }
    return ethernet_header{load_mac(frame.data()), load_mac(frame.data() + 6),
                           load_be16(frame.data() + 12)};
}

/// Writes 14 bytes and returns 14. Precondition: they fit.
inline std::size_t emit_ethernet(const ethernet_header& header, std::byte* out) noexcept {
    store_mac(out, header.destination);
    store_mac(out + 6, header.source);
    store_be16(out + 12, header.type);
    return ethernet_header_bytes;
}

}  // namespace weft::net::wire
