#include "scripted_peer.hpp"
#include "stack_link.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <random>

using namespace std::chrono_literals;
using namespace weft::test;
using weft::net::errc;
using weft::net::tcp::state;

namespace {

std::size_t tcb_count(scripted_peer& peer) {
    std::size_t count = 0;
    peer.demux.for_each_connection([&](weft::net::tcp::connection&) { ++count; });
    return count;
}

script_options half_open_options() {
    script_options o{.config = {}, .peer_scale = 7, .peer_timestamps = true, .passive = true};
    o.config.syn_cookies = weft::net::tcp::cookie_policy::never;
    return o;
}

}  // namespace

TEST_SUITE("netstack.tcp.syn_cache") {
TEST_CASE("a half-open connection is a record; the third step makes it a connection") {
    scripted_peer peer = in_state(state::syn_received, {.passive = true});
    CHECK(peer.demux.half_open_count() == 1);
    CHECK(peer.demux.connection_count() == 1);
    CHECK(tcb_count(peer) == 0);
    CHECK(peer.path() == std::vector{state::listen, state::syn_received});
    peer.sends(ack(5001, 1001));
    CHECK(peer.demux.half_open_count() == 0);
    CHECK(tcb_count(peer) == 1);
    peer.accepts();
    CHECK(peer.connection->visited() ==
          (mask_of(state::closed) | mask_of(state::listen) | mask_of(state::syn_received) |
           mask_of(state::established)));
}

TEST_CASE("strangers' SYNs take bounded memory, whatever there are") {
    script_options o = half_open_options();
    o.config.max_half_open = 1000;
    scripted_peer peer = in_state(state::closed, o);
    peer.listener =
        peer.demux.listen(scripted_peer::tuple().local(), {.backlog = 50'000}, peer.now).value();
    for (std::uint32_t i = 0; i < 20'000; ++i) {
        peer.sends_from({weft::net::ipv4_address{0x0b000000 + i}, 99}, syn(i));
        if (i % 64 == 0) (void)peer.sees_all();
    }
    CHECK(peer.demux.half_open_count() == 1000);
    CHECK(peer.listener->pending() == 1000);
    CHECK(peer.demux.half_open_bytes() <= 1000 * 200);
    CHECK(tcb_count(peer) == 0);
    CHECK(peer.pool.bytes_out() == 0);
    CHECK(peer.counters.tcp_syn_dropped == 19'000);
    peer.waits(2min);  // nobody has gone on
    CHECK(peer.demux.half_open_count() == 0);
    CHECK(peer.listener->pending() == 0);
    CHECK(peer.counters.tcp_attempt_fails == 1000);
}

TEST_CASE("a SYN,ACK is repeated after 1, 2, 4, 8 and 16 seconds, and given up after 63") {
    scripted_peer peer = in_state(state::syn_received, {.passive = true});
    for (const weft::duration due : {1s, 3s, 7s, 15s, 31s}) {
        const script_segment s = peer.waits_for_segment(40s);
        CHECK(s == syn_ack(1000, 5001));
        CHECK(s.retransmission);
        CHECK(s.at >= due);
        CHECK(s.at < due + 1ms);
    }
    peer.waits(62900ms - peer.elapsed());
    CHECK(peer.state() == state::syn_received);
    peer.waits(200ms);
    CHECK(peer.state() == state::closed);
    CHECK(peer.sees() == nothing);
    CHECK(peer.counters.tcp_timeouts == 5);
    CHECK(peer.counters.tcp_retransmitted_segments == 5);
    CHECK(peer.counters.tcp_user_timeouts == 1);
}

TEST_CASE("a user timeout of the listener cuts a handshake short") {
    script_options o{.passive = true};
    o.connection.user_timeout = 5s;
    scripted_peer peer = in_state(state::syn_received, o);
    peer.waits(8s);
    CHECK(peer.state() == state::closed);
    CHECK(peer.sees_all().size() == 2);  // after 1 and 3 seconds
}

TEST_CASE("a SYN that comes again is answered again, whatever text it carries") {
    scripted_peer peer = in_state(state::syn_received, {.passive = true});
    for (const char* text : {"", "text"}) {
        script_segment again = syn(5000);
        again.text = text;
        peer.sends(again);
        CHECK(peer.sees() == syn_ack(1000, 5001));
        CHECK(peer.state() == state::syn_received);
    }
    peer.sends(ack(5001, 1001));
    CHECK(peer.state() == state::established);
}

TEST_CASE("a SYN that keeps coming does not keep its record for ever") {
    scripted_peer peer = in_state(state::syn_received, {.passive = true});
    for (int i = 0; i < 1000; ++i) {  // 200 seconds, and the timer never runs out
        peer.waits(200ms);
        peer.sends(syn(5000));
    }
    CHECK(peer.counters.tcp_attempt_fails == 3);
    CHECK(peer.counters.tcp_timeouts == 0);
    CHECK(peer.demux.half_open_count() == 1);
}

TEST_CASE("the connection has every option that its SYN and SYN,ACK agreed on") {
    scripted_peer peer = in_state(state::listen, half_open_options());
    peer.sends(syn(5000).with_mss(1200).with_window(500));
    const script_segment answer = peer.sees();
    REQUIRE(answer == syn_ack(1000, 5001));
    CHECK(answer.options.mss() == 1460);
    CHECK(answer.options.has_window_scale());
    CHECK(answer.options.timestamps().echo == 100'000);
    CHECK(answer.window == 65535);
    peer.waits(30ms);
    peer.sends(ack(5001, 1001).with_window(10));
    peer.accepts();
    CHECK(peer.connection->mss() == 1200 - 12);
    CHECK(peer.connection->peer_window() == 10U << 7);
    CHECK(peer.connection->smoothed_rtt() == 30ms);
    peer.writes(stream_text(5000));
    const script_segment first = peer.sees();
    CHECK(first.text.size() == 1188);
    CHECK(first.options.timestamps().echo == 100'030);
    CHECK(peer.sees() == nothing);  // 1280 bytes of window, and no silly segment
}

TEST_CASE("a handshake whose SYN,ACK was repeated begins with one segment and no sample (Karn)") {
    script_options o{.passive = true};
    scripted_peer peer = in_state(state::syn_received, o);
    peer.waits(1500ms);
    CHECK(peer.sees() == syn_ack(1000, 5001));
    peer.sends(ack(5001, 1001));
    peer.accepts();
    CHECK(peer.connection->smoothed_rtt() == weft::duration::zero());
    CHECK(peer.connection->rto() == 3s);  // RFC 6298 section 5.7
    peer.writes(stream_text(10'000));
    CHECK(peer.sees_all().size() == 1);
}

TEST_CASE("an old timestamp in SYN-RECEIVED is rejected and answered") {
    scripted_peer peer = in_state(state::syn_received, half_open_options());
    peer.sends(ack(5001, 1001).with_timestamps(99'000, 0));
    CHECK(peer.state() == state::syn_received);
    CHECK(peer.counters.tcp_paws_rejected == 1);
    CHECK(peer.counters.tcp_challenge_acks == 1);
    const script_segment answer = peer.sees();
    CHECK(answer == ack(1001, 5001));
    CHECK(answer.options.timestamps().echo == 100'000);
    peer.sends(ack(5001, 1001).without_timestamps());
    CHECK(peer.state() == state::syn_received);
    CHECK(peer.counters.tcp_paws_rejected == 2);
    CHECK(peer.sees() == nothing);
    peer.sends(ack(5001, 1001));
    CHECK(peer.state() == state::established);
}

TEST_CASE("SYNs outside the window of a half-open connection are challenged, but not each") {
    scripted_peer peer = in_state(state::syn_received, {.passive = true});
    for (std::uint32_t n = 0; n < 10; ++n) peer.sends(syn(200'000 + n));
    CHECK(peer.counters.tcp_challenge_acks == 1);  // RFC 5961 §4, §7
    CHECK(peer.sees_all() == std::vector{ack(1001, 5001)});
    CHECK(peer.demux.half_open_count() == 1);
    peer.sends(ack(5001, 1001));
    CHECK(peer.state() == state::established);
}

TEST_CASE("text beyond the window of a half-open connection is answered with where it stands") {
    script_options o = half_open_options();
    o.connection.receive_buffer_bytes = 1U << 20;
    scripted_peer peer = in_state(state::syn_received, o);
    peer.sends(data(5001 + 70'000, 1001, "far"));
    const script_segment answer = peer.sees();
    CHECK(answer == ack(1001, 5001));
    CHECK(answer.window == 65535 >> 5);  // scaled, as in every segment but a SYN
    CHECK(peer.state() == state::syn_received);
    CHECK(peer.counters.tcp_out_of_window == 1);
}

TEST_CASE("an ICMP error about a SYN,ACK does not end the handshake") {
    scripted_peer peer = in_state(state::syn_received, {.passive = true});
    peer.icmp(errc::connection_refused, true, 1000);
    CHECK(peer.counters.icmp_error_delivered == 1);
    peer.icmp(errc::connection_refused, true, 1001);
    CHECK(peer.counters.icmp_error_unmatched == 1);
    peer.sends(ack(5001, 1001));
    CHECK(peer.state() == state::established);
}

TEST_CASE("closing a listener resets the handshakes under way") {
    scripted_peer peer = in_state(state::syn_received, {.passive = true});
    peer.demux.close(*std::exchange(peer.listener, nullptr), peer.now);
    CHECK(peer.sees() == rst_ack(1001, 5001));
    CHECK(peer.state() == state::closed);
    CHECK(peer.demux.connection_count() == 0);
    CHECK(peer.waits_for_segment(10min) == nothing);
}

TEST_CASE("no connection is opened to where a handshake is under way") {
    scripted_peer peer = in_state(state::syn_received, {.passive = true});
    CHECK(
        peer.demux
            .connect(scripted_peer::tuple().local(), scripted_peer::tuple().remote(), {}, peer.now)
            .error() == errc::address_in_use);
}

TEST_CASE("SYN,ACKs wait for their next hop, and the handshake ends when it does not answer") {
    stack_link link;
    REQUIRE(link.ours.listen({{}, 80}, {}, link.now));
    const auto knocks = [&](std::uint16_t port) {
        link.receive_segment({tcp_header_of(port, 80, 700, 0, tcp_flags::syn)});
    };
    knocks(1000);
    knocks(1001);
    CHECK(std::ranges::none_of(link.frames(),
                               [](const sent_frame& f) { return f.segment.has_value(); }));
    link.hear_of_peer();
    std::vector<std::uint16_t> answered;
    for (const sent_frame& f : link.frames()) {
        if (f.segment) answered.push_back(f.segment->header.destination_port);
    }
    CHECK(answered == std::vector<std::uint16_t>{1000, 1001});

    stack_link silent;
    REQUIRE(silent.ours.listen({{}, 80}, {}, silent.now));
    silent.receive_segment({tcp_header_of(1000, 80, 700, 0, tcp_flags::syn)});
    (void)silent.frames();
    CHECK(silent.ours.tcp().half_open_count() == 1);
    for (int i = 0; i < 5; ++i) {
        silent.wait(1s);
        (void)silent.frames();
    }
    CHECK(silent.ours.tcp().half_open_count() == 0);
    CHECK(silent.ours.counters().tcp_attempt_fails == 1);
}

TEST_CASE("any order of segments for half-open connections leaves no record behind") {
    script_options o = half_open_options();
    o.config.max_half_open = 64;
    scripted_peer peer = in_state(state::closed, o);
    peer.listener =
        peer.demux.listen(scripted_peer::tuple().local(), {.backlog = 32}, peer.now).value();
    std::mt19937 random{7};
    const auto below = [&random](std::uint32_t end) {
        return static_cast<std::uint32_t>(random() % end);
    };
    for (int i = 0; i < 50'000; ++i) {
        const std::uint32_t who = below(100);
        const tcp_flags flags{static_cast<std::uint8_t>(below(0x20))};
        peer.sends_from({weft::net::ipv4_address{0x0b000000 + who}, 99},
                        segment_with(flags, 100 + below(3), below(4)));
        if (random() % 8 == 0) peer.waits(std::chrono::milliseconds{random() % 3000});
        if (random() % 64 == 0) (void)peer.sees_all();
        REQUIRE(peer.demux.half_open_count() == peer.listener->pending());
        REQUIRE(peer.listener->pending() <= 32);
    }
    peer.waits(5min);
    CHECK(peer.demux.half_open_count() == 0);
    CHECK(peer.listener->pending() == 0);
}

TEST_CASE("a SYN,ACK is repeated no less often than the largest timeout says") {
    script_options o{.passive = true};
    o.config.max_rto = 2s;
    scripted_peer peer = in_state(state::syn_received, o);
    for (const weft::duration due : {1s, 3s, 5s, 7s, 9s}) {
        const script_segment s = peer.waits_for_segment(40s);
        CHECK(s.at >= due);
        CHECK(s.at < due + 1ms);
    }
}

TEST_CASE("who acknowledges a SYN,ACK that has not left has guessed: a reset, and no connection") {
    scripted_peer peer = in_state(state::listen, {.passive = true});
    peer.sends(syn(5000));
    peer.sends(ack(5001, 1001));
    CHECK(peer.demux.half_open_count() == 1);
    CHECK(tcb_count(peer) == 0);
    CHECK(peer.counters.tcp_bad_acknowledgments == 1);
}
}
