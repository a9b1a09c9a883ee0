#pragma once
// What a router does with a packet that the next line cannot carry: it tells the sender
// (fragmentation needed, RFC 1191 §4) or, where the header allows it, sends fragments (RFC 791
// §3.2). For links in memory.

#include <weft/net/block_pool.hpp>
#include <weft/net/io/wire_frame.hpp>

#include <cstdint>

namespace weft::net {

/// The ICMP error for the sender of `refused`, in a frame on its way back, with the destination as
/// its source; without bytes when none may be sent (RFC 1122 §3.2.2), or there is no memory.
[[nodiscard]] wire_frame make_fragmentation_needed(const wire_frame& refused, std::uint32_t mtu,
                                                   block_pool& pool);

/// Appends the fragments of `whole` to `out`. Precondition: it holds an IPv4 packet without DF.
void make_fragments(const wire_frame& whole, std::uint32_t mtu, block_pool& pool, wire_frames& out);

}  // namespace weft::net
