#include "tcp_path_model.hpp"

#include <weft/net/tcp/congestion/hystart.hpp>

#include <doctest/doctest.h>

using namespace weft;
using namespace weft::net::tcp;
using namespace std::chrono_literals;
using phase = hystart::phase;

namespace {

/// Round trips of ten segments each.
struct rounds {
    hystart h;
    std::uint32_t acked = 0;

    /// One round with this least round-trip time, in `samples` samples; what the last one was told.
    phase round(duration rtt, int samples = 10) {
        phase last = h.current();
        const std::uint32_t base = acked;
        for (int i = 1; i <= 10; ++i) {
            acked = base + static_cast<std::uint32_t>(i) * 1000;
            ack_event e;
            e.una = sequence_number{acked};
            // What the next round acknowledges has left when the last of this one arrives.
            e.nxt = sequence_number{base + (i == 10 ? 20'000U : 10'000U)};
            e.rtt = i <= samples ? (i == 5 ? rtt : rtt + 1ms) : duration{};
            last = h.on_ack(e);
        }
        return last;
    }
};

}  // namespace

TEST_SUITE("netstack.tcp.hystart") {
TEST_CASE("round trips that stay the same keep slow start going") {
    rounds r;
    for (int i = 0; i < 50; ++i) CHECK(r.round(100ms) == phase::standard);
}

TEST_CASE("a rise by an eighth enters conservative slow start, and not less (section 4.2)") {
    // lastRoundMinRTT 80 ms: RttThresh is 10 ms.
    rounds below;
    below.round(80ms);
    below.round(80ms);
    CHECK(below.round(89ms) == phase::standard);
    rounds at;
    at.round(80ms);
    at.round(80ms);
    CHECK(at.round(90ms) == phase::conservative);
}

TEST_CASE("the rise that counts is at least 4 ms and at most 16 ms") {
    rounds fast;  // an eighth of 8 ms would be 1 ms
    fast.round(8ms);
    fast.round(8ms);
    CHECK(fast.round(11ms) == phase::standard);
    CHECK(fast.round(15ms) == phase::conservative);
    rounds slow;  // an eighth of 400 ms would be 50 ms
    slow.round(400ms);
    slow.round(400ms);
    CHECK(slow.round(415ms) == phase::standard);
    CHECK(slow.round(431ms) == phase::conservative);
}

TEST_CASE("a round with fewer than eight samples decides nothing") {
    rounds r;
    r.round(80ms);
    r.round(80ms);
    CHECK(r.round(200ms, 7) == phase::standard);
    CHECK(r.round(200ms, 8) == phase::standard);  // against a round of 200 ms
    CHECK(r.round(300ms, 8) == phase::conservative);
}

TEST_CASE("conservative slow start ends after five rounds, the one it began in included") {
    rounds r;
    r.round(80ms);
    r.round(80ms);
    CHECK(r.round(100ms) == phase::conservative);  // 1
    for (int i = 2; i <= 4; ++i) CHECK(r.round(100ms) == phase::conservative);
    CHECK(r.round(100ms) == phase::done);  // 5
    CHECK(r.round(50ms) == phase::done);
}

TEST_CASE("a rise that goes away was jitter: slow start resumes, and looks again") {
    rounds r;
    r.round(80ms);
    r.round(80ms);
    CHECK(r.round(100ms) == phase::conservative);
    CHECK(r.round(95ms) == phase::standard);  // below the baseline of 100 ms
    CHECK(r.round(95ms) == phase::standard);
    CHECK(r.round(120ms) == phase::conservative);
    for (int i = 2; i <= 4; ++i) CHECK(r.round(120ms) == phase::conservative);
    CHECK(r.round(120ms) == phase::done);  // its five rounds are counted anew
}

TEST_CASE(
    "CUBIC grows at a quarter of the pace in conservative slow start, then avoids congestion") {
    congestion_control c;
    c.begin(congestion_algorithm::cubic, 1000, 10'000, instant{});
    std::uint32_t acked = 0;
    std::uint32_t round_end = 10'000;
    std::uint32_t growth = 1000;
    instant now{};
    const auto round = [&](duration rtt) {
        now += rtt;
        const std::uint32_t end = round_end;
        while (acked < end) {
            acked += 1000;
            if (acked >= end) round_end = acked + c.window() + growth;
            ack_event e;
            e.now = now;
            e.mss = 1000;
            e.delivered = e.cumulative = 1000;
            e.prior_in_flight = c.window();
            e.was_window_limited = true;
            e.rtt = e.smoothed_rtt = rtt;
            e.una = sequence_number{acked};
            e.nxt = sequence_number{round_end};
            const std::uint32_t before = c.window();
            c.on_ack(e);
            growth = c.window() - before;
        }
    };
    round(100ms);
    round(100ms);
    CHECK(c.window() == 40'000);
    round(120ms);  // the eighth sample of it decides
    CHECK(c.window() == 40'000 + 8000 + 32 * 250);
    round(120ms);
    CHECK(c.window() == 56'000 * 5 / 4);
    round(120ms);
    round(120ms);
    CHECK(c.is_slow_start());
    round(120ms);
    CHECK_FALSE(c.is_slow_start());
    CHECK(c.threshold() <= c.window());
    CHECK(c.as_loss_based()->as_cubic()->k() == 0ms);  // RFC 9438 §4.10
}

TEST_CASE("a deep buffer is not overrun in slow start") {
    // The product is 50 segments. That round trips have risen is seen one round late, at a window
    // of 160, and five rounds at a quarter of the pace make it 460: ten products of buffer hold
    // that.
    const test::path deep{.bytes_per_second = 1'250'000, .delay = 20ms, .buffer_bytes = 500'000};
    test::path_model m{congestion_algorithm::cubic, deep};
    while (m.control().is_slow_start() && m.now() < instant{} + 3s) m.run(1ms);
    CHECK_FALSE(m.control().is_slow_start());
    CHECK(m.control().window() <= 550'000);
    CHECK(m.drops() == 0);
    test::path_model reno{congestion_algorithm::new_reno, deep};
    reno.run(3s);
    CHECK(reno.drops() > 50);
}
}
