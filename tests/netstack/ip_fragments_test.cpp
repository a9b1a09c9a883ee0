#include "wire_test_bytes.hpp"

#include <weft/net/ip/fragmenter.hpp>
#include <weft/net/ip/fragments.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <random>

using namespace std::chrono_literals;
using namespace weft::net;
using namespace weft::net::ip;
using weft::instant;
using weft::never;
using weft::test::byte_string;
using weft::test::pattern;

namespace {

instant at(weft::duration since_start) { return instant{since_start}; }

wire::ipv4_header header_of(std::uint16_t identification) {
    wire::ipv4_header header;
    header.source = {10, 0, 0, 1};
    header.destination = {10, 0, 0, 2};
    header.protocol = wire::ip_protocol::icmp;
    header.identification = identification;
    header.traffic_class = wire::ecn::ect0;
    return header;
}

struct kept_fragment {
    wire::ipv4_header header;
    byte_string payload;
};

std::vector<kept_fragment> cut(const byte_string& payload, std::size_t mtu, std::uint16_t id = 1) {
    std::vector<kept_fragment> out;
    fragmenter cutter{header_of(id), payload, mtu};
    while (const auto piece = cutter.next()) {
        CHECK(cutter.remaining() + out.size() + 1 ==
              fragmenter(header_of(id), payload, mtu).remaining());
        out.push_back({piece->header, {piece->payload.begin(), piece->payload.end()}});
    }
    return out;
}

struct fixture {
    stack_counters counters;
    fragment_store store;

    explicit fixture(fragment_limits limits = {}) : store{counters, limits} {}

    std::optional<reassembled_datagram> give(const kept_fragment& piece, instant now = at(0s)) {
        return store.on_fragment(piece.header, piece.payload, now);
    }
    /// A fragment [begin, end) of datagram `id`.
    std::optional<reassembled_datagram> give(std::size_t begin, std::size_t end, bool more,
                                             std::uint16_t id = 1, instant now = at(0s)) {
        auto header = header_of(id);
        header.fragment_offset_bytes = static_cast<std::uint16_t>(begin);
        header.more_fragments = more;
        return give({header, pattern(end - begin, static_cast<unsigned>(begin))}, now);
    }
};

}  // namespace

TEST_SUITE("netstack.ip.fragmenter") {
TEST_CASE("a datagram that fits is one packet and no fragment") {
    const auto pieces = cut(pattern(1480), 1500);
    REQUIRE(pieces.size() == 1);
    CHECK_FALSE(pieces[0].header.is_fragment());
    CHECK(pieces[0].header.total_bytes == 1500);
    CHECK(cut({}, 1500).size() == 1);
}

TEST_CASE("a larger datagram is cut at multiples of eight below the MTU") {
    const auto pieces = cut(pattern(4008), 1500);
    REQUIRE(pieces.size() == 3);
    CHECK(pieces[0].header.fragment_offset_bytes == 0);
    CHECK(pieces[1].header.fragment_offset_bytes == 1480);
    CHECK(pieces[2].header.fragment_offset_bytes == 2960);
    CHECK(pieces[1].header.more_fragments);
    CHECK_FALSE(pieces[2].header.more_fragments);
    CHECK(pieces[2].header.total_bytes == 20 + 4008 - 2960);
    CHECK(cut(pattern(100), 68).size() == 3);
    CHECK(cut(pattern(65515), 577)[0].payload.size() == 552);
}
}

