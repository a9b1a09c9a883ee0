#include "tcp_path_model.hpp"

#include <weft/net/tcp/congestion/bbr.hpp>

#include <doctest/doctest.h>

#include <vector>

using namespace weft;
using namespace weft::net::tcp;
using namespace std::chrono_literals;
using weft::test::path;
using weft::test::path_model;

namespace {

constexpr auto algorithm = congestion_algorithm::bbr;
constexpr path ten_mbit{.bytes_per_second = 1'250'000, .delay = 20ms, .buffer_bytes = 1'000'000};
constexpr std::uint64_t product = 50'000;  // 10 Mbit/s x 40 ms

const bbr& model_of(path_model& m) { return *m.control().as_bbr(); }

/// A single acknowledgment, for what needs no path.
ack_event ack_of(instant now, std::uint32_t in_flight, std::uint32_t lost = 0) {
    ack_event e;
    e.now = now;
    e.mss = 1000;
    e.delivered = 1000;
    e.lost = lost;
    e.in_flight = in_flight;
    e.prior_in_flight = in_flight + 1000;
    return e;
}

}  // namespace

TEST_SUITE("netstack.tcp.bbr") {
TEST_CASE("before the first round trip the initial window leaves at 2.9 windows a millisecond") {
    congestion_control c;
    c.begin(algorithm, 1000, 10'000, instant{});
    CHECK(c.window() == 10'000);
    CHECK(c.is_slow_start());
    CHECK_FALSE(c.uses_recovery_window());
    CHECK(c.threshold() == congestion_window::unlimited);
    CHECK(c.pacing_rate() == 10'000'000ULL * 739 / 256);
}

TEST_CASE("it starts up, drains and then probes; the model is the path's rate and round trip") {
    path_model m{algorithm, ten_mbit};
    std::vector<bbr::mode> walk{model_of(m).current()};
    for (int i = 0; i < 5000; ++i) {
        m.run(1ms);
        if (model_of(m).current() != walk.back()) walk.push_back(model_of(m).current());
    }
    CHECK(walk == std::vector{bbr::mode::startup, bbr::mode::drain, bbr::mode::probe_bandwidth});
    CHECK(model_of(m).bandwidth() >= 1'240'000);
    CHECK(model_of(m).bandwidth() <= 1'260'000);
    CHECK(model_of(m).min_rtt() >= 40ms);
    CHECK(model_of(m).min_rtt() <= 42ms);
    CHECK(m.drops() == 0);
}

TEST_CASE("in steady state the path is filled and hardly anything queues") {
    path_model m{algorithm, ten_mbit};
    m.run(2s);
    (void)m.take_worst_wait();
    const std::uint64_t before = m.delivered();
    m.run(5s);
    CHECK(m.delivered() - before >= 5 * 1'250'000 * 95 / 100);
    // A phase at 5/4 queues a quarter of the product: 10 ms of 40.
    CHECK(m.take_worst_wait() <= 16ms);
    CHECK(m.control().window() >= product);
    CHECK(m.control().window() <= 2 * product + 3 * 1250 + 2000 + 5000);
}

TEST_CASE("the pacing gain goes round: one phase up, one down, six level") {
    path_model m{algorithm, ten_mbit};
    m.run(3s);
    std::vector<std::uint64_t> rates;
    for (int i = 0; i < 800; ++i) {
        m.run(1ms);
        const std::uint64_t r = m.control().pacing_rate() * 100 / model_of(m).bandwidth();
        if (rates.empty() || rates.back() != r) rates.push_back(r);
    }
    // 99 % of 5/4, of 3/4 and of 1.
    int up = 0;
    for (std::size_t i = 0; i + 2 < rates.size(); ++i) {
        if (rates[i] != 123) continue;
        ++up;
        CHECK(rates[i + 1] == 74);
        CHECK(rates[i + 2] >= 98);
        CHECK(rates[i + 2] <= 99);
    }
    CHECK(up >= 2);  // a cycle is eight round trips: 320 ms or a little more
    CHECK(up <= 3);
}

TEST_CASE("after ten seconds without a shorter round trip the window shrinks for 200 ms") {
    path_model m{algorithm, ten_mbit};
    instant began = never;
    instant ended = never;
    while (m.now() < instant{} + 25s && ended == never) {
        m.run(1ms);
        const bool is_probing = model_of(m).current() == bbr::mode::probe_rtt;
        if (is_probing && began == never) began = m.now();
        if (is_probing) CHECK(m.control().window() <= 4000);
        if (!is_probing && began != never) ended = m.now();
    }
    REQUIRE(began != never);
    REQUIRE(ended != never);
    CHECK(began >= instant{} + 10s);
    CHECK(ended - began >= 200ms);
    CHECK(ended - began <= 350ms);  // and the round trip in which the flight runs out
    CHECK(model_of(m).current() == bbr::mode::probe_bandwidth);
    CHECK(m.control().window() >= product);
    m.run(1s);
    CHECK(model_of(m).bandwidth() >= 1'200'000);  // the probe was not taken for a slow path
}

TEST_CASE("a path that becomes faster is found by probing, one that becomes slower by forgetting") {
    path_model m{algorithm, ten_mbit};
    m.run(2s);
    path twice = ten_mbit;
    twice.bytes_per_second *= 2;
    m.change(twice);
    m.run(3s);
    CHECK(model_of(m).bandwidth() >= 2'300'000);
    m.change(ten_mbit);
    m.run(3s);
    CHECK(model_of(m).bandwidth() <= 1'350'000);
}

TEST_CASE("an application that sends little teaches nothing about the path") {
    path_model m{algorithm, ten_mbit};
    m.run(2s);
    const std::uint64_t known = model_of(m).bandwidth();
    m.offer(100'000);
    m.run(5s);
    CHECK(model_of(m).bandwidth() >= known * 95 / 100);
    CHECK(m.control().window() <= 3 * product);
}

TEST_CASE("what a small buffer drops costs no throughput") {
    // A buffer of a tenth of the product drops whatever the probe adds.
    path small = ten_mbit;
    small.buffer_bytes = 5000;
    path_model m{algorithm, small};
    m.run(2s);
    const std::uint64_t drops = m.drops();
    const std::uint64_t before = m.delivered();
    m.run(5s);
    CHECK(m.drops() > drops);
    CHECK(m.delivered() - before >= 5 * 1'250'000 * 90 / 100);
}

TEST_CASE("recovery begins with packet conservation and ends with the window before it") {
    path_model m{algorithm, ten_mbit};
    m.run(2s);
    congestion_control c = m.control();
    const std::uint32_t before = c.window();
    c.on_congestion(congestion_cause::loss, 60'000, 1000, m.now());
    ack_event e = ack_of(m.now() + 1ms, 40'000, 3000);
    e.is_recovering = true;
    c.on_ack(e);
    CHECK(c.window() == 41'000);  // in flight and what this one delivered
    e = ack_of(m.now() + 2ms, 39'000, 2000);
    e.is_recovering = true;
    c.on_ack(e);
    CHECK(c.window() == 40'000);  // never below that; less what is lost
    c.on_recovered(39'000, 1000, m.now() + 3ms);
    CHECK(c.window() == before);
}

TEST_CASE("after a timeout one segment leaves; when that was for nothing the window comes back") {
    path_model m{algorithm, ten_mbit};
    m.run(2s);
    congestion_control c = m.control();
    const std::uint32_t before = c.window();
    c.on_timeout(before, 1000, true, m.now());
    CHECK(c.window() == 1000);
    congestion_control spurious = c;
    spurious.undo();
    CHECK(spurious.window() == before);
    ack_event e = ack_of(m.now() + 1ms, 0);
    e.is_recovering = true;
    c.on_ack(e);
    CHECK(c.window() == 4000);
    e.is_recovering = false;
    c.on_ack(e);  // the timeout's recovery is over
    CHECK(c.window() >= before * 9 / 10);
}

TEST_CASE("after silence it sends at the measured rate, and the silence was probe enough") {
    path_model m{algorithm, ten_mbit};
    m.run(2s);
    congestion_control c = m.control();
    c.on_idle(1000, 10'000, m.now() + 20s, 1s);
    CHECK(c.pacing_rate() == model_of(m).bandwidth() * 99 / 100);
    ack_event e = ack_of(m.now() + 20s + 50ms, 2000);
    e.rtt = 45ms;
    c.on_ack(e);
    CHECK(c.as_bbr()->current() == bbr::mode::probe_bandwidth);
    CHECK(c.as_bbr()->min_rtt() == 45ms);  // the old one was too old
}

TEST_CASE("two runs from the same instant are the same, from another they probe at other times") {
    const auto trace = [](instant start) {
        path_model m{algorithm, ten_mbit, start};
        std::vector<std::uint64_t> t;
        for (int i = 0; i < 100; ++i) {
            m.run(20ms);
            t.push_back(m.control().pacing_rate() * 100 / (model_of(m).bandwidth() + 1));
        }
        return t;
    };
    CHECK(trace(instant{}) == trace(instant{}));
    int differing = 0;
    for (int i = 1; i <= 8; ++i) differing += trace(instant{}) != trace(instant{i * 1717us});
    CHECK(differing >= 4);
}
}
