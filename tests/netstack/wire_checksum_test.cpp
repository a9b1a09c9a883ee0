#include "wire_test_bytes.hpp"

#include <weft/net/wire/checksum.hpp>

#include <doctest/doctest.h>

#include <random>

using namespace weft::net;
using namespace weft::net::wire;
using weft::test::hex;
using weft::test::pattern;

namespace {

/// RFC 1071 §4.1 taken literally: 16-bit words one by one.
std::uint16_t slow_fold(bytes_view bytes) {
    std::uint64_t sum = 0;
    for (std::size_t i = 0; i < bytes.size(); ++i) {
        sum += std::to_integer<std::uint64_t>(bytes[i]) << (i % 2 == 0 ? 8 : 0);
    }
    while (sum >> 16 != 0) sum = (sum & 0xffff) + (sum >> 16);
    return static_cast<std::uint16_t>(sum);
}

}  // namespace

TEST_SUITE("netstack.wire.checksum") {
TEST_CASE("the example of RFC 1071 section 3 sums to ddf2") {
    const auto bytes = hex("0001 f203 f4f5 f6f7");
    CHECK(checksum_fold(checksum_partial(bytes)) == 0xddf2);
    CHECK(checksum_finish(checksum_partial(bytes)) == 0x220d);
}

TEST_CASE("the example of RFC 1071 section 3 in groups of odd length sums to the same") {
    const auto bytes = hex("0001 f203 f4f5 f6f7");
    const bytes_view view{bytes};
    checksum_chain chain;
    chain.add(view.first(3));
    chain.add(view.subspan(3));
    CHECK(checksum_fold(chain.sum()) == 0xddf2);
}

TEST_CASE("every length and alignment agrees with the sum word by word") {
    const auto bytes = pattern(200, 9);
    const bytes_view view{bytes};
    for (std::size_t from = 0; from < 17; ++from) {
        for (std::size_t count = 0; from + count <= view.size(); ++count) {
            const bytes_view part = view.subspan(from, count);
            REQUIRE(checksum_fold(checksum_partial(part)) == slow_fold(part));
        }
    }
}

TEST_CASE("a large block of ones loses no carry") {
    const std::vector<std::byte> ones(65536 + 7, std::byte{0xff});
    CHECK(checksum_fold(checksum_partial(ones)) == slow_fold(ones));
}

TEST_CASE("pieces of any lengths chain to the sum of the whole") {
    const unsigned seed = 20240501;
    std::mt19937 random{seed};
    CAPTURE(seed);
    const auto bytes = pattern(3000, 4);
    for (int round = 0; round < 200; ++round) {
        bytes_view left{bytes};
        checksum_chain chain;
        while (!left.empty()) {
            const std::size_t count = std::min<std::size_t>(random() % 70, left.size());
            chain.add(left.first(count));
            left = left.subspan(count);
        }
        REQUIRE(checksum_fold(chain.sum()) == slow_fold(bytes));
    }
}

TEST_CASE("a seed is a sum carried on") {
    const auto bytes = pattern(64);
    const bytes_view view{bytes};
    CHECK(checksum_fold(checksum_partial(view.subspan(20), checksum_partial(view.first(20)))) ==
          slow_fold(view));
    CHECK(checksum_fold(checksum_partial(view, 0xffff'ffff'ffff'ffffULL)) == slow_fold(view));
}

TEST_CASE("a header with its right checksum is valid, with one bit changed it is not") {
    auto header = hex("4500 0073 0000 4000 4011 b861 c0a8 0001 c0a8 00c7");
    CHECK(checksum_is_valid(checksum_partial(header)));
    for (std::size_t bit = 0; bit < header.size() * 8; ++bit) {
        header[bit / 8] ^= static_cast<std::byte>(1U << bit % 8);
        CHECK_FALSE(checksum_is_valid(checksum_partial(header)));
        header[bit / 8] ^= static_cast<std::byte>(1U << bit % 8);
    }
}

TEST_CASE("the examples of RFC 1624 section 4 update to 0000 and not to ffff") {
    CHECK(checksum_update(0xdd2f, 0x5555, 0x3285) == 0x0000);
}

TEST_CASE("the IPv4 pseudo-header is addresses, protocol and length") {
    const auto spelled = hex("c0000201 c6336402 00 06 0014");
    CHECK(checksum_fold(pseudo_header_sum(ipv4_address{192, 0, 2, 1}, ipv4_address{198, 51, 100, 2},
                                          6, 20)) == slow_fold(spelled));
}

TEST_CASE("the IPv6 pseudo-header is addresses, a 32-bit length and the next header") {
    const auto from = ipv6_address::parse("2001:db8::1:ffff").value();
    const auto to = ipv6_address::parse("fe80::1234:5678:9abc:def0").value();
    const auto spelled =
        hex("20010db8 00000000 00000000 0001ffff fe800000 00000000 12345678 9abcdef0"
            "00012345 000000 3a");
    CHECK(checksum_fold(pseudo_header_sum(from, to, 58, 0x12345)) == slow_fold(spelled));
    CHECK(pseudo_header_sum(ip_address{from}, ip_address{to}, 58, 0x12345) ==
          pseudo_header_sum(from, to, 58, 0x12345));
}
}