TEST_SUITE("netstack.ip.fragments") {
TEST_CASE("fragments in any order make the datagram again") {
    const unsigned seed = 77;
    std::mt19937 random{seed};
    for (const auto& [size, mtu] : {std::pair{49U, 68U},
                                    {1481U, 1500U},
                                    {4008U, 1500U},
                                    {20001U, 576U},
                                    {65515U, 576U},
                                    {65515U, 9000U}}) {
        CAPTURE(size);
        const auto payload = pattern(size, 5);
        auto pieces = cut(payload, mtu);
        REQUIRE(pieces.size() > 1);
        std::shuffle(pieces.begin(), pieces.end(), random);
        fixture f;
        for (std::size_t i = 0; i < pieces.size(); ++i) {
            const auto whole = f.give(pieces[i]);
            REQUIRE(whole.has_value() == (i + 1 == pieces.size()));
            if (whole) {
                CHECK(whole->payload == payload);
                CHECK(whole->header.total_bytes == size + 20);
                CHECK_FALSE(whole->header.is_fragment());
            }
        }
        CHECK(f.counters.datagrams_reassembled == 1);
        CHECK(f.store.datagrams() == 0);
        CHECK(f.store.bytes() == 0);
    }
}

TEST_CASE("datagrams are told apart by addresses, protocol and identification") {
    fixture f;
    CHECK_FALSE(f.give(0, 8, true, 1));
    CHECK_FALSE(f.give(8, 16, false, 2));
    auto other = header_of(1);
    other.fragment_offset_bytes = 8;
    other.protocol = wire::ip_protocol::udp;
    CHECK_FALSE(f.give({other, pattern(8)}));
    other = header_of(1);
    other.fragment_offset_bytes = 8;
    other.source = {10, 0, 0, 3};
    CHECK_FALSE(f.give({other, pattern(8)}));
    CHECK(f.store.datagrams() == 4);
    CHECK(f.give(8, 16, false, 1));
}

TEST_CASE("an exact duplicate is ignored") {
    fixture f;
    CHECK_FALSE(f.give(0, 16, true));
    CHECK_FALSE(f.give(0, 16, true));
    CHECK(f.store.bytes() == 16);
    CHECK(f.give(16, 24, false));
    CHECK(f.counters.fragments_overlapping == 0);
}

TEST_CASE("an overlap drops the whole datagram and the rest of it as it comes") {
    for (const auto& [begin, end] : {std::pair{8U, 24U}, {0U, 8U}, {8U, 16U}, {0U, 24U}}) {
        CAPTURE(begin);
        fixture f;
        CHECK_FALSE(f.give(0, 16, true));
        CHECK_FALSE(f.give(begin, end, true));
        CHECK(f.counters.fragments_overlapping == 1);
        CHECK(f.store.bytes() == 0);
        CHECK_FALSE(f.give(0, 16, true));
        CHECK_FALSE(f.give(16, 24, false));
        CHECK(f.counters.fragments_overlapping == 1);
        CHECK_FALSE(f.store.poll_expired(at(60s)));
        CHECK(f.store.datagrams() == 0);
    }
}

TEST_CASE("two ends, or text behind the end, drop the whole datagram") {
    fixture two_ends;
    (void)two_ends.give(16, 24, false);
    CHECK_FALSE(two_ends.give(24, 30, false));
    CHECK(two_ends.counters.fragments_overlapping == 1);
    fixture behind;
    (void)behind.give(16, 24, false);
    CHECK_FALSE(behind.give(24, 32, true));
    CHECK(behind.counters.fragments_overlapping == 1);
    fixture early_end;
    (void)early_end.give(16, 24, true);
    CHECK_FALSE(early_end.give(8, 12, false));
    CHECK(early_end.counters.fragments_overlapping == 1);
    fixture more_at_end;
    (void)more_at_end.give(16, 24, false);
    CHECK_FALSE(more_at_end.give(8, 24, true));
    CHECK(more_at_end.counters.fragments_overlapping == 1);
}

TEST_CASE("lengths that no datagram can have are malformed and open nothing") {
    fixture f;
    CHECK_FALSE(f.give(0, 12, true));          // not a multiple of 8, and more to come
    CHECK_FALSE(f.give(8, 8, false));          // empty
    CHECK_FALSE(f.give(65528, 65536, false));  // beyond 65535 bytes
    CHECK_FALSE(f.give(65512, 65516, false));  // the same with its header
    CHECK(f.counters.fragments_malformed == 4);
    CHECK(f.counters.fragments_received == 4);
    CHECK(f.store.datagrams() == 0);
    CHECK_FALSE(f.give(65512, 65515, false));
    CHECK(f.store.datagrams() == 1);
}

TEST_CASE("an incomplete datagram is given up after a minute, and tells what it began with") {
    fixture f;
    CHECK(f.store.next_timeout() == never);
    (void)f.give(0, 16, true, 1, at(5s));
    (void)f.give(8, 16, true, 2, at(6s));
    (void)f.give(16, 24, true, 1, at(50s));  // a later fragment does not prolong it
    CHECK(f.store.next_timeout() == at(65s));
    CHECK_FALSE(f.store.poll_expired(at(64s)));
    const auto expired = f.store.poll_expired(at(66s));
    REQUIRE(expired);
    CHECK(expired->header.identification == 1);
    const auto beginning = pattern(16, 0);
    CHECK(std::equal(expired->first_bytes.begin(), expired->first_bytes.end(), beginning.begin()));
    CHECK_FALSE(f.store.poll_expired(at(66s)));  // the second had no first fragment: no error
    CHECK(f.counters.fragments_timed_out == 2);
    CHECK(f.store.datagrams() == 0);
    CHECK(f.store.bytes() == 0);
}

TEST_CASE("beyond the number of datagrams the oldest gives way") {
    fixture f{{.max_datagrams = 3}};
    for (std::uint16_t id = 1; id <= 4; ++id) (void)f.give(0, 8, true, id);
    CHECK(f.store.datagrams() == 3);
    CHECK(f.counters.fragments_over_limit == 1);
    CHECK(f.give(8, 16, false, 2));
    CHECK_FALSE(f.give(8, 16, false, 1));  // begins anew, without its first half
}

TEST_CASE("beyond the bytes allowed the oldest gives way, and one too large gives itself up") {
    fixture f{{.max_bytes = 100}};
    (void)f.give(0, 48, true, 1);
    (void)f.give(0, 48, true, 2);
    (void)f.give(0, 48, true, 3);
    CHECK(f.store.bytes() == 96);
    CHECK(f.counters.fragments_over_limit == 1);
    CHECK_FALSE(f.give(48, 96, true, 3));
    CHECK(f.store.bytes() == 96);
    CHECK_FALSE(f.give(96, 144, true, 3));
    CHECK(f.store.bytes() == 0);
    CHECK(f.counters.fragments_over_limit == 3);
}

TEST_CASE("beyond the fragments allowed a datagram is given up") {
    fixture f{{.max_fragments = 4}};
    for (std::size_t i = 0; i < 5; ++i) (void)f.give(i * 8, i * 8 + 8, true);
    CHECK(f.counters.fragments_over_limit == 1);
    CHECK(f.store.bytes() == 0);
}

TEST_CASE("congestion marked on any fragment marks the datagram [RFC 3168]") {
    fixture f;
    auto pieces = cut(pattern(2000), 1500);
    pieces[1].header.traffic_class = wire::ecn::ce;
    (void)f.give(pieces[0]);
    const auto whole = f.give(pieces[1]);
    REQUIRE(whole);
    CHECK((whole->header.traffic_class & wire::ecn::mask) == wire::ecn::ce);
    pieces[0].header.traffic_class = wire::ecn::not_ect;
    (void)f.give(pieces[0]);
    CHECK_FALSE(f.give(pieces[1]));
    CHECK(f.store.datagrams() == 0);
}

TEST_CASE("a hundred thousand random fragments stay within the bounds") {
    const unsigned seed = 4711;
    CAPTURE(seed);
    std::mt19937 random{seed};
    fixture f;
    std::size_t most_bytes = 0;
    for (int i = 0; i < 100'000; ++i) {
        const std::size_t begin = random() % 8192 * 8;
        const std::size_t size = random() % 2 == 0 ? random() % 1480 : random() % 185 * 8;
        auto header = header_of(static_cast<std::uint16_t>(random() % 40));
        header.fragment_offset_bytes = static_cast<std::uint16_t>(begin);
        header.more_fragments = random() % 8 != 0;
        (void)f.give({header, byte_string(size)}, at(std::chrono::milliseconds{i}));
        while (f.store.poll_expired(at(std::chrono::milliseconds{i}))) {
        }
        most_bytes = std::max(most_bytes, f.store.bytes());
        REQUIRE(f.store.datagrams() <= 16);
    }
    CHECK(most_bytes <= 256 * 1024);
    (void)f.store.poll_expired(at(1h));
    while (f.store.poll_expired(at(1h))) {
    }
    CHECK(f.store.bytes() == 0);
}
}
