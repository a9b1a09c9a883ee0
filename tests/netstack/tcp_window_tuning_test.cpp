#include <weft/net/tcp/window_tuning.hpp>

#include <doctest/doctest.h>

#include <algorithm>

// How large buffers become, without a connection.

using namespace std::chrono_literals;
using namespace weft;
using namespace weft::net::tcp;

namespace {

constexpr receive_tuning::bounds limits{.initial = 64U << 10, .most = 32U << 20};

/// A reader, and a sender who fills whatever window there is, up to the path's rate.
struct transfer {
    explicit transfer(duration round_trip, std::uint64_t path_bytes_per_second)
        : rtt{round_trip}, rate{path_bytes_per_second} {}

    /// One round trip: the reader takes all that came, in 20 pieces.
    void goes_round(memory_use memory = memory_use::plenty) {
        const std::uint64_t path = rate * static_cast<std::uint64_t>(rtt.count()) / 1'000'000'000;
        const auto round = static_cast<std::uint32_t>(std::min<std::uint64_t>(limit, path));
        for (int i = 0; i < 20; ++i) {
            now += rtt / 20;
            limit = tuning.on_read(round / 20, {limit, in_use, 1460, memory}, limits, now);
        }
    }

    duration rtt;
    std::uint64_t rate;
    instant now{1h};
    std::uint32_t limit = limits.initial;
    std::uint32_t in_use = limits.initial;
    receive_tuning tuning{rtt, sequence_number{65536}, now};
};

}  // namespace

