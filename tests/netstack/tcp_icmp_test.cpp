#include "scripted_peer.hpp"

#include <doctest/doctest.h>

#include <algorithm>

using namespace std::chrono_literals;
using namespace weft::test;
using weft::net::errc;
using weft::net::tcp::state;

// What ICMP errors may do to a connection: RFC 9293 §3.9.2.2, RFC 5927 §4 and §6.

TEST_SUITE("netstack.tcp.icmp") {
TEST_CASE("a hard error about our SYN ends the attempt [MUST-54] [SHLD-26]") {
    scripted_peer peer = in_state(state::syn_sent);
    peer.icmp(errc::connection_refused, true, 1000);
    CHECK(peer.state() == state::closed);
    CHECK(peer.connection->error() == errc::connection_refused);
    CHECK(peer.counters.icmp_error_delivered == 1);
}

TEST_CASE(
    "a soft error never ends anything, and the user can learn of it [MUST-56] [MUST-47] "
    "[SHLD-25]") {
    for (const state s : {state::syn_sent, state::syn_received}) {
        scripted_peer peer = in_state(s);
        peer.icmp(errc::host_unreachable, false, 1000);
        CHECK(peer.state() == s);
        CHECK(peer.connection->take_soft_error() == errc::host_unreachable);
        CHECK_FALSE(peer.connection->take_soft_error());
    }
    scripted_peer peer = in_state(state::established);
    peer.writes("x");
    (void)peer.sees();
    peer.icmp(errc::network_unreachable, false, 1001);
    CHECK(peer.state() == state::established);
    CHECK_FALSE(peer.connection->error());
    CHECK(peer.connection->take_soft_error() == errc::network_unreachable);
}

TEST_CASE("a hard error about a synchronized connection is soft (RFC 5927 section 6)") {
    scripted_peer peer = in_state(state::established);
    peer.writes("x");
    (void)peer.sees();
    peer.icmp(errc::connection_refused, true, 1001);
    CHECK(peer.state() == state::established);
    CHECK(peer.connection->take_soft_error() == errc::connection_refused);
    peer.sends(ack(5001, 1002));
    CHECK(peer.connection->unacked_bytes() == 0);
}

TEST_CASE("an error about nothing in flight is not believed (RFC 5927 section 4)") {
    scripted_peer peer = in_state(state::syn_sent);
    for (const std::uint32_t quoted : {999U, 1001U, 0U, 0x8000'0000U}) {
        peer.icmp(errc::connection_refused, true, quoted);
        peer.icmp_too_big(576, quoted);
    }
    CHECK(peer.state() == state::syn_sent);
    CHECK(peer.counters.icmp_error_unmatched == 8);
    CHECK_FALSE(peer.connection->take_soft_error());
}

TEST_CASE("an error about a connection that is not there is counted") {
    scripted_peer peer = in_state(state::closed);
    peer.icmp(errc::connection_refused, true, 1000);
    CHECK(peer.counters.icmp_error_unmatched == 1);
}

TEST_CASE(
    "packets that are too big for the path become smaller, and what was lost is sent "
    "again (RFC 1191) [MUST-16]") {
    scripted_peer peer = in_state(state::established);
    peer.writes(stream_text(2920));
    CHECK(peer.sees_all().size() == 2);
    peer.icmp_too_big(1000, 1001);
    std::string text;
    std::uint32_t next = 1001;
    while (text.size() < 2920) {
        const script_segment s = peer.waits_for_segment(1min);
        REQUIRE_FALSE(s == nothing);
        CHECK(s.text.size() <= 960);
        CHECK(s.seq == next);
        next = s.end();
        text += s.text;
        peer.sends(ack(5001, next));
    }
    CHECK((text == stream_text(2920)));
}

TEST_CASE("a forged tiny MTU does not make us send a frame an octet") {
    scripted_peer peer = in_state(state::established);
    peer.writes(stream_text(2920));
    (void)peer.sees_all();
    peer.icmp_too_big(1, 1001);  // no network takes so little
    CHECK(peer.sees() == nothing);
    peer.icmp_too_big(68, 1001);
    CHECK(peer.sees().text.size() == 512);
}

TEST_CASE("a next hop that does not answer ends an attempt and not a connection") {
    scripted_peer attempt = in_state(state::syn_sent);
    attempt.demux.on_unreachable(*attempt.connection, errc::host_unreachable, attempt.now);
    CHECK(attempt.state() == state::closed);
    CHECK(attempt.connection->error() == errc::host_unreachable);

    scripted_peer peer = in_state(state::established);
    peer.writes("x");
    peer.demux.on_unreachable(*peer.connection, errc::host_unreachable, peer.now);
    CHECK(peer.state() == state::established);
    CHECK(peer.connection->take_soft_error() == errc::host_unreachable);
    peer.waits(1s);
    CHECK(peer.sees() == data(1001, 5001, "x"));
}
}
