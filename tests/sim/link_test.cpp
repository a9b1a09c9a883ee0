// One direction of a wire by itself: queue, RED, ECN, bursts, outages. Time is a number here.

#include <weft/net/io/memory_link.hpp>

#include <doctest/doctest.h>

#include "frames.hpp"

#include <chrono>
#include <vector>

using namespace weft;
using namespace weft::net;
using namespace weft::sim::test;
using namespace std::chrono_literals;

namespace {

/// A link, and what came out of it.
struct one_way {
    explicit one_way(const link_options& options, std::uint64_t seed = 5) : line{seed} {
        line.configure(options);
    }
    void put(const frame_settings& settings) {
        line.put(make_frame(pool, settings), pool, now, back);
    }
    void put_bytes(std::size_t frame_bytes, std::uint8_t ecn = wire::ecn::not_ect) {
        put({.text_bytes = frame_bytes - 54, .ecn = ecn});
    }
    /// Everything that arrives until `end`.
    std::vector<wire_frame> run_until(instant end) {
        std::vector<wire_frame> arrived;
        while (line.next_arrival() <= end) {
            times.push_back(line.next_arrival());
            arrived.push_back(line.take_arrival());
        }
        now = end;
        return arrived;
    }
    [[nodiscard]] const link_counters& counters() const { return line.counters(); }

    block_pool pool;
    memory_link line;
    instant now;
    wire_frames back;
    std::vector<instant> times;
};

}  // namespace

