#include <weft/net/tcp/congestion/new_reno.hpp>

#include <doctest/doctest.h>

#include <random>

using namespace weft::net::tcp;

namespace {

constexpr std::uint32_t mss = 1000;
sequence_number n(std::uint32_t value) { return sequence_number{value}; }

new_reno begun(std::uint32_t segments = 10) {
    new_reno c;
    c.begin(mss, segments, n(0));
    return c;
}

/// In recovery with 20 segments in flight: threshold 10 segments.
new_reno recovering() {
    new_reno c = begun();
    c.on_fast_retransmit(20 * mss, mss, n(20'001));
    return c;
}

}  // namespace

TEST_SUITE("netstack.tcp.new_reno") {
TEST_CASE("the initial window is min(10 MSS, max(2 MSS, 14600)) (RFC 6928 section 2) [MUST-19]") {
    new_reno c;
    c.begin(1460, 10, n(0));
    CHECK(c.window() == 14'600);
    c.begin(536, 10, n(0));
    CHECK(c.window() == 5360);
    c.begin(8960, 10, n(0));
    CHECK(c.window() == 17'920);
    c.begin(1460, 1, n(0));  // after a SYN that was lost: RFC 5681 §3.1
    CHECK(c.window() == 1460);
}

TEST_CASE("in slow start the window grows by what is acknowledged [MUST-19]") {
    new_reno c = begun();
    c.on_ack(2 * mss, mss, true, n(1));
    CHECK(c.window() == 12 * mss);
}

TEST_CASE("a window that was not used up does not grow") {
    new_reno c = begun();
    c.on_ack(2 * mss, mss, false, n(1));
    CHECK(c.window() == 10 * mss);
}

TEST_CASE("slow start stops at the threshold") {
    new_reno c = begun();
    c.on_timeout(20 * mss, mss, n(20'001), true);
    CHECK(c.slow_start_threshold() == 10 * mss);
    c.on_ack(30 * mss, mss, true, n(1));
    CHECK(c.window() == 10 * mss);
    CHECK_FALSE(c.is_slow_start());
}

TEST_CASE(
    "in congestion avoidance the window grows by one segment for each window "
    "acknowledged [MUST-19]") {
    new_reno c = begun();
    c.on_timeout(20 * mss, mss, n(20'001), true);
    c.on_ack(10 * mss, mss, true, n(1));
    for (int i = 0; i < 10; ++i) c.on_ack(mss, mss, true, n(1));
    CHECK(c.window() == 11 * mss);
    for (int i = 0; i < 10; ++i) c.on_ack(mss, mss, true, n(1));
    CHECK(c.window() == 11 * mss);
    c.on_ack(mss, mss, true, n(1));
    CHECK(c.window() == 12 * mss);
}

TEST_CASE(
    "the third duplicate halves: ssthresh = FlightSize/2, cwnd = ssthresh + 3 MSS "
    "(RFC 5681 section 3.2)") {
    const new_reno c = recovering();
    CHECK(c.is_recovering());
    CHECK(c.slow_start_threshold() == 10 * mss);
    CHECK(c.window() == 13 * mss);
    CHECK(c.recover() == n(20'001));
}

TEST_CASE("the threshold is never below two segments") {
    new_reno c = begun();
    c.on_fast_retransmit(mss, mss, n(1001));
    CHECK(c.slow_start_threshold() == 2 * mss);
    c.on_timeout(mss, mss, n(1001), true);
    CHECK(c.slow_start_threshold() == 2 * mss);
}

TEST_CASE("each further duplicate inflates by one segment (RFC 6582 section 3.2 step 3)") {
    new_reno c = recovering();
    c.on_duplicate_ack(mss);
    c.on_duplicate_ack(mss);
    CHECK(c.window() == 15 * mss);
}

TEST_CASE(
    "a partial acknowledgment deflates by what it acknowledges and adds a segment "
    "(RFC 6582 section 3.2)") {
    new_reno c = recovering();
    c.on_partial_ack(3 * mss, mss);
    CHECK(c.window() == 11 * mss);
    CHECK(c.is_recovering());
    c.on_partial_ack(mss / 2, mss);  // less than a segment: nothing is added
    CHECK(c.window() == 11 * mss - mss / 2);
    c.on_partial_ack(100 * mss, mss);
    CHECK(c.window() >= mss);
}

TEST_CASE("a full acknowledgment ends recovery with min(ssthresh, FlightSize + MSS)") {
    new_reno c = recovering();
    c.on_recovered(20 * mss, mss);
    CHECK_FALSE(c.is_recovering());
    CHECK(c.window() == 10 * mss);
    new_reno emptied = recovering();
    emptied.on_recovered(0, mss);
    CHECK(emptied.window() == 2 * mss);
}

TEST_CASE(
    "a timeout leaves one segment; only the first one of a segment moves the threshold "
    "(RFC 5681 section 3.1)") {
    new_reno c = begun();
    c.on_timeout(20 * mss, mss, n(20'001), true);
    CHECK(c.window() == mss);
    CHECK(c.slow_start_threshold() == 10 * mss);
    CHECK(c.recover() == n(20'001));
    c.on_timeout(mss, mss, n(20'001), false);
    CHECK(c.slow_start_threshold() == 10 * mss);
}

TEST_CASE(
    "an idle period takes the window back to the initial one, never up (RFC 5681 section "
    "4.1)") {
    new_reno c = begun();
    for (int i = 0; i < 50; ++i) c.on_ack(mss, mss, true, n(1));
    REQUIRE(c.window() == 60 * mss);
    c.on_idle(mss, 10);
    CHECK(c.window() == 10 * mss);
    c.on_timeout(10 * mss, mss, n(1), true);
    c.on_idle(mss, 10);
    CHECK(c.window() == mss);
}

TEST_CASE("`recover` follows the acknowledgments, so that its comparison never turns over") {
    new_reno c;
    c.begin(mss, 10, n(0));
    std::uint32_t una = 1;
    for (int i = 0; i < 100; ++i) {
        una += 0x1000'0000;  // 25 GiB altogether
        c.on_ack(mss, mss, false, n(una));
        REQUIRE(n(una) > c.recover());
    }
}

TEST_CASE("no order of events leaves a window below one segment or lets it overflow") {
    std::mt19937 random{11};
    new_reno c = begun();
    for (int i = 0; i < 1'000'000; ++i) {
        const std::uint32_t bytes = static_cast<std::uint32_t>(random()) % (64 * mss);
        switch (random() % 7) {
            case 0: c.on_fast_retransmit(bytes, mss, n(bytes)); break;
            case 1: c.on_duplicate_ack(mss); break;
            case 2: c.on_partial_ack(bytes, mss); break;
            case 3: c.on_recovered(bytes, mss); break;
            case 4:
                if (random() % 16 == 0) c.on_timeout(bytes, mss, n(bytes), random() % 2 == 0);
                break;
            default: c.on_ack(bytes, mss, true, n(static_cast<std::uint32_t>(i)));
        }
        REQUIRE(c.window() >= mss);
        REQUIRE(c.window() < 0x7fff'ffff);
    }
}
}
