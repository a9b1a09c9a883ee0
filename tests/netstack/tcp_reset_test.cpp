#include "scripted_peer.hpp"

#include <doctest/doctest.h>

#include <array>

using namespace std::chrono_literals;
using namespace weft::test;
using weft::net::errc;
using weft::net::tcp::state;

namespace {

struct place {
    state s;
    std::uint32_t snd_nxt, rcv_nxt;
};

/// The synchronized states, and where a script with ISS 1000 and IRS 5000 stands in them.
constexpr std::array synchronized{
    place{state::established, 1001, 5001}, place{state::fin_wait_1, 1002, 5001},
    place{state::fin_wait_2, 1002, 5001},  place{state::close_wait, 1001, 5002},
    place{state::closing, 1002, 5002},     place{state::last_ack, 1002, 5002},
    place{state::time_wait, 1002, 5002}};

/// Where a test is about what is challenged, and not about how often.
script_options without_limit() {
    script_options o;
    o.config.challenge_ack_interval = weft::duration::zero();
    return o;
}

}  // namespace

TEST_SUITE("netstack.tcp.reset") {
TEST_CASE("a RST exactly at RCV.NXT ends the connection, silently") {
    for (const place& p : synchronized) {
        CAPTURE(to_string(p.s));
        scripted_peer peer = in_state(p.s);
        peer.sends(rst(p.rcv_nxt));
        CHECK(peer.state() == state::closed);
        CHECK(peer.sees() == nothing);
        CHECK(peer.demux.connection_count() == 0);
        peer.waits(1h);
        CHECK(peer.sees() == nothing);
    }
}

TEST_CASE("a reset is told from an orderly close [MUST-12]") {
    for (const state s :
         {state::established, state::fin_wait_1, state::fin_wait_2, state::close_wait}) {
        CAPTURE(to_string(s));
        scripted_peer peer = in_state(s);
        peer.sends(rst(s == state::close_wait ? 5002 : 5001));
        CHECK(peer.connection->error() == errc::connection_reset);
        CHECK(peer.connection->error() == std::errc::connection_reset);
    }
    scripted_peer quiet = in_state(state::time_wait);
    quiet.sends(rst(5002));
    CHECK_FALSE(quiet.connection->error());
}

TEST_CASE("a RST elsewhere in the window is challenged (RFC 5961 section 3)") {
    for (const place& p : synchronized) {
        CAPTURE(to_string(p.s));
        scripted_peer peer = in_state(p.s, without_limit());
        for (const std::uint32_t distance : {1U, 1000U, 65'000U}) {
            peer.sends(rst(p.rcv_nxt + distance));
            CHECK(peer.sees() == ack(p.snd_nxt, p.rcv_nxt));
            CHECK(peer.sees() == nothing);
        }
        CHECK(peer.state() == p.s);
    }
}

TEST_CASE("a RST outside the window is dropped silently (RFC 5961 section 3)") {
    for (const place& p : synchronized) {
        CAPTURE(to_string(p.s));
        scripted_peer peer = in_state(p.s);
        const std::uint32_t edge = p.rcv_nxt + 65'535;
        for (const std::uint32_t seq :
             {p.rcv_nxt - 1, p.rcv_nxt - 70'000, edge + 10, edge + 0x4000'0000}) {
            CAPTURE(seq);
            peer.sends(rst(seq));
            CHECK(peer.sees() == nothing);
        }
        CHECK(peer.state() == p.s);
    }
}

TEST_CASE("the first number behind the window is outside of it for a RST") {
    scripted_peer peer = in_state(state::established);
    peer.sends(data(5001, 1001, "x"));
    const script_segment answer = peer.sees();
    peer.sends(rst(answer.ack + *answer.window));
    CHECK(peer.sees() == nothing);
    peer.sends(rst(answer.ack + *answer.window - 1));
    CHECK(peer.sees() == ack(1001, 5002));
}

TEST_CASE("a RST that carries text is a RST [SHLD-2]") {
    scripted_peer peer = in_state(state::established);
    script_segment s = rst(5001);
    s.text = "go away";
    peer.sends(s);
    CHECK(peer.state() == state::closed);
    CHECK(peer.connection->readable_bytes() == 0);
}

TEST_CASE("what arrived before a RST can still be read") {
    scripted_peer peer = in_state(state::established);
    peer.sends(data(5001, 1001, "before"));
    peer.sends(rst(5007));
    CHECK(peer.state() == state::closed);
    CHECK(peer.reads() == "before");
    CHECK(peer.connection->can_read());
    CHECK(peer.connection->error() == errc::connection_reset);
    CHECK(peer.connection->write({}, peer.now).error() == errc::connection_reset);
    CHECK(peer.closes().error() == errc::connection_reset);
}

TEST_CASE("a SYN in a synchronized state is challenged wherever it stands (RFC 5961 section 4)") {
    for (const place& p : synchronized) {
        CAPTURE(to_string(p.s));
        scripted_peer peer = in_state(p.s, without_limit());
        for (const std::uint32_t seq : {p.rcv_nxt, p.rcv_nxt + 100, p.rcv_nxt - 1000,
                                        p.rcv_nxt + 100'000, p.rcv_nxt + 0x8000'0000}) {
            CAPTURE(seq);
            peer.sends(syn(seq));
            CHECK(peer.sees() == ack(p.snd_nxt, p.rcv_nxt));
            CHECK(peer.sees() == nothing);
        }
        CHECK(peer.state() == p.s);
    }
}

TEST_CASE("a peer that has restarted learns of it by the answer to our challenge") {
    // RFC 9293 §3.5.1: it answers our ACK with RST at SEG.ACK, exactly RCV.NXT.
    scripted_peer peer = in_state(state::established);
    peer.sends(syn(400));
    const script_segment challenge = peer.sees();
    CHECK(challenge == ack(1001, 5001));
    peer.sends(rst(challenge.ack));
    CHECK(peer.state() == state::closed);
}

TEST_CASE(
    "an ACK of what was never sent, or far too old, is challenged (RFC 5961 section 5) "
    "[MAY-12]") {
    scripted_peer peer = in_state(state::established, without_limit());
    peer.sends(data(5001, 1002, "never sent"));
    CHECK(peer.sees() == ack(1001, 5001));
    peer.sends(data(5001, 1001U - 65'536, "too old"));
    CHECK(peer.sees() == ack(1001, 5001));
    CHECK(peer.connection->readable_bytes() == 0);
    CHECK(peer.counters.tcp_bad_acknowledgments == 2);
    peer.sends(data(5001, 1001U - 65'535, "ok"));
    CHECK(peer.reads() == "ok");
}

TEST_CASE("challenges can be limited for the stack as a whole (RFC 5961 section 7)") {
    script_options o;
    o.config.challenge_acks_per_second = 10;
    o.config.challenge_ack_interval = weft::duration::zero();
    scripted_peer peer = in_state(state::established, o);
    const auto storm = [&] {
        std::size_t answers = 0;
        for (int i = 0; i < 100; ++i) {
            peer.sends(rst(5010));
            answers += peer.sees_all().size();
        }
        return answers;
    };
    const std::size_t first = storm();
    CHECK(first >= 5);
    CHECK(first <= 15);
    CHECK(peer.counters.tcp_challenge_acks_limited == 100 - first);
    CHECK(storm() == 0);
    peer.waits(1s);
    CHECK(storm() >= 5);
}

TEST_CASE("a connection is challenged twice a second at most (RFC 5961 section 7)") {
    scripted_peer peer = in_state(state::established);
    std::size_t answers = 0;
    for (int i = 0; i < 1000; ++i) {
        peer.sends(i % 2 == 0 ? rst(5010) : syn(6000));
        answers += peer.sees_all().size();
        peer.waits(10ms);
    }
    CHECK(answers == 20);
    CHECK(peer.counters.tcp_challenge_acks == 20);
    CHECK(peer.counters.tcp_challenge_acks_limited == 980);
}

TEST_CASE("how often one connection is challenged tells another nothing (CVE-2016-5696)") {
    scripted_peer peer = in_state(state::established);
    std::vector<weft::net::tcp::connection*> others;
    for (std::uint16_t port = 1000; port < 1500; ++port) {
        weft::net::tcp::four_tuple another = scripted_peer::tuple();
        another.local_port = port;
        others.push_back(
            peer.demux.connect(another.local(), another.remote(), {}, peer.now).value());
        peer.sends_on(another, syn_ack(7000, peer.sees_last().end()));
        (void)peer.sees_all();
        for (int i = 0; i < 10; ++i) peer.sends_on(another, rst(7100));
    }
    CHECK(peer.counters.tcp_challenge_acks == 500);
    (void)peer.sees_all();
    peer.sends(rst(5010));
    CHECK(peer.sees() == ack(1001, 5001));
    for (auto* c : others) {
        c->abort(peer.now);
        c->release(peer.now);
    }
}

TEST_CASE("a RST of a connection with timestamps carries one (RFC 7323 section 3.2)") {
    script_options o{.config = {}, .peer_timestamps = true};
    const auto carries_one = [](const script_segment& s) {
        REQUIRE(s.has(tcp_flags::rst));
        REQUIRE(s.options.has_timestamps());
        CHECK(s.options.timestamps().echo >= 100'000);
    };
    scripted_peer aborts = in_state(state::established, o);
    aborts.aborts();
    carries_one(aborts.sees());

    scripted_peer orphan = in_state(state::fin_wait_2, o);
    orphan.releases();
    orphan.sends(data(5001, 1002, "late"));
    carries_one(orphan.sees());

    o.passive = true;
    scripted_peer half_open = in_state(state::syn_received, o);
    half_open.sends(ack(5001, 77));
    carries_one(half_open.sees());
    half_open.demux.close(*std::exchange(half_open.listener, nullptr), half_open.now);
    carries_one(half_open.sees());

    scripted_peer plain = in_state(state::established);
    plain.aborts();
    CHECK_FALSE(plain.sees().options.has_timestamps());
    scripted_peer nobody = in_state(state::closed, o);
    nobody.sends(ack(1, 1));
    CHECK_FALSE(nobody.sees().options.has_timestamps());
}

TEST_CASE("segments for nobody are answered as RFC 9293 section 3.10.7.1 says") {
    scripted_peer peer = in_state(state::closed);
    peer.sends(syn(100));
    CHECK(peer.sees() == rst_ack(0, 101));
    peer.sends(data(100, 77, "hello"));
    CHECK(peer.sees() == rst(77));
    script_segment bare;
    bare.seq = 100;
    bare.text = "12345";
    peer.sends(bare);
    CHECK(peer.sees() == rst_ack(0, 105));
    peer.sends(rst(100));
    peer.sends(rst_ack(100, 5));
    CHECK(peer.sees() == nothing);
}
}