TEST_SUITE("sim.link") {
TEST_CASE(
    "a queue of frames lets as many wait as it holds, sends them at the line's rate, and "
    "drops the rest at its tail") {
    one_way w{{.delay = 10ms, .bits_per_second = 8'000'000, .queue = {.limit_frames = 5}}};
    for (int i = 0; i < 8; ++i) w.put_bytes(1000);  // 1 ms each
    CHECK(w.counters().queue_full == 3);
    CHECK(w.run_until(instant{1s}).size() == 5);
    for (int i = 0; i < 5; ++i)
        CHECK(w.times[static_cast<std::size_t>(i)] == instant{11ms + i * 1ms});
    CHECK(w.counters().peak_queue_bytes == 5000);
}

TEST_CASE("a queue of bytes counts bytes, and has room again as the line sends") {
    one_way w{{.bits_per_second = 8'000'000, .queue = {.limit_bytes = 3000}}};
    for (int i = 0; i < 5; ++i) w.put_bytes(1000);
    CHECK(w.counters().queue_full == 2);
    w.now += 1ms;  // one has left
    w.put_bytes(900);
    CHECK(w.counters().queue_full == 2);
    w.put_bytes(101);
    CHECK(w.counters().queue_full == 3);
    CHECK(w.run_until(instant{1s}).size() == 4);
}

TEST_CASE("without a queue a frame is never dropped for the rate's sake") {
    one_way w{{.bits_per_second = 8'000'000}};
    for (int i = 0; i < 100; ++i) w.put_bytes(1000);
    CHECK(w.line.line_free() == instant{100ms});
    CHECK(w.run_until(instant{1s}).size() == 100);
}

link_options line_with(const queue_options& queue) {
    return {.bits_per_second = 8'000'000, .queue = queue};
}

/// Keeps about 20 frames of 1000 bytes in the queue for 5000 frames.
void fill_steadily(one_way& w, std::uint8_t ecn, std::uint32_t backlog = 20) {
    for (std::uint32_t i = 0; i < backlog; ++i) w.put_bytes(1000, ecn);
    for (int i = 0; i < 5000; ++i) {
        w.now += 1ms;
        w.put_bytes(1000, ecn);
        w.run_until(w.now);
    }
}

TEST_CASE(
    "RED drops early, in the share that the average queue asks for, and leaves a short queue "
    "alone") {
    const queue_options queue{
        .limit_frames = 100,
        .red = {.min_bytes = 10'000, .max_bytes = 30'000, .max_probability = 0.1, .weight = 0.02}};
    one_way busy{line_with(queue)};
    fill_steadily(busy, wire::ecn::not_ect);
    CHECK(busy.counters().early_dropped > 5);  // the queue shrinks with each, towards min_bytes
    CHECK(busy.counters().queue_full == 0);
    CHECK(busy.line.queue().average_bytes() < 20'000);
    one_way quiet{line_with(queue)};
    fill_steadily(quiet, wire::ecn::not_ect, 5);
    CHECK(quiet.counters().early_dropped == 0);
}

TEST_CASE("RED with ECN marks what can be marked instead, and its header checksum stays right") {
    const queue_options queue{
        .limit_frames = 100,
        .red = {.min_bytes = 10'000, .max_bytes = 30'000, .max_probability = 0.1, .weight = 0.02},
        .marks_ecn = true};
    one_way marked{line_with(queue)};
    fill_steadily(marked, wire::ecn::ect0);
    CHECK(marked.counters().early_dropped == 0);
    CHECK(marked.counters().marked > 150);  // about 1 in 20: half way between the thresholds
    CHECK(marked.counters().marked < 600);
    // Not every sender can do ECN.
    one_way dropped{line_with(queue)};
    fill_steadily(dropped, wire::ecn::not_ect);
    CHECK(dropped.counters().marked == 0);
    CHECK(dropped.counters().early_dropped > 5);

    one_way w{{.bits_per_second = 8'000'000, .queue = queue}};
    std::size_t with_ce = 0;
    for (int i = 0; i < 400; ++i) {
        if (i >= 25) w.now += 1ms;
        w.put({.text_bytes = 946, .ecn = wire::ecn::ect1});
        for (const wire_frame& each : w.run_until(w.now)) {
            if (segment_of(each).packet().ecn() == wire::ecn::ce) ++with_ce;
        }
    }
    CHECK(with_ce > 3);
}

TEST_CASE("RED drops above twice its upper threshold, ECN or not (RFC 3168 §7)") {
    const queue_options queue{
        .limit_frames = 1000,
        .red = {.min_bytes = 1000, .max_bytes = 2000, .max_probability = 0.1, .weight = 0.5},
        .marks_ecn = true};
    one_way w{line_with(queue)};
    fill_steadily(w, wire::ecn::ect0, 50);
    CHECK(w.counters().early_dropped > 20);
}

TEST_CASE("the average of RED falls while the line is idle") {
    one_way w{
        {.bits_per_second = 8'000'000,
         .queue = {
             .limit_frames = 100,
             .red = {.min_bytes = 1, .max_bytes = 100'000, .max_probability = 0, .weight = 0.05}}}};
    for (int i = 0; i < 50; ++i) w.put_bytes(1000);
    const double before = w.line.queue().average_bytes();
    CHECK(before > 10'000);
    w.now += 1s;
    w.put_bytes(1000);
    CHECK(w.line.queue().average_bytes() < before / 100);
}

TEST_CASE(
    "bursts take about as many frames as the chain's two probabilities say, next to each "
    "other") {
    one_way w{{.max_frames = 100'000, .burst = {.enter = 0.01, .leave = 0.25}}};
    std::uint64_t bursts = 0;
    bool was_lost = false;
    for (int i = 0; i < 20'000; ++i) {
        w.put_bytes(100);
        const bool is_lost = w.run_until(w.now).empty();
        if (is_lost && !was_lost) ++bursts;
        was_lost = is_lost;
    }
    // 0.01 / (0.01 + 0.25) of the frames, in bursts of 4 on average.
    CHECK(w.counters().lost > 600);
    CHECK(w.counters().lost < 950);
    CHECK(w.counters().lost / bursts >= 3);
    CHECK(w.counters().lost / bursts <= 5);
}

TEST_CASE("nothing gets in while the link is down; what is under way arrives") {
    one_way w{{.delay = 5ms}};
    w.line.add_outage(instant{10ms}, instant{20ms});
    w.line.add_outage(instant{40ms}, instant{50ms});
    for (int i = 0; i < 60; ++i) {
        w.now = instant{i * 1ms};
        w.put_bytes(100);
    }
    CHECK(w.counters().down == 20);
    CHECK(w.run_until(instant{1s}).size() == 40);
    CHECK(w.times[9] == instant{14ms});
    CHECK(w.times[10] == instant{25ms});
}

TEST_CASE("a link that goes down again and again is up in between") {
    one_way w{{.up_for = 30ms, .down_for = 10ms}};
    for (int i = 0; i < 400; ++i) {
        w.now = instant{i * 1ms};
        w.put_bytes(100);
    }
    CHECK(w.counters().down == 100);
}

TEST_CASE("one seed, one fate for each frame; another seed, another") {
    const link_options options{.loss = 0.1,
                               .duplicate = 0.1,
                               .corrupt = 0.1,
                               .reorder = 0.1,
                               .delay = 10ms,
                               .jitter = 5ms,
                               .burst = {.enter = 0.02}};
    const auto run = [&options](std::uint64_t seed) {
        one_way w{options, seed};
        for (int i = 0; i < 500; ++i) {
            w.now = instant{i * 100us};
            w.put_bytes(100);
        }
        w.run_until(instant{1s});
        return w.times;
    };
    const auto first = run(1);
    CHECK(first == run(1));
    CHECK(first != run(2));
}
}
