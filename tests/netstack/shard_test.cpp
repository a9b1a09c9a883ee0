// Which shard a connection belongs to, and the same answer from the kernel.
#include <doctest/doctest.h>
#include <weft/net/io/random.hpp>
#include <weft/net/io/steering_program.hpp>
#include <weft/net/tcp/shard.hpp>
#include <weft/net/wire/ethernet.hpp>
#include <weft/net/wire/ipv4.hpp>
#include <weft/net/wire/tcp.hpp>

#include <algorithm>
#include <array>
#include <cstring>
#include <vector>

namespace {

using namespace weft::net;
using weft::net::tcp::four_tuple;
using weft::net::tcp::shard_map;
using weft::net::tcp::shard_of;
using weft::net::tcp::shard_of_datagram;

constexpr four_tuple example{ip_address{ipv4_address{0x0a000002}},
                             ip_address{ipv4_address{0x0a000001}}, 80, 40000};
static_assert(shard_of({1, 7}, example) == 0);
static_assert(shard_of({4, 7}, example) < 4);

four_tuple any_tuple(random_source& chance) {
    const auto word = [&chance] { return static_cast<std::uint32_t>(chance.next()); };
    return {ip_address{ipv4_address{word()}}, ip_address{ipv4_address{word()}},
            static_cast<std::uint16_t>(word()), static_cast<std::uint16_t>(word())};
}

struct frame_shape {
    std::size_t option_bytes = 0;  ///< of the IPv4 header
    std::uint8_t protocol = 6;
    std::uint16_t type = 0x0800;
    std::uint16_t fragment = 0;  ///< flags and offset as on the wire
    std::size_t payload_bytes = 20;
};

/// A segment that arrived: from the tuple's remote end to its local one.
std::vector<std::byte> frame_of(const four_tuple& tuple, const frame_shape& shape = {}) {
    std::vector<std::byte> frame(14 + 20 + shape.option_bytes + shape.payload_bytes);
    std::byte* ip = frame.data() + 14;
    wire::store_be16(frame.data() + 12, shape.type);
    ip[0] = static_cast<std::byte>(0x40 | ((20 + shape.option_bytes) / 4));
    wire::store_be16(ip + 2, static_cast<unsigned>(frame.size() - 14));
    wire::store_be16(ip + 6, shape.fragment);
    ip[9] = static_cast<std::byte>(shape.protocol);
    const auto put = [](std::byte* at, const ip_address& address) {
        const auto bytes = address.v4().bytes();
        std::memcpy(at, bytes.data(), bytes.size());
    };
    put(ip + 12, tuple.remote_address);
    put(ip + 16, tuple.local_address);
    std::fill_n(ip + 20, shape.option_bytes, std::byte{1});  // no operation
    if (shape.payload_bytes >= 4) {
        std::byte* ports = ip + 20 + shape.option_bytes;
        wire::store_be16(ports, tuple.remote_port);
        wire::store_be16(ports + 2, tuple.local_port);
    }
    return frame;
}

}  // namespace

