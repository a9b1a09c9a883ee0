#include "scripted_peer.hpp"

#include <doctest/doctest.h>

using namespace std::chrono_literals;
using namespace weft::test;
using weft::net::tcp::state;

// Timestamps: RFC 7323 §3 to §5.

namespace {

/// An established connection whose peer stamps by hand; its SYN carried `value`.
struct stamped {
    scripted_peer peer;

    explicit stamped(std::uint32_t value) : peer{state::listen, {.config = {}}} {
        peer.sends(syn(5000).with_timestamps(value, 0));
        CHECK(peer.sees().options.timestamps().echo == value);
        peer.sends(ack(5001, 1001).with_timestamps(value, 0));
        peer.accepts();
        (void)peer.sees_all();
    }
};

}  // namespace

TEST_SUITE("netstack.tcp.timestamps") {
TEST_CASE("every segment carries a timestamp, and the echo of the last one in order") {
    stamped s{1000};
    s.peer.sends(data(5001, 1001, "a").with_timestamps(1010, 0));
    CHECK(s.peer.sees().options.timestamps().echo == 1010);
    s.peer.writes("b");
    const script_segment sent = s.peer.sees();
    CHECK(sent.options.has_timestamps());
    CHECK(sent.options.timestamps().echo == 1010);
}

TEST_CASE("our clock of timestamps ticks in milliseconds") {
    stamped s{1000};
    s.peer.writes("a");
    const std::uint32_t first = s.peer.sees().options.timestamps().value;
    s.peer.sends(ack(5001, 1002).with_timestamps(1001, first));
    s.peer.waits(5s);
    s.peer.writes("b");
    CHECK(s.peer.sees().options.timestamps().value - first == 5000);
}

TEST_CASE("a delayed ACK echoes the earliest segment that it answers (RFC 7323 section 4.3)") {
    stamped s{1000};
    s.peer.sends(data(5001, 1001, "a").with_timestamps(1010, 0));
    s.peer.sends(data(5002, 1001, "b").with_timestamps(1020, 0));
    const script_segment answer = s.peer.sees();
    CHECK(answer == ack(1001, 5003));
    CHECK(answer.options.timestamps().echo == 1010);
}

TEST_CASE("a segment behind a gap does not change the echo, the one that fills it does") {
    stamped s{1000};
    s.peer.sends(data(5002, 1001, "b").with_timestamps(1020, 0));
    CHECK(s.peer.sees().options.timestamps().echo == 1000);
    s.peer.sends(data(5001, 1001, "a").with_timestamps(1030, 0));
    CHECK(s.peer.sees().options.timestamps().echo == 1030);
}

TEST_CASE("a segment with an older timestamp is dropped and answered (PAWS)") {
    stamped s{1000};
    s.peer.sends(data(5001, 1001, "old").with_timestamps(999, 0));
    CHECK(s.peer.sees() == ack(1001, 5001));
    CHECK(s.peer.connection->readable_bytes() == 0);
    CHECK(s.peer.counters.tcp_paws_rejected == 1);
    s.peer.sends(data(5001, 1001, "same").with_timestamps(1000, 0));
    CHECK(s.peer.reads() == "same");
}

TEST_CASE("older and newer are told apart across 2^32") {
    stamped s{0xffff'fff0};
    s.peer.sends(data(5001, 1001, "new").with_timestamps(5, 0));
    CHECK(s.peer.reads() == "new");
    s.peer.sends(data(5004, 1001, "old").with_timestamps(0xffff'fff5, 0));
    CHECK(s.peer.reads().empty());
    CHECK(s.peer.counters.tcp_paws_rejected == 1);
}

TEST_CASE(
    "a segment without the timestamp that it should have is dropped silently (section "
    "3.2)") {
    stamped s{1000};
    s.peer.sends(data(5001, 1001, "bare"));
    CHECK(s.peer.sees() == nothing);
    CHECK(s.peer.connection->readable_bytes() == 0);
    s.peer.sends(fin_ack(5001, 1001));
    CHECK(s.peer.state() == state::established);
}

TEST_CASE("a RST needs no timestamp, and an old one does not save the connection (section 5.2)") {
    stamped bare{1000};
    bare.peer.sends(rst(5001));
    CHECK(bare.peer.state() == state::closed);
    stamped old{1000};
    old.peer.sends(rst(5001).with_timestamps(1, 0));
    CHECK(old.peer.state() == state::closed);
}

TEST_CASE("after 24 days of silence an old timestamp says nothing (section 5.5)") {
    stamped s{1000};
    s.peer.waits(24h * 24 + 1min);
    s.peer.sends(data(5001, 1001, "back").with_timestamps(999, 0));
    CHECK(s.peer.reads() == "back");
}

TEST_CASE("a segment outside the window cannot move the echo") {
    stamped s{1000};
    s.peer.sends(data(5001 + 2'000'000, 1001, "far").with_timestamps(900'000, 0));
    (void)s.peer.sees_all();
    s.peer.sends(data(5001, 1001, "near").with_timestamps(1001, 0));
    CHECK(s.peer.reads() == "near");
}

TEST_CASE(
    "the round trip is measured by the echo, also of a segment that was sent twice "
    "[MUST-18]") {
    stamped s{1000};
    s.peer.writes("a");
    (void)s.peer.sees();
    const script_segment again = s.peer.waits_for_segment();
    REQUIRE(again.retransmission);
    s.peer.waits(30ms);
    s.peer.sends(ack(5001, 1002).with_timestamps(1001, again.options.timestamps().value));
    // A first sample of about no time from the handshake, then 30 ms at 1/8.
    CHECK(s.peer.connection->smoothed_rtt() > 3ms);
    CHECK(s.peer.connection->smoothed_rtt() < 10ms);
}

TEST_CASE("an echo of what we never said does not spoil the timeout") {
    stamped s{1000};
    for (std::uint32_t i = 0; i < 20; ++i) {
        s.peer.writes("a");
        (void)s.peer.sees();
        (void)s.peer.waits_for_segment();
        s.peer.sends(ack(5001, 1002 + i).with_timestamps(1001 + i, 0x1234'5678));
    }
    CHECK(s.peer.connection->rto() <= 60s);
}
}
