#include <weft/net/tcp/delivery_rate.hpp>

#include <doctest/doctest.h>

#include <deque>

using namespace weft;
using namespace weft::net::tcp;
using namespace std::chrono_literals;

namespace {

constexpr std::uint32_t mss = 1000;

struct flow {
    delivery_rate d;
    instant now{};
    struct range {
        delivery_snapshot at_send;
        instant sent_at;
    };
    std::deque<range> flight;

    void send(int n = 1) {
        for (int i = 0; i < n; ++i) {
            const auto before = static_cast<std::uint32_t>(flight.size()) * mss;
            flight.push_back({d.on_sent(now, before), now});
        }
    }
    /// One acknowledgment of the `n` oldest.
    rate_sample ack(int n = 1, duration min_rtt = 1ms) {
        for (int i = 0; i < n; ++i) {
            d.on_delivered(flight.front().at_send, flight.front().sent_at, mss, now);
            flight.pop_front();
        }
        return d.take_sample(now, min_rtt);
    }
};

}  // namespace

TEST_SUITE("netstack.tcp.delivery_rate") {
TEST_CASE("segments in step with their acknowledgments: bytes over the round trip") {
    // 10 segments leave at 0..9 ms and arrive 40 ms later, one a millisecond.
    flow f;
    for (int i = 0; i < 10; ++i) {
        f.send();
        f.now += 1ms;
    }
    f.now = instant{} + 40ms;
    rate_sample s = f.ack();
    CHECK(s.valid);
    CHECK(s.delivered == mss);
    CHECK(s.interval == 40ms);
    CHECK(s.rtt == 40ms);
    CHECK(s.bytes_per_second() == 25'000);
    for (int i = 1; i < 10; ++i) {
        f.now += 1ms;
        s = f.ack();
    }
    // The tenth left when nothing had been delivered: 10 segments in 49 ms.
    CHECK(s.delivered == 10 * mss);
    CHECK(s.ack_elapsed == 49ms);
    CHECK(s.prior_delivered == 0);
}

TEST_CASE("a steady flow measures what the path carries") {
    flow f;
    f.send(40);  // 40 ms of a path that carries one a millisecond
    f.now += 40ms;
    rate_sample s;
    for (int i = 0; i < 200; ++i) {
        s = f.ack();
        f.send();
        f.now += 1ms;
    }
    CHECK(s.bytes_per_second() >= 990'000);
    CHECK(s.bytes_per_second() <= 1'010'000);
}

TEST_CASE("aggregated acknowledgments do not make the path look faster") {
    // As above, but the receiver keeps its acknowledgments for 10 ms and sends them in one burst.
    flow f;
    f.send(40);
    f.now += 40ms;
    for (int i = 0; i < 30; ++i) {
        f.now += 10ms;
        for (int j = 0; j < 10; ++j) {
            const rate_sample s = f.ack();
            CHECK(s.bytes_per_second() <= 1'000'000);
            f.send();
        }
    }
}

TEST_CASE("one acknowledgment for several is measured from the newest of them") {
    flow f;
    f.send(2);
    f.now += 10ms;
    (void)f.ack();
    f.send(2);  // these know that one was delivered at 10 ms
    f.now += 10ms;
    const rate_sample s = f.ack(3);
    CHECK(s.prior_delivered == mss);
    CHECK(s.delivered == 3 * mss);
    CHECK(s.interval == 10ms);
    CHECK(s.rtt == 10ms);
}

TEST_CASE("sent more slowly than acknowledged: the time to send is what counts") {
    // Sent over 50 ms, the acknowledgments compressed into 10.
    flow f;
    f.send();
    f.now += 10ms;
    for (int i = 0; i < 5; ++i) {
        f.send();
        f.now += 10ms;
    }
    f.now = instant{} + 80ms;
    (void)f.ack();
    f.now += 10ms;
    const rate_sample s = f.ack(5);
    CHECK(s.send_elapsed == 50ms);
    CHECK(s.ack_elapsed == 90ms);
    CHECK(s.interval == 90ms);
    flow compressed;
    compressed.send(1);
    compressed.now += 1ms;
    (void)compressed.ack(1, 0ms);
    compressed.send(1);
    for (int i = 0; i < 5; ++i) {
        compressed.now += 10ms;
        compressed.send();
    }
    compressed.now += 1ms;
    const rate_sample slow = compressed.ack(6);
    CHECK(slow.send_elapsed == 50ms);
    CHECK(slow.ack_elapsed == 51ms);
}

TEST_CASE("what was sent in want of more is marked, until it has been delivered") {
    flow f;
    f.send(2);
    f.d.on_app_limited(2 * mss);  // nothing more to send
    CHECK(f.d.is_app_limited());
    f.now += 5ms;
    f.send(1);  // a little more: still limited
    f.now += 5ms;
    CHECK_FALSE(f.ack().is_app_limited);  // sent before the gap
    CHECK_FALSE(f.ack().is_app_limited);
    CHECK(f.d.is_app_limited());
    f.send(1);
    f.now += 10ms;
    CHECK(f.ack().is_app_limited);
    CHECK_FALSE(f.d.is_app_limited());  // what was in flight at the gap has gone by
    f.send(1);
    CHECK(f.ack(1).is_app_limited);  // sent before that
    f.now += 10ms;
    CHECK_FALSE(f.ack().is_app_limited);
}

TEST_CASE("silence is part of no interval") {
    flow f;
    f.send();
    f.now += 10ms;
    (void)f.ack();
    f.now += 60s;
    f.send(5);
    f.now += 10ms;
    const rate_sample s = f.ack(5);
    CHECK(s.interval == 10ms);
    CHECK(s.bytes_per_second() == 500'000);
}

TEST_CASE("faster than the least round trip is no sample: an earlier copy was acknowledged") {
    flow f;
    f.send();
    f.now += 2ms;
    CHECK_FALSE(f.ack(1, 10ms).valid);
    CHECK(f.d.delivered() == mss);                   // but it counts
    CHECK_FALSE(f.d.take_sample(f.now, 0ms).valid);  // nothing new
    f.send();
    CHECK_FALSE(f.ack(1, 0ms).valid);  // no time at all
}

TEST_CASE("a sample knows what was lost over its own sends") {
    flow f;
    f.send(4);
    f.now += 10ms;
    f.d.on_lost(mss);
    CHECK(f.ack().lost == mss);
    f.send();
    f.now += 10ms;
    (void)f.ack(3);
    f.d.on_lost(2 * mss);
    CHECK(f.ack().lost == 2 * mss);
}

TEST_CASE("bytes are counted beyond 32 bits") {
    flow f;
    for (int i = 0; i < 5; ++i) {
        const delivery_snapshot s = f.d.on_sent(f.now, 0);
        const instant sent_at = f.now;
        f.now += 1s;
        f.d.on_delivered(s, sent_at, 1U << 30, f.now);
        CHECK(f.d.take_sample(f.now, 1ms).bytes_per_second() == 1U << 30);
    }
    CHECK(f.d.delivered() == std::uint64_t{5} << 30);
}
}
