#include "tcp_path_model.hpp"

#include <weft/net/tcp/congestion/congestion_control.hpp>
#include <weft/net/tcp/congestion/cubic.hpp>

#include <doctest/doctest.h>

#include <cmath>
#include <cstdlib>

using namespace weft;
using namespace weft::net::tcp;
using namespace std::chrono_literals;

namespace {

constexpr std::uint32_t mss = 1000;
constexpr auto rtt = 100ms;

/// CUBIC out of slow start, acknowledged by the caller.
struct sender {
    congestion_window w{.bytes = 100 * mss, .threshold = 100 * mss, .mss = mss};
    cubic c;
    instant now{};

    /// One acknowledgment of `bytes`, `after` the last one.
    void ack(std::uint32_t bytes, duration after, bool limited = true) {
        now += after;
        ack_event e;
        e.now = now;
        e.mss = mss;
        e.delivered = bytes;
        e.was_window_limited = limited;
        e.smoothed_rtt = e.rtt = rtt;
        c.on_ack(w, e);
    }
    /// Round trips in which the whole window is acknowledged, segment by segment.
    void rounds(int n) {
        for (int i = 0; i < n; ++i) {
            const std::uint32_t segments = w.bytes / mss;
            for (std::uint32_t s = 0; s < segments; ++s) ack(mss, duration{rtt} / segments);
        }
    }
    void congestion() {
        w.threshold = c.on_congestion(w, w.bytes);
        w.bytes = w.threshold;
    }
};

/// Equations 1 and 2 as the RFC writes them: segments, seconds, floating point.
double curve(double w_max, double epoch, double t) {
    const double k = std::cbrt((w_max - epoch) / 0.4);
    return 0.4 * std::pow(t - k, 3) + w_max;
}

}  // namespace

