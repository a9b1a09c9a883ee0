#include <weft/net/ip/path_mtu_cache.hpp>

#include <doctest/doctest.h>

#include <vector>

// What is remembered of paths: RFC 1191 §6.3.

using namespace std::chrono_literals;
using namespace weft;
using namespace weft::net;

namespace {

constexpr instant start{1h};

ip_address host(unsigned n) { return ipv4_address{(10U << 24) + n}; }

}  // namespace

TEST_SUITE("netstack.ip.path_mtu_cache") {
TEST_CASE("a path of which nothing is known is as wide as the link") {
    const ip::path_mtu_cache cache;
    CHECK_FALSE(cache.lookup(host(1), start));
    CHECK(cache.size() == 0);
}

TEST_CASE("what was learned holds for that destination, for ten minutes (RFC 1191 section 6.3)") {
    ip::path_mtu_cache cache;
    cache.learn(host(1), 1400, start);
    CHECK(cache.lookup(host(1), start) == 1400U);
    CHECK_FALSE(cache.lookup(host(2), start));
    CHECK(cache.lookup(host(1), start + 10min - 1s) == 1400U);
    CHECK_FALSE(cache.lookup(host(1), start + 10min));
}

TEST_CASE("what is learned again replaces what was known, and lives anew") {
    ip::path_mtu_cache cache;
    cache.learn(host(1), 1400, start);
    cache.learn(host(1), 1300, start + 9min);
    CHECK(cache.size() == 1);
    CHECK(cache.lookup(host(1), start + 18min) == 1300U);
    cache.forget(host(1));
    CHECK_FALSE(cache.lookup(host(1), start + 18min));
    cache.forget(host(1));
    CHECK(cache.size() == 0);
}

TEST_CASE("a full cache gives up what it has known longest") {
    ip::path_mtu_cache cache{{.max_entries = 100}};
    for (unsigned i = 0; i < 100; ++i) cache.learn(host(i), 1000 + i, start);
    cache.learn(host(0), 900, start + 1s);  // no longer the oldest
    for (unsigned i = 100; i < 150; ++i) cache.learn(host(i), 1000 + i, start + 2s);
    CHECK(cache.size() == 100);
    CHECK(cache.lookup(host(0), start + 2s) == 900U);
    for (unsigned i = 1; i <= 50; ++i) CHECK_FALSE(cache.lookup(host(i), start + 2s));
    for (unsigned i = 51; i < 150; ++i) CHECK(cache.lookup(host(i), start + 2s) == 1000 + i);
}

TEST_CASE("entries come and go in any order, and each is found while it is there") {
    ip::path_mtu_cache cache{{.max_entries = 64}};
    std::uint32_t state = 1;
    std::vector<std::uint32_t> truth(64);
    for (int i = 0; i < 20'000; ++i) {
        state = state * 1664525U + 1013904223U;
        const unsigned n = (state >> 8) % 64;
        if ((state >> 24) % 3 == 0) {
            cache.forget(host(n * 977));
            truth[n] = 0;
        } else {
            truth[n] = 500 + (state >> 16) % 1000;
            cache.learn(host(n * 977), truth[n], start);
        }
        const unsigned m = (state >> 3) % 64;
        REQUIRE(cache.lookup(host(m * 977), start).value_or(0) == truth[m]);
    }
}
}
