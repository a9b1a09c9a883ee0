#pragma once
// A sender under test: established with SACK over a path of 100 ms, and segments counted from 0.

#include "scripted_peer.hpp"

#include <doctest/doctest.h>

namespace weft::test {

inline constexpr std::uint32_t full_segment = 1460;

struct sack_sender {
    using ranges = std::initializer_list<std::pair<std::uint32_t, std::uint32_t>>;

    explicit sack_sender(script_options options = with_sack())
        : peer{net::tcp::state::established, options} {}

    static script_options with_sack() {
        return {.peer_sack = true, .handshake_rtt = std::chrono::milliseconds{100}};
    }
    static script_options without_sack() {
        script_options options = with_sack();
        options.peer_sack = false;
        return options;
    }

    /// The number of the first byte of segment `i`.
    static std::uint32_t at(std::uint32_t i) { return 1001 + i * full_segment; }

    void writes_segments(std::uint32_t count) { peer.writes(stream_text(count * full_segment)); }
    /// Writes `count` segments and checks that `leave` of them go out; a round trip passes.
    void begins_with(std::uint32_t count, std::uint32_t leave) {
        writes_segments(count);
        CHECK(peer.sees_all().size() == leave);
        peer.waits(std::chrono::milliseconds{100});
    }
    /// The peer has everything before segment `next`, and these ranges of segments.
    void acks(std::uint32_t next, ranges sacked = {}) {
        script_segment s = ack(5001, at(next));
        for (const auto& [begin, end] : sacked) s = s.with_sack({{at(begin), at(end)}});
        peer.sends(s);
    }
    /// What leaves now, as segment numbers: "0 10" for the first again and the eleventh.
    std::string sends_now() {
        std::string text;
        for (const script_segment& s : peer.sees_all()) {
            if (!text.empty()) text += ' ';
            text += std::to_string((s.seq - 1001) / full_segment);
            if (s.retransmission) text += 'R';
        }
        return text;
    }

    scripted_peer peer;
};

}  // namespace weft::test