TEST_SUITE("netstack.shard") {
TEST_CASE("connections spread over shards of any number, whatever of the tuple it is that varies") {
    random_source chance{42};
    for (const std::uint32_t count : {2U, 3U, 7U, 16U}) {
        const shard_map map{count, chance.next()};
        for (int varies = 0; varies < 3; ++varies) {
            std::vector<int> found(count);
            four_tuple tuple = any_tuple(chance);
            constexpr int samples = 16'000;
            for (int i = 0; i < samples; ++i) {
                if (varies == 0) tuple.remote_port = static_cast<std::uint16_t>(32768 + i);
                if (varies == 1) tuple.local_port = static_cast<std::uint16_t>(49152 + i);
                if (varies == 2) {
                    tuple.remote_address =
                        ipv4_address{0x0a000000U + static_cast<std::uint32_t>(i)};
                }
                ++found[shard_of(map, tuple)];
            }
            const int fair = samples / static_cast<int>(count);
            for (const int each : found) {
                CHECK(each > fair * 4 / 5);
                CHECK(each < fair * 6 / 5);
            }
        }
    }
}

TEST_CASE("datagrams to common ports spread as segments do; to others, by that port's number") {
    random_source chance{43};
    const shard_map map{3, chance.next()};
    for (int i = 0; i < 1000; ++i) {
        four_tuple tuple = any_tuple(chance);
        tuple.local_port = static_cast<std::uint16_t>(tuple.local_port % 32768);
        CHECK(shard_of_datagram(map, tuple) == shard_of(map, tuple));
        tuple.local_port = static_cast<std::uint16_t>(tuple.local_port + 32768);
        CHECK(shard_of_datagram(map, tuple) == tuple.local_port % 3);
    }
}

TEST_CASE("another seed spreads otherwise; IPv6 has an owner too") {
    random_source chance{7};
    int same = 0;
    for (int i = 0; i < 1000; ++i) {
        const four_tuple tuple = any_tuple(chance);
        same += shard_of({4, 1}, tuple) == shard_of({4, 2}, tuple) ? 1 : 0;
    }
    CHECK(same > 150);
    CHECK(same < 350);
    const four_tuple six{ip_address{ipv6_address{1, 2}}, ip_address{ipv6_address{3, 4}}, 1, 2};
    CHECK(shard_of({4, 1}, six) < 4);
}

TEST_CASE("the kernel's program answers as shard_of does, and 0 for what has no owner") {
    random_source chance{2026};
    for (const std::uint32_t count : {1U, 2U, 3U, 8U, 128U}) {
        const shard_map map{count, chance.next()};
        const weft::result<steering_program> program = steering_program::load(map);
        if (!program) {
            MESSAGE("skipped, bpf(2): " << program.error().message());
            return;
        }
        const auto queue = [&program](const std::vector<std::byte>& frame) {
            return program->queue_for(frame).value();
        };
        for (std::size_t i = 0; i < 4000; ++i) {
            const four_tuple tuple = any_tuple(chance);
            const std::size_t options = 4 * (i % 11);
            REQUIRE(queue(frame_of(tuple, {.option_bytes = options})) == shard_of(map, tuple));
            REQUIRE(queue(frame_of(tuple, {.option_bytes = options, .protocol = 17})) ==
                    shard_of_datagram(map, tuple));
        }
        for (int i = 0; i < 300; ++i) {
            const four_tuple tuple = any_tuple(chance);
            REQUIRE(queue(frame_of(tuple, {.fragment = 0x2000})) == 0);  // the first
            REQUIRE(queue(frame_of(tuple, {.fragment = 0x0010})) == 0);  // the last
            REQUIRE(queue(frame_of(tuple, {.fragment = 0x4000})) == shard_of(map, tuple));  // DF
            REQUIRE(queue(frame_of(tuple, {.protocol = 17, .fragment = 0x2000})) == 0);
            REQUIRE(queue(frame_of(tuple, {.protocol = 17, .payload_bytes = 3})) == 0);
            REQUIRE(queue(frame_of(tuple, {.protocol = 1})) == 0);
            REQUIRE(queue(frame_of(tuple, {.type = 0x0806})) == 0);
            REQUIRE(queue(frame_of(tuple, {.type = 0x86dd})) == 0);
            REQUIRE(queue(frame_of(tuple, {.type = 0x8100})) == 0);
            REQUIRE(queue(frame_of(tuple, {.payload_bytes = 3})) == 0);  // no room for ports
            std::vector<std::byte> odd = frame_of(tuple);
            odd[14] = std::byte{0x65};  // version 6 in a frame that says IPv4
            REQUIRE(queue(odd) == 0);
            odd[14] = std::byte{0x44};  // a header of 16 bytes
            REQUIRE(queue(odd) == 0);
        }
    }
}
}
