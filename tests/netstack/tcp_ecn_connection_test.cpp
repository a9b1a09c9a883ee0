#include "scripted_peer.hpp"

#include <weft/net/tcp/connection_info.hpp>

#include <doctest/doctest.h>

#include <algorithm>

using namespace std::chrono_literals;
using namespace weft::test;
using weft::net::tcp::ecn_mode;
using weft::net::tcp::recovery_phase;
using weft::net::tcp::state;
namespace codepoint = weft::net::wire::ecn;

// RFC 3168 §6.1 in a connection: the bits of its SYNs, the marks of its packets, what it makes of
// ECE.

namespace {

constexpr tcp_flags ece = tcp_flags::ece;
constexpr tcp_flags cwr = tcp_flags::cwr;
constexpr tcp_flags both = ece | cwr;

script_options asking(ecn_mode mode = ecn_mode::request) {
    return {.config = {.window_scaling = false, .timestamps = false, .ecn = mode}};
}

/// To ESTABLISHED, as the side that asked and was agreed with.
void agree(scripted_peer& peer) {
    peer.opens_actively();
    REQUIRE(peer.sees() == syn(1000).with(both));
    peer.sends(syn_ack(5000, 1001).with(ece));
    REQUIRE(peer.sees() == ack(1001, 5001));
    REQUIRE(peer.state() == state::established);
}

std::uint8_t mark_of(const script_segment& s) { return s.traffic_class & codepoint::mask; }

}  // namespace

