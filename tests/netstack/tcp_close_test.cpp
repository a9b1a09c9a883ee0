#include "scripted_peer.hpp"

#include <doctest/doctest.h>

using namespace std::chrono_literals;
using namespace weft::test;
using weft::net::errc;
using weft::net::tcp::config;
using weft::net::tcp::state;

namespace {

constexpr auto two_msl = 2 * config{}.max_segment_lifetime;

}  // namespace

TEST_SUITE("netstack.tcp.close") {
TEST_CASE("the four-way close as the side that begins it (RFC 9293 figure 12) [MUST-13]") {
    scripted_peer peer = in_state(state::established);
    REQUIRE(peer.closes());
    CHECK(peer.state() == state::fin_wait_1);
    CHECK(peer.sees() == fin_ack(1001, 5001));
    CHECK_FALSE(peer.connection->is_fin_acked());
    peer.sends(ack(5001, 1002));
    CHECK(peer.state() == state::fin_wait_2);
    CHECK(peer.connection->is_fin_acked());
    peer.sends(fin_ack(5001, 1002));
    CHECK(peer.state() == state::time_wait);
    CHECK(peer.sees() == ack(1002, 5002));
    peer.waits(two_msl - 1ms);
    CHECK(peer.state() == state::time_wait);
    peer.waits(2ms);
    CHECK(peer.state() == state::closed);
    CHECK_FALSE(peer.connection->error());
    CHECK(peer.sees() == nothing);
}

TEST_CASE("the four-way close as the side that follows (RFC 9293 figure 12) [MUST-12]") {
    scripted_peer peer = in_state(state::established);
    peer.sends(fin_ack(5001, 1001));
    CHECK(peer.state() == state::close_wait);
    CHECK(peer.sees() == ack(1001, 5002));
    CHECK(peer.connection->is_read_finished());
    REQUIRE(peer.closes());
    CHECK(peer.state() == state::last_ack);
    CHECK(peer.sees() == fin_ack(1001, 5002));
    peer.sends(ack(5002, 1002));
    CHECK(peer.state() == state::closed);
    CHECK_FALSE(peer.connection->error());
    CHECK(peer.connection->is_fin_acked());
}

TEST_CASE("a FIN that also acknowledges ours ends in TIME-WAIT for 2 MSL [MUST-13]") {
    scripted_peer peer = in_state(state::fin_wait_1);
    peer.sends(fin_ack(5001, 1002));
    CHECK(peer.sees() == ack(1002, 5002));
    CHECK(peer.state() == state::time_wait);
    CHECK(peer.path() == std::vector{state::syn_sent, state::established, state::fin_wait_1,
                                     state::fin_wait_2, state::time_wait});
    peer.waits(two_msl + 1ms);
    CHECK(peer.state() == state::closed);
}

TEST_CASE("a simultaneous close goes through CLOSING (RFC 9293 figure 13)") {
    scripted_peer peer = in_state(state::fin_wait_1);
    peer.sends(fin_ack(5001, 1001));
    CHECK(peer.state() == state::closing);
    CHECK(peer.sees() == ack(1002, 5002));
    peer.sends(ack(5002, 1002));
    CHECK(peer.state() == state::time_wait);
    CHECK(peer.connection->is_fin_acked());
    peer.waits(two_msl + 1ms);
    CHECK(peer.state() == state::closed);
}

TEST_CASE("the FIN goes out with the last of the data") {
    scripted_peer peer = in_state(state::established);
    peer.writes("goodbye");
    REQUIRE(peer.closes());
    CHECK(peer.sees() == fin_ack(1001, 5001, "goodbye"));
    peer.sends(ack(5001, 1008));  // the data, not the FIN
    CHECK(peer.state() == state::fin_wait_1);
    CHECK_FALSE(peer.connection->is_fin_acked());
    peer.sends(ack(5001, 1009));
    CHECK(peer.state() == state::fin_wait_2);
}

TEST_CASE("the FIN waits behind data that the window does not let go") {
    scripted_peer peer = in_state(state::established, {.peer_window = 1000});
    peer.writes(stream_text(1500));
    REQUIRE(peer.closes());
    CHECK(peer.state() == state::fin_wait_1);
    CHECK(peer.sees() == data(1001, 5001, stream_text(1000)));
    CHECK(peer.sees() == nothing);
    peer.sends(ack(5001, 2001));
    CHECK(peer.sees() == fin_ack(2001, 5001, stream_text(500, 1000)));
}

TEST_CASE("the FIN waits behind text that fills the window, and then needs none") {
    for (const auto window : std::initializer_list<std::uint16_t>{0, 1, 1000}) {
        scripted_peer peer = in_state(state::established, {.peer_window = 1000});
        peer.writes(stream_text(1000));
        REQUIRE(peer.closes());
        CHECK(peer.sees() == data(1001, 5001, stream_text(1000)));
        // An ACK from 2002 on would be beyond the window, if the text was lost.
        peer.sends(data(5001, 1001, "meanwhile"));
        peer.waits(40ms);
        CHECK(peer.sees() == ack(2001, 5010));
        peer.sends(ack(5010, 2001).with_window(window));
        CHECK(peer.sees() == fin_ack(2001, 5010));
        peer.sends(ack(5010, 2002).with_window(window));
        CHECK(peer.state() == state::fin_wait_2);
    }
}

TEST_CASE("an octet that probes a closed window takes no FIN along") {
    scripted_peer peer = in_state(state::established, {.peer_window = 0});
    peer.writes("x");
    REQUIRE(peer.closes());
    CHECK(peer.waits_for_segment() == data(1001, 5001, "x"));
    peer.sends(ack(5001, 1002));
    CHECK(peer.sees() == fin_ack(1002, 5001));
}

TEST_CASE("half-closed by us, data still comes in") {
    scripted_peer peer = in_state(state::fin_wait_2);
    peer.sends(data(5001, 1002, "still here"));
    CHECK(peer.sees() == ack(1002, 5011));
    CHECK(peer.reads() == "still here");
    CHECK_FALSE(peer.connection->is_read_finished());
    CHECK(peer.connection->write({}, peer.now).error() == errc::closing);
    peer.sends(fin_ack(5011, 1002, "bye"));
    CHECK(peer.reads() == "bye");
    CHECK(peer.connection->is_read_finished());
    CHECK(peer.state() == state::time_wait);
}

TEST_CASE("data that crosses our FIN is taken in FIN-WAIT-1") {
    scripted_peer peer = in_state(state::fin_wait_1);
    peer.sends(data(5001, 1001, "crossed"));
    CHECK(peer.state() == state::fin_wait_1);
    CHECK(peer.sees() == ack(1002, 5008));
    CHECK(peer.reads() == "crossed");
}

TEST_CASE("half-closed by the peer, our data still goes out") {
    scripted_peer peer = in_state(state::close_wait);
    peer.writes(stream_text(3000));
    CHECK(peer.sees() == data(1001, 5002, stream_text(1460)));
    peer.sends(ack(5002, 2461));
    CHECK(peer.sees() == data(2461, 5002, stream_text(1460, 1460)));
    REQUIRE(peer.closes());
    peer.sends(ack(5002, 3921));
    CHECK(peer.sees_last() == fin_ack(3921, 5002, stream_text(80, 2920)));
    CHECK(peer.state() == state::last_ack);
    peer.sends(ack(5002, 4002));
    CHECK(peer.state() == state::closed);
}

TEST_CASE("a lost FIN is sent again until it is acknowledged") {
    scripted_peer peer = in_state(state::fin_wait_1);
    for (int i = 0; i < 5; ++i) {
        const script_segment s = peer.waits_for_segment();
        CHECK(s == fin_ack(1001, 5001));
        CHECK(s.retransmission);
    }
    peer.sends(ack(5001, 1002));
    CHECK(peer.state() == state::fin_wait_2);
    peer.waits(1h);
    CHECK(peer.sees() == nothing);
}

TEST_CASE("a FIN that is sent again takes the data in front of it along") {
    scripted_peer peer = in_state(state::established);
    peer.writes("tail");
    REQUIRE(peer.closes());
    CHECK(peer.sees() == fin_ack(1001, 5001, "tail"));
    CHECK(peer.waits_for_segment() == fin_ack(1001, 5001, "tail"));
    peer.sends(ack(5001, 1003));
    CHECK(peer.waits_for_segment() == fin_ack(1003, 5001, "il"));
}

TEST_CASE("the peer's FIN again in TIME-WAIT is acknowledged and 2 MSL begin anew") {
    scripted_peer peer = in_state(state::time_wait);
    peer.waits(two_msl - 1s);
    peer.sends(fin_ack(5001, 1002));
    CHECK(peer.sees() == ack(1002, 5002));
    peer.waits(two_msl - 1s);
    CHECK(peer.state() == state::time_wait);
    peer.waits(2s);
    CHECK(peer.state() == state::closed);
}

TEST_CASE("text in front of the peer's FIN that comes again in TIME-WAIT prolongs it too") {
    scripted_peer peer = in_state(state::time_wait);
    peer.waits(two_msl - 1s);
    peer.sends(data(4990, 1002, "old"));
    CHECK(peer.sees() == ack(1002, 5002));
    peer.waits(2s);
    CHECK(peer.state() == state::time_wait);
}

TEST_CASE("old ACKs and SYNs in TIME-WAIT do not prolong it (RFC 1337)") {
    scripted_peer peer = in_state(state::time_wait);
    peer.waits(two_msl - 1s);
    peer.sends(ack(4990, 1002));
    peer.sends(ack(5002, 1002));
    peer.sends(syn(4990));
    peer.waits(2s);
    CHECK(peer.state() == state::closed);
}

TEST_CASE(
    "an old RST that does not stand exactly at RCV.NXT cannot assassinate TIME-WAIT (RFC "
    "1337)") {
    scripted_peer peer = in_state(state::time_wait);
    peer.sends(rst(4990));
    peer.sends(rst(5003));
    CHECK(peer.state() == state::time_wait);
}

TEST_CASE("closing in SYN-SENT deletes the attempt; what was queued is dropped") {
    scripted_peer peer = in_state(state::syn_sent);
    peer.writes("never sent");
    REQUIRE(peer.closes());
    CHECK(peer.state() == state::closed);
    CHECK(peer.sees() == nothing);
    peer.waits(1h);
    CHECK(peer.sees() == nothing);
    CHECK(peer.closes().error() == errc::connection_aborted);
}

TEST_CASE("closing in SYN-RECEIVED without data sends the FIN at once") {
    scripted_peer peer = in_state(state::syn_received);
    REQUIRE(peer.closes());
    CHECK(peer.state() == state::fin_wait_1);
    CHECK(peer.sees() == fin_ack(1001, 5001));
    peer.sends(ack(5001, 1002));
    CHECK(peer.state() == state::fin_wait_2);
}

TEST_CASE("closing in SYN-RECEIVED without data: a lost SYN,ACK is still sent again") {
    scripted_peer peer = in_state(state::syn_received);
    REQUIRE(peer.closes());
    CHECK(peer.sees() == fin_ack(1001, 5001));
    CHECK(peer.waits_for_segment() == syn_ack(1000, 5001));
    peer.sends(ack(5001, 1001));
    CHECK(peer.state() == state::fin_wait_1);
    CHECK(peer.waits_for_segment() == fin_ack(1001, 5001));
    peer.sends(fin_ack(5001, 1002));
    CHECK(peer.state() == state::time_wait);
}

TEST_CASE(
    "closing in SYN-RECEIVED with data waits for ESTABLISHED, and the FIN follows the "
    "data") {
    scripted_peer peer = in_state(state::syn_received);
    peer.writes("first");
    REQUIRE(peer.closes());
    CHECK(peer.state() == state::syn_received);
    CHECK(peer.sees() == nothing);
    CHECK(peer.closes().error() == errc::closing);
    peer.sends(ack(5001, 1001));
    CHECK(peer.state() == state::fin_wait_1);
    CHECK(peer.sees() == fin_ack(1001, 5001, "first"));
    CHECK(peer.path() ==
          std::vector{state::syn_sent, state::syn_received, state::established, state::fin_wait_1});
}

TEST_CASE("closing or writing after a close says so") {
    for (const state s : {state::fin_wait_1, state::fin_wait_2, state::closing, state::last_ack,
                          state::time_wait}) {
        scripted_peer peer = in_state(s);
        CHECK(peer.closes().error() == errc::closing);
        const std::byte b{};
        CHECK(peer.connection->write(std::span{&b, 1}, peer.now).error() == errc::closing);
        CHECK(peer.state() == s);
    }
}

TEST_CASE("an abort sends RST where RFC 9293 section 3.10.5 says so, and nowhere else") {
    const std::pair<state, script_segment> cases[] = {{state::syn_sent, nothing},
                                                      {state::syn_received, rst_ack(1001, 5001)},
                                                      {state::established, rst_ack(1001, 5001)},
                                                      {state::fin_wait_1, rst_ack(1002, 5001)},
                                                      {state::fin_wait_2, rst_ack(1002, 5001)},
                                                      {state::close_wait, rst_ack(1001, 5002)},
                                                      {state::closing, nothing},
                                                      {state::last_ack, nothing},
                                                      {state::time_wait, nothing}};
    for (const auto& [s, expected] : cases) {
        CAPTURE(to_string(s));
        scripted_peer peer = in_state(s);
        peer.aborts();
        CHECK(peer.state() == state::closed);
        CHECK(peer.sees() == expected);
        CHECK(peer.connection->error() == errc::connection_aborted);
        peer.waits(1h);
        CHECK(peer.sees() == nothing);
    }
}

TEST_CASE("what was unread at an abort is gone, what was unread at a peer's RST is not") {
    scripted_peer peer = in_state(state::established);
    peer.sends(data(5001, 1001, "unread"));
    peer.aborts();
    (void)peer.sees_all();
    CHECK(peer.connection->readable_bytes() == 0);
    CHECK(peer.pool.bytes_out() == 0);
}

TEST_CASE("a close tells a writer that waits") {
    scripted_peer peer = in_state(state::established);
    (void)peer.connection->take_signals();
    REQUIRE(peer.closes());
    const auto writable = 1U << static_cast<unsigned>(weft::net::tcp::wait::writable);
    CHECK((peer.connection->take_signals() & writable) != 0);
    CHECK(peer.connection->can_write());  // it would fail at once
}

TEST_CASE("what was unsent at an abort is gone") {
    scripted_peer peer = in_state(state::established, {.peer_window = 10});
    peer.writes(stream_text(100'000));
    CHECK(peer.pool.bytes_out() > 100'000);
    peer.aborts();
    (void)peer.sees_all();
    CHECK(peer.pool.bytes_out() == 0);
}
}

TEST_SUITE("netstack.tcp.close.reopen") {
TEST_CASE("a new SYN beyond the old numbers opens anew from TIME-WAIT [MAY-2]") {
    scripted_peer peer = in_state(state::time_wait, {.passive = true});
    peer.waits(1s);
    peer.sends(syn(5002 + 64'000));
    const script_segment answer = peer.sees();
    CHECK(answer.has(tcp_flags::syn | tcp_flags::ack));
    CHECK(answer.ack == 5003 + 64'000);
    CHECK(answer.seq > 1002);  // beyond what the old connection used
    CHECK(peer.state() == state::syn_received);
    CHECK(peer.connection->state() == state::time_wait);
    peer.sends(ack(5003 + 64'000, answer.seq + 1));
    CHECK(peer.connection->state() == state::closed);
    CHECK(peer.state() == state::established);
    CHECK(peer.listener->can_accept());
}

TEST_CASE(
    "the new connection's ISN lies beyond the old one's last number, however much it sent "
    "[MAY-2]") {
    // 1 MB in a moment: far more than the ISN clock moves.
    script_options o{.passive = true};
    scripted_peer peer = in_state(state::established, o);
    std::uint32_t sent = 0;
    while (sent < 1'000'000) {
        sent += peer.writes(stream_text(10'000));
        const script_segment last = peer.sees_last();
        if (last.seq != 0) peer.sends(ack(5001, last.end()));
    }
    for (script_segment s = peer.sees_last(); !(s == nothing); s = peer.sees_last()) {
        peer.sends(ack(5001, s.end()));
    }
    REQUIRE(peer.closes());
    const script_segment fin = peer.sees();
    REQUIRE(fin.has(tcp_flags::fin));
    peer.sends(fin_ack(5001, fin.end()));
    REQUIRE(peer.state() == state::time_wait);
    (void)peer.sees_all();
    peer.waits(10ms);
    peer.sends(syn(90'000));
    const script_segment answer = peer.sees();
    REQUIRE(answer.has(tcp_flags::syn));
    CHECK(answer.seq - fin.end() < 0x7fff'ffff);
}

TEST_CASE("with timestamps a newer one is enough, an older one is not [MAY-2] [SHLD-4]") {
    script_options o{.config = {}, .peer_timestamps = true, .passive = true};
    scripted_peer older = in_state(state::time_wait, o);
    older.sends(syn(90'000).with_timestamps(99'000, 0));
    CHECK_FALSE(older.sees().has(tcp_flags::syn));
    CHECK(older.state() == state::time_wait);

    scripted_peer newer = in_state(state::time_wait, o);
    newer.waits(1s);
    newer.sends(syn(4000).with_timestamps(101'000, 0));
    CHECK(newer.sees().has(tcp_flags::syn | tcp_flags::ack));
    CHECK(newer.state() == state::syn_received);
}

TEST_CASE("an old duplicate SYN does not open anything from TIME-WAIT [MAY-2]") {
    scripted_peer peer = in_state(state::time_wait, {.passive = true});
    peer.sends(syn(5000));
    peer.sends(syn(4000));
    for (const script_segment& s : peer.sees_all()) CHECK(s == ack(1002, 5002));
    CHECK(peer.state() == state::time_wait);
}
}
