#include "scripted_peer.hpp"

#include <doctest/doctest.h>

#include <map>

using namespace std::chrono_literals;
using namespace weft::test;
using weft::net::errc;
using weft::net::tcp::state;

// The peer's window: closed, shrinking, silly. RFC 9293 §3.8.6, §3.8.6.1, §3.8.6.2.1.

namespace {

/// Data of ours was acknowledged and the window is closed behind it.
void close_window(scripted_peer& peer) {
    peer.writes("0123456789");
    REQUIRE(peer.sees() == data(1001, 5001, "0123456789"));
    peer.sends(ack(5001, 1011).with_window(0));
}

}  // namespace

TEST_SUITE("netstack.tcp.persist") {
TEST_CASE(
    "a closed window is probed with one octet, first after one RTO, then at doubling "
    "intervals [MUST-36] [SHLD-29] [SHLD-30]") {
    scripted_peer peer = in_state(state::established);
    close_window(peer);
    const auto rto = peer.connection->rto();
    peer.writes("more");
    CHECK(peer.sees() == nothing);
    weft::duration last = peer.elapsed();
    weft::duration interval = rto;
    for (int i = 0; i < 12; ++i) {
        const script_segment probe = peer.waits_for_segment();
        CHECK(probe == data(1011, 5001, "m"));
        CHECK(probe.at - last >= interval);
        CHECK(probe.at - last < interval + 1ms);
        last = probe.at;
        interval = std::min<weft::duration>(2 * interval, 60s);
        peer.sends(ack(5001, 1011).with_window(0));
        CHECK(peer.sees() == nothing);
    }
    CHECK(peer.counters.tcp_timeouts == 0);
    CHECK(peer.counters.tcp_zero_window_probes == 12);
}

TEST_CASE(
    "a connection stays open as long as the peer answers probes, however long [MUST-37] "
    "[MAY-8]") {
    scripted_peer peer = in_state(state::established);
    close_window(peer);
    peer.writes("more");
    while (peer.elapsed() < 24h) {
        REQUIRE(peer.waits_for_segment() == data(1011, 5001, "m"));
        peer.sends(ack(5001, 1011).with_window(0));
    }
    CHECK(peer.state() == state::established);
    peer.sends(ack(5001, 1011).with_window(1000));
    CHECK(peer.sees_last() == data(1011, 5001, "more"));
}

TEST_CASE(
    "after a long closed window one lost segment does not end the connection [MUST-37] "
    "[SHLD-17]") {
    scripted_peer peer = in_state(state::established);
    close_window(peer);
    peer.writes("more");
    while (peer.elapsed() < 1h) {
        (void)peer.waits_for_segment();
        peer.sends(ack(5001, 1011).with_window(0));
    }
    peer.sends(ack(5001, 1011).with_window(1000));
    CHECK(peer.sees_last().end() > 1011);
    const script_segment again = peer.waits_for_segment();
    CHECK(again.retransmission);
    CHECK(peer.state() == state::established);
}

TEST_CASE("a peer that answers no probe is given up at R2 [MUST-20]") {
    scripted_peer peer = in_state(state::established);
    close_window(peer);
    peer.writes("more");
    peer.waits(4min);
    CHECK(peer.state() == state::established);
    peer.waits(4min);
    CHECK(peer.state() == state::closed);
    CHECK(peer.connection->error() == errc::timed_out);
}

TEST_CASE("when the window opens everything goes out at once") {
    script_options o;
    o.connection.no_delay = true;
    scripted_peer peer = in_state(state::established, o);
    close_window(peer);
    peer.writes(stream_text(5000));
    CHECK(peer.waits_for_segment().text.size() == 1);
    peer.sends(ack(5001, 1011).with_window(10'000));
    std::string text;
    std::uint32_t next = 1011;
    for (const script_segment& s : peer.sees_all()) {
        CHECK(s.seq <= next);
        text.resize(s.seq - 1011);
        text += s.text;
        next = s.end();
    }
    CHECK((text == stream_text(5000)));
    peer.sends(ack(5001, 6011));
    peer.waits(1h);
    CHECK(peer.sees() == nothing);
}

TEST_CASE("a probe's octet that was taken is not sent again") {
    scripted_peer peer = in_state(state::established);
    close_window(peer);
    peer.writes("abcdef");
    CHECK(peer.waits_for_segment() == data(1011, 5001, "a"));
    peer.sends(ack(5001, 1012).with_window(0));
    CHECK(peer.sees() == nothing);
    CHECK(peer.waits_for_segment() == data(1012, 5001, "b"));
    peer.sends(ack(5001, 1013).with_window(100));
    CHECK(peer.sees() == data(1013, 5001, "cdef"));
}

TEST_CASE("a FIN behind a closed window is probed for like text") {
    scripted_peer peer = in_state(state::established);
    close_window(peer);
    peer.writes("z");
    REQUIRE(peer.closes());
    CHECK(peer.sees() == nothing);
    const script_segment probe = peer.waits_for_segment();
    CHECK(probe.seq == 1011);
    peer.sends(ack(5001, probe.end()).with_window(100));
    if (!probe.has(tcp_flags::fin)) {
        CHECK(peer.sees() == fin_ack(1012, 5001));
    }
    peer.sends(ack(5001, 1013));
    CHECK(peer.state() == state::fin_wait_2);
}

TEST_CASE(
    "a peer that shrinks its window stops new data and does not confuse us [MUST-34] "
    "[SHLD-15]") {
    scripted_peer peer = in_state(state::established, {.peer_window = 4000});
    peer.writes(stream_text(10'000));
    std::uint32_t sent = 0;
    for (const script_segment& s : peer.sees_all())
        sent += static_cast<std::uint32_t>(s.text.size());
    CHECK(sent >= 2920);
    CHECK(sent <= 4000);
    peer.sends(ack(5001, 1001).with_window(1000));  // the usable window is negative
    CHECK(peer.sees() == nothing);
    peer.sends(ack(5001, 1001 + 1000).with_window(500));
    CHECK(peer.sees() == nothing);
    peer.sends(ack(5001, 1001 + sent).with_window(4000));
    const script_segment next = peer.sees();
    CHECK(next == data(1001 + sent, 5001, stream_text(next.text.size(), sent)));
}

TEST_CASE("what lies inside a shrunken window is sent again, what lies beyond is not [SHLD-16]") {
    scripted_peer peer = in_state(state::established, {.peer_window = 4000});
    peer.writes(stream_text(2920));
    CHECK(peer.sees_all().size() == 2);
    peer.sends(ack(5001, 1001).with_window(500));
    const script_segment again = peer.waits_for_segment();
    CHECK(again == data(1001, 5001, stream_text(500)));
    CHECK(again.retransmission);
    CHECK(peer.sees() == nothing);
    peer.sends(ack(5001, 1501).with_window(2000));
    const script_segment rest = peer.waits_for_segment();
    CHECK(rest.seq == 1501);
}

TEST_CASE(
    "a window that shrank to zero over data in flight is probed, without end while the "
    "peer answers [MUST-35] [SHLD-17]") {
    scripted_peer peer = in_state(state::established);
    peer.writes(stream_text(2920));
    CHECK(peer.sees_all().size() == 2);
    peer.sends(ack(5001, 1001).with_window(0));
    while (peer.elapsed() < 1h) {
        const script_segment probe = peer.waits_for_segment();
        REQUIRE(probe == data(1001, 5001, stream_text(1)));
        peer.sends(ack(5001, 1001).with_window(0));
    }
    REQUIRE(peer.state() == state::established);
    peer.sends(ack(5001, 1001).with_window(10'000));
    std::string text;
    while (text.size() < 2920) {
        const script_segment s = peer.waits_for_segment(1min);
        REQUIRE_FALSE(s == nothing);
        REQUIRE(s.seq - 1001 <= text.size());
        text = text.substr(0, s.seq - 1001) + s.text;
        peer.sends(ack(5001, s.end()));
    }
    CHECK((text == stream_text(2920)));
}

TEST_CASE("a small window is not filled with small segments until a timeout says so [MUST-38]") {
    scripted_peer peer = in_state(state::established, {.peer_window = 6000});
    peer.writes(stream_text(1460));
    (void)peer.sees_all();
    peer.sends(ack(5001, 2461).with_window(100));
    peer.writes(stream_text(5000));
    CHECK(peer.sees() == nothing);
    const script_segment overridden = peer.waits_for_segment();
    CHECK(overridden.text.size() == 100);
    CHECK(overridden.at > 0s);
    CHECK(overridden.at < 1s);  // §3.8.6.2.1: the override timeout is 0.1 to 1.0 s
}

TEST_CASE("half of the largest window ever is worth a segment [MUST-38]") {
    scripted_peer peer = in_state(state::established, {.peer_window = 1000});
    peer.writes(stream_text(5000));
    CHECK(peer.sees().text.size() == 1000);
    CHECK(peer.sees() == nothing);
    peer.sends(ack(5001, 2001).with_window(500));
    CHECK(peer.sees().text.size() == 500);
    peer.sends(ack(5001, 2501).with_window(499));
    CHECK(peer.sees() == nothing);
}

TEST_CASE("a FIN that a shrunken window leaves behind it is sent again as well") {
    scripted_peer peer = in_state(state::established, {.peer_window = 1001});
    peer.writes(stream_text(1000));
    REQUIRE(peer.closes());
    CHECK((peer.sees() == fin_ack(1001, 5001, stream_text(1000))));
    peer.sends(ack(5001, 1001).with_window(1000));
    CHECK((peer.waits_for_segment() == data(1001, 5001, stream_text(1000))));
    peer.sends(ack(5001, 2001).with_window(0));
    CHECK(peer.waits_for_segment() == fin_ack(2001, 5001));
}

TEST_CASE("an ACK older than the last one does not change the window, whatever its number") {
    scripted_peer peer = in_state(state::established);
    peer.writes("abc");
    (void)peer.sees();
    peer.sends(ack(5001, 1004).with_window(3000));
    peer.sends(data(5001, 1001, "x").with_window(9000));
    peer.sends(data(5002, 1001, "y").with_window(9000));
    CHECK(peer.connection->peer_window() == 3000);
}

TEST_CASE("an old ACK cannot change the window: SND.WL1 and SND.WL2 decide") {
    scripted_peer peer = in_state(state::established);
    peer.sends(data(5001, 1001, "a").with_window(4000));
    peer.sends(data(5003, 1001, "c").with_window(3000));
    CHECK(peer.connection->peer_window() == 3000);
    peer.sends(data(5002, 1001, "b").with_window(9000));  // overtaken on its way
    CHECK(peer.connection->peer_window() == 3000);
    peer.sends(ack(5004, 1001).with_window(5000));
    CHECK(peer.connection->peer_window() == 5000);
}

TEST_CASE(
    "a window that opens after a probe lets the rest out at once: Nagle does not wait for it") {
    scripted_peer peer = in_state(state::established);
    close_window(peer);
    peer.writes("more");
    REQUIRE(peer.waits_for_segment() == data(1011, 5001, "m"));
    peer.sends(ack(5001, 1011).with_window(1000));
    CHECK(peer.sees() == data(1011, 5001, "more"));
    // The probe's octet apart, Nagle is as ever (SHLD-7).
    peer.writes("!");
    CHECK(peer.sees() == nothing);
}

TEST_CASE("a peer that probes our closed window does not acknowledge twice (RFC 5681 section 2)") {
    script_options o;
    o.connection.receive_buffer_bytes = 2048;
    scripted_peer peer = in_state(state::established, o);
    peer.sends(data(5001, 1001, stream_text(2048)));
    peer.waits(1s);
    (void)peer.sees_all();
    peer.writes("0123456789");
    REQUIRE(peer.sees().text == "0123456789");
    for (int i = 0; i < 5; ++i) peer.sends(data(7049, 1001, "x"));
    CHECK(peer.counters.tcp_fast_retransmits == 0);
    for (const script_segment& s : peer.sees_all()) CHECK(s.text.empty());
}
}
