#include "scripted_peer.hpp"

#include <doctest/doctest.h>

using namespace std::chrono_literals;
using namespace weft::test;
using weft::net::tcp::state;

// Frames that a device puts together of many segments, or cuts into many.

namespace {

script_options with_offload() {
    script_options o;
    o.config.window_scaling = true;
    o.peer_scale = 7;
    o.peer_window = 10'000;
    o.offload_bytes = 65'455;
    return o;
}

}  // namespace

TEST_SUITE("netstack.tcp.offload") {
TEST_CASE("a large frame is cut at the segment size and filled to a multiple of it") {
    scripted_peer peer = in_state(state::established, with_offload());
    peer.sends(ack(5001, 1001));
    peer.writes(stream_text(100'000));
    const script_segment s = peer.sees();
    CHECK(s.segment_bytes == 1460);
    CHECK(s.text.size() == 14'600);  // the initial window: ten segments
}

TEST_CASE("no frame is larger than the device can cut or the packet can say") {
    scripted_peer peer = in_state(state::established, with_offload());
    peer.sends(ack(5001, 1001));
    std::uint32_t largest = 0;
    for (int i = 0; i < 30; ++i) {
        peer.writes(stream_text(200'000));
        std::uint32_t end = 0;
        for (const script_segment& s : peer.sees_all()) {
            largest = std::max(largest, static_cast<std::uint32_t>(s.text.size()));
            if (s.segment_bytes == 0) CHECK(s.text.size() <= 1460);
            end = s.end();
        }
        if (end != 0) peer.sends(ack(5001, end));
    }
    CHECK(largest == 65'455 / 1460 * 1460);
}

TEST_CASE(
    "an ACK in the middle of a large frame leaves its rest in flight, sent again as it "
    "was") {
    scripted_peer peer = in_state(state::established, with_offload());
    peer.sends(ack(5001, 1001));
    peer.writes(stream_text(14'600));
    (void)peer.sees_all();
    peer.sends(ack(5001, 1001 + 5000));
    CHECK(peer.connection->unacked_bytes() == 9600);
    const script_segment again = peer.waits_for_segment();
    CHECK((again == data(6001, 5001, stream_text(again.text.size(), 5000))));
}

TEST_CASE("a frame made of two segments is acknowledged at once [SHLD-19]") {
    scripted_peer peer = in_state(state::established);
    std::uint32_t next = 5001;
    for (int i = 0; i < 20; ++i) {  // past the quick ACKs
        peer.sends(data(next, 1001, stream_text(1460)));
        next += 1460;
        peer.waits(100ms);
        (void)peer.reads();
        (void)peer.sees_all();
    }
    peer.sends(data(next, 1001, stream_text(2920)).made_of(1460));
    CHECK(peer.sees() == ack(1001, next + 2920));
    next += 2920;
    peer.sends(data(next, 1001, stream_text(1460)).made_of(1460));
    CHECK(peer.sees() == nothing);
    // The frame's size is not taken for the peer's segment size.
    peer.sends(data(next + 1460, 1001, stream_text(1460)));
    CHECK(peer.sees() == ack(1001, next + 2920));
}

TEST_CASE("a large frame behind a gap counts for the duplicates of its segments") {
    scripted_peer peer = in_state(state::established);
    peer.sends(data(6461, 1001, stream_text(5 * 1460, 1460)).made_of(1460));
    const auto seen = peer.sees_all();
    CHECK(seen.size() == 5);
    for (const script_segment& s : seen) CHECK(s == ack(1001, 5001));
    peer.sends(data(5001, 1001, stream_text(1460)));
    CHECK(peer.sees() == ack(1001, 5001 + 6 * 1460));
    CHECK((peer.reads() == stream_text(6 * 1460)));
}
}