TEST_SUITE("netstack.tcp.ecn.connection") {
TEST_CASE("a SYN asks with ECE and CWR in a packet that may not be marked (SHLD-8)") {
    scripted_peer peer{state::closed, asking()};
    peer.opens_actively();
    const script_segment first = peer.sees();
    CHECK(first == syn(1000).with(both));
    CHECK(mark_of(first) == codepoint::not_ect);
    peer.sends(syn_ack(5000, 1001).with(ece));
    const script_segment answer = peer.sees();
    CHECK(answer == ack(1001, 5001));
    CHECK(mark_of(answer) == codepoint::not_ect);  // a pure ACK, too (section 6.1.4)
    CHECK(peer.connection->info(peer.now).has_ecn);
}

TEST_CASE("asked, a listener agrees with ECE; not asked, or unwilling, it does not (SHLD-8)") {
    for (const auto& [mode, asked, flags] :
         {std::tuple{ecn_mode::accept, both, ece}, std::tuple{ecn_mode::request, both, ece},
          std::tuple{ecn_mode::off, both, tcp_flags{}},
          std::tuple{ecn_mode::accept, tcp_flags{}, tcp_flags{}},
          std::tuple{ecn_mode::accept, ece, tcp_flags{}}}) {
        scripted_peer peer{state::listen, asking(mode)};
        peer.sends(syn(5000).with(asked));
        const script_segment answer = peer.sees();
        CHECK(answer == syn_ack(1000, 5001).with(flags));
        CHECK(mark_of(answer) == codepoint::not_ect);
    }
}

TEST_CASE("a SYN that was lost is sent again without asking (RFC 3168 section 6.1.1.1)") {
    scripted_peer peer{state::closed, asking()};
    peer.opens_actively();
    CHECK(peer.sees() == syn(1000).with(both));
    CHECK(peer.waits_for_segment() == syn(1000));
    peer.sends(syn_ack(5000, 1001));
    CHECK(peer.sees() == ack(1001, 5001));
    peer.writes("text");
    CHECK(mark_of(peer.sees()) == codepoint::not_ect);
}

TEST_CASE("a peer that repeats its SYN without asking gets an answer without agreement") {
    scripted_peer peer{state::listen, asking(ecn_mode::accept)};
    peer.sends(syn(5000).with(both));
    CHECK(peer.sees() == syn_ack(1000, 5001).with(ece));
    peer.sends(syn(5000));
    CHECK(peer.sees() == syn_ack(1000, 5001));
}

TEST_CASE("a peer that reflects both bits has agreed to nothing (RFC 3168 section 6.1.1.2)") {
    scripted_peer peer{state::closed, asking()};
    peer.opens_actively();
    (void)peer.sees();
    peer.sends(syn_ack(5000, 1001).with(both));
    CHECK(peer.sees() == ack(1001, 5001));
    peer.writes("text");
    CHECK(mark_of(peer.sees()) == codepoint::not_ect);
    peer.sends(data(5001, 1005, "marked").marked(codepoint::ce));
    peer.waits(1s);
    CHECK(peer.sees() == ack(1005, 5007));
}

TEST_CASE("new text may be marked, what is sent again may not (RFC 3168 section 6.1.5)") {
    scripted_peer peer{state::closed, asking()};
    agree(peer);
    peer.writes("text");
    const script_segment first = peer.sees();
    CHECK(first == data(1001, 5001, "text"));
    CHECK(mark_of(first) == codepoint::ect0);
    const script_segment again = peer.waits_for_segment();
    REQUIRE(again.retransmission);
    CHECK(mark_of(again) == codepoint::not_ect);
    peer.sends(ack(5001, 1005));
    (void)peer.closes();
    const script_segment fin = peer.sees();
    CHECK(fin == fin_ack(1005, 5001));
    CHECK(mark_of(fin) == codepoint::not_ect);  // no text in it
}

TEST_CASE("a probe of a closed window is not marked (RFC 3168 section 6.1.6)") {
    scripted_peer peer{state::closed, asking()};
    agree(peer);
    peer.sends(ack(5001, 1001).with_window(0));
    peer.writes("text");
    const script_segment probe = peer.waits_for_segment();
    CHECK(probe == data(1001, 5001, "t"));
    CHECK(mark_of(probe) == codepoint::not_ect);
}

TEST_CASE("the Diffserv field stays as the user set it beside the mark (SHLD-22)") {
    script_options o = asking();
    o.connection.traffic_class = 0xb8;
    scripted_peer peer{state::closed, o};
    agree(peer);
    peer.writes("text");
    CHECK(peer.sees().traffic_class == (0xb8 | codepoint::ect0));
}

TEST_CASE("a mark is echoed at once and in every ACK, until CWR comes (RFC 3168 section 6.1.3)") {
    scripted_peer peer{state::closed, asking()};
    agree(peer);
    for (int i = 0; i < 10; ++i) {  // past the quick ACKs of the beginning
        peer.sends(data(5001 + static_cast<std::uint32_t>(i), 1001, "x"));
        peer.waits(1s);
        CHECK_FALSE(peer.sees_last().has(ece));
    }
    peer.sends(data(5011, 1001, "a").marked(codepoint::ce));
    CHECK(peer.sees() == ack(1001, 5012).with(ece));
    peer.writes("text");  // what carries an ACK carries the echo
    CHECK(peer.sees() == data(1001, 5012, "text").with(ece));
    peer.sends(data(5012, 1005, "b"));
    peer.waits(1s);
    CHECK(peer.sees_last() == ack(1005, 5013).with(ece));
    peer.sends(data(5013, 1005, "c").with(cwr));
    CHECK(peer.sees() == ack(1005, 5014));
    CHECK(peer.counters.tcp_ecn_marks_received == 1);
}

TEST_CASE("a mark outside the window is not believed (RFC 3168 section 6.1.5)") {
    scripted_peer peer{state::closed, asking()};
    agree(peer);
    peer.sends(data(5001, 1001, "a"));
    CHECK(peer.sees() == ack(1001, 5002));
    peer.sends(data(5001, 1001, "a").marked(codepoint::ce));  // an old one
    CHECK_FALSE(peer.sees_last().has(ece));
    peer.sends(data(900'000, 1001, "a").marked(codepoint::ce));
    CHECK_FALSE(peer.sees_last().has(ece));
    peer.sends(ack(5002, 1001).marked(codepoint::ce));  // a pure ACK
    CHECK(peer.counters.tcp_ecn_marks_received == 0);
}

TEST_CASE(
    "an echo reduces the window once, and the next new text says so (RFC 3168 section 6.1.2)") {
    scripted_peer peer{state::closed, asking()};
    agree(peer);
    constexpr std::uint32_t mss = 1460;
    peer.writes(stream_text(100 * mss));
    CHECK(peer.sees_all().size() == 10);
    const std::uint32_t before = peer.connection->congestion_window();
    // The first of ten segments came with a mark; every ACK from now on carries the echo.
    peer.sends(ack(5001, 1001 + mss).with(ece));
    CHECK(peer.counters.tcp_ecn_reductions == 1);
    CHECK(peer.connection->slow_start_threshold() < before);
    CHECK(peer.connection->info(peer.now).recovery == recovery_phase::reduction);
    bool told = false;
    for (std::uint32_t n = 2; n <= 10; ++n) {
        for (const script_segment& s : peer.sees_all()) {
            CHECK_FALSE(s.retransmission);
            CHECK(mark_of(s) == codepoint::ect0);
            CHECK(s.has(cwr) == !told);  // the first new one, and no other
            told = true;
        }
        peer.sends(ack(5001, 1001 + n * mss).with(ece));
    }
    CHECK(told);
    CHECK(peer.counters.tcp_ecn_reductions == 1);
    const std::uint32_t after = peer.connection->congestion_window();
    CHECK(after < before);
    CHECK(after >= 9 * mss / 2);  // of what was in flight, half at least stays
    CHECK(peer.counters.tcp_retransmitted_segments == 0);

    // The peer has heard of it: what it echoes now is news.
    const std::uint32_t cwr_end = 1001 + 11 * mss;
    peer.sends(ack(5001, cwr_end).with(ece));
    CHECK(peer.counters.tcp_ecn_reductions == 2);
    CHECK(peer.connection->info(peer.now).ecn_echoes_received == 11);
}

TEST_CASE(
    "a window that a loss has reduced is not reduced again for the same, but the peer is told") {
    scripted_peer peer{state::closed, asking()};
    agree(peer);
    constexpr std::uint32_t mss = 1460;
    peer.writes(stream_text(100 * mss));
    CHECK(peer.sees_all().size() == 10);
    for (int i = 0; i < 3; ++i) peer.sends(ack(5001, 1001));
    CHECK(peer.counters.tcp_fast_retransmits == 1);
    peer.sends(ack(5001, 1001).with(ece));
    CHECK(peer.counters.tcp_ecn_reductions == 0);
    bool told = false;
    for (std::uint32_t n = 1; n <= 10; ++n) {
        peer.sends(ack(5001, 1001 + n * mss));
        for (const script_segment& s : peer.sees_all()) {
            if (s.retransmission) {
                CHECK_FALSE(s.has(cwr));
                CHECK(mark_of(s) == codepoint::not_ect);
            } else {
                CHECK(s.has(cwr) == !told);
                told = true;
            }
        }
    }
    CHECK(told);
}

TEST_CASE("a device that cuts frames gets none with CWR to cut") {
    script_options o = asking();
    o.offload_bytes = 60'000;
    scripted_peer peer{state::closed, o};
    agree(peer);
    constexpr std::uint32_t mss = 1460;
    peer.writes(stream_text(100 * mss));
    CHECK(peer.sees().segment_bytes == mss);
    peer.sends(ack(5001, 1001 + 4 * mss).with(ece));
    std::vector<script_segment> all;
    for (std::uint32_t n = 5; n <= 10; ++n) {
        for (script_segment& s : peer.sees_all()) all.push_back(std::move(s));
        peer.sends(ack(5001, 1001 + n * mss).with(ece));
    }
    const auto first =
        std::ranges::find_if(all, [](const script_segment& s) { return s.has(cwr); });
    REQUIRE(first != all.end());
    CHECK(first->segment_bytes == 0);
    CHECK(first->text.size() <= mss);
    CHECK(std::ranges::count_if(all, [](const script_segment& s) { return s.has(cwr); }) == 1);
}

TEST_CASE("without agreement an echo is not believed") {
    scripted_peer peer = in_state(state::established);
    peer.writes(stream_text(14'600));
    (void)peer.sees_all();
    const std::uint32_t before = peer.connection->congestion_window();
    peer.sends(ack(5001, 2461).with(ece));
    CHECK(peer.counters.tcp_ecn_reductions == 0);
    CHECK(peer.connection->congestion_window() >= before);
}
}
