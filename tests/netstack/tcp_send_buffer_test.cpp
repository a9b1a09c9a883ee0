#include <weft/net/tcp/send_buffer.hpp>

#include "scripted_peer.hpp"

#include <doctest/doctest.h>

#include <random>

using weft::net::block_pool;
using weft::net::slice;
using weft::net::tx_slot;
using weft::net::tcp::send_buffer;
using weft::test::stream_text;

namespace {

std::span<const std::byte> bytes_of(const std::string& s) { return std::as_bytes(std::span{s}); }

std::string text_in(const tx_slot& slot) {
    std::string text;
    for (const slice& part : slot.payload_slices()) {
        for (const std::byte b : part.bytes()) text.push_back(static_cast<char>(b));
    }
    return text;
}

}  // namespace

TEST_SUITE("netstack.tcp.send_buffer") {
TEST_CASE("takes no more than the room it is given") {
    block_pool pool;
    send_buffer buffer;
    CHECK(buffer.append(bytes_of(stream_text(100)), 30, pool) == 30);
    CHECK(buffer.size() == 30);
    CHECK(buffer.append(bytes_of(stream_text(100)), 0, pool) == 0);
    buffer.clear();
    CHECK(buffer.empty());
    CHECK(pool.bytes_out() == 0);
}

TEST_CASE("takes as much as the pool has blocks for") {
    block_pool pool{40'000};
    send_buffer buffer;
    const std::string text = stream_text(100'000);
    const std::uint32_t taken = buffer.append(bytes_of(text), 100'000, pool);
    CHECK(taken == 32'768);
    CHECK(buffer.append(bytes_of(text), 100'000, pool) == 0);
}

TEST_CASE(
    "a frame that is under way keeps its bytes when they are acknowledged and the buffer "
    "goes on") {
    block_pool pool;
    send_buffer buffer;
    tx_slot slot;
    buffer.append(bytes_of(stream_text(500)), 1000, pool);
    REQUIRE(buffer.gather(100, 200, slot) == 200);
    buffer.remove_prefix(500);
    const std::string noise(5000, '!');
    buffer.append(bytes_of(noise), 5000, pool);
    CHECK(text_in(slot) == stream_text(200, 100));
    buffer.clear();
    CHECK(text_in(slot) == stream_text(200, 100));
    CHECK(pool.bytes_out() != 0);
    slot.clear();
    CHECK(pool.bytes_out() == 0);
}

TEST_CASE("a slot with few slices left takes what fits, and the rest can follow") {
    block_pool pool;
    send_buffer buffer;
    // 30 chunks, each filled to its end.
    const std::string text = stream_text(30 * 16'384);
    REQUIRE(buffer.append(bytes_of(text), 1U << 20, pool) == text.size());
    tx_slot slot;
    const std::uint32_t first = buffer.gather(10, buffer.size() - 10, slot);
    CHECK(first == 20 * 16'384 - 10);
    slot.clear();
    CHECK(buffer.gather(10 + first, 100, slot) == 100);
    CHECK(text_in(slot) == text.substr(10 + first, 100));
}

TEST_CASE("any order of writes, reads and acknowledgments gives the bytes that were written") {
    std::mt19937 random{3};
    block_pool pool;
    send_buffer buffer;
    tx_slot slot;
    std::uint64_t written = 0;
    std::uint64_t acknowledged = 0;
    for (int step = 0; step < 5000; ++step) {
        const auto some = static_cast<std::uint32_t>(random() % (step % 10 == 0 ? 40'000 : 300));
        if (random() % 2 == 0 && buffer.size() < 200'000) {
            written += buffer.append(bytes_of(stream_text(some, written)), some, pool);
        } else if (random() % 3 == 0) {
            const std::uint32_t count = std::min(some, buffer.size());
            buffer.remove_prefix(count);
            acknowledged += count;
        } else if (!buffer.empty()) {
            const auto from = static_cast<std::uint32_t>(random()) % buffer.size();
            const std::uint32_t count = std::min(some, buffer.size() - from);
            const std::uint32_t got = buffer.gather(from, count, slot);
            REQUIRE(text_in(slot) == stream_text(got, acknowledged + from));
            if (got < count) REQUIRE_FALSE(slot.has_room());
            slot.clear();
        }
        REQUIRE(buffer.size() == written - acknowledged);
    }
    // What is held costs a bounded multiple of what is in it.
    CHECK(pool.bytes_out() <= 2 * buffer.size() + 2 * 16'384);
}
}
