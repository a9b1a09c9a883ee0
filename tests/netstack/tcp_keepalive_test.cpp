#include "scripted_peer.hpp"

#include <doctest/doctest.h>

using namespace std::chrono_literals;
using namespace weft::test;
using weft::net::errc;
using weft::net::tcp::keepalive_options;
using weft::net::tcp::state;

// RFC 9293 §3.8.4.

namespace {

script_options with(const keepalive_options& k) {
    script_options o;
    o.connection.keepalive = k;
    return o;
}

constexpr keepalive_options quick{.enabled = true, .idle = 60s, .interval = 10s, .probes = 3};

}  // namespace

TEST_SUITE("netstack.tcp.keepalive") {
TEST_CASE("it is off unless asked for [MUST-25]") {
    scripted_peer peer = in_state(state::established);
    peer.waits(24h);
    CHECK(peer.sees() == nothing);
    CHECK(peer.state() == state::established);
}

TEST_CASE("when asked for it begins after two hours [MUST-24] [MUST-28] [MAY-5]") {
    scripted_peer peer = in_state(state::established, with({.enabled = true}));
    peer.waits(2h - 1s);
    CHECK(peer.sees() == nothing);
    peer.waits(2s);
    CHECK(peer.sees() == ack(1000, 5001));
}

TEST_CASE("a probe is an ACK one octet back, without data [SHLD-12]") {
    scripted_peer peer = in_state(state::established, with(quick));
    const script_segment probe = peer.waits_for_segment();
    CHECK(probe == ack(1000, 5001));
    CHECK(probe.text.empty());
    CHECK(probe.at >= 60s);
    CHECK(probe.at < 60s + 1ms);
    CHECK(peer.counters.tcp_keepalives_sent == 1);
}

TEST_CASE(
    "one that is not answered does not end the connection, as many as were asked for do "
    "[MUST-27] [MUST-29]") {
    scripted_peer peer = in_state(state::established, with(quick));
    for (int i = 0; i < 3; ++i) {
        const script_segment probe = peer.waits_for_segment();
        CHECK(probe == ack(1000, 5001));
        CHECK(probe.at >= 60s + i * 10s);
        CHECK(peer.state() == state::established);
    }
    peer.waits(11s);
    CHECK(peer.sees() == rst_ack(1001, 5001));  // should the peer be there after all
    CHECK(peer.state() == state::closed);
    CHECK(peer.connection->error() == errc::timed_out);
    CHECK(peer.elapsed() < 2min);
}

TEST_CASE("an answer begins the idle time anew") {
    scripted_peer peer = in_state(state::established, with(quick));
    for (int i = 0; i < 20; ++i) {
        CHECK(peer.waits_for_segment() == ack(1000, 5001));
        peer.waits(100ms);
        peer.sends(ack(5001, 1001));
        CHECK(peer.sees() == nothing);
    }
    CHECK(peer.state() == state::established);
    CHECK(peer.elapsed() >= 20 * 60s);
}

TEST_CASE(
    "a peer that answers lives, also when the interval is longer than the idle time "
    "[MUST-29]") {
    scripted_peer peer = in_state(
        state::established, with({.enabled = true, .idle = 10s, .interval = 75s, .probes = 2}));
    for (int i = 0; i < 20; ++i) {
        REQUIRE(peer.waits_for_segment() == ack(1000, 5001));
        peer.waits(100ms);
        peer.sends(ack(5001, 1001));
    }
    CHECK(peer.state() == state::established);
}

TEST_CASE("whatever comes from the peer puts a probe off [MUST-26]") {
    scripted_peer peer = in_state(state::established, with(quick));
    for (std::uint32_t i = 0; i < 10; ++i) {
        peer.waits(50s);
        peer.sends(data(5001 + i, 1001, "x"));
        peer.waits(1s);
        CHECK(peer.sees() == ack(1001, 5002 + i));
        CHECK(peer.sees() == nothing);
    }
    CHECK(peer.counters.tcp_keepalives_sent == 0);
}

TEST_CASE("while data is outstanding there is no probe [MUST-26]") {
    scripted_peer peer = in_state(state::established, with(quick));
    peer.writes("lost");
    (void)peer.sees();
    peer.waits(4min);
    for (const script_segment& s : peer.sees_all()) CHECK(s == data(1001, 5001, "lost"));
    CHECK(peer.counters.tcp_keepalives_sent == 0);
}

TEST_CASE("it can be turned on and off during the connection [MUST-24] [MUST-27]") {
    scripted_peer peer = in_state(state::established);
    peer.connection->set_keepalive(quick, peer.now);
    CHECK(peer.waits_for_segment() == ack(1000, 5001));
    peer.sends(ack(5001, 1001));
    peer.connection->set_keepalive({}, peer.now);
    peer.waits(24h);
    CHECK(peer.sees() == nothing);
    CHECK(peer.state() == state::established);
}

TEST_CASE("it does not disturb TIME-WAIT or the limit of an orphan") {
    scripted_peer peer = in_state(state::time_wait, with(quick));
    peer.waits(61s);
    CHECK(peer.state() == state::closed);
    CHECK(peer.sees() == nothing);
    scripted_peer orphan = in_state(state::fin_wait_2, with(quick));
    orphan.releases();
    orphan.waits(61s);
    CHECK(orphan.demux.connection_count() == 0);
}

TEST_CASE("a peer's probe is answered, whatever it carries") {
    scripted_peer peer = in_state(state::established);
    peer.sends(ack(5000, 1001));
    CHECK(peer.sees() == ack(1001, 5001));
    peer.sends(data(5000, 1001, "?"));  // with one octet of garbage
    CHECK(peer.sees() == ack(1001, 5001));
    CHECK(peer.connection->readable_bytes() == 0);
}
}
