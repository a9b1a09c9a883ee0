#pragma once
// A wire drawn by chance, as hostile as one may be that a connection still has to get through: some
// lose, in bursts or not, some duplicate, corrupt, hold back, jitter, queue and mark, cut large
// packets, or go down now and then. The same draws give the same wire.
//
//     weft::random_source random{seed};
//     world.connect(client, server, sim::hostile_wire(random), sim::hostile_wire(random));
//
// Half a minute may pass before such a wire lets a segment through: programs that give up earlier
// have to say so in their test.

#include <weft/base/random_source.hpp>
#include <weft/net/io/link_options.hpp>

namespace weft::sim {

/// One direction of a wire.
[[nodiscard]] net::link_options hostile_wire(random_source& random);

}  // namespace weft::sim
