#include "scripted_peer.hpp"

#include <doctest/doctest.h>

using namespace std::chrono_literals;
using namespace weft::test;
using weft::net::slice;
using weft::net::tcp::sequence_number;
using weft::net::tcp::state;

// Sequence numbers that go round: what was remembered long ago must not be compared as if it were
// new. More than 4 GiB pass in each direction; the text itself is not looked at here.

namespace {

constexpr std::uint64_t round_trip = (std::uint64_t{1} << 32) + (std::uint64_t{1} << 26);

script_options large_windows() {
    script_options o;
    o.config.window_scaling = true;
    o.peer_scale = 10;
    o.peer_window = 16'000;
    o.offload_bytes = 65'455;
    o.connection.send_buffer_bytes = 4U << 20;
    o.connection.receive_buffer_bytes = 4U << 20;
    return o;
}

void receives(scripted_peer& peer, std::uint32_t& seq, std::uint32_t acknowledges, slice text) {
    weft::net::tcp::segment seg;
    seg.seq = sequence_number{seq};
    seg.ack = sequence_number{acknowledges};
    seg.wnd = 16'000;
    seg.flags = tcp_flags::ack;
    seg.segment_bytes = text.empty() ? 0 : 1460;
    seg.text = std::move(text);
    seq += seg.text.size();
    peer.demux.on_segment(scripted_peer::tuple(), seg, peer.now);
}

/// Lets out what there is; returns the end of the last segment with text, and counts its octets.
std::uint32_t drain(scripted_peer& peer, std::uint32_t end, std::uint64_t* count = nullptr) {
    weft::net::tx_slot slot;
    while (auto* c = peer.demux.transmitting()) {
        weft::net::tcp::outgoing out;
        const bool has_sent = c->poll_segment(out, slot, peer.now);
        peer.demux.end_turn(*c, has_sent, peer.now);
        if (has_sent && slot.payload_bytes != 0) {
            if (count != nullptr) *count += slot.payload_bytes;
            end = out.header.sequence + slot.payload_bytes;
        }
        slot.clear();
    }
    return end;
}

}  // namespace

