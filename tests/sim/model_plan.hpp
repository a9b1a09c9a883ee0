#pragma once
// What one run of the model check does, drawn from its seed: a wire that is hostile, boxes on it,
// two hosts, and connections whose ends read, write, wait and give up. Plain data, printed when the
// run fails. model_run.hpp carries it out.
//
// Every wire drawn here lets through what is repeated often enough, so a connection on which nobody
// is rude has to bring every byte and end in order.

#include <weft/net/io/memory_link.hpp>
#include <weft/net/tcp/options.hpp>
#include <weft/sim/option_stripper.hpp>
#include <weft/sim/world.hpp>

#include <cstdint>
#include <string>
#include <vector>

namespace weft::sim::test {

struct outage_plan {
    instant from;
    instant until;
};

/// The path takes smaller packets from some time on, as when a route changes.
struct narrowing_plan {
    duration after = duration::zero();
    std::uint32_t path_mtu = 0;
    net::oversize too_big = net::oversize::vanishes;
};

struct box_plan {
    enum class kind : std::uint8_t { strip, shift, shift_without_sack, split, bleach };
    kind what = kind::strip;
    option_stripper_settings strips = {};
    std::uint32_t split_bytes = 0;
};

/// One end of a connection.
struct side_plan {
    enum class ending : std::uint8_t {
        orderly,  ///< writes everything, shuts down, reads to the end
        abort,    ///< calls abort() at `rude_after`, whatever is under way
        drop,     ///< destroys the stream at `rude_after`
    };
    std::uint64_t seed = 0;   ///< of its choices
    std::uint32_t bytes = 0;  ///< to write
    ending end = ending::orderly;
    duration rude_after = duration::zero();
    bool waits_until_closed = false;
};

struct connection_plan {
    duration start = duration::zero();
    side_plan client;
    side_plan server;
    net::tcp::connection_options client_options;
    net::tcp::connection_options server_options;

    [[nodiscard]] bool is_orderly() const noexcept {
        return client.end == side_plan::ending::orderly && server.end == side_plan::ending::orderly;
    }
};

struct model_plan {
    explicit model_plan(std::uint64_t from_seed);

    /// For people, when a run fails.
    [[nodiscard]] std::string to_string() const;

    std::uint64_t seed;
    net::link_options up;
    net::link_options down;
    std::vector<outage_plan> outages;
    std::vector<box_plan> boxes;
    std::vector<narrowing_plan> narrowings;
    host_settings client;
    host_settings server;
    std::vector<connection_plan> connections;
};

}  // namespace weft::sim::test
