#include <weft/net/tcp/held_text.hpp>

#include "scripted_peer.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <map>
#include <memory>
#include <random>
#include <string>

using weft::ring_queue;
using weft::net::block_pool;
using weft::net::slice;
using weft::net::tcp::held_text;
using weft::net::tcp::sequence_number;
using weft::net::tcp::sequence_span;
using weft::test::stream_text;

namespace {

/// What is held for a window that starts at the number `start` and does not move by itself.
struct holder {
    explicit holder(std::uint32_t window_bytes, std::uint32_t start_number = 0)
        : start{start_number}, window{start, start + window_bytes}, held{window} {}

    bool keeps(std::uint32_t at, const std::string& text) {
        const bool is_kept = held.keep(start + at, std::as_bytes(std::span{text}), pool);
        if (!held.empty()) CHECK(held.violated_invariant(window) == "");
        return is_kept;
    }
    /// Text up to `at` is in order now: what follows.
    std::string gives(std::uint32_t at) {
        ring_queue<slice> slices;
        const std::uint32_t count = held.take_joined(start + at, slices);
        std::string text;
        for (std::uint32_t i = 0; i < slices.size(); ++i) {
            for (const std::byte b : slices[i].bytes()) text.push_back(static_cast<char>(b));
        }
        CHECK(text.size() == count);
        window.begin = start + at + count;
        if (held.empty()) begin_anew();  // as its owner does
        return text;
    }
    void begin_anew() {
        std::destroy_at(&held);
        std::construct_at(&held, window);
    }
    /// "10-20 30-35", as offsets from the start.
    [[nodiscard]] std::string ranges() const {
        std::string text;
        for (auto r = held.range_from(start); r; r = held.range_from(r->end)) {
            text += (text.empty() ? "" : " ") + std::to_string(r->begin - start) + '-' +
                    std::to_string(r->end - start);
        }
        return text;
    }

    block_pool pool;
    sequence_number start;
    sequence_span window;
    held_text held;
};

constexpr std::uint32_t narrow = 64U << 10;
constexpr std::uint32_t wide = 32U << 20;

/// Octets by their offset: what is held, and nothing clever.
class model {
public:
    void keep(std::uint32_t at, const std::string& text) {
        for (const char c : text) octets_.emplace(at++, c);  // what came first stays
    }
    std::string give(std::uint32_t at) {
        octets_.erase(octets_.begin(), octets_.lower_bound(at));
        std::string text;
        while (!octets_.empty() && octets_.begin()->first == at + text.size()) {
            text.push_back(octets_.begin()->second);
            octets_.erase(octets_.begin());
        }
        return text;
    }
    [[nodiscard]] std::string ranges() const {
        std::string text;
        for (auto at = octets_.begin(); at != octets_.end();) {
            const std::uint32_t begin = at->first;
            std::uint32_t end = begin;
            for (; at != octets_.end() && at->first == end; ++at) ++end;
            text += (text.empty() ? "" : " ") + std::to_string(begin) + '-' + std::to_string(end);
        }
        return text;
    }

private:
    std::map<std::uint32_t, char> octets_;
};

/// Segments in every order, over and beside each other, with different octets each time.
void compare_with_model(std::uint32_t seed, std::uint32_t window_bytes, std::uint32_t longest) {
    CAPTURE(seed);
    CAPTURE(window_bytes);
    CAPTURE(longest);
    std::mt19937 random{seed};
    const auto from_1_to = [&random](std::uint32_t n) {
        return 1 + static_cast<std::uint32_t>(random() % n);
    };
    holder h{window_bytes, 0xffff'0000U + static_cast<std::uint32_t>(random() % 0x2'0000)};
    model m;
    std::uint32_t next = 0;
    for (int step = 0; step < 400; ++step) {
        h.window.end = h.start + next + window_bytes;
        if (random() % 8 != 0) {
            // Near one another, so that ranges meet.
            const std::uint32_t near = std::min(window_bytes - longest, 20 * longest);
            const std::uint32_t at =
                next + from_1_to(random() % 10 == 0 ? window_bytes - longest : near);
            std::string text(from_1_to(longest), '\0');
            for (char& c : text) c = static_cast<char>(random());
            REQUIRE(h.keeps(at, text));
            m.keep(at, text);
        } else {
            next += from_1_to(std::min(window_bytes, 3 * longest));
            const std::string given = m.give(next);
            REQUIRE((h.gives(next) == given));
            next += static_cast<std::uint32_t>(given.size());
        }
        REQUIRE(h.ranges() == m.ranges());
        REQUIRE(h.pool.bytes_out() <= window_bytes + 2 * 16384U);
    }
}

}  // namespace

