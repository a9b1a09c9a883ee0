#include "scripted_peer.hpp"

#include <doctest/doctest.h>

using namespace std::chrono_literals;
using namespace weft::test;
using weft::net::tcp::state;

// When written bytes leave: RFC 9293 §3.7.4 and §3.9.1.2.

namespace {

scripted_peer with_no_delay() {
    script_options o;
    o.connection.no_delay = true;
    return scripted_peer{state::established, o};
}

}  // namespace

TEST_SUITE("netstack.tcp.nagle") {
TEST_CASE("a small write waits while another is unacknowledged [SHLD-7] [MAY-16]") {
    scripted_peer peer = in_state(state::established);
    peer.writes("a");
    CHECK(peer.sees() == data(1001, 5001, "a"));
    peer.writes("b");
    peer.writes("c");
    CHECK(peer.sees() == nothing);
    peer.sends(ack(5001, 1002));
    CHECK(peer.sees() == data(1002, 5001, "bc"));
}

TEST_CASE("with no_delay each write leaves at once [MUST-17]") {
    scripted_peer peer = with_no_delay();
    for (std::uint32_t i = 0; i < 5; ++i) {
        peer.writes("x");
        CHECK(peer.sees() == data(1001 + i, 5001, "x"));
    }
}

TEST_CASE("no_delay can be turned on for what already waits, and off again [MUST-17]") {
    scripted_peer peer = in_state(state::established);
    peer.writes("a");
    (void)peer.sees();
    peer.writes("b");
    CHECK(peer.sees() == nothing);
    peer.connection->set_no_delay(true, peer.now);
    CHECK(peer.sees() == data(1002, 5001, "b"));
    peer.connection->set_no_delay(false, peer.now);
    peer.writes("c");
    CHECK(peer.sees() == nothing);
}

TEST_CASE("the end of a write waits for a short segment, not full ones [SHLD-7] [SHLD-28]") {
    script_options o;
    o.config.short_waits_for_short = true;
    scripted_peer peer = in_state(state::established, o);
    peer.writes(stream_text(3000));
    CHECK(peer.sees().text.size() == 1460);
    CHECK(peer.sees().text.size() == 1460);
    CHECK(peer.sees().text.size() == 80);  // RFC 9293 appendix A.3
    peer.writes(stream_text(1500));
    CHECK(peer.sees().text.size() == 1460);
    CHECK(peer.sees() == nothing);
    peer.sends(ack(5001, 1001 + 2920));
    CHECK(peer.sees() == nothing);
    peer.sends(ack(5001, 1001 + 3000));
    CHECK(peer.sees().text.size() == 40);
}

TEST_CASE("writes of one turn leave in one segment [SHLD-27] [SHLD-28]") {
    scripted_peer peer = with_no_delay();
    for (int i = 0; i < 100; ++i) peer.writes("0123456789");
    const auto seen = peer.sees_all();
    REQUIRE(seen.size() == 1);
    CHECK(seen[0].text.size() == 1000);
}

TEST_CASE(
    "a peer whose window is below a segment gets one small segment at a time, too "
    "[SHLD-7]") {
    scripted_peer peer = in_state(state::established, {.peer_window = 1000});
    peer.writes(stream_text(500));
    CHECK(peer.sees().text.size() == 500);
    peer.writes(stream_text(500));
    CHECK(peer.sees() == nothing);
    peer.sends(ack(5001, 1501));
    CHECK(peer.sees().text.size() == 500);
}

TEST_CASE("a close lets go what waits") {
    scripted_peer peer = in_state(state::established);
    peer.writes("a");
    (void)peer.sees();
    peer.writes("b");
    CHECK(peer.sees() == nothing);
    REQUIRE(peer.closes());
    CHECK(peer.sees() == fin_ack(1002, 5001, "b"));
}

TEST_CASE("PSH stands on the last segment of what is queued, and only there [MUST-61]") {
    scripted_peer peer = with_no_delay();
    peer.writes(stream_text(4000));
    const auto seen = peer.sees_all();
    REQUIRE(seen.size() == 3);
    CHECK_FALSE(seen[0].has(tcp_flags::psh));
    CHECK_FALSE(seen[1].has(tcp_flags::psh));
    CHECK(seen[2].has(tcp_flags::psh));
}

TEST_CASE("nothing that was written stays behind for ever [MUST-60]") {
    scripted_peer peer = in_state(state::established);
    peer.writes("a");
    (void)peer.sees();
    peer.writes("b");  // waits for an ACK that never comes
    CHECK(peer.waits_for_segment(1min).retransmission);
    peer.sends(ack(5001, 1002));
    CHECK(peer.sees_last().end() == 1003);
}

TEST_CASE("a write takes no more than the send buffer has room for") {
    script_options o;
    o.connection.send_buffer_bytes = 10'000;
    o.peer_window = 0;
    scripted_peer peer = in_state(state::established, o);
    CHECK(peer.writes(stream_text(9000)) == 9000);
    CHECK_FALSE(peer.connection->can_write());
    CHECK(peer.writes(stream_text(9000)) == 1000);
    CHECK(peer.writes("x") == 0);
    CHECK(peer.connection->write_room() == 0);
}

TEST_CASE("what is corked leaves with a close, and with urgent data") {
    for (const bool is_close : {true, false}) {
        scripted_peer peer = in_state(state::established);
        peer.connection->set_cork(true, peer.now);
        peer.writes("ab");
        CHECK(peer.sees() == nothing);
        if (is_close) {
            (void)peer.closes();
            CHECK(peer.sees() == fin_ack(1001, 5001, "ab"));
        } else {
            peer.writes_urgent("c");
            CHECK(peer.sees() == data(1001, 5001, "abc").with_urgent(3));
        }
    }
}
}
