#pragma once
// How a stack hands on what belongs to another shard of the same address (tcp/shard.hpp).
//
// Shard 0 has all that has no owner: ARP, fragments, ICMP but for errors about a segment or a
// datagram. It passes on what it learns from ARP, and datagrams once they are whole. A stack
// decides; who carries the bytes to the other thread is the host's side (net/io/sharded_host).

#include <weft/net/frame.hpp>

#include <cstddef>
#include <cstdint>
#include <span>

namespace weft::net {

/// What is handed on: it begins behind the link's header.
enum class shard_cargo : std::uint8_t {
    packet,        ///< an IP packet for us that came in a unicast frame
    group_packet,  ///< in a broadcast or multicast frame
    arp,           ///< an ARP packet, well-formed
};

class shard_forwarder {
public:
    /// Copies `bytes` for shard `to`, another one. False: there was no room, they are lost.
    virtual bool forward(std::uint32_t to, shard_cargo what, std::span<const std::byte> bytes,
                         const rx_offload& offload) noexcept = 0;

protected:
    ~shard_forwarder() = default;
};

}  // namespace weft::net