TEST_SUITE("netstack.tcp.window_tuning") {
TEST_CASE("a buffer that holds the sender back grows at least twofold a round trip") {
    transfer t{100ms, 125'000'000};
    for (int i = 0; i < 10; ++i) {
        const std::uint32_t before = t.limit;
        t.goes_round();
        t.goes_round();
        CHECK(t.limit >= std::min<std::uint32_t>(2 * before, 24'000'000));
    }
    // Twice the product of bandwidth and delay, and no more than that for ever.
    for (int i = 0; i < 100; ++i) t.goes_round();
    CHECK(t.limit >= 25'000'000);
    CHECK(t.limit <= limits.most);
}

TEST_CASE("a sender whose window doubles each round trip is not held back by one that follows") {
    receive_tuning tuning{100ms, sequence_number{1}, instant{1h}};
    instant now{1h};
    std::uint32_t limit = limits.initial;
    std::uint32_t sent = 14'600;
    for (; sent < 8U << 20; sent *= 2) {
        now += 100ms;
        // While this is read the next round trip is under way, in the window of before.
        CHECK(limit >= 2 * sent);
        limit = tuning.on_read(sent, {.limit = limit, .segment = 1460}, limits, now);
    }
    CHECK(limit <= 5 * (sent / 2));
}

TEST_CASE("a path that is not held back by the buffer does not make it grow") {
    transfer t{10ms, 1'000'000};  // 10,000 bytes a round trip
    for (int i = 0; i < 1000; ++i) t.goes_round();
    CHECK(t.limit <= 2 * limits.initial);
}

TEST_CASE("it is the rate that counts: a reader who sleeps and then takes all keeps it small") {
    transfer t{10ms, 1'000'000'000};
    for (int i = 0; i < 1000; ++i) {
        t.now += 1s;
        t.limit =
            t.tuning.on_read(t.limit, {t.limit, t.limit, 1460, memory_use::plenty}, limits, t.now);
    }
    CHECK(t.limit <= limits.initial + 20 * 1460);
}

TEST_CASE("nothing grows beyond its bound") {
    transfer t{1s, 10'000'000'000};
    for (int i = 0; i < 50; ++i) t.goes_round();
    CHECK(t.limit == limits.most);
}

TEST_CASE("with half of the memory in use nothing grows, with less it shrinks to what is in it") {
    transfer t{100ms, 125'000'000};
    for (int i = 0; i < 4; ++i) t.goes_round();
    const std::uint32_t grown = t.limit;
    CHECK(grown > limits.initial);
    for (int i = 0; i < 10; ++i) t.goes_round(memory_use::half);
    CHECK(t.limit == grown);
    t.in_use = grown / 2;
    t.goes_round(memory_use::short_);
    CHECK(t.limit == grown / 2);
    t.in_use = 100;
    t.goes_round(memory_use::short_);
    CHECK(t.limit == limits.initial);
    CHECK(memory_use_of(500, 1000) == memory_use::plenty);
    CHECK(memory_use_of(501, 1000) == memory_use::half);
    CHECK(memory_use_of(750, 1000) == memory_use::half);
    CHECK(memory_use_of(751, 1000) == memory_use::short_);
}

TEST_CASE("echoes of our clock tell the round-trip time, each once, and no faster than it ticks") {
    receive_tuning tuning{duration::zero(), sequence_number{1}, instant{1h}};
    CHECK(tuning.rtt() == 0ms);
    tuning.on_echo(7, 100ms);
    CHECK(tuning.rtt() == 100ms);
    tuning.on_echo(7, 5s);
    CHECK(tuning.rtt() == 100ms);
    for (std::uint32_t i = 8; i < 60; ++i) tuning.on_echo(i, 20ms);
    CHECK(tuning.rtt() < 22ms);
    CHECK(tuning.rtt() >= 19ms);
    for (std::uint32_t i = 60; i < 160; ++i) tuning.on_echo(i, 0ms);
    CHECK(tuning.rtt() >= 900us);
    CHECK(tuning.rtt() < 1100us);
}

TEST_CASE("a peer that was silent for a minute does not make the round trip a minute long") {
    receive_tuning tuning{50ms, sequence_number{1}, instant{1h}};
    tuning.on_echo(1, 1min);
    CHECK(tuning.rtt() < 60ms);
    for (std::uint32_t i = 2; i < 100; ++i) tuning.on_echo(i, 500ms);  // a longer path, though
    CHECK(tuning.rtt() > 400ms);
}

TEST_CASE("without timestamps a window's worth takes a round trip or more") {
    receive_tuning tuning{duration::zero(), sequence_number{1001}, instant{1h}};
    tuning.on_text(sequence_number{900}, sequence_number{1900}, instant{1h} + 10ms);
    CHECK(tuning.rtt() == 0ms);
    tuning.on_text(sequence_number{1001}, sequence_number{2001}, instant{1h} + 80ms);
    CHECK(tuning.rtt() == 80ms);
    tuning.on_text(sequence_number{2001}, sequence_number{3001}, instant{1h} + 480ms);
    CHECK(tuning.rtt() == 80ms);
    tuning.on_text(sequence_number{3001}, sequence_number{4001}, instant{1h} + 500ms);
    CHECK(tuning.rtt() == 20ms);
}

TEST_CASE("a send buffer holds twice the congestion window, within its bounds") {
    constexpr receive_tuning::bounds b{.initial = 100'000, .most = 1'000'000};
    CHECK(tuned_send_limit(0, 0, 0, b, memory_use::plenty) == 100'000);
    CHECK(tuned_send_limit(14'600, 0, 0, b, memory_use::plenty) == 100'000);
    CHECK(tuned_send_limit(200'000, 0, 0, b, memory_use::plenty) == 400'000);
    CHECK(tuned_send_limit(0xffff'ffff, 0, 0, b, memory_use::plenty) == 1'000'000);
    // What the peer holds behind a gap takes no room from what is to be sent.
    CHECK(tuned_send_limit(200'000, 50'000, 0, b, memory_use::plenty) == 450'000);
    CHECK(tuned_send_limit(200'000, 0, 300'000, b, memory_use::half) == 300'000);
    CHECK(tuned_send_limit(200'000, 0, 0, b, memory_use::short_) == 100'000);
}

TEST_CASE("on a short path no more is of use than 100 Gbit/s have in flight twice, and a MiB") {
    constexpr std::uint32_t mib = 1U << 20;
    CHECK(most_useful_bytes(0ns) == mib);
    CHECK(most_useful_bytes(50us) == mib + 1'250'000);
    CHECK(most_useful_bytes(2ms) == mib + 50'000'000);
    CHECK(most_useful_bytes(1h) > 1'000'000'000);
    CHECK(most_useful_bytes(duration::max()) > 1'000'000'000);  // none is known
}
}
