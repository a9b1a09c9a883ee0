#include "scripted_peer.hpp"

#include <doctest/doctest.h>

// What the two SYNs settle: RFC 9293 §3.7.1, RFC 7323 §2 and §3.

using namespace weft::test;
using weft::net::tcp::config;
using weft::net::tcp::state;

namespace {

constexpr config with_all_options{};

/// How much one segment of ours carries when there is plenty to send.
std::size_t full_segment(scripted_peer& peer) {
    peer.writes(stream_text(20'000));
    return peer.sees().text.size();
}

}  // namespace

TEST_SUITE("netstack.tcp.open.options") {
TEST_CASE(
    "a SYN announces MSS, window scale and timestamps; no other segment an MSS [MUST-14] "
    "[MUST-65] [SHLD-5] [MUST-67]") {
    scripted_peer peer = in_state(state::closed, {.config = with_all_options});
    peer.connection =
        peer.demux
            .connect(scripted_peer::tuple().local(), scripted_peer::tuple().remote(), {}, peer.now)
            .value();
    const script_segment s = peer.sees();
    CHECK(s.options.mss() == 1460);
    CHECK(s.options.has_window_scale());
    CHECK(s.options.has_timestamps());
    CHECK(s.options.timestamps().echo == 0);
    CHECK(s.window == 65535);  // never scaled on a SYN
    peer.sends(syn_ack(5000, 1001)
                   .with_mss(1460)
                   .with_scale(2)
                   .with_timestamps(77, s.options.timestamps().value));
    const script_segment third = peer.sees();
    CHECK_FALSE(third.options.has_mss());
    CHECK_FALSE(third.options.has_window_scale());
    CHECK(third.options.timestamps().echo == 77);
    peer.releases();
}

TEST_CASE("an answer offers only what the SYN offered (RFC 7323 sections 2.2 and 3.2)") {
    scripted_peer peer = in_state(state::listen, {.config = with_all_options});
    peer.sends(syn(5000));
    script_segment s = peer.sees();
    CHECK(s.options.mss() == 1460);
    CHECK_FALSE(s.options.has_window_scale());
    CHECK_FALSE(s.options.has_timestamps());

    scripted_peer other = in_state(state::listen, {.config = with_all_options});
    other.sends(syn(5000).with_scale(3).with_timestamps(42, 0));
    s = other.sees();
    CHECK(s.options.has_window_scale());
    CHECK(s.options.timestamps().echo == 42);
}

TEST_CASE("without an MSS option segments carry at most 536 bytes [MUST-15]") {
    scripted_peer peer = in_state(state::established, {.peer_mss = 0});
    CHECK(full_segment(peer) == 536);
}

TEST_CASE(
    "a segment carries no more than the peer takes, the path takes, and options leave "
    "[MUST-16]") {
    scripted_peer by_peer = in_state(state::established, {.peer_mss = 1000});
    CHECK(full_segment(by_peer) == 1000);
    scripted_peer by_path =
        in_state(state::established, {.peer_mss = 9000, .max_segment_bytes = 556});
    CHECK(full_segment(by_path) == 536);
    scripted_peer by_options =
        in_state(state::established,
                 {.config = with_all_options, .peer_mss = 1460, .peer_timestamps = true});
    CHECK(full_segment(by_options) == 1448);
}

TEST_CASE("an absurdly small MSS is not believed") {
    scripted_peer peer = in_state(state::established, {.peer_mss = 1});
    CHECK(full_segment(peer) >= 64);
}

TEST_CASE("a window is read unsigned and with its scale [MUST-1]") {
    script_options o{.config = with_all_options, .peer_window = 40'000, .peer_scale = 4};
    scripted_peer peer = in_state(state::established, o);
    CHECK(peer.connection->peer_window() == 40'000);  // of the SYN,ACK: unscaled
    peer.sends(ack(5001, 1001));
    CHECK(peer.connection->peer_window() == 640'000);
}

TEST_CASE("a shift beyond 14 is taken for 14 (RFC 7323 section 2.3)") {
    script_options o{.config = with_all_options, .peer_window = 1, .peer_scale = 200};
    scripted_peer peer = in_state(state::established, o);
    peer.sends(ack(5001, 1001));
    CHECK(peer.connection->peer_window() == 1U << 14);
}

TEST_CASE("our window is offered scaled only if the peer scales too") {
    script_options o{.config = with_all_options, .peer_scale = 0};
    o.connection.receive_buffer_bytes = 1U << 20;
    scripted_peer scaled = in_state(state::established, o);
    scaled.sends(data(5001, 1001, "x"));
    CHECK(*scaled.sees().window * 32U > 1'000'000);
    o.peer_scale.reset();
    scripted_peer plain = in_state(state::established, o);
    plain.sends(data(5001, 1001, "x"));
    const auto seen = plain.sees_all();  // one, not one after the other
    REQUIRE(seen.size() == 1);
    CHECK(seen[0].window >= 65'000);
}
}