TEST_SUITE("netstack.tcp.cubic") {
TEST_CASE("congestion takes the window to 0.7 of what was in flight, at least two segments") {
    sender s;
    CHECK(s.c.on_congestion(s.w, 100 * mss) == 70 * mss);
    CHECK(s.c.on_congestion(s.w, 80 * mss) == 56 * mss);  // flight_size, RFC 9438 §4.6
    CHECK(s.c.on_congestion(s.w, mss) == 2 * mss);
}

TEST_CASE("K is when the curve comes back to W_max: 4.217 s for 100 segments, 9.086 s for 1000") {
    sender s;
    s.congestion();
    s.ack(mss, rtt);
    CHECK(s.c.w_max() == 100 * mss);
    CHECK(s.c.k() == 4217ms);  // cbrt(30 / 0.4)

    sender large;
    large.w.bytes = 1000 * mss;
    large.congestion();
    large.ack(mss, rtt);
    CHECK(large.c.k() == 9085ms);  // cbrt(300 / 0.4)
}

TEST_CASE("W_cubic(t) is the curve of equation 1, concave before W_max and convex behind it") {
    sender s;
    s.w.bytes = 1000 * mss;
    s.congestion();
    s.ack(0, rtt);
    for (int t = 0; t <= 30; ++t) {
        const double expected = curve(1000, 700, t) * mss;
        const double is = s.c.w_cubic(std::chrono::seconds{t}, mss);
        CHECK(std::abs(is - expected) <= 1 + expected / 2000);  // K is whole milliseconds
    }
    // In numbers: 788.6 after 1 s, 999.5 after 8 s, 1001.9 after 11 s.
    CHECK(s.c.w_cubic(1s, mss) / 1000 == 788);
    CHECK(s.c.w_cubic(8s, mss) / 1000 == 999);
    CHECK(s.c.w_cubic(11s, mss) / 1000 == 1002);
    // However long the stage, nothing overflows.
    CHECK(s.c.w_cubic(std::chrono::hours{24}, 65535) > congestion_window::max_bytes);
}

TEST_CASE("the window follows the curve, one round trip behind where it aims") {
    sender s;
    s.w.bytes = 1000 * mss;
    s.congestion();
    s.rounds(1);
    for (int round = 1; round <= 120; ++round) {
        s.rounds(1);
        const double t = std::chrono::duration<double>(s.now - instant{}).count();
        const double w = s.w.bytes / double{mss};
        CHECK(w <= curve(1000, 700, t + 0.12) + 1);
        CHECK(w >= curve(1000, 700, t - 0.20) - 3);
    }
    CHECK(s.w.bytes > 1000 * mss);
}

TEST_CASE("on a short path the Reno-friendly region leads: 9/17 segments a round trip") {
    // 20 segments, 10 ms: the curve would take 2.5 s to come back.
    sender s;
    s.w.bytes = 20 * mss;
    s.congestion();
    REQUIRE(s.w.bytes == 14 * mss);
    const auto quick = [&](std::uint32_t bytes) {
        s.now += 10ms;
        ack_event e;
        e.now = s.now;
        e.mss = mss;
        e.delivered = bytes;
        e.was_window_limited = true;
        e.smoothed_rtt = e.rtt = 10ms;
        s.c.on_ack(s.w, e);
    };
    // 11 round trips bring 11 * 9/17 = 5.8 segments, 12 bring 6.35: W_est passes cwnd_prior.
    for (int i = 0; i < 11; ++i) quick(s.w.bytes);
    CHECK(s.w.bytes >= 19'700);
    CHECK(s.w.bytes < 20 * mss);
    // From there on as Reno, a segment for each round trip.
    quick(s.w.bytes);
    const std::uint32_t before = s.w.bytes;
    CHECK(before >= 20 * mss);
    for (int i = 0; i < 10; ++i) quick(s.w.bytes);
    CHECK(s.w.bytes - before >= 9'900);
    CHECK(s.w.bytes - before <= 10'100);
}

TEST_CASE("W_est does not depend on how the acknowledgments come in") {
    sender one;
    sender many;
    one.w.bytes = many.w.bytes = 10 * mss;
    one.congestion();
    many.congestion();
    one.ack(mss, 1ms);
    many.ack(mss, 1ms);
    for (int i = 0; i < 30; ++i) {
        for (int j = 0; j < 7; ++j) many.ack(100, 0ms);
        one.ack(700, 0ms);
    }
    CHECK(std::abs(static_cast<int>(one.c.w_est()) - static_cast<int>(many.c.w_est())) <= 60);
}

TEST_CASE("fast convergence: congestion below the last W_max leaves room, W_max = 0.85 cwnd") {
    sender s;
    s.congestion();
    CHECK(s.c.w_max() == 100 * mss);
    s.w.bytes = 90 * mss;
    s.congestion();
    CHECK(s.c.w_max() == 76'500);  // 90 * (1 + 0.7) / 2
    s.w.bytes = 95 * mss;          // above the last one again
    s.congestion();
    CHECK(s.c.w_max() == 95 * mss);
}

TEST_CASE("one acknowledgment never aims beyond half as much again") {
    sender s;
    s.w.bytes = 10 * mss;
    s.congestion();
    s.ack(mss, rtt);
    // A stage of 20 s: the curve is far above.
    for (int i = 0; i < 200; ++i) s.ack(0, rtt);
    const std::uint32_t before = s.w.bytes;
    s.ack(before, rtt);
    CHECK(s.w.bytes <= before + before / 2 + 1);
    CHECK(s.w.bytes > before + before / 3);
}

TEST_CASE("time in which the application sent too little is not counted (section 5.8)") {
    sender steady;
    sender paused;
    steady.congestion();
    paused.congestion();
    steady.rounds(10);
    paused.rounds(10);
    const std::uint32_t before = paused.w.bytes;
    for (int i = 0; i < 100; ++i) paused.ack(mss, rtt, false);  // 10 s with little to send
    CHECK(paused.w.bytes == before);
    steady.rounds(5);
    paused.rounds(5);
    CHECK(std::abs(static_cast<int>(steady.w.bytes) - static_cast<int>(paused.w.bytes)) <=
          2 * static_cast<int>(mss));
    // Silence that nobody reported counts as one round trip.
    paused.now += 60s;
    paused.rounds(1);
    steady.rounds(2);
    CHECK(std::abs(static_cast<int>(steady.w.bytes) - static_cast<int>(paused.w.bytes)) <=
          2 * static_cast<int>(mss));
}

TEST_CASE("after a timeout the stage begins on a plateau: K is 0, W_max the window (section 4.8)") {
    sender s;
    s.w.threshold = s.c.on_timeout(s.w, s.w.bytes);
    CHECK(s.w.threshold == 70 * mss);
    s.w.bytes = s.w.threshold;  // slow start has brought it there
    s.ack(mss, rtt);
    CHECK(s.c.k() == 0ms);
    CHECK(s.c.w_max() == 70 * mss);
    CHECK(s.c.w_cubic(1s, mss) == 70'400);  // C * 1^3
}

TEST_CASE("a spurious reduction gives back window, threshold, W_max, K and the time in the stage") {
    congestion_control c;
    c.begin(congestion_algorithm::cubic, mss, 100 * mss, instant{});
    instant now{};
    const auto ack = [&](std::uint32_t bytes) {
        now += rtt;
        ack_event e;
        e.now = now;
        e.mss = mss;
        e.delivered = e.cumulative = bytes;
        e.prior_in_flight = bytes;
        e.was_window_limited = true;
        e.smoothed_rtt = e.rtt = rtt;
        c.on_ack(e);
    };
    c.on_congestion(congestion_cause::loss, 100 * mss, mss, now);
    c.set_window(c.threshold());
    c.on_recovered(70 * mss, mss, now);
    for (int i = 0; i < 20; ++i) ack(c.window());
    congestion_control undisturbed = c;
    const std::uint32_t window = c.window();
    const std::uint32_t threshold = c.threshold();
    c.on_congestion(congestion_cause::loss, window, mss, now);
    CHECK(c.threshold() != threshold);
    c.set_window(c.threshold());
    c.undo();
    CHECK(c.window() == window);
    CHECK(c.threshold() == threshold);
    CHECK(c.as_loss_based()->as_cubic()->w_max() == 100 * mss);
    CHECK(c.as_loss_based()->as_cubic()->k() == 4217ms);  // from 70 segments to 100
    std::swap(c, undisturbed);
    const instant at = now;
    for (int i = 0; i < 20; ++i) ack(c.window());
    std::swap(c, undisturbed);
    now = at;
    for (int i = 0; i < 20; ++i) ack(c.window());
    CHECK(c.window() == undisturbed.window());
    c.undo();  // nothing more to undo
    CHECK(c.window() == undisturbed.window());
}

TEST_CASE("a window at its bound stays there") {
    sender s;
    s.w.bytes = congestion_window::max_bytes - 10;
    for (int i = 0; i < 100; ++i) s.ack(congestion_window::max_bytes, 10s);
    CHECK(s.w.bytes == congestion_window::max_bytes);
    s.congestion();
    CHECK(s.w.bytes == congestion_window::max_bytes / 10 * 7 + 2);
}

TEST_CASE("on a path with a buffer of its product the pipe never runs dry") {
    test::path_model m{congestion_algorithm::cubic, {}};
    m.run(5s);
    const std::uint64_t before = m.delivered();
    m.run(30s);
    CHECK(m.drops() > 0);
    CHECK(m.delivered() - before >= 30 * 1'250'000 * 97ULL / 100);
}
}
