#pragma once
// Carries out a model_plan on two hosts, and holds what happens against the model: a connection is
// two streams of bytes.
//
// Of each stream: bytes come in order, once, as they were written and not before; the end is seen
// exactly when all were read and the writer has finished; without rudeness everything arrives and
// nothing fails. Of each run: every operation completes, the variables of every connection agree at
// every turn (invariant_watch.hpp), and afterwards no connection, no handle and no memory is left.

#include "model_plan.hpp"

#include <weft/net/observer.hpp>

#include <cstdint>
#include <string>
#include <vector>

namespace weft::sim::test {

struct model_outcome {
    std::vector<std::string> complaints;
    std::string counters;  ///< of both hosts, when there are complaints
    std::uint64_t bytes_read = 0;
    std::uint64_t ends_seen = 0;
    std::uint64_t errors_seen = 0;     ///< on connections with a rude end
    std::uint64_t never_accepted = 0;  ///< the handshake was given up by the server
    std::uint64_t checks = 0;          ///< of the variables of a connection
};

/// `watcher` sees the segments of both hosts; nullptr: nobody does.
[[nodiscard]] model_outcome run_model(const model_plan& plan, net::observer* watcher = nullptr);

}  // namespace weft::sim::test
