#include <weft/sim/hostile_wire.hpp>

#include <weft/net/tcp/options.hpp>

#include <algorithm>
#include <chrono>

namespace weft::sim {
namespace {

using namespace std::chrono_literals;

std::chrono::milliseconds milliseconds_below(random_source& random, std::uint32_t bound) {
    return std::chrono::milliseconds{random.below(bound)};
}

net::queue_options draw_queue(random_source& random) {
    net::queue_options queue;
    if (random.chance(0.5)) {
        queue.limit_frames = 4 + random.below(60);
    } else {
        queue.limit_bytes = 10'000 + random.below(150'000);
    }
    if (random.chance(0.4)) {
        const std::uint32_t low = 3000 + random.below(20'000);
        queue.red = {
            .min_bytes = low, .max_bytes = low * 3, .max_probability = 0.1, .weight = 0.02};
        queue.marks_ecn = random.chance(0.5);
    }
    return queue;
}

/// A wire that is down in step with the longest retransmission timeout (RFC 6298 §2.5) swallows
/// one repeat after the other, which no TCP survives: of two that far apart one passes.
void avoid_resonance(net::link_options& link) {
    constexpr duration longest_timeout = net::tcp::config{}.max_rto;
    for (;; link.up_for += 10ms) {
        const duration cycle = link.up_for + link.down_for;
        const duration drift = longest_timeout % cycle;
        if (std::min(drift, cycle - drift) >= link.down_for) return;
    }
}

}  // namespace

net::link_options hostile_wire(random_source& random) {
    net::link_options link;
    if (random.chance(0.5)) link.loss = 0.01 * random.below(21);
    if (random.chance(0.3)) link.duplicate = 0.01 * random.below(11);
    if (random.chance(0.3)) link.corrupt = 0.001 * random.below(21);
    if (random.chance(0.5)) {
        link.reorder = 0.01 * random.below(31);
        link.reorder_by = milliseconds_below(random, 50);
    }
    link.delay = milliseconds_below(random, 80);
    if (random.chance(0.5)) link.jitter = milliseconds_below(random, 10);
    if (random.chance(0.2)) {
        link.burst = {
            .enter = 0.001 * random.below(20), .leave = 0.2 + 0.01 * random.below(40), .loss = 1};
    }
    if (random.chance(0.5)) {
        link.bits_per_second = 1'000'000 + random.below(50'000'000);
        if (random.chance(0.6)) link.queue = draw_queue(random);
    }
    if (random.chance(0.2)) {
        link.path_mtu = 576 + random.below(900);
        link.too_big = net::oversize::answered;
    }
    if (random.chance(0.1)) {
        link.up_for = 500ms + random.up_to(4s);
        link.down_for = random.up_to(500ms);
        avoid_resonance(link);
    }
    link.cuts_large_frames = random.chance(0.5);
    return link;
}

}  // namespace weft::sim
