#pragma once
// Which of several stacks that share one address a connection, or a datagram, belongs to.
//
// A pure function of the four-tuple, so whoever sees a segment knows whose it is without asking:
// the kernel before it picks a queue (net/io/steering_program), a stack before it looks anything
// up, a connect that picks a source port. The seed is the host's secret: a stranger cannot choose
// ports that all fall to one shard. Datagrams spread like segments over the sockets that a program
// binds on each shard; but a UDP port that was chosen for it has one socket, on one shard, which
// may talk to anybody: those ports are dealt out by number.

#include <weft/net/tcp/segment.hpp>

#include <cstdint>
#include <type_traits>

namespace weft::net::tcp {

/// Multipliers of the hash (odd, without a pattern; from the splitmix64 and Murmur3 finalizers).
inline constexpr std::uint64_t shard_multiplier_1 = 0xbf58'476d'1ce4'e5b9ULL;
inline constexpr std::uint64_t shard_multiplier_2 = 0xc4ce'b9fe'1a85'ec53ULL;

struct shard_map {
    std::uint32_t count = 1;  ///< at least one
    std::uint64_t seed = 0;
    std::uint32_t own_udp_ports_from = 1U << 15;  ///< UDP: each of these ports is one shard's
};

/// The 32 bits of an address that the hash takes: IPv4 whole.
[[nodiscard]] constexpr std::uint32_t shard_word(const ip_address& address) noexcept {
    return address.is_v4() ? address.v4().value()
                           : static_cast<std::uint32_t>(hash_of(address) >> 32);
}

/// Below `map.count`. The same steps, in the same order, stand in steering_program.cpp.
[[nodiscard]] constexpr std::uint32_t shard_of(const shard_map& map,
                                               const four_tuple& tuple) noexcept {
    const std::uint64_t addresses =
        std::uint64_t{shard_word(tuple.remote_address)} << 32 | shard_word(tuple.local_address);
    const std::uint64_t ports = std::uint64_t{tuple.remote_port} << 16 | tuple.local_port;
    std::uint64_t h = (addresses ^ map.seed) * shard_multiplier_1;
    h ^= h >> 32;
    h = (h ^ ports) * shard_multiplier_2;
    h ^= h >> 32;
    h *= shard_multiplier_1;
    return static_cast<std::uint32_t>((h >> 32) * map.count >> 32);
}

/// The same of a UDP datagram.
[[nodiscard]] constexpr std::uint32_t shard_of_datagram(const shard_map& map,
                                                        const four_tuple& tuple) noexcept {
    if (tuple.local_port >= map.own_udp_ports_from) return tuple.local_port % map.count;
    return shard_of(map, tuple);
}

/// One stack's place among them. Default: it is alone.
struct shard {
    shard_map map = {};
    std::uint32_t index = 0;

    [[nodiscard]] constexpr bool is_alone() const noexcept { return map.count <= 1; }
    [[nodiscard]] constexpr bool owns(const four_tuple& tuple) const noexcept {
        return is_alone() || shard_of(map, tuple) == index;
    }
    [[nodiscard]] constexpr bool owns_datagram(const four_tuple& tuple) const noexcept {
        return is_alone() || shard_of_datagram(map, tuple) == index;
    }
    /// Whether a UDP socket here may have that port: one that all may have, or one of ours.
    [[nodiscard]] constexpr bool may_bind_udp(std::uint16_t port) const noexcept {
        return is_alone() || port < map.own_udp_ports_from || port % map.count == index;
    }
};
static_assert(std::is_trivially_destructible_v<shard>);

}  // namespace weft::net::tcp
