#include <weft/net/tcp/retransmission_timer.hpp>

#include <doctest/doctest.h>

#include <cmath>
#include <random>

using namespace std::chrono_literals;
using weft::duration;
using weft::net::tcp::config;
using weft::net::tcp::retransmission_timer;

namespace {

/// The figures of RFC 6298 as it states them: a minimum of one second (§2.4).
config rfc() {
    config c;
    c.min_rto = 1s;
    return c;
}

/// Microseconds of integer arithmetic may be lost at each sample.
bool is_near(duration a, duration b, duration within = 50us) {
    return (a > b ? a - b : b - a) <= within;
}

}  // namespace

TEST_SUITE("netstack.tcp.retransmission_timer") {
TEST_CASE("before any sample the timeout is one second (RFC 6298 section 2.1) [MUST-18]") {
    retransmission_timer t;
    t.begin(rfc());
    CHECK(t.timeout(rfc()) == 1s);
    CHECK_FALSE(t.has_sample());
}

TEST_CASE("the first sample R gives SRTT = R, RTTVAR = R/2, RTO = 3R (section 2.2) [MUST-18]") {
    retransmission_timer t;
    t.begin(rfc());
    t.on_sample(800ms, rfc());
    CHECK(t.smoothed() == 800ms);
    CHECK(t.variation() == 400ms);
    CHECK(t.timeout(rfc()) == 2400ms);
}

TEST_CASE("later samples are smoothed by 1/8 and 1/4, the variation first (section 2.3)") {
    retransmission_timer t;
    t.begin(rfc());
    t.on_sample(800ms, rfc());
    t.on_sample(1600ms, rfc());
    // RTTVAR = 3/4 * 400 + 1/4 * |800 - 1600| = 500; SRTT = 7/8 * 800 + 1/8 * 1600 = 900.
    CHECK(is_near(t.variation(), 500ms));
    CHECK(is_near(t.smoothed(), 900ms));
    CHECK(is_near(t.timeout(rfc()), 2900ms));
}

TEST_CASE("a long run of samples agrees with the formula in floating point") {
    std::mt19937 random{7};
    retransmission_timer t;
    t.begin(rfc());
    double srtt = 0;
    double rttvar = 0;
    for (int i = 0; i < 2000; ++i) {
        const auto us = static_cast<std::int64_t>(random() % 2'000'000 + 100);
        const auto r = static_cast<double>(us);
        rttvar = i == 0 ? r / 2 : 0.75 * rttvar + 0.25 * std::abs(srtt - r);
        srtt = i == 0 ? r : 0.875 * srtt + 0.125 * r;
        t.on_sample(std::chrono::microseconds{us}, rfc());
        REQUIRE(is_near(t.smoothed(), std::chrono::microseconds{std::llround(srtt)}));
        REQUIRE(is_near(t.variation(), std::chrono::microseconds{std::llround(rttvar)}));
    }
}

TEST_CASE("the timeout stays between its minimum and its maximum (sections 2.4 and 2.5)") {
    retransmission_timer t;
    t.begin(rfc());
    t.on_sample(1ms, rfc());
    CHECK(t.timeout(rfc()) == 1s);
    t.on_sample(300s, rfc());
    CHECK(t.timeout(rfc()) == 60s);
    config shorter = rfc();
    shorter.min_rto = 200ms;
    retransmission_timer quick;
    quick.begin(shorter);
    quick.on_sample(1ms, shorter);
    CHECK(quick.timeout(shorter) == 200ms);
}

TEST_CASE("each expiry doubles the timeout up to the maximum (sections 5.5 and 2.5) [MUST-19]") {
    retransmission_timer t;
    t.begin(rfc());
    const duration expected[] = {1s, 2s, 4s, 8s, 16s, 32s, 60s, 60s};
    for (const duration e : expected) {
        CHECK(t.timeout(rfc()) == e);
        t.back_off();
    }
    for (int i = 0; i < 100; ++i) t.back_off();
    CHECK(t.timeout(rfc()) == 60s);
}

TEST_CASE("a sample ends the back-off") {
    retransmission_timer t;
    t.begin(rfc());
    t.back_off();
    t.back_off();
    t.on_sample(500ms, rfc());
    CHECK(t.backoffs() == 0);
    CHECK(t.timeout(rfc()) == 1500ms);
}

TEST_CASE(
    "after a SYN timeout data starts with three seconds, unless there was a sample "
    "(section 5.7)") {
    retransmission_timer t;
    t.begin(rfc());
    t.back_off();
    t.end_back_off();
    t.on_no_syn_sample(rfc());
    CHECK(t.timeout(rfc()) == 3s);
    t.on_sample(100ms, rfc());
    CHECK(t.timeout(rfc()) == 1s);
    t.on_no_syn_sample(rfc());
    CHECK(t.timeout(rfc()) == 1s);
}

TEST_CASE("a sample of nothing counts as the smallest there is") {
    retransmission_timer t;
    t.begin(rfc());
    t.on_sample(0ns, rfc());
    CHECK(t.has_sample());
    CHECK(t.timeout(rfc()) == 1s);
    t.on_sample(-5s, rfc());
    CHECK(t.timeout(rfc()) == 1s);
}
}
