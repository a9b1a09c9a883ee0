#include "scripted_peer.hpp"

#include <weft/net/tcp/connection_info.hpp>

#include <doctest/doctest.h>

using namespace std::chrono_literals;
using namespace weft::test;
using weft::net::tcp::congestion_algorithm;
using weft::net::tcp::connection_info;
using weft::net::tcp::recovery_phase;
using weft::net::tcp::sender_activity;
using weft::net::tcp::state;

// What a connection tells of itself.

namespace {

constexpr std::uint32_t mss = 1460;

connection_info of(const scripted_peer& peer) { return peer.connection->info(peer.now); }

}  // namespace

TEST_SUITE("netstack.tcp.connection_info") {
TEST_CASE("before any text there are the state, the options and the limits, and no totals") {
    scripted_peer peer =
        in_state(state::established, {.config = {.window_scaling = true, .timestamps = false},
                                      .connection = {.congestion = congestion_algorithm::new_reno,
                                                     .send_buffer_bytes = 50'000,
                                                     .receive_buffer_bytes = 200'000},
                                      .peer_scale = 5});
    const connection_info i = of(peer);
    CHECK(i.state == state::established);
    CHECK(i.congestion == congestion_algorithm::new_reno);
    CHECK(i.has_window_scaling);
    CHECK(i.send_scale == 5);
    CHECK(i.receive_scale == 2);
    CHECK_FALSE(i.has_timestamps);
    CHECK_FALSE(i.has_ecn);
    CHECK(i.send_mss == mss);
    CHECK(i.path_mtu == 1500);
    CHECK(i.congestion_window == 10 * mss);
    CHECK(i.send_buffer_limit == 50'000);
    CHECK(i.receive_buffer_limit == 200'000);
    CHECK(i.unacked == 0);
    CHECK(i.segments_sent == 0);
    CHECK(i.segments_received == 0);
    CHECK(i.busy == 0s);
}

TEST_CASE("what is in flight, what waits, and what has arrived add up") {
    scripted_peer peer = in_state(state::established);
    peer.sends(ack(5001, 1001).with_window(static_cast<std::uint16_t>(4 * mss)));
    peer.writes(stream_text(10 * mss));
    (void)peer.sees_all();
    connection_info i = of(peer);
    CHECK(i.unacked == 4 * mss);
    CHECK(i.in_flight == 4 * mss);
    CHECK(i.unsent == 6 * mss);
    CHECK(i.send_buffered == 10 * mss);
    CHECK(i.peer_window == 4 * mss);
    CHECK(i.bytes_sent == 4 * mss);
    CHECK(i.data_segments_sent == 4);
    CHECK(i.segments_sent == 4);
    CHECK(i.bytes_acked == 0);
    peer.waits(30ms);
    peer.sends(ack(5001, 1001 + 3 * mss));
    i = of(peer);
    CHECK(i.bytes_acked == 3 * mss);
    CHECK(i.delivered == 3 * mss);
    CHECK(i.segments_received == 1);
    CHECK(i.data_segments_received == 0);
    CHECK(i.smoothed_rtt == peer.connection->smoothed_rtt());
    CHECK(i.smoothed_rtt > 3ms);  // the handshake took no time, the text 30 ms
    CHECK(i.min_rtt == 1us);
    CHECK(i.rto >= 200ms);
    CHECK(i.since_heard == 0s);
    CHECK(i.since_text_sent == 30ms);
    // Three segments in 30 ms.
    CHECK(i.delivery_rate == 3 * mss * 1000 / 30);
    peer.waits(1s);
    CHECK(of(peer).since_heard == 1s);
}

TEST_CASE("what arrives is counted in bytes in order, and in segments as on the wire") {
    scripted_peer peer = in_state(state::established);
    peer.sends(data(5001, 1001, stream_text(3000)).made_of(1000));
    peer.sends(data(9001, 1001, "behind a gap"));
    peer.sends(data(5001, 1001, "old"));
    const connection_info i = of(peer);
    CHECK(i.bytes_received == 3000);
    CHECK(i.receive_buffered == 3000);
    CHECK(i.data_segments_received == 5);
    CHECK(i.segments_received == 5);
    (void)peer.sees_all();
    CHECK(of(peer).segments_sent > 0);
    CHECK(of(peer).data_segments_sent == 0);
    CHECK(of(peer).bytes_sent == 0);
}

TEST_CASE("losses show: what is lost, what was sent again, the phase, the timeouts") {
    scripted_peer peer = in_state(state::established);
    peer.writes(stream_text(10 * mss));
    REQUIRE(peer.sees_all().size() == 10);
    CHECK(of(peer).recovery == recovery_phase::open);
    for (int i = 0; i < 3; ++i) peer.sends(ack(5001, 1001));
    connection_info i = of(peer);
    CHECK(i.recovery == recovery_phase::recovery);
    CHECK(i.lost == mss);
    CHECK(i.slow_start_threshold < 10 * mss);
    CHECK(peer.sees().retransmission);
    i = of(peer);
    CHECK(i.lost == 0);
    CHECK(i.retransmitted == mss);
    CHECK(i.bytes_retransmitted == mss);
    CHECK(i.retransmitted_segments == 1);
    CHECK(i.bytes_sent == 10 * mss);
    CHECK(i.timeouts == 0);
    peer.sends(ack(5001, 1001 + 10 * mss));
    CHECK(of(peer).recovery == recovery_phase::open);
    CHECK(of(peer).retransmitted == 0);

    peer.writes("last words");
    (void)peer.sees();
    (void)peer.waits_for_segment();
    (void)peer.waits_for_segment();
    i = of(peer);
    CHECK(i.timeouts == 2);
    CHECK(i.backoffs == 2);
    CHECK(i.recovery == recovery_phase::loss);
    CHECK(i.bytes_retransmitted == mss + 20);
}

TEST_CASE("the time that the peer's window held the sender back is told apart") {
    scripted_peer peer = in_state(state::established, {.connection = {.no_delay = true}});
    peer.sends(ack(5001, 1001).with_window(1000));
    peer.writes(stream_text(3000));
    (void)peer.sees_all();
    const weft::duration before = of(peer).busy;
    peer.waits(50ms);
    CHECK(of(peer).window_limited - before == 50ms);
    CHECK(of(peer).busy - before == 50ms);
    CHECK(of(peer).buffer_limited == 0s);
    peer.sends(ack(5001, 1001).with_window(65535));
    (void)peer.sees_all();
    peer.waits(20ms);
    CHECK(of(peer).window_limited - before == 50ms);
    CHECK(of(peer).busy - before == 70ms);
    peer.sends(ack(5001, 4001));
    peer.waits(1s);  // idle
    CHECK(of(peer).busy - before == 70ms);
}

TEST_CASE("the time that the send buffer was too small is told apart") {
    scripted_peer peer = in_state(state::established, {.connection = {.send_buffer_bytes = 4096}});
    CHECK(peer.writes(stream_text(10'000)) == 4096);
    (void)peer.sees_all();
    peer.connection->set_no_delay(true, peer.now);
    (void)peer.sees_all();
    CHECK(of(peer).unsent == 0);
    // The program had more: the write was short. A second one tells so before anything is known.
    CHECK(peer.writes(stream_text(5904)) == 0);
    (void)peer.sees_all();
    peer.connection->set_no_delay(true, peer.now);
    (void)peer.sees_all();
    peer.waits(40ms);
    CHECK(of(peer).buffer_limited == 40ms);
    CHECK(of(peer).window_limited == 0s);
}

TEST_CASE("the totals outlive the connection, until its user lets go") {
    scripted_peer peer = in_state(state::established);
    peer.writes("text");
    (void)peer.sees();
    peer.sends(data(5001, 1005, "answer"));
    peer.sends(rst(5007));
    const connection_info i = of(peer);
    CHECK(i.state == state::closed);
    CHECK(i.bytes_sent == 4);
    CHECK(i.bytes_acked == 4);
    CHECK(i.bytes_received == 6);
    CHECK(i.unsent == 0);
    CHECK(i.in_flight == 0);
}

TEST_CASE("an activity counts from when it is noted until the next one is") {
    weft::net::tcp::connection_statistics s;
    const weft::instant t{1s};
    CHECK(s.spent(sender_activity::busy, t) == 0s);
    s.note(sender_activity::busy, t);
    CHECK(s.spent(sender_activity::busy, t + 2s) == 2s);
    s.note(sender_activity::window_limited, t + 3s);
    s.note(sender_activity::idle, t + 5s);
    CHECK(s.spent(sender_activity::busy, t + 9s) == 3s);
    CHECK(s.spent(sender_activity::window_limited, t + 9s) == 2s);
    CHECK(s.spent(sender_activity::idle, t + 9s) == 0s);
    CHECK(s.spent(sender_activity::buffer_limited, t + 9s) == 0s);
}
}
