#include "congestion_sender.hpp"

#include <doctest/doctest.h>

using namespace weft;
using namespace weft::net::tcp;
using namespace std::chrono_literals;
using weft::test::after_slow_start;
using sender = weft::test::congestion_sender;

namespace {

constexpr std::uint32_t mss = sender::mss;

}  // namespace

TEST_SUITE("netstack.tcp.window_validation") {
TEST_CASE("pipeACK is what was acknowledged in a round trip, the most of the last second") {
    sender s{congestion_algorithm::new_reno, 20 * mss};
    const window_validation& v = s.c.as_loss_based()->validation();
    CHECK_FALSE(v.is_defined());
    s.round(5 * mss, false);
    CHECK(v.is_defined());
    CHECK(v.pipe_ack() == 5 * mss);
    s.round(3 * mss, false);
    CHECK(v.pipe_ack() == 5 * mss);  // figure 1 of RFC 7661: the maximum of all samples
    for (int i = 0; i < 10; ++i) s.round(2 * mss, false);
    CHECK(v.pipe_ack() == 3 * mss);  // and 5 is forgotten after the sampling period
    s.now += 5s;
    s.round(4 * mss, false);
    CHECK(v.pipe_ack() == 4 * mss);
}

TEST_CASE("below half of the window it is not validated; a round trip at half validates it") {
    sender s{congestion_algorithm::new_reno, 20 * mss};
    const window_validation& v = s.c.as_loss_based()->validation();
    const congestion_window w{.bytes = 20 * mss, .threshold = 0, .mss = mss};
    CHECK(v.is_validated(w));  // undefined
    s.round(9 * mss, false);
    CHECK_FALSE(v.is_validated(w));
    s.round(10 * mss, false);
    CHECK(v.is_validated(w));
    CHECK(s.c.window() == 20 * mss);
}

TEST_CASE(
    "congestion in the non-validated phase takes what was used, less what was lost, by half") {
    // A window of 100 segments, of which 40 are used a round trip; 20 in flight when one is lost.
    sender s{congestion_algorithm::new_reno, 100 * mss};
    for (int i = 0; i < 3; ++i) s.round(40 * mss, false);
    s.send(20 * mss);
    s.congestion(20 * mss);
    CHECK(s.c.window() == 20 * mss);  // max(pipeACK, LossFlightSize) / 2
    s.ack(10 * mss, 50ms, true, true, 6 * mss);
    s.c.on_recovered(15 * mss, mss, s.now);
    CHECK(s.c.threshold() == 17 * mss);  // (40 - R) / 2, R = 6
    CHECK(s.c.window() == 17 * mss);
    CHECK_FALSE(s.c.as_loss_based()->validation().is_defined());
}

TEST_CASE("a loss at the tail of a burst: NewReno takes FlightSize, CUBIC what the path carried") {
    const auto after = [](congestion_algorithm a) {
        sender s = after_slow_start(a, 40 * mss);
        for (int i = 0; i < 3; ++i) s.round(40 * mss, false);
        s.congestion(3 * mss);
        return s.c.threshold();
    };
    CHECK(after(congestion_algorithm::new_reno) == 2 * mss);
    CHECK(after(congestion_algorithm::cubic) == 28 * mss);
}

TEST_CASE("after five minutes without validation the window is halved, for each such period once") {
    sender s{congestion_algorithm::new_reno, 10 * mss};
    s.c.set_window(80 * mss);
    s.round(2 * mss, false);
    for (int i = 0; i < 299; ++i) {
        s.now += 900ms;
        s.round(2 * mss, false);
    }
    CHECK(s.c.window() == 80 * mss);
    for (int i = 0; i < 3; ++i) {
        s.now += 900ms;
        s.round(2 * mss, false);
    }
    CHECK(s.c.window() == 40 * mss);
    s.now += std::chrono::minutes{10};
    s.round(2 * mss, false);
    CHECK(s.c.window() == 10 * mss);  // twice more; never below the initial window
    s.now += std::chrono::hours{10};
    s.round(2 * mss, false);
    CHECK(s.c.window() == 10 * mss);
}

TEST_CASE("kept over silence, the window is paced over a round trip until it is validated") {
    sender s{congestion_algorithm::cubic, 80 * mss};
    s.c.keep_window_when_idle(true);
    s.round(60 * mss, true);
    const std::uint32_t window = s.c.window();
    s.now += 30s;
    s.c.on_idle(mss, 10 * mss, s.now, 1s);
    CHECK(s.c.window() == window);
    CHECK(s.c.pacing_rate() == std::uint64_t{window} * 10);  // over 100 ms
    s.round(10 * mss, false);
    CHECK(s.c.pacing_rate() == std::uint64_t{window} * 10);
    s.round(window, false);
    CHECK(s.c.pacing_rate() == 0);
}
}