TEST_SUITE("netstack.tcp.held_text") {
TEST_CASE("segments that adjoin are one range, in whatever order they come") {
    holder h{narrow};
    CHECK(h.keeps(10, stream_text(10, 10)));
    CHECK(h.keeps(30, stream_text(10, 30)));
    CHECK(h.ranges() == "10-20 30-40");
    CHECK(h.keeps(40, stream_text(5, 40)));
    CHECK(h.keeps(5, stream_text(5, 5)));
    CHECK(h.ranges() == "5-20 30-45");
    CHECK(h.keeps(20, stream_text(10, 20)));
    CHECK(h.ranges() == "5-45");
    CHECK((h.gives(5) == stream_text(40, 5)));
    CHECK(h.held.empty());
    CHECK(h.pool.bytes_out() == 0);
}

TEST_CASE("a segment over several ranges fills the gaps; the first copy of an octet stays") {
    holder h{narrow};
    CHECK(h.keeps(2, "AA"));
    CHECK(h.keeps(6, "BB"));
    CHECK(h.keeps(10, "CC"));
    CHECK(h.keeps(3, "xxxxxxxx"));  // 3..11
    CHECK(h.ranges() == "2-12");
    CHECK(h.gives(2) == "AAxxBBxxCC");
}

TEST_CASE("text in order up to the middle of a range joins its rest; ranges before are forgotten") {
    holder h{narrow};
    CHECK(h.keeps(10, stream_text(10, 10)));
    CHECK(h.keeps(30, stream_text(10, 30)));
    CHECK((h.gives(35) == stream_text(5, 35)));
    CHECK(h.held.empty());
}

TEST_CASE("a window of 32 MiB is held whole behind one gap: 23,000 segments, one range") {
    holder h{wide};
    const std::string text = stream_text(1448);
    for (std::uint32_t at = 1448; at + 1448 <= wide; at += 1448) REQUIRE(h.keeps(at, text));
    CHECK(h.held.ranges() == 1);
    CHECK(h.pool.bytes_out() <= wide);
    CHECK(h.gives(1448).size() == wide / 1448 * 1448 - 1448);
    CHECK(h.pool.bytes_out() == 0);
}

TEST_CASE("octets one by one cost no more memory than the window they stand in") {
    for (const std::uint32_t window : {narrow, std::uint32_t{1} << 20}) {
        CAPTURE(window);
        for (const bool backwards : {false, true}) {
            holder h{window};
            const std::uint32_t apart = window / held_text::max_ranges;
            for (std::uint32_t i = 1; i < held_text::max_ranges; ++i) {
                const std::uint32_t at = (backwards ? held_text::max_ranges - i : i) * apart;
                REQUIRE(h.held.keep(h.start + at, std::as_bytes(std::span{"x", 1}), h.pool));
            }
            CHECK(h.held.ranges() == held_text::max_ranges - 1);
            CHECK(h.pool.bytes_out() <= window);
        }
    }
}

TEST_CASE("the gaps are bounded in number: one more is not made, but those there are fill up") {
    holder h{wide};
    for (std::uint32_t i = 1; i <= held_text::max_ranges; ++i) {
        REQUIRE(h.held.keep(h.start + 4 * i, std::as_bytes(std::span{"x", 1}), h.pool));
    }
    const std::size_t memory = h.pool.bytes_out();
    CHECK_FALSE(h.keeps(4 * held_text::max_ranges + 4, "y"));
    CHECK_FALSE(h.keeps(6, "y"));
    CHECK_FALSE(h.keeps(wide - 1, "y"));
    CHECK(h.pool.bytes_out() == memory);
    CHECK(h.keeps(5, "yyy"));  // joins two
    CHECK(h.held.ranges() == held_text::max_ranges - 1);
    CHECK(h.keeps(wide - 1, "y"));
    CHECK(h.gives(4) == "xyyyx");
}

TEST_CASE("without memory nothing is kept, and what is there stays") {
    block_pool none{2048};
    holder h{narrow};
    CHECK(h.held.keep(h.start + 10, std::as_bytes(std::span{"abc", 3}), none));
    const std::string more(4000, 'x');
    CHECK_FALSE(h.held.keep(h.start + 20, std::as_bytes(std::span{more}), none));
    CHECK(h.ranges() == "10-13");
    CHECK(h.held.violated_invariant(h.window) == "");
    CHECK(h.gives(10) == "abc");
    h.begin_anew();  // before the pool goes
}

TEST_CASE("whatever comes in whatever order, it holds what a map of octets holds") {
    for (std::uint32_t seed = 1; seed <= 25; ++seed) {
        compare_with_model(seed, 8192, 40);
        compare_with_model(seed, narrow, 1448);
    }
    for (std::uint32_t seed = 100; seed < 104; ++seed) {
        compare_with_model(seed, 300U << 10, 9000);  // pages of 16 KiB
    }
}
}
