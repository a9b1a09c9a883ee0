#include "scripted_peer.hpp"
#include "stack_link.hpp"

#include <doctest/doctest.h>

using namespace std::chrono_literals;
using namespace weft::test;
using weft::net::tcp::state;

// What the opening of a connection settles: the MSS that is announced, and windows beyond 16 bits.

namespace {

/// The MSS that a stack behind a device of that MTU announces.
std::optional<std::uint16_t> announced(std::uint32_t mtu) {
    weft::test::stack_link link{{.mtu = mtu}};
    link.introduce_peer();
    weft::net::tcp::connection* c =
        link.ours.connect({stack_link::peer_ip, 80}, {}, link.now).value();
    const weft::net::wire::tcp_options options = link.segment().segment->options;
    c->abort(link.now);
    c->release(link.now);
    if (!options.has_mss()) return {};
    return options.mss();
}

}  // namespace

TEST_SUITE("netstack.requirements.open") {
TEST_CASE("the MSS is announced also where it is the default (MAY-3)") {
    CHECK(announced(576) == 536);
    CHECK(announced(1500) == 1460);
}

TEST_CASE("the MSS is announced from the device's MTU, the smallest where it varies (SHLD-6)") {
    CHECK(announced(1280) == 1240);
    // A path that takes less says nothing about what we can receive.
    stack_link link;
    link.introduce_peer();
    const auto open = [&] {
        return link.ours.connect({stack_link::peer_ip, 80}, {}, link.now).value();
    };
    weft::net::tcp::connection* first = open();
    const std::uint32_t quoted = link.segment().segment->header.sequence;
    link.ours.tcp().on_packet_too_big(first->tuple(), 600, 1500,
                                      weft::net::tcp::sequence_number{quoted}, link.now);
    (void)link.frames();
    weft::net::tcp::connection* second = open();
    CHECK(link.segment().segment->options.mss() == 1460);
    for (weft::net::tcp::connection* c : {first, second}) {
        c->abort(link.now);
        c->release(link.now);
    }
}

TEST_CASE("windows and what is reckoned with them have 32 bits (REC-1)") {
    scripted_peer peer = in_state(
        state::established,
        {.config = {.window_scaling = true, .timestamps = false, .initial_window_segments = 255},
         .connection = {.send_buffer_bytes = 1U << 20, .receive_buffer_bytes = 1U << 26},
         .peer_scale = 14});
    // Of the peer's window: the largest there is, and more in flight than 16 bits can count.
    peer.sends(ack(5001, 1001).with_window(65535));
    CHECK(peer.connection->peer_window() == 65535U << 14);
    peer.writes(stream_text(1U << 20));
    (void)peer.sees_all();
    CHECK(peer.connection->unacked_bytes() > 0x1'0000);
    CHECK(peer.connection->unacked_bytes() == peer.connection->bytes_in_flight());
    const std::uint32_t sent = peer.connection->unacked_bytes();
    peer.sends(ack(5001, 1001 + sent).with_window(65535));
    CHECK(peer.connection->unacked_bytes() == 0);

    // Of ours: text behind a gap wider than 16 bits lies inside what we have offered.
    (void)peer.sees_all();
    peer.sends(data(5001 + 0x20'0000, 1001 + sent, "far"));
    peer.sends(data(5001, 1001 + sent, stream_text(1000)));
    CHECK(peer.counters.tcp_out_of_order_segments == 1);
    const script_segment answer = peer.sees_last();
    CHECK((std::uint32_t{*answer.window} << 10) > 0x20'0000);
    for (std::uint32_t at = 1000; at < 0x20'0000; at += 32768) {
        const std::uint32_t size = std::min(32768U, 0x20'0000 - at);
        peer.sends(data(5001 + at, 1001 + sent, stream_text(size, at)));
    }
    CHECK(peer.connection->readable_bytes() == 0x20'0003);
}
}
