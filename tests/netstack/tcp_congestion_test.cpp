#include "congestion_sender.hpp"
#include "tcp_path_model.hpp"

#include <doctest/doctest.h>

#include <random>
#include <type_traits>

using namespace weft;
using namespace weft::net::tcp;
using namespace std::chrono_literals;
using weft::test::after_slow_start;
using weft::test::path_model;
using sender = weft::test::congestion_sender;

namespace {

constexpr std::uint32_t mss = sender::mss;
constexpr auto everyone = {congestion_algorithm::cubic, congestion_algorithm::new_reno,
                           congestion_algorithm::bbr};

}  // namespace

TEST_SUITE("netstack.tcp.congestion") {
TEST_CASE("the algorithm is the one that was chosen, and takes no memory of its own") {
    for (const congestion_algorithm a : everyone) {
        sender s{a};
        CHECK(s.c.algorithm() == a);
        CHECK(s.c.window() == 10 * mss);
        CHECK(s.c.threshold() == congestion_window::unlimited);
        CHECK(s.c.is_slow_start());
        CHECK(s.c.uses_recovery_window() == (a != congestion_algorithm::bbr));
    }
    static_assert(std::is_trivially_copyable_v<congestion_control>);
    static_assert(sizeof(congestion_control) <= 256);
}

TEST_CASE("in slow start the window grows by what is acknowledged [MUST-19]") {
    sender s;
    s.send(10 * mss);
    s.ack(2 * mss);
    CHECK(s.c.window() == 12 * mss);
    s.ack(8 * mss);
    CHECK(s.c.window() == 20 * mss);
}

TEST_CASE("a window that was not used up does not grow") {
    for (const congestion_algorithm a :
         {congestion_algorithm::cubic, congestion_algorithm::new_reno}) {
        sender s{a};
        for (int i = 0; i < 100; ++i) s.round(2 * mss, false);
        CHECK(s.c.window() == 10 * mss);
    }
}

TEST_CASE("a window that was reduced takes a segment that has become larger meanwhile") {
    constexpr std::uint32_t larger = 8960;
    for (const congestion_algorithm a : everyone) {
        CAPTURE(static_cast<int>(a));
        sender s{a};
        s.congestion(4 * mss);
        s.c.on_mss(larger);
        s.c.set_window(mss);  // proportional rate reduction may go that low (RFC 6937)
        s.c.on_recovered(0, larger, s.now);
        CHECK(s.c.window() >= larger);
    }
}

TEST_CASE("slow start stops at the threshold, then a segment for each window [MUST-19]") {
    sender s;
    s.congestion(20 * mss);
    CHECK(s.c.threshold() == 5 * mss);  // no more than the window was in use
    s.c.on_timeout(20 * mss, mss, true, s.now);
    CHECK(s.c.threshold() == 2500);
    sender t{congestion_algorithm::new_reno, 40 * mss};
    t.c.on_timeout(20 * mss, mss, true, t.now);
    CHECK(t.c.threshold() == 10 * mss);
    CHECK(t.c.window() == mss);
    for (int i = 0; i < 20 && t.c.is_slow_start(); ++i) t.round(t.c.window(), true);
    CHECK(t.c.window() == 10 * mss);
    for (int i = 0; i < 10; ++i) t.ack(mss);
    CHECK(t.c.window() == 11 * mss);
    for (int i = 0; i < 10; ++i) t.ack(mss);
    CHECK(t.c.window() == 11 * mss);
    t.ack(mss);
    CHECK(t.c.window() == 12 * mss);
    t.ack(100 * mss);  // several windows at once count once
    CHECK(t.c.window() == 13 * mss);
}

TEST_CASE("after a timeout, an acknowledgment of what had arrived long ago adds one segment") {
    // RFC 3465 §2.3: N is lost, N+1 and N+2 arrive, N is sent again, the acknowledgment covers all.
    sender s{congestion_algorithm::new_reno, 40 * mss};
    s.c.on_timeout(20 * mss, mss, true, s.now);
    ack_event e;
    e.mss = mss;
    e.delivered = e.cumulative = 3 * mss;
    e.prior_in_flight = mss;  // only what was sent again
    e.was_window_limited = true;
    e.is_recovering = true;
    s.c.on_ack(e);
    CHECK(s.c.window() == 2 * mss);
}

TEST_CASE("one acknowledgment adds eight segments in slow start, or a large frame") {
    congestion_control c;
    c.begin(congestion_algorithm::new_reno, 9000, 900'000, instant{});
    ack_event e;
    e.mss = 9000;
    e.delivered = e.cumulative = e.prior_in_flight = 500'000;
    e.was_window_limited = true;
    c.on_ack(e);
    CHECK(c.window() == 972'000);
    sender s{congestion_algorithm::new_reno, 200 * mss};
    s.round(200 * mss, true);
    CHECK(s.c.window() == 200 * mss + 65'536);
}

TEST_CASE("congestion halves, by a mark as by a loss (RFC 3168 section 6.1.2); CUBIC takes 0.7") {
    for (const congestion_cause cause : {congestion_cause::loss, congestion_cause::ecn}) {
        sender reno{congestion_algorithm::new_reno, 20 * mss};
        reno.c.on_congestion(cause, 20 * mss, mss, instant{});
        CHECK(reno.c.threshold() == 10 * mss);
        CHECK(reno.c.window() == 20 * mss);  // the recovery leads it down
        sender cubic = after_slow_start(congestion_algorithm::cubic, 20 * mss);
        cubic.c.on_congestion(cause, 20 * mss, mss, instant{});
        CHECK(cubic.c.threshold() == 14 * mss);
    }
}

TEST_CASE("a gap holds the window, but where segments are known to overtake each other it grows") {
    for (const bool seen : {false, true}) {
        CAPTURE(seen);
        sender s{congestion_algorithm::new_reno, 20 * mss};
        s.send(20 * mss);
        ack_event e;
        e.mss = mss;
        e.delivered = 2 * mss;  // selectively
        e.prior_in_flight = 20 * mss;
        e.in_flight = 18 * mss;
        e.was_window_limited = true;
        e.rtt = e.smoothed_rtt = e.min_rtt = 100ms;
        e.nxt = sequence_number{s.nxt};
        e.reordering_seen = seen;
        s.c.on_ack(e);
        CHECK(s.c.window() == (seen ? 22 : 20) * mss);
    }
}

TEST_CASE("CUBIC halves what slow start has doubled, and takes 0.7 of it in HyStart++'s slow one") {
    sender s{congestion_algorithm::cubic, 20 * mss};
    s.least = 100ms;
    s.send(20 * mss);
    s.ack(2 * mss, 150ms, true, false, 0, 150ms);
    CHECK(s.c.window() == 22 * mss);
    s.c.on_congestion(congestion_cause::loss, 20 * mss, mss, s.now);
    CHECK(s.c.threshold() == 11 * mss);

    // Round trips as short as ever: it was no queue that lost the segment.
    sender lucky{congestion_algorithm::cubic, 20 * mss};
    lucky.least = 100ms;
    lucky.send(20 * mss);
    lucky.ack(10 * mss, 100ms, true, false, 0, 101ms);
    lucky.c.on_congestion(congestion_cause::loss, 20 * mss, mss, lucky.now);
    CHECK(lucky.c.threshold() == lucky.c.window() / 10 * 7);

    // Three rounds into conservative slow start: the window grew by a quarter in the last one.
    sender slow{congestion_algorithm::cubic, 20 * mss};
    std::uint32_t end = slow.nxt = slow.c.window();
    for (const duration rtt : {100ms, 100ms, 150ms, 150ms, 150ms}) {
        const std::uint32_t each = (end - slow.una) / 20;
        for (int i = 0; i < 19; ++i) slow.ack(each, 0ms, true, false, 0, rtt);
        slow.send(slow.c.window() + each);  // the next round's
        slow.ack(end - slow.una, 0ms, true, false, 0, rtt);
        end = slow.nxt;
    }
    REQUIRE(slow.c.as_loss_based()->first_slow_start().current() == hystart::phase::conservative);
    const std::uint32_t window = slow.c.window();
    slow.c.on_congestion(congestion_cause::loss, window, mss, slow.now);
    CHECK(slow.c.threshold() == window / 10 * 7 + window % 10 * 7 / 10);
}

TEST_CASE(
    "when one recovery follows the other, CUBIC takes the window and NewReno what is in flight") {
    for (const congestion_algorithm a :
         {congestion_algorithm::cubic, congestion_algorithm::new_reno}) {
        sender s = after_slow_start(a, 100 * mss);
        s.congestion(100 * mss);
        s.send(100 * mss);
        s.ack(90 * mss, 50ms, true, true);
        s.c.on_recovered(95 * mss, mss, s.now);
        const std::uint32_t window = s.c.window();
        s.c.on_congestion(congestion_cause::loss, 10 * mss, mss, s.now);
        CHECK(s.c.threshold() == (a == congestion_algorithm::cubic ? window / 10 * 7 : 5 * mss));
    }
}

TEST_CASE("recovery neither grows the window nor ends in a burst (RFC 6582 section 3.2)") {
    sender s{congestion_algorithm::new_reno, 100 * mss};
    s.congestion(100 * mss);
    s.send(200 * mss);
    for (int i = 0; i < 20; ++i) s.ack(mss, 0ms, true, true);
    CHECK(s.c.window() == 50 * mss);
    sender drained = s;
    s.c.on_recovered(48 * mss, mss, s.now);
    CHECK(s.c.window() == 50 * mss);
    drained.c.on_recovered(0, mss, drained.now);
    CHECK(drained.c.window() == 11 * mss);
    CHECK(drained.c.is_slow_start());  // back to the threshold at once
    CHECK(drained.c.threshold() == 50 * mss);
}

TEST_CASE("a repeated timeout leaves the threshold of the first (RFC 5681 section 3.1)") {
    sender s{congestion_algorithm::new_reno, 40 * mss};
    s.c.on_timeout(40 * mss, mss, true, s.now);
    CHECK(s.c.threshold() == 20 * mss);
    s.c.on_timeout(mss, mss, false, s.now);
    CHECK(s.c.threshold() == 20 * mss);
    CHECK(s.c.window() == mss);
    s.c.undo();  // of both: the first copies were not lost
    CHECK(s.c.window() == 40 * mss);
    CHECK(s.c.threshold() == congestion_window::unlimited);
    s.c.set_window(7 * mss);
    s.c.undo();
    CHECK(s.c.window() == 7 * mss);
}

TEST_CASE("undo never takes away what was gained since") {
    sender s{congestion_algorithm::new_reno, 10 * mss};
    s.congestion(10 * mss);
    s.c.on_recovered(10 * mss, mss, s.now);
    for (int i = 0; i < 10; ++i) s.round(s.c.window(), true);
    const std::uint32_t grown = s.c.window();
    REQUIRE(grown > 10 * mss);
    s.c.undo();
    CHECK(s.c.window() == grown);
}

TEST_CASE("a spurious timeout in CUBIC's first slow start goes back to HyStart++") {
    sender s{congestion_algorithm::cubic, 10 * mss};
    s.c.on_timeout(10 * mss, mss, true, s.now);
    CHECK(s.c.as_loss_based()->first_slow_start().current() == hystart::phase::done);
    s.c.undo();
    CHECK(s.c.as_loss_based()->first_slow_start().current() == hystart::phase::standard);
    CHECK(s.c.is_slow_start());
}

TEST_CASE("after silence the initial window, and slow start to what was carried (RFC 5681 4.1)") {
    sender s{congestion_algorithm::new_reno, 100 * mss};
    s.congestion(100 * mss);
    s.c.on_recovered(50 * mss, mss, s.now);
    s.c.on_idle(mss, 10 * mss, s.now + 10s, 1s);
    CHECK(s.c.window() == 10 * mss);
    CHECK(s.c.threshold() == 50 * mss);
    CHECK(s.c.pacing_rate() == 0);
    s.c.set_window(4 * mss);
    s.c.on_idle(mss, 10 * mss, s.now + 20s, 1s);
    CHECK(s.c.window() == 4 * mss);  // never up
}

TEST_CASE("the initial window is as many segments when they turn out too large (RFC 5681 3.1)") {
    for (const congestion_algorithm a : everyone) {
        sender s{a, 10 * mss};
        s.c.on_mss(mss / 2);
        CHECK(s.c.window() == 10 * (mss / 2));
        s.c.on_mss(mss / 4);
        CHECK(s.c.window() == 10 * (mss / 4));
        s.c.on_mss(mss);
        CHECK(s.c.window() == 10 * (mss / 4));
    }
}

TEST_CASE("a path MTU that changes leaves the bytes of a window that has grown, or of a segment") {
    sender s;
    s.c.set_window(20 * mss);
    s.c.on_mss(500);
    CHECK(s.c.window() == 20 * mss);
    s.c.on_timeout(mss, 500, true, s.now);
    CHECK(s.c.window() == 500);
    s.c.on_mss(1400);
    CHECK(s.c.window() == 1400);
}

TEST_CASE("whatever is reported, the window is a segment or more and bounded, and never 0") {
    for (const congestion_algorithm a : everyone) {
        std::mt19937 random{static_cast<std::mt19937::result_type>(a)};
        const auto any = [&](std::uint32_t n) { return static_cast<std::uint32_t>(random() % n); };
        for (int run = 0; run < 50; ++run) {
            sender s{a};
            for (int i = 0; i < 2000; ++i) {
                const std::uint32_t flight = any(2) != 0 ? any(1U << 30) : any(100'000);
                switch (any(10)) {
                    case 0:
                        s.c.on_congestion(congestion_cause{any(2) != 0}, flight, mss, s.now);
                        break;
                    case 1: s.c.on_recovered(flight, mss, s.now); break;
                    case 2: s.c.on_timeout(flight, mss, any(2) != 0, s.now); break;
                    case 3: s.c.undo(); break;
                    case 4:
                        s.c.on_idle(mss, 10 * mss, s.now += std::chrono::seconds{any(1000)}, 1s);
                        break;
                    default: {
                        ack_event e;
                        e.now = s.now += duration{any(1'000'000'000)};
                        e.mss = mss;
                        e.delivered = e.cumulative = flight;
                        e.lost = any(2) * any(flight + 1);
                        e.in_flight = any(1U << 30);
                        e.prior_in_flight = any(1U << 30);
                        e.was_window_limited = any(2) != 0;
                        e.is_recovering = any(3) == 0;
                        e.rtt = duration{any(2) * any(2'000'000'000)};
                        e.smoothed_rtt = duration{any(2'000'000'000)};
                        e.una = sequence_number{s.una += flight};
                        e.nxt = e.una + any(1U << 30);
                        e.rate.valid = any(4) != 0;
                        e.rate.delivered = flight;
                        e.rate.interval = duration{1 + any(1'000'000'000)};
                        e.rate.prior_delivered = static_cast<std::uint64_t>(i) << 20;
                        s.c.on_ack(e);
                    }
                }
                REQUIRE(s.c.window() >= mss);
                REQUIRE(s.c.window() <= congestion_window::max_bytes);
                REQUIRE(s.c.threshold() >= mss);
                if (a == congestion_algorithm::bbr) REQUIRE(s.c.pacing_rate() > 0);
            }
        }
    }
}

TEST_CASE("each algorithm fills a path with a buffer of its product") {
    for (const congestion_algorithm a : everyone) {
        path_model m{a, {}};
        m.run(3s);
        const std::uint64_t before = m.delivered();
        m.run(20s);
        CHECK(m.delivered() - before >= 20 * 1'250'000 * 93ULL / 100);
    }
}

TEST_CASE("an application that sends less than the path carries does not make the window grow") {
    for (const congestion_algorithm a : everyone) {
        path_model m{a, {}};
        m.offer(200'000);  // a sixth of the path: 8 segments a round trip
        m.run(60s);
        CHECK(m.delivered() >= 60 * 190'000);
        CHECK(m.control().window() <= 30 * mss);
    }
}
}
