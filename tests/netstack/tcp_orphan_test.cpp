#include "scripted_peer.hpp"

#include <doctest/doctest.h>

using namespace std::chrono_literals;
using namespace weft::test;
using weft::net::tcp::state;

// An orphan is a connection whose last handle is gone (RFC 9293 §3.6.1): it closes without a user.

TEST_SUITE("netstack.tcp.orphan") {
TEST_CASE("letting go of a connection closes it in order, behind its data [MAY-1]") {
    scripted_peer peer = in_state(state::established);
    peer.writes("last words");
    peer.releases();
    CHECK(peer.sees() == fin_ack(1001, 5001, "last words"));
    CHECK(peer.demux.orphan_count() == 1);
    peer.sends(ack(5001, 1012));
    peer.sends(fin_ack(5001, 1012));
    CHECK(peer.sees() == ack(1012, 5002));
    CHECK(peer.state() == state::time_wait);
    CHECK(peer.demux.orphan_count() == 0);
    peer.waits(61s);
    CHECK(peer.demux.connection_count() == 0);
    CHECK(peer.demux.orphan_count() == 0);
    CHECK(peer.pool.bytes_out() == 0);
}

TEST_CASE("letting go with unread data resets, so that the peer knows of the loss [SHLD-3]") {
    for (const state s : {state::established, state::fin_wait_1, state::fin_wait_2}) {
        CAPTURE(to_string(s));
        scripted_peer peer = in_state(s);
        const std::uint32_t ours = s == state::established ? 1001 : 1002;
        peer.sends(data(5001, ours, "unread"));
        (void)peer.sees_all();
        peer.releases();
        CHECK(peer.sees() == rst_ack(ours, 5007));
        CHECK(peer.demux.connection_count() == 0);
        CHECK(peer.pool.bytes_out() == 0);
    }
}

TEST_CASE(
    "letting go with unread data after both FINs resets too, unless ours was acknowledged "
    "[SHLD-3]") {
    scripted_peer peer = in_state(state::established);
    peer.sends(fin_ack(5001, 1001, "unread"));
    peer.writes("unsent?");
    REQUIRE(peer.closes());
    (void)peer.sees_all();
    REQUIRE(peer.state() == state::last_ack);
    peer.releases();
    CHECK(peer.sees().has(tcp_flags::rst));
    CHECK(peer.demux.connection_count() == 0);

    scripted_peer done = in_state(state::fin_wait_2);
    done.sends(fin_ack(5001, 1002, "unread"));
    (void)done.sees_all();
    REQUIRE(done.state() == state::time_wait);
    done.releases();
    CHECK(done.sees() == nothing);
    CHECK(done.state() == state::time_wait);
}

TEST_CASE("data that comes for an orphan is answered with RST [SHLD-3]") {
    scripted_peer peer = in_state(state::fin_wait_2);
    peer.releases();
    peer.sends(data(5001, 1002, "too late"));
    CHECK(peer.sees() == rst(1002));
    CHECK(peer.state() == state::closed);
    CHECK(peer.demux.connection_count() == 0);
}

TEST_CASE("an orphan in FIN-WAIT-2 does not wait for ever") {
    scripted_peer peer = in_state(state::fin_wait_2);
    peer.waits(10min);  // with a user it does
    CHECK(peer.state() == state::fin_wait_2);
    peer.releases();
    peer.waits(59s);
    CHECK(peer.state() == state::fin_wait_2);
    peer.waits(2s);
    CHECK(peer.state() == state::closed);
    CHECK(peer.demux.connection_count() == 0);
}

TEST_CASE("an orphan that reaches FIN-WAIT-2 later has the same limit") {
    scripted_peer peer = in_state(state::established);
    peer.releases();
    CHECK(peer.sees() == fin_ack(1001, 5001));
    peer.sends(ack(5001, 1002));
    peer.waits(61s);
    CHECK(peer.demux.connection_count() == 0);
}

TEST_CASE("an orphan whose peer is gone dies at R2 and leaves nothing") {
    scripted_peer peer = in_state(state::established);
    peer.writes(stream_text(100'000));
    peer.releases();
    peer.waits(20min);
    CHECK(peer.demux.connection_count() == 0);
    CHECK(peer.demux.orphan_count() == 0);
    CHECK(peer.pool.bytes_out() == 0);
}

TEST_CASE("an orphan whose peer never opens its window again dies too") {
    scripted_peer peer = in_state(state::established, {.peer_window = 0});
    peer.writes(stream_text(100'000));
    peer.releases();
    for (int i = 0; i < 200 && peer.demux.connection_count() != 0; ++i) {
        // The peer answers each probe, and each tells that there is no room.
        if (!(peer.waits_for_segment(2min) == nothing)) peer.sends(ack(5001, 1001));
    }
    CHECK(peer.demux.connection_count() == 0);
    CHECK(peer.elapsed() < 30min);
    CHECK(peer.pool.bytes_out() == 0);
}

TEST_CASE("letting go in SYN-SENT deletes the attempt") {
    scripted_peer peer = in_state(state::syn_sent);
    peer.releases();
    CHECK(peer.sees() == nothing);
    CHECK(peer.demux.connection_count() == 0);
}

TEST_CASE("letting go in CLOSE-WAIT sends the FIN and ends with its ACK") {
    scripted_peer peer = in_state(state::close_wait);
    peer.releases();
    CHECK(peer.sees() == fin_ack(1001, 5002));
    CHECK(peer.state() == state::last_ack);
    peer.sends(ack(5002, 1002));
    CHECK(peer.demux.connection_count() == 0);
    CHECK(peer.demux.orphan_count() == 0);
}

TEST_CASE("orphans beyond their limit are reset and counted") {
    script_options o;
    o.config.max_orphans = 0;
    scripted_peer peer = in_state(state::established, o);
    peer.releases();
    CHECK(peer.sees() == rst_ack(1001, 5001));
    CHECK(peer.counters.tcp_orphans_killed == 1);
    CHECK(peer.demux.connection_count() == 0);
    CHECK(peer.demux.orphan_count() == 0);
}

TEST_CASE("TIME-WAIT is no orphan that counts against the limit") {
    script_options o;
    o.config.max_orphans = 0;
    scripted_peer peer = in_state(state::time_wait, o);
    peer.releases();
    CHECK(peer.state() == state::time_wait);
    CHECK(peer.sees() == nothing);
    CHECK(peer.counters.tcp_orphans_killed == 0);
}

TEST_CASE("with linger_abort letting go aborts") {
    script_options o;
    o.connection.linger_abort = true;
    scripted_peer peer = in_state(state::established, o);
    peer.writes("never");
    peer.releases();
    CHECK(peer.sees() == rst_ack(1001, 5001));
    CHECK(peer.demux.connection_count() == 0);
}
}