TEST_SUITE("netstack.tcp.wrap") {
TEST_CASE("numbers of both sides cross 2^32 in a conversation, with a loss on the crossing") {
    script_options o;
    o.iss = 0xffff'fffe;
    o.irs = 0xffff'fffd;
    scripted_peer peer = in_state(state::established, o);
    peer.writes("hello");
    CHECK(peer.sees() == data(0xffff'ffff, 0xffff'fffe, "hello"));
    CHECK(peer.waits_for_segment() == data(0xffff'ffff, 0xffff'fffe, "hello"));
    peer.sends(data(0xffff'fffe, 2, "wor"));
    CHECK(peer.sees() == ack(4, 1));
    CHECK(peer.waits_for_segment() == data(2, 1, "lo"));
    CHECK(peer.reads() == "wor");
    peer.sends(data(4, 4, "d"));  // out of order, beyond the turn
    CHECK(peer.sees() == ack(4, 1));
    peer.sends(data(1, 4, "--l"));
    CHECK(peer.reads() == "--ld");
    peer.sends(fin_ack(5, 4));
    REQUIRE(peer.closes());
    CHECK(peer.sees_last() == fin_ack(4, 6));
    peer.sends(ack(6, 5));
    CHECK(peer.state() == state::closed);
}

TEST_CASE("the SYN itself may stand on the last number") {
    script_options o;
    o.iss = 0xffff'ffff;
    o.irs = 0xffff'ffff;
    for (const bool passive : {false, true}) {
        o.passive = passive;
        scripted_peer peer = in_state(state::established, o);
        peer.writes("a");
        CHECK(peer.sees() == data(0, 0, "a"));
    }
    scripted_peer lost = in_state(state::syn_sent, o = {.iss = 0xffff'ffff});
    CHECK(lost.waits_for_segment() == syn(0xffff'ffff));
    lost.sends(syn_ack(5000, 0));
    CHECK(lost.state() == state::established);
}

TEST_CASE("a receiver of more than 4 GiB goes on as before: order, duplicates, resets, FIN") {
    scripted_peer peer = in_state(state::established, large_windows());
    std::uint32_t seq = 5001;
    const slice frame = [&] {
        slice s = peer.pool.allocate(weft::net::block_size::large);
        std::fill_n(s.data(), 65'000, std::byte{'x'});
        s.extend(65'000);
        return s;
    }();
    std::uint64_t passed = 0;
    for (int i = 0; passed < round_trip; ++i) {
        receives(peer, seq, 1001, frame);
        passed += frame.size();
        peer.connection->consume(peer.connection->readable_bytes(), peer.now);
        (void)drain(peer, 0);
        if (i % 10'000 != 0) continue;
        // Wherever it stands now: an old segment is old, a later one waits, a RST is
        // challenged.
        REQUIRE(peer.connection->readable_bytes() == 0);
        const auto duplicates = peer.counters.tcp_duplicate_segments;
        peer.sends(data(seq - 500, 1001, "old"));
        REQUIRE(peer.counters.tcp_duplicate_segments == duplicates + 1);
        REQUIRE(peer.sees() == ack(1001, seq));
        peer.sends(data(seq + 1, 1001, "b"));
        REQUIRE(peer.sees() == ack(1001, seq));
        peer.sends(data(seq, 1001, "a"));
        seq += 2;
        REQUIRE(peer.sees() == ack(1001, seq));
        REQUIRE(peer.reads() == "ab");
        peer.sends(rst(seq - 70'000));
        REQUIRE(peer.state() == state::established);
    }
    CHECK(peer.counters.tcp_challenge_acks == 0);
    peer.sends(data(seq, 1001, "a").with_urgent(1));
    CHECK(peer.connection->urgent_bytes() == 1);
    CHECK(peer.reads() == "a");
    peer.writes("z");
    CHECK(peer.sees() == data(1001, seq + 1, "z"));
    peer.sends(fin_ack(seq + 1, 1002));
    CHECK(peer.state() == state::close_wait);
    CHECK(peer.connection->unacked_bytes() == 0);
}

TEST_CASE("a sender of more than 4 GiB goes on as before: losses, timeouts, ICMP, FIN") {
    scripted_peer peer = in_state(state::established, large_windows());
    std::uint32_t theirs = 5001;
    receives(peer, theirs, 1001, {});
    const std::string chunk(1U << 18, 'x');
    std::uint32_t end = 1001;
    std::uint64_t passed = 0;
    std::uint64_t fast = 0;
    for (std::uint64_t i = 0; passed < round_trip; ++i) {
        peer.writes(chunk);
        const std::uint32_t una = end;
        end = drain(peer, end, &passed);
        if (i % 2000 == 1999 && end != una) {
            // The first is lost: three duplicates bring it back, wherever the numbers stand.
            for (int d = 0; d < 3; ++d) receives(peer, theirs, una, {});
            REQUIRE(peer.counters.tcp_fast_retransmits == ++fast);
            (void)drain(peer, end);
        }
        receives(peer, theirs, end, {});
    }
    CHECK(fast >= 5);
    end = drain(peer, end);
    receives(peer, theirs, end, {});
    while (peer.connection->unacked_bytes() != 0) {
        end = drain(peer, end);
        receives(peer, theirs, end, {});
    }
    CHECK(peer.counters.tcp_challenge_acks == 0);
    CHECK(peer.counters.tcp_bad_acknowledgments == 0);
    peer.writes("tail");
    CHECK(peer.sees() == data(end, 5001, "tail"));
    peer.icmp(weft::net::errc::host_unreachable, false, end);
    CHECK(peer.connection->take_soft_error());
    CHECK(peer.waits_for_segment() == data(end, 5001, "tail"));
    REQUIRE(peer.closes());
    CHECK(peer.sees() == fin_ack(end + 4, 5001));
    peer.sends(ack(5001, end + 5));
    CHECK(peer.state() == state::fin_wait_2);
}
}
