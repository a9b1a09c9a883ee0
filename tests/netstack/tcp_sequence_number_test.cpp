#include <weft/net/tcp/sequence_number.hpp>

#include <doctest/doctest.h>

#include <random>

using weft::net::tcp::earlier_of;
using weft::net::tcp::later_of;
using weft::net::tcp::sequence_number;

namespace {

constexpr sequence_number at(std::uint32_t value) { return sequence_number{value}; }

}  // namespace

TEST_SUITE("netstack.tcp.sequence_number") {
TEST_CASE("the order holds across 2^32") {
    CHECK(at(0xffff'fff0) < at(0x10));
    CHECK(at(0x10) > at(0xffff'fff0));
    CHECK(at(0x10) - at(0xffff'fff0) == 0x20);
    CHECK(at(0xffff'fff0) + 0x20 == at(0x10));
    CHECK(at(0x10) - 0x20U == at(0xffff'fff0));
}

TEST_CASE("a number is before the 2^31 - 1 numbers behind it and after the 2^31 - 1 before it") {
    std::mt19937 random{1};
    for (int i = 0; i < 10'000; ++i) {
        const sequence_number a = at(static_cast<std::uint32_t>(random()));
        const std::uint32_t distance = 1 + static_cast<std::uint32_t>(random()) % 0x7fff'ffff;
        const sequence_number b = a + distance;
        REQUIRE(a < b);
        REQUIRE(b > a);
        REQUIRE(a <= b);
        REQUIRE(b >= a);
        REQUIRE_FALSE(b < a);
        REQUIRE_FALSE(a >= b);
        REQUIRE(b - a == distance);
        REQUIRE(later_of(a, b) == b);
        REQUIRE(earlier_of(a, b) == a);
    }
}

TEST_CASE("a number is neither before nor after itself") {
    for (const std::uint32_t v : {0U, 1U, 0x7fff'ffffU, 0x8000'0000U, 0xffff'ffffU}) {
        CHECK_FALSE(at(v) < at(v));
        CHECK(at(v) <= at(v));
        CHECK(at(v) >= at(v));
        CHECK(at(v) - at(v) == 0);
    }
}

TEST_CASE("counting up goes through zero") {
    sequence_number n = at(0xffff'ffff);
    ++n;
    CHECK(n == at(0));
    n += 5;
    CHECK(n.value() == 5);
}
}
