#include "scripted_peer.hpp"

#include <doctest/doctest.h>

using namespace std::chrono_literals;
using namespace weft::test;
using weft::net::tcp::state;

// Recovery by duplicate ACKs: RFC 5681 §3.2, RFC 6582.

namespace {

constexpr std::uint32_t mss = 1460;

/// Ten segments are in flight, from 1001 on.
struct ten_in_flight {
    scripted_peer peer{state::established};

    ten_in_flight() {
        peer.writes(stream_text(10 * mss));
        CHECK(peer.sees_all().size() == 10);
    }
    void duplicates(int count) {
        for (int i = 0; i < count; ++i) peer.sends(ack(5001, 1001));
    }
};

}  // namespace

TEST_SUITE("netstack.tcp.fast_retransmit") {
TEST_CASE("the third duplicate ACK sends the first segment again, without waiting") {
    ten_in_flight t;
    t.duplicates(2);
    CHECK(t.peer.sees() == nothing);
    t.duplicates(1);
    const script_segment again = t.peer.sees();
    CHECK((again == data(1001, 5001, stream_text(mss))));
    CHECK(again.retransmission);
    CHECK(again.at == 0s);
    CHECK(t.peer.sees() == nothing);
    CHECK(t.peer.counters.tcp_fast_retransmits == 1);
    CHECK(t.peer.connection->slow_start_threshold() == 5 * mss);
}

TEST_CASE("what is not a duplicate is not counted as one (RFC 5681 section 2)") {
    ten_in_flight t;
    for (int i = 0; i < 5; ++i) {
        t.peer.sends(ack(5001, 1001).with_window(static_cast<std::uint16_t>(60'000 + i)));
    }
    CHECK(t.peer.counters.tcp_fast_retransmits == 0);
    for (std::uint32_t i = 0; i < 5; ++i) t.peer.sends(data(5001 + i, 1001, "x"));
    CHECK(t.peer.counters.tcp_fast_retransmits == 0);
}

TEST_CASE("nothing is a duplicate while nothing is in flight") {
    scripted_peer peer = in_state(state::established);
    for (int i = 0; i < 5; ++i) peer.sends(ack(5001, 1001));
    CHECK(peer.counters.tcp_fast_retransmits == 0);
    CHECK(peer.sees() == nothing);
}

TEST_CASE("further duplicates let new data go") {
    ten_in_flight t;
    t.peer.writes(stream_text(20 * mss, 10 * mss));
    (void)t.peer.sees_all();
    t.duplicates(3);
    (void)t.peer.sees_all();
    t.duplicates(6);
    const auto seen = t.peer.sees_all();
    // cwnd = 5 + 3 + 6 = 14 segments, 10 are in flight.
    CHECK(seen.size() == 4);
    for (const script_segment& s : seen) CHECK_FALSE(s.retransmission);
}

TEST_CASE("a partial ACK sends the next hole at once, a full one ends recovery") {
    ten_in_flight t;
    t.duplicates(3);
    (void)t.peer.sees_all();
    for (std::uint32_t hole = 3; hole <= 7; hole += 2) {
        t.peer.sends(ack(5001, 1001 + hole * mss));
        CHECK(t.peer.connection->sending()->recovery.is_recovering());
        const script_segment again = t.peer.sees();
        CHECK(again.seq == 1001 + hole * mss);
        CHECK(again.retransmission);
        CHECK(again.text.size() == mss);
        CHECK(t.peer.sees() == nothing);
    }
    t.peer.sends(ack(5001, 1001 + 10 * mss));
    CHECK_FALSE(t.peer.connection->sending()->recovery.is_recovering());
    CHECK(t.peer.connection->congestion_window() <= 5 * mss);
    CHECK(t.peer.counters.tcp_fast_retransmits == 1);
    CHECK(t.peer.counters.tcp_timeouts == 0);
}

TEST_CASE("a segment that is lost again waits for the timer") {
    ten_in_flight t;
    t.duplicates(3);
    (void)t.peer.sees_all();
    t.duplicates(20);
    CHECK(t.peer.sees() == nothing);
    const script_segment again = t.peer.waits_for_segment();
    CHECK(again.seq == 1001);
    CHECK(t.peer.counters.tcp_timeouts == 1);
}

TEST_CASE("the next loss after a recovery is recovered from as fast") {
    ten_in_flight t;
    t.duplicates(3);
    t.peer.sends(ack(5001, 1001 + 10 * mss));
    (void)t.peer.sees_all();
    t.peer.writes(stream_text(5 * mss));
    std::uint32_t end = 0;
    for (const script_segment& s : t.peer.sees_all()) end = s.end();
    // One arrives, so that the ACK lies beyond `recover`; the next one is lost.
    t.peer.sends(ack(5001, 1001 + 11 * mss));
    (void)t.peer.sees_all();
    CHECK(end >= 1001 + 12 * mss);
    for (int i = 0; i < 3; ++i) t.peer.sends(ack(5001, 1001 + 11 * mss));
    CHECK(t.peer.counters.tcp_fast_retransmits == 2);
    CHECK(t.peer.sees().seq == 1001 + 11 * mss);
}

TEST_CASE("a lost FIN is recovered like text") {
    scripted_peer peer = in_state(state::established);
    peer.writes(stream_text(2 * mss + 100));
    REQUIRE(peer.closes());
    CHECK(peer.sees_all().size() == 3);
    peer.sends(ack(5001, 1001 + 2 * mss));
    for (int i = 0; i < 3; ++i) peer.sends(ack(5001, 1001 + 2 * mss));
    const script_segment again = peer.sees();
    CHECK((again == fin_ack(1001 + 2 * mss, 5001, stream_text(100, 2 * mss))));
}

TEST_CASE("a partial acknowledgment takes its bytes off the window, less one segment (RFC 6582)") {
    scripted_peer peer = in_state(state::established);
    peer.writes(stream_text(20 * mss));
    CHECK(peer.sees_all().size() == 10);
    for (int i = 0; i < 3; ++i) peer.sends(ack(5001, 1001));
    CHECK(peer.connection->slow_start_threshold() == 5 * mss);  // without limited transmit's two
    CHECK(peer.connection->congestion_window() == 8 * mss);
    peer.sends(ack(5001, 1001 + 2 * mss));
    CHECK(peer.connection->congestion_window() == 7 * mss);
}

TEST_CASE("duplicates count after any amount of text without a loss") {
    using namespace weft;
    using namespace weft::net::tcp;
    sent_ranges ranges;
    net::stack_counters counters;
    congestion_control congestion;
    congestion.begin(congestion_algorithm::new_reno, mss, 10 * mss, instant{1h});
    loss_recovery recovery;
    sequence_number una{1};
    recovery.begin(una, false);
    const auto hears = [&](std::uint32_t count) {
        una += count;
        loss_recovery::context c{.ranges = ranges,
                                 .congestion = congestion,
                                 .counters = counters,
                                 .una = una,
                                 .nxt = una + 10 * mss,
                                 .mss = mss,
                                 .smoothed_rtt = 100ms,
                                 .now = instant{1h},
                                 .mtu_probe = {}};
        loss_recovery::acknowledgment a;
        a.cumulative = a.delivered = count;
        a.is_duplicate = count == 0;
        a.sack.highest = una;
        recovery.on_ack(a, c);
    };
    for (int i = 0; i < 3; ++i) hears(1U << 30);
    ranges.sent(una, una + 10 * mss, instant{1h});
    for (int i = 0; i < 3; ++i) hears(0);
    CHECK(counters.tcp_fast_retransmits == 1);
}
}
