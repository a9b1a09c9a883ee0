// The wire in memory itself: what it does to frames, and what bounds it.

#include <weft/io/scheduler.hpp>
#include <weft/net/io/memory_device.hpp>

#include <doctest/doctest.h>

#include <chrono>
#include <cstring>
#include <vector>

using namespace weft;
using namespace weft::net;
using namespace std::chrono_literals;

namespace {

/// Keeps what arrives.
struct sink final : device_client {
    void on_frame(slice frame, const rx_offload& offload, instant now) noexcept override {
        std::uint32_t number = 0;
        std::memcpy(&number, frame.data(), sizeof number);
        numbers.push_back(number);
        times.push_back(now);
        offloads.push_back(offload);
    }
    void on_slot_available() noexcept override { ++slots_came; }
    void on_frame_refused() noexcept override {}

    std::vector<std::uint32_t> numbers;
    std::vector<instant> times;
    std::vector<rx_offload> offloads;
    int slots_came = 0;
};

struct joined_pair {
    explicit joined_pair(const link_options& link, memory_device_options options = {}) {
        options.seed = 11;
        a.emplace(on, options);
        b.emplace(on, options);
        memory_device::plug(*a, *b, link, {});
        a->start(at_a, pool);
        b->start(at_b, pool);
    }
    ~joined_pair() {
        a->stop();
        b->stop();
        CHECK(pool.bytes_out() == 0);
    }

    /// Frames of `bytes` bytes that begin with their number; false when there was no slot.
    bool send(std::uint32_t number, std::uint32_t bytes = 100, tx_offload offload = {}) {
        tx_slot* slot = a->acquire_slot();
        if (slot == nullptr) return false;
        std::memcpy(slot->headers.data(), &number, sizeof number);
        slot->header_bytes = 60;
        slice rest = pool.allocate_for(bytes - 60);
        rest.extend(bytes - 60);
        slot->append(std::move(rest));
        slot->offload = offload;
        a->submit(*slot);
        return true;
    }
    void send_many(std::uint32_t count) {
        for (std::uint32_t i = 0; i < count; ++i) REQUIRE(send(i));
        on.run_for(1s);
    }
    [[nodiscard]] bool arrived_in_order() const {
        for (std::size_t i = 1; i < at_b.numbers.size(); ++i) {
            if (at_b.numbers[i] < at_b.numbers[i - 1]) return false;
        }
        return true;
    }

    scheduler on{scheduler::clock::virtual_time};
    block_pool pool;
    sink at_a;
    sink at_b;
    std::optional<memory_device> a;
    std::optional<memory_device> b;
};

}  // namespace

TEST_SUITE("sim.memory_device") {
TEST_CASE("a clean wire delivers everything, in order, after its delay") {
    joined_pair w{{.delay = 10ms}};
    w.send_many(100);
    CHECK(w.at_b.numbers.size() == 100);
    CHECK(w.arrived_in_order());
    CHECK(w.at_b.times[0] >= instant{} + 10ms);
    CHECK(w.at_b.times[99] < instant{} + 11ms);
    CHECK(w.at_a.numbers.empty());
}

TEST_CASE("faults come at about the rate that was asked for, and are counted") {
    joined_pair w{{.loss = 0.2, .duplicate = 0.1, .corrupt = 0.1, .delay = 1ms}};
    for (std::uint32_t i = 0; i < 5000; ++i) REQUIRE(w.send(i));
    w.on.run_for(1s);
    const memory_device::counters& c = w.a->statistics();
    CHECK(c.submitted == 5000);
    CHECK(c.lost > 800);
    CHECK(c.lost < 1200);
    CHECK(c.duplicated > 300);
    CHECK(c.duplicated < 500);
    CHECK(c.corrupted > 300);
    CHECK(c.corrupted < 500);
    CHECK(c.delivered == c.submitted - c.lost + c.duplicated);
    CHECK(w.at_b.numbers.size() == c.delivered);
}

TEST_CASE("jitter keeps the order; reordering does not") {
    joined_pair jittery{{.delay = 5ms, .jitter = 5ms}};
    jittery.send_many(200);
    CHECK(jittery.at_b.numbers.size() == 200);
    CHECK(jittery.arrived_in_order());
    joined_pair reordering{{.reorder = 0.2, .reorder_by = 5ms, .delay = 5ms}};
    reordering.send_many(200);
    CHECK(reordering.at_b.numbers.size() == 200);
    CHECK(!reordering.arrived_in_order());
}

TEST_CASE("what is on the wire is bounded, and so is the length of a frame") {
    joined_pair w{{.delay = 1s, .max_frame_bytes = 200, .max_frames = 50}};
    for (std::uint32_t i = 0; i < 80; ++i) REQUIRE(w.send(i));
    REQUIRE(w.send(80, 201));
    w.on.run_for(2s);
    CHECK(w.at_b.numbers.size() == 50);
    CHECK(w.a->statistics().queue_full == 30);
    CHECK(w.a->statistics().too_long == 1);
}

TEST_CASE("a line with a rate takes its time, and a full device says when it has room again") {
    joined_pair w{{.bits_per_second = 8'000'000}, {.slots = 4}};  // 100 bytes: 0.1 ms
    for (std::uint32_t i = 0; i < 4; ++i) REQUIRE(w.send(i));
    CHECK(!w.send(4));
    CHECK(w.at_a.slots_came == 0);
    w.on.run_for(1ms);
    CHECK(w.at_a.slots_came == 1);
    CHECK(w.send(5));
    w.on.run_for(1s);
    CHECK(w.at_b.numbers == std::vector<std::uint32_t>{0, 1, 2, 3, 5});
    CHECK(w.at_b.times[3] >= instant{} + 400us);
}

TEST_CASE("a frame that was to be cut arrives in one piece that says of what it was made") {
    joined_pair w{{}, {.offloads = true}};
    REQUIRE(w.send(1, 60'000, {.needs_checksum = true, .segment_bytes = 1448}));
    REQUIRE(w.send(2));
    w.on.run_for(1ms);
    REQUIRE(w.at_b.offloads.size() == 2);
    CHECK(w.at_b.offloads[0].checksum_verified);
    CHECK(w.at_b.offloads[0].segment_bytes == 1448);
    CHECK(!w.at_b.offloads[1].checksum_verified);
}

TEST_CASE("a receiver without memory loses frames and counts them; an unplugged one gets none") {
    joined_pair w{{}};
    block_pool tiny{4096};
    w.b->stop();
    w.b->start(w.at_b, tiny);
    const slice taken[] = {tiny.allocate(block_size::small)};
    REQUIRE(w.send(1));
    REQUIRE(w.send(2));
    const slice rest = tiny.allocate(block_size::small);
    w.on.run_for(1ms);
    CHECK(w.at_b.numbers.empty());
    CHECK(w.a->statistics().no_memory == 2);
    w.a->unplug();
    REQUIRE(w.send(3));
    CHECK(w.a->statistics().nobody_there == 1);
    CHECK(taken[0]);
    CHECK(rest);
}
}
