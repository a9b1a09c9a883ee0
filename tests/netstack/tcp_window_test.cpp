#include "scripted_peer.hpp"

#include <doctest/doctest.h>

#include <random>

using namespace std::chrono_literals;
using namespace weft::test;
using weft::net::tcp::state;

// The window that we offer: RFC 9293 §3.8.6.2.2. The peer's is in tcp_persist_test.cpp.

namespace {

scripted_peer with_buffer(std::uint32_t bytes) {
    script_options o;
    o.connection.receive_buffer_bytes = bytes;
    return scripted_peer{state::established, o};
}

/// Fills our buffer of `bytes` to the last one.
void fill(scripted_peer& peer, std::uint32_t bytes) {
    for (std::uint32_t at = 0; at < bytes;) {
        const std::uint32_t size = std::min(1000U, bytes - at);
        peer.sends(data(5001 + at, 1001, stream_text(size, at)));
        at += size;
    }
}

}  // namespace

TEST_SUITE("netstack.tcp.window") {
TEST_CASE("unread bytes close the window, down to zero") {
    scripted_peer peer = with_buffer(4000);
    fill(peer, 4000);
    const script_segment answer = peer.sees_last();
    CHECK(answer == ack(1001, 9001));
    CHECK(answer.window == 0);
}

TEST_CASE(
    "a window that opens by little is not offered; by a segment or half the buffer it is "
    "[MUST-39]") {
    scripted_peer peer = with_buffer(4000);
    fill(peer, 4000);
    (void)peer.sees_all();
    CHECK(peer.reads(1000).size() == 1000);
    CHECK(peer.sees() == nothing);
    CHECK(peer.reads(400).size() == 400);
    CHECK(peer.sees() == nothing);
    CHECK(peer.reads(100).size() == 100);  // 1500: more than a full segment
    const script_segment update = peer.sees();
    CHECK(update == ack(1001, 9001));
    CHECK(update.window == 1500);
    CHECK(peer.sees() == nothing);
}

TEST_CASE("in a buffer smaller than two segments half of it is enough [MUST-39]") {
    scripted_peer peer = with_buffer(2048);
    fill(peer, 2048);
    (void)peer.sees_all();
    (void)peer.reads(1023);
    CHECK(peer.sees() == nothing);
    (void)peer.reads(1);
    CHECK(peer.sees().window == 1024);
}

TEST_CASE("a window that is small but open does not creep by what is read [MUST-39]") {
    scripted_peer peer = with_buffer(4000);
    fill(peer, 3900);
    CHECK(peer.sees_last().window == 100);
    (void)peer.reads(1);
    peer.sends(ack(8901, 1001));
    peer.sends(data(8901, 1001, stream_text(50, 3900)));
    CHECK(peer.sees_last().window == 50);  // the edge stays at 9001
}

TEST_CASE("one turn that takes the whole window and reads it offers a whole window again") {
    scripted_peer peer = with_buffer(65'535);
    fill(peer, 65'535);
    CHECK(peer.reads().size() == 65'535);
    const auto seen = peer.sees_all();
    REQUIRE(seen.size() == 1);
    CHECK(seen[0] == ack(1001, 5001 + 65'535));
    CHECK(seen[0].window == 65'535);
}

TEST_CASE(
    "a window that was closed is opened at once when everything is read, however it was "
    "filled") {
    script_options o;
    o.config.window_scaling = true;
    o.peer_scale = 7;
    o.connection.receive_buffer_bytes = 1U << 20;
    scripted_peer peer = in_state(state::established, o);
    std::uint32_t next = 5001;
    std::uint32_t edge = 5001 + 65'535;
    for (int i = 0; i < 100; ++i) {
        // Everything that the peer may send, as large frames, in one turn.
        while (next != edge) {
            const std::uint32_t size = std::min(edge - next, 60'000U);
            peer.sends(data(next, 1001, stream_text(size, next)).made_of(1460));
            next += size;
        }
        REQUIRE(!peer.reads().empty());
        const script_segment answer = peer.sees_last();
        REQUIRE(answer == ack(1001, next));
        edge = answer.ack + *answer.window * 32U;
        REQUIRE(edge - next >= (1U << 20) - 32);
    }
}

TEST_CASE("the right edge never moves left, whatever arrives and is read [SHLD-14]") {
    for (const bool scaled : {false, true}) {
        for (std::uint32_t seed = 1; seed <= 10; ++seed) {
            CAPTURE(seed);
            std::mt19937 random{seed};
            script_options o;
            o.config.window_scaling = scaled;
            o.peer_scale = 2;
            o.connection.receive_buffer_bytes =
                2048 + static_cast<std::uint32_t>(random()) % 300'000;
            scripted_peer peer = in_state(state::established, o);
            std::uint32_t shift = 0;
            while (scaled && o.connection.receive_buffer_bytes >> shift > 65'535) ++shift;
            std::uint32_t next = 5001;
            std::uint32_t edge = 5001 + std::min(o.connection.receive_buffer_bytes, 65'535U);
            for (int step = 0; step < 1000; ++step) {
                const std::uint32_t room = edge - next;
                if (room != 0 && random() % 3 != 0) {
                    const std::uint32_t size =
                        std::min(room, 1 + static_cast<std::uint32_t>(random()) % 1460);
                    peer.sends(data(next, 1001, stream_text(size, next)));
                    next += size;
                }
                if (random() % 4 == 0) (void)peer.reads(random() % 5000);
                for (const script_segment& s : peer.sees_all()) {
                    REQUIRE(s.ack == next);
                    const std::uint32_t offered = s.ack + (std::uint32_t{*s.window} << shift);
                    // A scaled field cannot say every number: RFC 7323 §2.4.
                    const std::uint32_t unsayable = (1U << shift) - 1;
                    REQUIRE(offered + unsayable - edge < 0x8000'0000);
                    if (offered - edge < 0x8000'0000) edge = offered;
                    // No more than there is room for, but for the rounding of a scaled field.
                    REQUIRE(edge - next <= o.connection.receive_buffer_bytes -
                                               peer.connection->readable_bytes() + 2 * unsayable);
                }
            }
        }
    }
}

TEST_CASE("text beyond the window is cut off, and its FIN with it") {
    scripted_peer peer = with_buffer(4000);
    fill(peer, 3000);
    CHECK(peer.sees_last().window == 1000);
    peer.sends(fin_ack(8001, 1001, stream_text(1400, 3000)));
    CHECK(peer.sees_last() == ack(1001, 9001));
    CHECK(peer.state() == state::established);
    CHECK((peer.reads() == stream_text(4000)));
}

TEST_CASE("a probe of our closed window is answered and its octet not taken") {
    scripted_peer peer = with_buffer(2048);
    fill(peer, 2048);
    (void)peer.sees_all();
    for (int i = 0; i < 3; ++i) {
        peer.sends(data(7049, 1001, "p"));
        const script_segment answer = peer.sees();
        CHECK(answer == ack(1001, 7049));
        CHECK(answer.window == 0);
    }
    CHECK((peer.reads() == stream_text(2048)));
}

TEST_CASE("at a closed window ACKs, with text or without, still count [MUST-66]") {
    scripted_peer peer = with_buffer(2048);
    fill(peer, 2048);
    (void)peer.sees_all();
    peer.writes("one");
    CHECK(peer.sees() == data(1001, 7049, "one"));
    peer.sends(data(7049, 1004, "text that has no room"));
    CHECK(peer.connection->unacked_bytes() == 0);
    peer.writes("two");
    CHECK(peer.sees_last() == data(1004, 7049, "two"));
    peer.sends(ack(7049, 1007));
    CHECK(peer.connection->unacked_bytes() == 0);
}

TEST_CASE("at a closed window RST and URG still count [MUST-66]") {
    scripted_peer urgent = with_buffer(2048);
    fill(urgent, 2048);
    (void)urgent.sees_all();
    urgent.sends(data(7049, 1001, "!").with_urgent(1));
    CHECK(urgent.connection->urgent_bytes() != 0);
    CHECK(urgent.sees().window == 0);

    scripted_peer reset = with_buffer(2048);
    fill(reset, 2048);
    (void)reset.sees_all();
    reset.sends(rst(7050));
    CHECK(reset.state() == state::established);
    reset.sends(rst(7049));
    CHECK(reset.state() == state::closed);
}

TEST_CASE("at a closed window a bare FIN needs no room") {
    scripted_peer peer = with_buffer(2048);
    fill(peer, 2048);
    (void)peer.sees_all();
    peer.sends(fin_ack(7049, 1001));
    CHECK(peer.state() == state::close_wait);
    CHECK(peer.sees() == ack(1001, 7050));
}

TEST_CASE("at a closed window a FIN behind text counts no more than the text") {
    scripted_peer peer = with_buffer(2048);
    fill(peer, 2048);
    (void)peer.sees_all();
    peer.sends(fin_ack(7049, 1001, "no room"));
    CHECK(peer.state() == state::established);
    CHECK(peer.sees() == ack(1001, 7049));
}

TEST_CASE("a FIN at a closed window leaves it closed") {
    scripted_peer peer = with_buffer(2048);
    fill(peer, 2048);
    peer.sends(fin_ack(7049, 1001));
    CHECK(peer.sees_last().window == 0);
    peer.sends(rst(7060));  // outside of it, so neither obeyed nor challenged
    CHECK(peer.sees() == nothing);
    CHECK(peer.state() == state::close_wait);
}

TEST_CASE("what is looked at in place and dropped opens the window as reading does") {
    scripted_peer peer = with_buffer(4000);
    fill(peer, 4000);
    (void)peer.sees_all();
    while (peer.connection->readable_bytes() != 0) {
        peer.connection->consume(static_cast<std::uint32_t>(peer.connection->view().size()),
                                 peer.now);
    }
    CHECK(peer.sees_last().window == 4000);
}

TEST_CASE("a handshake is not followed by a window update of its own") {
    script_options o;
    o.config.window_scaling = true;
    o.peer_scale = 7;
    for (const bool passive : {false, true}) {
        o.passive = passive;
        scripted_peer peer = in_state(state::established, o);
        CHECK(peer.sees() == nothing);
    }
}

TEST_CASE("what waits unread in small segments does not pin a frame's block each") {
    scripted_peer peer = with_buffer(65'535);
    for (std::uint32_t i = 0; i < 5000; ++i) {
        peer.sends(data(5001 + i, 1001, "x"));
        if (i % 50 == 0) (void)peer.sees_all();
    }
    (void)peer.sees_all();
    CHECK(peer.pool.bytes_out() < 64 * 1024);
    CHECK(peer.reads() == std::string(5000, 'x'));
}

TEST_CASE("text behind a gap takes half of the memory at most; what fills the gap still gets in") {
    script_options o;
    o.pool_bytes = 64 * 1024;
    scripted_peer peer = in_state(state::established, o);
    for (std::uint32_t at = 1000; at < 60'000; at += 1000) {
        peer.sends(data(5001 + at, 1001, stream_text(5, at)));
    }
    CHECK(peer.counters.tcp_out_of_order_dropped > 0);
    CHECK(peer.pool.bytes_out() <= o.pool_bytes / 2 + 2 * 2048);
    std::string got;
    for (std::uint32_t at = 0; at < 60'000; at += 1000) {
        peer.sends(data(5001 + at, 1001, stream_text(1000, at)));
        got += peer.reads();
    }
    CHECK((got == stream_text(60'000)));
    CHECK(peer.pool.bytes_out() == 0);
}

TEST_CASE("short of memory, text is dropped and counted, and taken when there is memory again") {
    script_options o;
    o.pool_bytes = 64 * 1024;
    scripted_peer peer = in_state(state::established, o);
    std::vector<weft::net::slice> hoard;
    while (peer.pool.bytes_in_use() + 2 * 2048 <= o.pool_bytes) {
        hoard.push_back(peer.pool.allocate(weft::net::block_size::small));
    }
    peer.sends(fin_ack(5001, 1001, "no room"));
    CHECK(peer.counters.tcp_memory_dropped == 1);
    CHECK(peer.state() == state::established);
    hoard.clear();
    peer.sends(fin_ack(5001, 1001, "no room"));
    CHECK(peer.state() == state::close_wait);
    CHECK(peer.reads() == "no room");
}
}
