#include "scripted_peer.hpp"

#include <doctest/doctest.h>

#include <optional>

using namespace std::chrono_literals;
using namespace weft::test;
using weft::net::tcp::state;

namespace {

/// In TIME-WAIT, and nobody holds the connection any more: SND.NXT 1002, RCV.NXT 5002.
void lets_go(scripted_peer& peer) {
    peer.releases();
    REQUIRE(peer.sees() == nothing);
    REQUIRE(peer.demux.time_wait_count() == 1);
}

script_options with_timestamps() {
    return {.config = {}, .peer_scale = 7, .peer_timestamps = true};
}

}  // namespace

TEST_SUITE("netstack.tcp.time_wait") {
TEST_CASE("a connection in TIME-WAIT that nobody holds is a record and no TCB") {
    scripted_peer peer = in_state(state::time_wait);
    lets_go(peer);
    std::size_t tcbs = 0;
    peer.demux.for_each_connection([&](weft::net::tcp::connection&) { ++tcbs; });
    CHECK(tcbs == 0);
    CHECK(peer.demux.connection_count() == 1);
    CHECK(peer.state() == state::time_wait);
    peer.waits(59s);
    CHECK(peer.state() == state::time_wait);
    peer.waits(2s);
    CHECK(peer.state() == state::closed);
    CHECK(peer.demux.connection_count() == 0);
    CHECK(peer.path() == std::vector{state::syn_sent, state::established, state::fin_wait_1,
                                     state::fin_wait_2, state::time_wait, state::closed});
}

TEST_CASE("a connection in TIME-WAIT that is held keeps its TCB until it is let go of") {
    scripted_peer peer = in_state(state::time_wait);
    peer.waits(10s);
    CHECK(peer.demux.time_wait_count() == 0);
    peer.releases();
    CHECK(peer.sees() == nothing);
    CHECK(peer.demux.time_wait_count() == 1);
    peer.waits(49s);
    CHECK(peer.state() == state::time_wait);
    peer.waits(2s);
    CHECK(peer.state() == state::closed);
}

TEST_CASE("an orphan that reaches TIME-WAIT says its last word and leaves a record") {
    scripted_peer peer = in_state(state::fin_wait_2);
    peer.releases();
    peer.sends(fin_ack(5001, 1002));
    CHECK(peer.sees() == ack(1002, 5002));
    CHECK(peer.demux.time_wait_count() == 1);

    scripted_peer both = in_state(state::closing);
    both.releases();
    both.sends(ack(5002, 1002));
    CHECK(both.sees() == nothing);
    CHECK(both.demux.time_wait_count() == 1);
}

// The row TIME-WAIT of the state matrix, once more for the record.
TEST_CASE("a record in TIME-WAIT answers every kind of segment as a TCB does") {
    const script_segment answer = ack(1002, 5002);
    struct row {
        const char* what;
        script_segment in;
        state next;
        script_segment out;
        bool is_challenge;
    };
    const row rows[] = {
        {"SYN", syn(5012), state::time_wait, answer, true},
        {"SYN,ACK", syn_ack(5012, 1002), state::time_wait, answer, true},
        {"ACK", ack(5002, 1002), state::time_wait, nothing, false},
        {"ACK of what was never sent", ack(5002, 2002), state::time_wait, answer, true},
        {"text behind the FIN", data(5002, 1002, "hello"), state::time_wait, nothing, false},
        {"FIN again", fin_ack(5001, 1002), state::time_wait, answer, false},
        {"text again", data(5000, 1002, "h"), state::time_wait, answer, false},
        {"RST", rst(5002), state::closed, nothing, false},
        {"RST elsewhere in the window", rst(5102), state::time_wait, answer, true},
        {"RST outside", rst(4000), state::time_wait, nothing, false},
        {"text beyond the window", data(75'002, 1002, "hello"), state::time_wait, answer, false},
    };
    for (const row& r : rows) {
        CAPTURE(r.what);
        for (const bool is_record : {false, true}) {
            scripted_peer peer = in_state(state::time_wait);
            if (is_record) peer.releases();
            CHECK(peer.sees() == nothing);
            CHECK(peer.demux.time_wait_count() == (is_record ? 1 : 0));
            peer.sends(r.in);
            CHECK(peer.state() == r.next);
            const script_segment said = peer.sees();
            CHECK(said == r.out);
            if (!(said == nothing)) CHECK(said.window == 65535);
            CHECK((peer.counters.tcp_challenge_acks != 0) == r.is_challenge);
        }
    }
}

TEST_CASE("the peer's FIN restarts the 2 MSL of a record") {
    scripted_peer peer = in_state(state::time_wait);
    lets_go(peer);
    peer.waits(50s);
    peer.sends(fin_ack(5001, 1002));
    CHECK(peer.sees() == ack(1002, 5002));
    peer.waits(59s);
    CHECK(peer.state() == state::time_wait);
    peer.waits(2s);
    CHECK(peer.state() == state::closed);
}

TEST_CASE("an old timestamp is rejected by a record, and its own are of the same clock") {
    scripted_peer peer = in_state(state::time_wait, with_timestamps());
    lets_go(peer);
    peer.waits(100ms);
    peer.sends(fin_ack(5001, 1002).with_timestamps(99'000, 0));
    const script_segment answer = peer.sees();
    CHECK(answer == ack(1002, 5002));
    CHECK(peer.counters.tcp_paws_rejected == 1);
    REQUIRE(answer.options.has_timestamps());
    CHECK(answer.options.timestamps().echo == 100'000);
    peer.waits(70ms);
    peer.sends(fin_ack(5001, 1002));
    CHECK(peer.sees().options.timestamps().value - answer.options.timestamps().value == 70);
}

TEST_CASE("a new SYN begins beside a record in TIME-WAIT, beyond the old numbers [MAY-2]") {
    scripted_peer peer = in_state(state::time_wait, {.passive = true});
    lets_go(peer);
    peer.sends(syn(9000));
    CHECK(peer.state() == state::syn_received);
    const script_segment answer = peer.sees();
    CHECK(answer == syn_ack(1002 + 65536, 9001));
    CHECK(peer.demux.time_wait_count() == 1);
    peer.sends(ack(9001, answer.seq + 1));
    CHECK(peer.demux.time_wait_count() == 0);
    CHECK(peer.demux.connection_count() == 1);
    peer.accepts();
    peer.sends(data(9001, answer.seq + 1, "anew"));
    CHECK(peer.reads() == "anew");

    scripted_peer old = in_state(state::time_wait, {.passive = true});
    lets_go(old);
    old.sends(syn(4000));
    CHECK(old.state() == state::time_wait);
    CHECK(old.sees() == ack(1002, 5002));
}

// RFC 9293 §3.6.1: "returns to TIME-WAIT state if the SYN turns out to be an old duplicate".
TEST_CASE("a SYN that turns out to be an old duplicate leaves TIME-WAIT as it was [MAY-2]") {
    for (const bool is_record : {false, true}) {
        CAPTURE(is_record);
        scripted_peer peer = in_state(state::time_wait, {.passive = true});
        if (is_record) lets_go(peer);
        peer.waits(30s);
        peer.sends(syn(9000));
        const script_segment answer = peer.sees();
        REQUIRE(answer.has(tcp_flags::syn | tcp_flags::ack));
        peer.sends(rst(9001));  // the peer never meant it (RFC 9293 figure 9)
        CHECK(peer.demux.half_open_count() == 0);
        CHECK(peer.demux.connection_count() == 1);
        peer.sends(fin_ack(5001, 1002));
        CHECK(peer.sees() == ack(1002, 5002));
        peer.waits(59s);
        CHECK(peer.demux.connection_count() == 1);
        peer.waits(2s);
        CHECK(peer.demux.connection_count() == 0);
    }
}

TEST_CASE("a handshake beside TIME-WAIT that nobody completes does not prolong it [MUST-13]") {
    scripted_peer peer = in_state(state::time_wait, {.passive = true});
    lets_go(peer);
    peer.waits(50s);
    peer.sends(syn(9000));
    CHECK(peer.sees().has(tcp_flags::syn | tcp_flags::ack));
    peer.waits(11s);
    CHECK(peer.demux.time_wait_count() == 0);
    CHECK(peer.demux.half_open_count() == 1);
    peer.waits(60s);
    CHECK(peer.demux.connection_count() == 0);
}

TEST_CASE("a listener that is closed ends the handshake, and not the TIME-WAIT beside it") {
    scripted_peer peer = in_state(state::time_wait, {.passive = true});
    lets_go(peer);
    peer.sends(syn(9000));
    (void)peer.sees();
    peer.demux.close(*std::exchange(peer.listener, nullptr), peer.now);
    CHECK(peer.sees().has(tcp_flags::rst));
    CHECK(peer.demux.time_wait_count() == 1);
    peer.sends(syn(9000));  // nobody listens: it cannot be taken over
    CHECK(peer.sees() == ack(1002, 5002));
}

// RFC 6191 §2, all of its cases; the FIN of the old connection was number 5001, its last timestamp
// 100,000.
TEST_CASE("which SYN opens anew from TIME-WAIT [MAY-2] [SHLD-4]") {
    struct row {
        bool had_timestamps;
        std::optional<std::uint32_t> value;  ///< of the SYN's timestamp
        std::uint32_t seq;
        bool opens;
    };
    const row rows[] = {
        {true, 100'001, 4000, true}, {true, 100'001, 5002, true},     {true, 100'000, 5001, false},
        {true, 100'000, 5002, true}, {true, 99'999, 5002, false},     {true, 99'999, 90'000, false},
        {true, {}, 5001, false},     {true, {}, 5002, true},          {false, 1, 4000, true},
        {false, 1, 5002, true},      {false, {}, 5001, false},        {false, {}, 4000, false},
        {false, {}, 5002, true},     {false, {}, 0x9000'0000, false},
    };
    for (const row& r : rows) {
        CAPTURE(r.had_timestamps);
        CAPTURE(r.value.value_or(0));
        CAPTURE(r.seq);
        for (const bool is_record : {false, true}) {
            script_options o{.config = {}, .peer_timestamps = r.had_timestamps, .passive = true};
            scripted_peer peer = in_state(state::time_wait, o);
            if (is_record) lets_go(peer);
            peer.sends(r.value ? syn(r.seq).with_timestamps(*r.value, 0)
                               : syn(r.seq).without_timestamps());
            CHECK((peer.state() == state::syn_received) == r.opens);
            CHECK(peer.sees().has(tcp_flags::syn) == r.opens);
        }
    }
}

TEST_CASE("where we have no timestamps a SYN's say nothing about TIME-WAIT [MAY-2]") {
    scripted_peer peer = in_state(state::time_wait, {.passive = true});
    lets_go(peer);
    peer.sends(syn(4000).with_timestamps(1, 0));
    CHECK(peer.state() == state::time_wait);
}

TEST_CASE("an ICMP error does not end TIME-WAIT, and is about nothing in flight") {
    scripted_peer peer = in_state(state::time_wait);
    lets_go(peer);
    peer.icmp(weft::net::errc::host_unreachable, true, 1001);
    CHECK(peer.state() == state::time_wait);
    CHECK(peer.counters.icmp_error_unmatched == 1);
}

TEST_CASE("a record answers in the connection's traffic class") {
    scripted_peer peer = in_state(state::time_wait);
    peer.connection->set_traffic_class(0x28);
    lets_go(peer);
    peer.sends(fin_ack(5001, 1002));
    CHECK(peer.sees().traffic_class == 0x28);
}

TEST_CASE("no connection is opened from a port in TIME-WAIT") {
    scripted_peer peer = in_state(state::time_wait);
    lets_go(peer);
    CHECK(
        peer.demux
            .connect(scripted_peer::tuple().local(), scripted_peer::tuple().remote(), {}, peer.now)
            .error() == weft::net::errc::address_in_use);
}

TEST_CASE("a RST does not cut TIME-WAIT short where RFC 1337 is asked for") {
    script_options o;
    o.config.time_wait_ignores_resets = true;
    for (const bool is_record : {false, true}) {
        scripted_peer peer = in_state(state::time_wait, o);
        if (is_record) peer.releases();
        CHECK(peer.sees() == nothing);
        peer.sends(rst(5002));
        CHECK(peer.sees() == nothing);
        CHECK(peer.state() == state::time_wait);
        peer.waits(61s);
        CHECK(peer.state() == state::closed);
    }
}

TEST_CASE("records in TIME-WAIT are bounded; the oldest gives way, and is counted") {
    script_options o;
    o.config.max_time_wait = 50;
    scripted_peer peer = in_state(state::closed, o);
    for (std::uint16_t i = 0; i < 200; ++i) {
        weft::net::tcp::four_tuple tuple = scripted_peer::tuple();
        tuple.local_port = static_cast<std::uint16_t>(1000 + i);
        auto* c = peer.demux.connect(tuple.local(), tuple.remote(), {}, peer.now).value();
        peer.sends_on(tuple, syn_ack(7000, peer.sees_last().end()));
        (void)peer.sees();
        REQUIRE(c->close(peer.now).has_value());
        peer.sends_on(tuple, fin_ack(7001, peer.sees_last().end()));
        REQUIRE(c->state() == state::time_wait);
        c->release(peer.now);
        (void)peer.sees_all();
        REQUIRE(peer.demux.connection_count() <= 50);
    }
    CHECK(peer.demux.time_wait_count() == 50);
    const auto is_kept = [&](std::uint16_t port) {
        weft::net::endpoint local = scripted_peer::tuple().local();
        local.port = port;
        auto c = peer.demux.connect(local, scripted_peer::tuple().remote(), {}, peer.now);
        if (c) (*c)->release(peer.now);
        return !c;
    };
    CHECK_FALSE(is_kept(1149));
    CHECK(is_kept(1150));
    CHECK(is_kept(1199));
    CHECK(peer.counters.tcp_time_wait_displaced == 150);
    CHECK(peer.demux.time_wait_bytes() <= 24 * 1024);
    peer.waits(61s);
    CHECK(peer.demux.connection_count() == 0);
}
}
