#include "scripted_peer.hpp"

#include <doctest/doctest.h>

// How large segments may be on their path: RFC 9293 §3.7, RFC 1191, RFC 5927 §7, RFC 4821.

using namespace std::chrono_literals;
using namespace weft::test;
using weft::net::tcp::state;

namespace {

/// A connection whose path was known to take 1064 bytes, shortly before it is tried anew.
struct raised_after_ten_minutes {
    static constexpr std::uint32_t small = 1024;
    scripted_peer peer{state::established,
                       {.peer_sack = true, .handshake_rtt = 100ms, .path_mtu = small + 40}};
    std::uint32_t begin = 1001 + small;
    weft::duration due{};

    raised_after_ten_minutes() {
        peer.writes(stream_text(small));
        const script_segment first = peer.sees();
        due = first.at + 10min;
        CHECK(first.text.size() == small);
        peer.waits(100ms);
        peer.sends(ack(5001, begin));
        peer.waits(due - 150ms - peer.elapsed());
    }
};

}  // namespace

TEST_SUITE("netstack.tcp.path_mtu") {
TEST_CASE(
    "what is known of the path makes our segments smaller (MUST-16), and does not show in the MSS "
    "that we announce (SHLD-6)") {
    for (const bool passive : {false, true}) {
        CAPTURE(passive);
        script_options o;
        o.passive = passive;
        o.path_mtu = 1000;
        scripted_peer opening = in_state(passive ? state::listen : state::syn_sent, o);
        if (passive) opening.sends(syn(5000));
        const script_segment first = passive ? opening.sees() : opening.waits_for_segment();
        REQUIRE(first.has(tcp_flags::syn));
        CHECK(first.options.mss() == 1460);

        scripted_peer peer = in_state(state::established, o);
        peer.writes(stream_text(3000));
        CHECK(peer.sees().text.size() == 960);
    }
}

TEST_CASE("what one connection learned of a path is told to those that follow (RFC 1191 §6.3)") {
    scripted_peer peer = in_state(state::established);
    peer.writes(stream_text(2920));
    (void)peer.sees_all();
    peer.icmp_too_big(1400, 1001);
    CHECK(peer.options.path_mtu == 1400);
}

TEST_CASE(
    "an initial window of segments that were too large is as many smaller ones (RFC 5681 3.1)") {
    scripted_peer peer = in_state(state::established);
    peer.writes(stream_text(40'000));
    CHECK(peer.sees_all().size() == 10);
    peer.icmp_too_big(1000, 1001);
    CHECK(peer.connection->congestion_window() == 10 * 960);
    const auto again = peer.sees_all();
    CHECK(again.size() <= 10);
    REQUIRE(!again.empty());
    CHECK(again[0].seq == 1001);
    CHECK(again[0].text.size() == 960);
}

TEST_CASE("a black hole is found where an octet that probed a window leads the segment into it") {
    scripted_peer peer = in_state(state::established);
    peer.writes(stream_text(1460));
    peer.sends(ack(5001, peer.sees_last().end()).with_window(0));
    peer.writes(stream_text(5000));
    CHECK(peer.waits_for_segment().text.size() == 1);  // probes the window
    peer.sends(ack(5001, 2461).with_window(0));
    peer.sends(ack(5001, 2461).with_window(60'000));
    for (int sent = 0; sent < 20 && peer.connection->mss() == 1460; ++sent) {
        (void)peer.waits_for_segment();  // none of them arrives
        (void)peer.sees_all();
    }
    CHECK(peer.counters.tcp_path_mtu_black_holes == 1);
    CHECK(peer.connection->mss() < 1460);
}

TEST_CASE("a router's word counts only where it can be true (RFC 5927 section 7)") {
    scripted_peer peer = in_state(state::established);
    peer.writes(stream_text(1460));
    peer.sends(ack(5001, peer.sees_last().end()));
    peer.writes(stream_text(2920));
    CHECK(peer.sees_all().size() == 2);
    peer.icmp_too_big(1500, 2461);  // what was sent is not larger than that
    peer.icmp_too_big(60, 2461);    // no network takes so little
    CHECK(peer.counters.icmp_mtu_ignored == 2);
    peer.icmp_too_big(1000, 1001);  // acknowledged
    CHECK(peer.counters.icmp_error_unmatched == 1);
    peer.icmp_too_big(1000, 2461);  // packets of that size have arrived: maybe
    CHECK(peer.counters.icmp_mtu_deferred == 1);
    CHECK(peer.connection->mss() == 1460);
    peer.sends(ack(5001, 3921));  // it was not
    peer.sends(ack(5001, 5381));
    peer.writes(stream_text(1460));
    CHECK(peer.sees().text.size() == 1460);
    CHECK(peer.waits_for_segment().text.size() == 1460);
    CHECK(peer.counters.tcp_path_mtu_reduced == 0);
}

TEST_CASE("a deferred word that a timeout confirms is believed (RFC 5927 section 7.3.2)") {
    scripted_peer peer = in_state(state::established);
    peer.writes(stream_text(1460));
    peer.sends(ack(5001, peer.sees_last().end()));
    peer.writes(stream_text(1460));  // 2.
    CHECK(peer.sees().text.size() == 1460);
    peer.icmp_too_big(1492, 2461);  // 3.
    CHECK(peer.sees() == nothing);
    const script_segment again = peer.waits_for_segment();  // 4.
    CHECK(again.seq == 2461);
    CHECK(again.text.size() == 1452);  // 5.
    peer.sends(ack(5001, 3913));       // 6.
    CHECK(peer.connection->mss() == 1452);
    CHECK(peer.options.path_mtu == 1492);
}

TEST_CASE(
    "without SACK, too: a probe that alone is lost leaves the window alone (RFC 4821 7.6.2)") {
    script_options o;
    o.config.mtu_probing = weft::net::tcp::mtu_probing_mode::always;
    o.config.selective_acknowledgment = false;
    scripted_peer peer = in_state(state::established, o);
    peer.writes(stream_text(30'000));
    const auto sent = peer.sees_all();
    REQUIRE(sent.size() > 4);
    CHECK(sent[0].seq == 1001);
    CHECK(sent[0].text.size() == 1460);  // the probe
    CHECK(sent[1].text.size() == 984);
    const std::uint32_t window = peer.connection->congestion_window();
    for (int i = 0; i < 3; ++i) peer.sends(ack(5001, 1001));
    const auto again = peer.sees_all();
    REQUIRE(again.size() >= 2);
    CHECK(again[0].seq == 1001);
    CHECK(again[0].text.size() == 984);
    CHECK(again[0].retransmission);
    CHECK(again[1].seq == 1985);
    CHECK(peer.counters.tcp_mtu_probes_lost == 1);
    CHECK(peer.counters.tcp_fast_retransmits == 0);
    CHECK(peer.connection->congestion_window() >= window);
    CHECK(peer.connection->mss() == 984);
}

TEST_CASE("a probe that is known to have arrived by a SACK alone makes packets larger at once") {
    raised_after_ten_minutes s;
    s.peer.writes(stream_text(5 * s.small));
    CHECK(s.peer.sees_all().size() == 5);
    s.peer.waits(s.due - s.peer.elapsed());
    s.peer.writes(stream_text(20 * s.small));
    const std::vector<script_segment> flight = s.peer.sees_all();
    REQUIRE(!flight.empty());
    REQUIRE(flight[0].text.size() == 1460);
    s.peer.sends(ack(5001, s.begin).with_sack({{flight[0].seq, flight[0].end()}}));
    CHECK(s.peer.connection->mss() == 1460);
}

TEST_CASE(
    "nothing is probed while there is a gap: the probe's loss would not be told from others") {
    raised_after_ten_minutes s;
    s.peer.waits(s.due - 105ms - s.peer.elapsed());
    s.peer.writes(stream_text(10 * s.small));
    CHECK(s.peer.sees_all().size() == 10);
    s.peer.waits(100ms);
    const std::uint32_t b = s.begin;
    s.peer.sends(ack(5001, b).with_sack({{b + s.small, b + 2 * s.small}}));
    s.peer.sends(ack(5001, b).with_sack({{b + 3 * s.small, b + 4 * s.small}}));
    s.peer.waits(6ms);
    s.peer.writes(stream_text(20 * s.small));
    const std::vector<script_segment> more = s.peer.sees_all();
    REQUIRE(!more.empty());
    for (const script_segment& each : more) CHECK(each.text.size() == s.small);
}
}
