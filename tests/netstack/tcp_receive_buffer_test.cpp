#include <weft/net/tcp/receive_buffer.hpp>

#include "scripted_peer.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <random>

using weft::net::block_pool;
using weft::net::block_size;
using weft::net::slice;
using weft::net::tcp::receive_buffer;
using weft::net::tcp::sequence_number;
using weft::net::tcp::sequence_span;
using weft::test::stream_text;

namespace {

/// In a block of `size`, or of the smallest that holds it.
slice slice_of(block_pool& pool, const std::string& text, block_size size = block_size::small) {
    slice s = size == block_size::small ? pool.allocate_for(text.size()) : pool.allocate(size);
    REQUIRE(s);
    std::ranges::transform(text, s.data(), [](char c) { return static_cast<std::byte>(c); });
    s.extend(static_cast<std::uint32_t>(text.size()));
    return s;
}

constexpr std::uint32_t window_bytes = 64U << 10;

/// A buffer whose first octet has the number 0 of stream_text().
struct receiver {
    block_pool pool;
    receive_buffer buffer;
    sequence_number start;
    std::uint32_t next = 0;  ///< octets in order so far
    std::uint64_t read_so_far = 0;

    explicit receiver(std::uint32_t isn = 0) : start{isn} {}

    /// As a connection does: what was received before is cut off, the rest appended or held.
    void gets(std::uint32_t begin, std::uint32_t end, block_size size = block_size::small) {
        begin = std::max(begin, next);
        if (begin >= end) return;
        slice text = slice_of(pool, stream_text(end - begin, begin), size);
        if (begin == next) {
            next += buffer.append(std::move(text), start + next);
        } else {
            (void)buffer.hold(start + begin, text.bytes(), window(), pool);
        }
    }
    [[nodiscard]] sequence_span window() const {
        return {start + next, start + next + window_bytes};
    }
    std::string reads(std::size_t most = 1'000'000) {
        std::string text(std::min<std::size_t>(most, buffer.size()), '\0');
        text.resize(buffer.read(std::as_writable_bytes(std::span{text})));
        read_so_far += text.size();
        return text;
    }
};

}  // namespace

