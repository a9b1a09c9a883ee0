#include "scripted_peer.hpp"

#include <doctest/doctest.h>

#include <random>

using namespace std::chrono_literals;
using namespace weft::test;
using weft::net::errc;
using weft::net::tcp::state;

// Lost segments and the retransmission timer: RFC 9293 §3.8.1 to §3.8.3, RFC 6298 §5.

namespace {

script_options with_user_timeout(weft::duration timeout) {
    script_options o;
    o.connection.user_timeout = timeout;
    return o;
}

}  // namespace

TEST_SUITE("netstack.tcp.retransmission") {
TEST_CASE(
    "what is not acknowledged is sent again after the RTO, then after twice as long, and "
    "so on [MUST-18] [MUST-19]") {
    scripted_peer peer = in_state(state::established);
    peer.writes("lost");
    weft::duration last = peer.elapsed();
    CHECK(peer.sees() == data(1001, 5001, "lost"));
    weft::duration interval = peer.connection->rto();
    for (int i = 0; i < 8; ++i) {
        const script_segment again = peer.waits_for_segment();
        CHECK(again == data(1001, 5001, "lost"));
        CHECK(again.retransmission);
        CHECK(again.at - last >= interval);
        CHECK(again.at - last < interval + 1ms);
        last = again.at;
        interval = std::min<weft::duration>(2 * interval, 60s);
    }
}

TEST_CASE("the timer is off when everything is acknowledged (RFC 6298 section 5.2)") {
    scripted_peer peer = in_state(state::established);
    peer.writes("a");
    (void)peer.sees();
    peer.sends(ack(5001, 1002));
    peer.waits(1h);
    CHECK(peer.sees() == nothing);
    CHECK(peer.demux.next_timeout() == weft::never);
}

TEST_CASE("an ACK of new data starts the timer anew (RFC 6298 section 5.3)") {
    scripted_peer peer = in_state(state::established);
    peer.writes(stream_text(2920));
    (void)peer.sees_all();
    peer.waits(150ms);
    peer.sends(ack(5001, 2461));
    const weft::duration rto = peer.connection->rto();
    const script_segment again = peer.waits_for_segment();
    CHECK(again.seq == 2461);
    CHECK(again.at >= 150ms + rto);
}

TEST_CASE("a segment that was sent twice gives no sample without timestamps (Karn) [MUST-18]") {
    scripted_peer peer = in_state(state::established);
    peer.writes("a");
    (void)peer.sees();
    const auto before = peer.connection->smoothed_rtt();
    (void)peer.waits_for_segment();
    peer.waits(100ms);
    peer.sends(ack(5001, 1002));
    CHECK(peer.connection->smoothed_rtt() == before);
    peer.writes("b");
    (void)peer.sees();
    peer.waits(100ms);
    peer.sends(ack(5001, 1003));
    CHECK(peer.connection->smoothed_rtt() > before);
}

TEST_CASE("a SYN that was sent twice leaves an RTO of three seconds (RFC 6298 section 5.7)") {
    scripted_peer peer = in_state(state::syn_sent);
    (void)peer.waits_for_segment();
    peer.sends(syn_ack(5000, 1001));
    (void)peer.sees_all();
    CHECK(peer.connection->rto() == 3s);
    peer.writes(stream_text(10'000));
    CHECK(peer.sees_all().size() == 1);  // and an initial window of one segment (RFC 5681)
}

TEST_CASE("a SYN,ACK that was sent twice means an initial window of one segment too (RFC 5681)") {
    scripted_peer peer = in_state(state::syn_received, {.passive = true});
    (void)peer.waits_for_segment();
    peer.sends(ack(5001, 1001));
    peer.accepts();
    peer.writes(stream_text(10'000));
    CHECK(peer.sees_all().size() == 1);
}

TEST_CASE(
    "after three retransmissions the user can learn of it, at five minutes the connection "
    "ends [MUST-20] [SHLD-9] [SHLD-10] [SHLD-11]") {
    scripted_peer peer = in_state(state::established);
    peer.writes("lost");
    (void)peer.sees();
    for (int i = 0; i < 3; ++i) (void)peer.waits_for_segment();
    CHECK_FALSE(peer.connection->take_soft_error());
    (void)peer.waits_for_segment();
    CHECK(peer.connection->take_soft_error() == errc::timed_out);
    peer.waits(299s - peer.elapsed());
    CHECK(peer.state() == state::established);
    peer.waits(61s);
    CHECK(peer.state() == state::closed);
    CHECK(peer.connection->error() == errc::timed_out);
    CHECK(peer.connection->error() == std::errc::timed_out);
    CHECK(peer.counters.tcp_user_timeouts == 1);
}

TEST_CASE("the user sets R2, before the connection or during it [MUST-21]") {
    scripted_peer before = in_state(state::established, with_user_timeout(20s));
    before.writes("lost");
    before.waits(19s);
    CHECK(before.state() == state::established);
    before.waits(21s);
    CHECK(before.state() == state::closed);

    scripted_peer during = in_state(state::established);
    during.connection->set_user_timeout(20s);
    during.writes("lost");
    during.waits(40s);
    CHECK(during.state() == state::closed);
}

TEST_CASE(
    "a user timeout is kept to within an RTO of the start, not of the last back-off "
    "[MUST-21]") {
    scripted_peer peer = in_state(state::established, with_user_timeout(14s));
    peer.writes("lost");
    peer.waits(13s);
    CHECK(peer.state() == state::established);
    peer.waits(2s);
    CHECK(peer.state() == state::closed);
}

TEST_CASE("a user timeout can also let a connection live longer [MUST-21]") {
    scripted_peer peer = in_state(state::established, with_user_timeout(1h));
    peer.writes("lost");
    peer.waits(50min);
    CHECK(peer.state() == state::established);
    peer.sends(ack(5001, 1005));
    peer.waits(2h);
    CHECK(peer.state() == state::established);
}

TEST_CASE(
    "a timeout sends the first segment only, and the window grows again by what is "
    "acknowledged [MUST-19]") {
    scripted_peer peer = in_state(state::established);
    peer.writes(stream_text(10 * 1460));
    CHECK(peer.sees_all().size() == 10);
    std::uint32_t una = 1001;
    CHECK(peer.waits_for_segment().seq == una);
    CHECK(peer.sees() == nothing);
    // Slow start up to half of what was in flight: 1, 2, 4 segments, not one for each ACK.
    una += 1460;
    peer.sends(ack(5001, una));
    CHECK(peer.sees_all().size() == 2);
    una += 2 * 1460;
    peer.sends(ack(5001, una));
    CHECK(peer.sees_all().size() >= 3);
}

TEST_CASE("duplicate ACKs after a timeout do not begin a fast retransmit (RFC 6582 section 4)") {
    scripted_peer peer = in_state(state::established);
    peer.writes(stream_text(10 * 1460));
    (void)peer.sees_all();
    (void)peer.waits_for_segment();
    for (int i = 0; i < 5; ++i) peer.sends(ack(5001, 1001));
    CHECK(peer.sees() == nothing);
    CHECK(peer.counters.tcp_fast_retransmits == 0);
}

namespace {

/// What leaves at once after ten seconds of silence, of a window that had grown.
std::size_t segments_after_silence(bool keeps_window) {
    script_options o{.handshake_rtt = 100ms};
    o.connection.keep_window_when_idle = keeps_window;
    scripted_peer peer = in_state(state::established, o);
    std::uint32_t una = 1001;
    for (int i = 0; i < 5; ++i) {
        peer.writes(stream_text(100'000));
        for (const script_segment& s : peer.sees_all()) una = s.end();
        peer.waits(100ms);
        peer.sends(ack(5001, una));
    }
    for (;;) {
        const auto seen = peer.sees_all();
        if (seen.empty()) break;
        una = seen.back().end();
        peer.waits(100ms);
        peer.sends(ack(5001, una));
    }
    const std::uint32_t window = peer.connection->congestion_window();
    CHECK(window > 20 * 1460);
    peer.waits(10s);
    peer.writes(stream_text(100'000));
    const std::size_t at_once = peer.sees_all().size();
    CHECK(peer.connection->congestion_window() == (keeps_window ? window : 10 * 1460));
    if (keeps_window) CHECK_FALSE(peer.waits_for_segment().retransmission);  // the pace goes on
    return at_once;
}

}  // namespace

TEST_CASE("an idle connection begins again with the initial window (RFC 5681 section 4.1)") {
    CHECK(segments_after_silence(false) == 10);
}

TEST_CASE("with keep_window_when_idle it keeps its window, and paces what it sends (RFC 7661)") {
    CHECK(segments_after_silence(true) < 10);
}

TEST_CASE(
    "whatever is lost, acknowledged in part, or sent in large frames, each octet is always "
    "sent as the same octet") {
    for (const std::uint32_t offload : {0U, 65'455U}) {
        for (std::uint32_t seed = 1; seed <= 15; ++seed) {
            CAPTURE(seed);
            CAPTURE(offload);
            std::mt19937 random{seed};
            script_options o;
            o.iss = 0xffff'f000U + seed * 100;  // crosses 2^32
            o.offload_bytes = offload;
            o.config.mtu_probing = weft::net::tcp::mtu_probing_mode::off;  // segments of one size
            o.connection.no_delay = seed % 2 == 0;
            scripted_peer peer = in_state(state::established, o);
            const std::uint32_t base = o.iss + 1;
            std::uint64_t written = 0;
            std::uint32_t seen_to = 0;  // the highest octet that has left
            std::uint32_t una = 0;
            for (int step = 0; step < 1500; ++step) {
                if (random() % 2 == 0 && written < 400'000) {
                    written += peer.writes(
                        stream_text(1 + random() % (random() % 8 == 0 ? 30'000 : 700), written));
                }
                if (random() % 16 == 0) peer.waits(std::chrono::milliseconds{random() % 3000});
                for (const script_segment& s : peer.sees_all()) {
                    const std::uint32_t at = s.seq - base;
                    REQUIRE((s.text == stream_text(s.text.size(), at)));
                    REQUIRE(at + s.text.size() <= written);
                    if (s.segment_bytes != 0) REQUIRE(s.segment_bytes == 1460);
                    if (s.segment_bytes == 0) REQUIRE(s.text.size() <= 1460);
                    seen_to = std::max(seen_to, at + static_cast<std::uint32_t>(s.text.size()));
                }
                const auto how = random() % 8;
                const auto window =
                    static_cast<std::uint16_t>(random() % 10 == 0 ? random() % 3000 : 65'535);
                if (how < 4 && seen_to > una) {
                    una += 1 + static_cast<std::uint32_t>(random()) % (seen_to - una);
                    peer.sends(ack(5001, base + una).with_window(window));
                } else if (how < 7) {
                    peer.sends(ack(5001, base + una).with_window(65'535));
                }
            }
            // In the end all of it arrives.
            for (int i = 0; i < 1000 && una < written; ++i) {
                script_segment s = peer.waits_for_segment(2min);
                for (; !(s == nothing); s = peer.sees()) {
                    const std::uint32_t at = s.seq - base;
                    REQUIRE((s.text == stream_text(s.text.size(), at)));
                    if (at <= una) {
                        una = std::max(una, at + static_cast<std::uint32_t>(s.text.size()));
                    }
                }
                peer.sends(ack(5001, base + una));
            }
            REQUIRE(una == written);
            REQUIRE(peer.state() == state::established);
            REQUIRE(peer.sees() == nothing);
            REQUIRE(peer.pool.bytes_out() == 0);
        }
    }
}

TEST_CASE("the second timeout in a row leaves the threshold of the first (RFC 5681 section 3.1)") {
    scripted_peer peer = in_state(state::established);
    peer.writes(stream_text(10 * 1460));
    CHECK(peer.sees_all().size() == 10);
    (void)peer.waits_for_segment();
    CHECK(peer.connection->slow_start_threshold() == 5 * 1460);
    (void)peer.waits_for_segment();
    CHECK(peer.counters.tcp_timeouts == 2);
    CHECK(peer.connection->slow_start_threshold() == 5 * 1460);
}
}
