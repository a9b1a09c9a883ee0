#include "scripted_peer.hpp"

#include <doctest/doctest.h>

using namespace weft::test;
using weft::net::tcp::state;

// What our acknowledgments report: the examples of RFC 2018 §4 and RFC 2883 §4, number by number.

namespace {

/// The next acknowledgment, as the RFCs' tables write it: "5500: 7000-7500 6000-6500".
std::string reported(scripted_peer& peer) {
    const script_segment s = peer.sees();
    if (s == nothing) return "nothing";
    std::string text = std::to_string(s.ack) + ':';
    for (const auto& block : s.options.sack_blocks()) {
        text += ' ' + std::to_string(block.left) + '-' + std::to_string(block.right);
    }
    return text;
}

/// A peer whose next text has the number `first`.
script_options permits_sack(std::uint32_t first) { return {.irs = first - 1, .peer_sack = true}; }

struct receiver {
    explicit receiver(std::uint32_t first) : peer{state::established, permits_sack(first)} {}
    /// The peer's text [begin, end) arrives.
    std::string gets(std::uint32_t begin, std::uint32_t end) {
        peer.sends(data(begin, 1001, stream_text(end - begin, begin)));
        return reported(peer);
    }
    scripted_peer peer;
};

}  // namespace

TEST_SUITE("netstack.tcp.sack_receiver") {
TEST_CASE("RFC 2018 section 4, case 1: nothing behind a gap, nothing to report") {
    receiver r{5000};
    CHECK(r.gets(5000, 5500) == "5500:");
    CHECK(r.gets(5500, 6000) == "6000:");
    CHECK(r.gets(6000, 6500) == "6500:");
    CHECK(r.gets(6500, 7000) == "7000:");
}

TEST_CASE("RFC 2018 section 4, case 2: the first of eight is lost, one block grows") {
    receiver r{5000};
    for (std::uint32_t end = 6000; end <= 9000; end += 500) {
        CHECK(r.gets(end - 500, end) == "5000: 5500-" + std::to_string(end));
    }
    CHECK(r.gets(5000, 5500) == "9000:");
}

TEST_CASE("RFC 2018 section 4, case 3: every other one is lost, the newest block comes first") {
    receiver r{5000};
    CHECK(r.gets(5000, 5500) == "5500:");
    CHECK(r.gets(6000, 6500) == "5500: 6000-6500");
    CHECK(r.gets(7000, 7500) == "5500: 7000-7500 6000-6500");
    CHECK(r.gets(8000, 8500) == "5500: 8000-8500 7000-7500 6000-6500");
    // The fourth arrives, and then the second.
    CHECK(r.gets(6500, 7000) == "5500: 6000-7500 8000-8500");
    CHECK(r.gets(5500, 6000) == "7500: 8000-8500");
}

TEST_CASE("four blocks fit an acknowledgment, three beside timestamps") {
    for (const bool timestamps : {false, true}) {
        script_options options = permits_sack(5000);
        options.config.timestamps = options.peer_timestamps = timestamps;
        scripted_peer peer{state::established, options};
        for (std::uint32_t at = 6000; at < 12000; at += 1000) {
            peer.sends(data(at, 1001, stream_text(500, at)));
        }
        const script_segment last = peer.sees_last();
        CHECK(last.options.sack_blocks().size() == (timestamps ? 3 : 4));
        CHECK(last.options.sack_blocks()[0].left == 11000);
        CHECK(last.options.sack_blocks()[1].left == 10000);
    }
}

TEST_CASE("a peer that did not permit SACK gets none") {
    scripted_peer peer{state::established, {.irs = 4999}};
    peer.sends(data(6000, 1001, stream_text(500)));
    CHECK(reported(peer) == "5000:");
}

TEST_CASE("our SYN permits SACK; our SYN,ACK does when the peer's SYN did") {
    scripted_peer active = in_state(state::syn_sent, {.iss = 1});
    CHECK(active.connection->has_sack() == false);  // nothing is agreed yet
    for (const bool permitted : {false, true}) {
        scripted_peer peer = in_state(state::listen, {.peer_sack = permitted});
        peer.sends(syn(5000));
        CHECK(peer.sees().options.has_sack_permitted() == permitted);
    }
    for (const bool configured : {false, true}) {
        script_options options{.peer_sack = true};
        options.config.selective_acknowledgment = configured;
        CHECK(in_state(state::established, options).connection->has_sack() == configured);
    }
}

TEST_CASE("RFC 2883 example 1: a duplicate segment is reported, once") {
    receiver r{3000};
    CHECK(r.gets(3000, 3500) == "3500:");
    CHECK(r.gets(3500, 4000) == "4000:");
    CHECK(r.gets(3000, 3500) == "4000: 3000-3500");
    CHECK(r.gets(4000, 4500) == "4500:");
}

TEST_CASE("RFC 2883 example 2: a duplicate beside text behind a gap") {
    receiver r{3000};
    CHECK(r.gets(3000, 3500) == "3500:");
    CHECK(r.gets(3500, 4000) == "4000:");
    CHECK(r.gets(4500, 5000) == "4000: 4500-5000");
    CHECK(r.gets(3000, 3500) == "4000: 3000-3500 4500-5000");
}

TEST_CASE("RFC 2883 example 3: a duplicate of text behind a gap") {
    receiver r{3500};
    CHECK(r.gets(3500, 4000) == "4000:");
    CHECK(r.gets(4500, 5000) == "4000: 4500-5000");
    CHECK(r.gets(5000, 5500) == "4000: 4500-5500");
    CHECK(r.gets(5000, 5500) == "4000: 5000-5500 4500-5500");
}

TEST_CASE("RFC 2883 example 4: a segment of which a part had come before") {
    receiver r{500};
    CHECK(r.gets(500, 1000) == "1000:");
    CHECK(r.gets(2000, 2500) == "1000: 2000-2500");
    CHECK(r.gets(1000, 1500) == "1500: 2000-2500");
    CHECK(r.gets(1000, 2000) == "2500: 1000-1500");
}

TEST_CASE("RFC 2883 example 5: two such parts, the first of them is reported") {
    receiver r{500};
    CHECK(r.gets(500, 1000) == "1000:");
    CHECK(r.gets(3000, 3500) == "1000: 3000-3500");
    CHECK(r.gets(1000, 1500) == "1500: 3000-3500");
    CHECK(r.gets(2000, 2500) == "1500: 2000-2500 3000-3500");
    CHECK(r.gets(1000, 2500) == "2500: 1000-1500 3000-3500");
}

TEST_CASE("RFC 2883 example 6: two such parts behind a gap; the block that holds them is second") {
    receiver r{500};
    CHECK(r.gets(500, 1000) == "1000:");
    CHECK(r.gets(3500, 4000) == "1000: 3500-4000");
    CHECK(r.gets(1500, 2000) == "1000: 1500-2000 3500-4000");
    CHECK(r.gets(2500, 3000) == "1000: 2500-3000 1500-2000 3500-4000");
    CHECK(r.gets(1500, 3000) == "1000: 1500-2000 1500-3000 3500-4000");
}

TEST_CASE("text that carries a report is shorter by the report: no frame exceeds the path's MTU") {
    scripted_peer peer{state::established, permits_sack(5000)};
    peer.sends(data(6000, 1001, stream_text(500)));
    (void)peer.sees();
    peer.writes(stream_text(3000));
    const script_segment full = peer.sees();
    CHECK(full.options.sack_blocks().size() == 1);
    CHECK(full.text.size() == 1460 - 12);
}
}
