#include "scripted_peer.hpp"

#include <doctest/doctest.h>

// How large segments may be on their path: RFC 9293 §3.7, RFC 1191, RFC 5927 §7, RFC 4821.

using namespace std::chrono_literals;
using namespace weft::test;
using weft::net::tcp::state;

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
}
