#pragma once
// What a UDP socket may be asked for. Plain values.

#include <cstdint>
#include <type_traits>

namespace weft::net::udp {

/// RFC 791: 16 bits for the length of the packet, less the IP and the UDP header.
inline constexpr std::uint32_t max_payload_bytes = 65535 - 20 - 8;

struct socket_options {
    /// What may wait to be read, counted as what it costs in memory; what comes above is dropped
    /// and counted. One datagram is taken however large it is.
    std::uint32_t receive_buffer_bytes = 256 * 1024;
    /// What may wait to be sent; whoever sends waits while it is full.
    std::uint32_t send_buffer_bytes = 256 * 1024;
    std::uint8_t hop_limit = 64;
    std::uint8_t traffic_class = 0;  ///< Diffserv; the two low bits are ECN's and not looked at
    bool allow_broadcast = false;    ///< may send to broadcast addresses
};
static_assert(std::is_trivially_destructible_v<socket_options>);

}  // namespace weft::net::udp
