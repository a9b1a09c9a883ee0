#include "scripted_peer.hpp"

#include <doctest/doctest.h>

using namespace std::chrono_literals;
using namespace weft::test;
using weft::net::tcp::state;

// When we acknowledge: RFC 9293 §3.8.6.3, RFC 5681 §4.2.

namespace {

/// The first segments of a connection are acknowledged at once, for a peer in slow start.
std::uint32_t past_the_quick_acks(scripted_peer& peer) {
    std::uint32_t next = 5001;
    for (int i = 0; i < 20; ++i) {
        peer.sends(data(next, 1001, stream_text(1460, next)));
        next += 1460;
        peer.waits(100ms);
        (void)peer.sees_all();
        (void)peer.reads();
        (void)peer.sees_all();
    }
    return next;
}

}  // namespace

TEST_SUITE("netstack.tcp.delayed_ack") {
TEST_CASE("the ACK of one segment waits, for less than half a second [MUST-40] [SHLD-18]") {
    scripted_peer peer = in_state(state::established);
    const std::uint32_t next = past_the_quick_acks(peer);
    const weft::duration begin = peer.elapsed();
    peer.sends(data(next, 1001, "one"));
    CHECK(peer.sees() == nothing);
    const script_segment answer = peer.waits_for_segment();
    CHECK(answer == ack(1001, next + 3));
    CHECK(answer.at - begin > 10ms);
    CHECK(answer.at - begin < 500ms);
    peer.waits(1min);
    CHECK(peer.sees() == nothing);
}

TEST_CASE("every second full segment is acknowledged at once [SHLD-19]") {
    scripted_peer peer = in_state(state::established);
    std::uint32_t next = past_the_quick_acks(peer);
    for (int i = 0; i < 10; ++i) {
        peer.sends(data(next, 1001, stream_text(1460)));
        next += 1460;
        CHECK(peer.sees() == nothing);
        peer.sends(data(next, 1001, stream_text(1460)));
        next += 1460;
        CHECK(peer.sees() == ack(1001, next));
        (void)peer.reads();
    }
}

TEST_CASE("two maximum segments' worth of small ones is acknowledged at once [SHLD-19]") {
    scripted_peer peer = in_state(state::established);
    std::uint32_t next = past_the_quick_acks(peer);
    std::uint32_t unacknowledged = 0;
    for (int i = 0; i < 100; ++i) {
        peer.sends(data(next, 1001, stream_text(400)));
        next += 400;
        unacknowledged += 400;
        for (const script_segment& s : peer.sees_all()) unacknowledged = next - s.ack;
        CHECK(unacknowledged < 2 * 1460);
        (void)peer.reads();
        (void)peer.sees_all();
    }
}

TEST_CASE("an ACK that waits rides on the answer") {
    scripted_peer peer = in_state(state::established);
    const std::uint32_t next = past_the_quick_acks(peer);
    peer.sends(data(next, 1001, "question"));
    peer.writes("answer");
    CHECK(peer.sees() == data(1001, next + 8, "answer"));
    peer.sends(ack(next + 8, 1007));
    peer.waits(1s);
    CHECK(peer.sees() == nothing);
}

TEST_CASE("segments that come in one turn are acknowledged together [MUST-58] [MUST-59]") {
    scripted_peer peer = in_state(state::established);
    for (std::uint32_t i = 0; i < 10; ++i) {
        peer.sends(data(5001 + i * 1000, 1001, stream_text(1000, i * 1000)));
    }
    CHECK(peer.sees() == ack(1001, 15'001));
    CHECK(peer.sees() == nothing);
}

TEST_CASE("pure ACKs are not acknowledged") {
    scripted_peer peer = in_state(state::established);
    for (int i = 0; i < 10; ++i) peer.sends(ack(5001, 1001));
    peer.sends(ack(5001, 1001).with_window(100));
    peer.waits(1min);
    CHECK(peer.sees() == nothing);
}

TEST_CASE("a FIN is acknowledged at once") {
    scripted_peer peer = in_state(state::established);
    const std::uint32_t next = past_the_quick_acks(peer);
    peer.sends(fin_ack(next, 1001));
    CHECK(peer.sees() == ack(1001, next + 1));
}

TEST_CASE("text that was received before is acknowledged again at once") {
    scripted_peer peer = in_state(state::established);
    const std::uint32_t next = past_the_quick_acks(peer);
    peer.sends(data(next - 100, 1001, stream_text(100)));
    CHECK(peer.sees() == ack(1001, next));
    CHECK(peer.connection->readable_bytes() == 0);
    CHECK(peer.counters.tcp_duplicate_segments == 1);
}
}
