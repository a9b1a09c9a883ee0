#include <weft/net/tcp/connection_table.hpp>

#include "scripted_peer.hpp"

#include <doctest/doctest.h>

#include <map>
#include <random>

using namespace weft::net;
using namespace weft::net::tcp;

namespace {

four_tuple tuple_of(std::uint32_t i) {
    return {ipv4_address{10, 0, 0, 1}, ipv4_address{i % 97}, static_cast<std::uint16_t>(i % 31),
            static_cast<std::uint16_t>(i)};
}

struct order {
    bool operator()(const four_tuple& a, const four_tuple& b) const {
        return std::tuple{a.local(), a.remote()} < std::tuple{b.local(), b.remote()};
    }
};

}  // namespace

TEST_SUITE("netstack.tcp.connection_table") {
TEST_CASE("agrees with std::map through any order of inserts, erasures and look-ups") {
    weft::test::scripted_peer world{state::closed};  // connections need a demultiplexer
    std::vector<std::unique_ptr<connection>> connections;
    for (std::uint32_t i = 0; i < 3000; ++i) {
        connections.push_back(std::make_unique<connection>(world.demux, i + 1, tuple_of(i),
                                                           connection_options{}, false));
    }
    std::mt19937 random{5};
    connection_table table{{1, 2}};
    std::map<four_tuple, connection*, order> expected;
    CHECK(table.find(tuple_of(1)) == nullptr);
    for (int step = 0; step < 100'000; ++step) {
        // Grows, shrinks and stays for a while.
        const bool grows = (step / 20'000) % 2 == 0;
        connection& c = *connections[random() % connections.size()];
        const auto found = expected.find(c.tuple());
        REQUIRE(table.find(c.tuple()) == (found == expected.end() ? nullptr : found->second));
        if (found == expected.end() && random() % 4 < (grows ? 3U : 1U)) {
            table.insert(c);
            expected[c.tuple()] = &c;
        } else if (found != expected.end() && random() % 4 < (grows ? 1U : 3U)) {
            table.erase(c);
            expected.erase(found);
        }
        REQUIRE(table.size() == expected.size());
    }
    std::size_t visited = 0;
    table.for_each([&](connection& c) {
        ++visited;
        REQUIRE(expected.at(c.tuple()) == &c);
    });
    CHECK(visited == expected.size());
    for (const auto& [tuple, c] : expected) REQUIRE(table.find(tuple) == c);
}

TEST_CASE("erasing what is not in the table changes nothing") {
    weft::test::scripted_peer world{state::closed};
    connection a{world.demux, 1, tuple_of(1), {}, false};
    connection b{world.demux, 2, tuple_of(2), {}, false};
    connection_table table{{1, 2}};
    table.insert(a);
    table.erase(b);
    CHECK(table.size() == 1);
    CHECK(table.find(a.tuple()) == &a);
}
}