TEST_SUITE("netstack.tcp.receive_buffer") {
TEST_CASE("bytes in order are readable as they came") {
    receiver r;
    r.gets(0, 10);
    r.gets(10, 30);
    CHECK(r.buffer.size() == 30);
    CHECK((r.reads(5) == stream_text(5)));
    CHECK((r.reads() == stream_text(25, 5)));
    CHECK(r.buffer.empty());
    CHECK(r.pool.bytes_out() == 0);
}

TEST_CASE("bytes behind a gap become readable when it is filled [SHLD-31]") {
    receiver r;
    r.gets(20, 30);
    r.gets(10, 20);
    CHECK(r.buffer.empty());
    CHECK(r.buffer.has_gap());
    r.gets(0, 10);
    CHECK(r.next == 30);
    CHECK_FALSE(r.buffer.has_gap());
    CHECK((r.reads() == stream_text(30)));
}

TEST_CASE("a filler that covers what is held takes its place") {
    receiver r;
    r.gets(10, 20);
    r.gets(30, 40);
    r.gets(0, 35);
    CHECK(r.next == 40);
    CHECK((r.reads() == stream_text(40)));
}

TEST_CASE("what came first stays: a second copy of held bytes cannot change them") {
    receiver r;
    const auto holds = [&r](std::uint32_t at, const std::string& text) {
        return r.buffer.hold(sequence_number{at}, std::as_bytes(std::span{text}), r.window(),
                             r.pool);
    };
    CHECK(holds(10, "AAAAAAAAAA"));
    CHECK(holds(5, "bbbbbbbbbb"));   // 5..15
    CHECK(holds(15, "cccccccccc"));  // 15..25
    r.buffer.append(slice_of(r.pool, "....."), sequence_number{0});
    CHECK(r.reads() == ".....bbbbbAAAAAAAAAAccccc");
}

TEST_CASE("the view and what consume() drops are the same bytes") {
    receiver r;
    r.gets(0, 100);
    r.gets(100, 200);
    std::string seen;
    while (!r.buffer.empty()) {
        const auto view = r.buffer.view();
        const std::size_t count = std::min<std::size_t>(view.size(), 7);
        for (const std::byte b : view.first(count)) seen.push_back(static_cast<char>(b));
        r.buffer.consume(static_cast<std::uint32_t>(count));
    }
    CHECK(seen == stream_text(200));
}

TEST_CASE("gaps are bounded in number, and what was kept stays usable") {
    receiver r;
    for (std::uint32_t i = 1; i <= 5000; ++i) r.gets(2 * i, 2 * i + 1);
    CHECK(r.pool.bytes_out() <= window_bytes);
    r.gets(0, 2);
    CHECK(r.next == 3);
    r.gets(3, 9000);
    CHECK(r.next == 9000);
    CHECK((r.reads() == stream_text(9000)));
    CHECK_FALSE(r.buffer.has_gap());
}

TEST_CASE("what is held does not pin the large block it came in") {
    receiver r;
    r.gets(10, 20, block_size::large);
    CHECK(r.pool.bytes_out() == 2048);
}

TEST_CASE("compaction copies small unread pieces together and pins no large block") {
    receiver r;
    for (std::uint32_t i = 0; i < 64; ++i) r.gets(i * 10, i * 10 + 10, block_size::large);
    CHECK(r.pool.bytes_out() > 4'000'000);
    CHECK(r.buffer.wants_compaction());
    r.buffer.compact(r.pool);
    CHECK_FALSE(r.buffer.wants_compaction());
    CHECK(r.pool.bytes_out() == 2048);
    CHECK((r.reads() == stream_text(640)));
}

TEST_CASE("a frame that fills its block is not copied") {
    receiver r;
    r.gets(0, 1460);
    const std::byte* const before = r.buffer.view().data();
    r.buffer.compact(r.pool);
    CHECK(r.buffer.view().data() == before);
}

TEST_CASE("without memory compaction leaves the bytes where they are") {
    receiver r;
    r.gets(0, 10, block_size::large);
    block_pool empty{0};
    r.buffer.compact(empty);
    CHECK((r.reads() == stream_text(10)));
}

TEST_CASE(
    "any order of overlapping pieces, reads and compactions gives the stream, once and in "
    "order") {
    for (std::uint32_t seed = 1; seed <= 30; ++seed) {
        CAPTURE(seed);
        std::mt19937 random{seed};
        receiver r{0xffff'f000U + seed * 100};  // crosses 2^32
        constexpr std::uint32_t total = 60'000;
        constexpr std::uint32_t window = 12'000;
        std::uint32_t steps = 0;
        while (r.next < total) {
            REQUIRE(++steps < 200'000);
            const auto unread = static_cast<std::uint32_t>(r.next - r.read_so_far);
            const std::uint32_t edge = std::min(total, r.next + window - std::min(window, unread));
            if (edge > r.next && random() % 8 != 0) {
                const std::uint32_t room = edge - r.next;
                const bool in_order = random() % 4 == 0;
                const std::uint32_t back =
                    std::min(r.next, static_cast<std::uint32_t>(random()) % 50);
                const std::uint32_t begin =
                    in_order ? r.next - back : r.next + static_cast<std::uint32_t>(random()) % room;
                const std::uint32_t end =
                    std::min(edge, begin + 1 + static_cast<std::uint32_t>(random()) % 1500);
                const auto size = random() % 3 == 0 ? block_size::large : block_size::small;
                r.gets(begin, end, size);
            }
            if (random() % 6 == 0) r.buffer.compact(r.pool);
            if (random() % 5 == 0) {
                const std::uint64_t from = r.read_so_far;
                const std::string got = r.reads(1 + static_cast<std::uint32_t>(random()) % 4000);
                REQUIRE(got == stream_text(got.size(), from));
            }
            REQUIRE(r.buffer.size() == r.next - r.read_so_far);
        }
        const std::uint64_t from = r.read_so_far;
        REQUIRE(r.reads() == stream_text(total - from, from));
        r.buffer.clear();
        REQUIRE(r.pool.bytes_out() == 0);
    }
}
}
