#include <weft/net/ip/route_table.hpp>

#include <doctest/doctest.h>

using namespace weft::net;
using weft::net::ip::hop_kind;
using weft::net::ip::next_hop;
using weft::net::ip::route_table;

namespace {

ip_address addr(std::string_view text) { return ip_address::parse(text).value(); }
ip_prefix prefix(std::string_view text) { return ip_prefix::parse(text).value(); }

route_table host_with_gateway() {
    route_table routes;
    REQUIRE(routes.add_address(prefix("10.0.0.2/24")));
    REQUIRE(routes.add_route(prefix("0.0.0.0/0"), addr("10.0.0.1")));
    return routes;
}

}  // namespace

TEST_SUITE("netstack.ip.routes") {
TEST_CASE("a neighbour is reached directly, the rest of the world through the gateway") {
    const auto routes = host_with_gateway();
    CHECK(routes.lookup(addr("10.0.0.9")) ==
          next_hop{addr("10.0.0.2"), addr("10.0.0.9"), hop_kind::on_link});
    CHECK(routes.lookup(addr("192.0.2.1")) ==
          next_hop{addr("10.0.0.2"), addr("10.0.0.1"), hop_kind::gateway});
}

TEST_CASE("without a gateway only neighbours are reached") {
    route_table routes;
    CHECK_FALSE(routes.lookup(addr("10.0.0.9")));
    REQUIRE(routes.add_address(prefix("10.0.0.2/24")));
    CHECK(routes.lookup(addr("10.0.0.9")));
    CHECK_FALSE(routes.lookup(addr("10.0.1.9")));
    CHECK_FALSE(routes.lookup(addr("2001:db8::1")));
}

TEST_CASE("the longest prefix wins whatever the order it was added in") {
    auto routes = host_with_gateway();
    REQUIRE(routes.add_route(prefix("192.0.2.0/24"), addr("10.0.0.3")));
    REQUIRE(routes.add_route(prefix("192.0.0.0/16"), addr("10.0.0.4")));
    REQUIRE(routes.add_route(prefix("192.0.2.128/25"), addr("10.0.0.5")));
    CHECK(routes.lookup(addr("192.0.2.200"))->address == addr("10.0.0.5"));
    CHECK(routes.lookup(addr("192.0.2.1"))->address == addr("10.0.0.3"));
    CHECK(routes.lookup(addr("192.0.99.1"))->address == addr("10.0.0.4"));
    CHECK(routes.lookup(addr("192.99.2.1"))->address == addr("10.0.0.1"));
}

TEST_CASE("of two routes with equal prefixes the first added is used") {
    auto routes = host_with_gateway();
    REQUIRE(routes.add_route(prefix("0.0.0.0/0"), addr("10.0.0.7")));
    CHECK(routes.lookup(addr("192.0.2.1"))->address == addr("10.0.0.1"));
}

TEST_CASE("the source address shares the next hop's link") {
    auto routes = host_with_gateway();
    REQUIRE(routes.add_address(prefix("172.16.5.4/16")));
    REQUIRE(routes.add_address(prefix("2001:db8::2/64")));
    REQUIRE(routes.add_route(prefix("198.51.100.0/24"), addr("172.16.0.1")));
    CHECK(routes.lookup(addr("172.16.9.9"))->source == addr("172.16.5.4"));
    CHECK(routes.lookup(addr("198.51.100.7"))->source == addr("172.16.5.4"));
    CHECK(routes.lookup(addr("203.0.113.7"))->source == addr("10.0.0.2"));
    CHECK(routes.lookup(addr("2001:db8::9"))->source == addr("2001:db8::2"));
}

TEST_CASE("our own addresses are local, loopback and unspecified ones lead nowhere") {
    const auto routes = host_with_gateway();
    CHECK(routes.lookup(addr("10.0.0.2"))->kind == hop_kind::local);
    CHECK_FALSE(routes.lookup(addr("127.0.0.1")));
    CHECK_FALSE(routes.lookup(addr("0.0.0.0")));
    CHECK_FALSE(routes.lookup(addr("::1")));
    CHECK(routes.is_local(addr("10.0.0.2")));
    CHECK_FALSE(routes.is_local(addr("10.0.0.3")));
}

TEST_CASE("broadcasts are those of the link and of its networks") {
    const auto routes = host_with_gateway();
    CHECK(routes.is_broadcast(addr("255.255.255.255")));
    CHECK(routes.is_broadcast(addr("10.0.0.255")));
    CHECK(routes.is_broadcast(addr("10.0.0.0")));  // 4.2BSD's form, RFC 1122 §3.3.6
    CHECK_FALSE(routes.is_broadcast(addr("10.0.1.255")));
    CHECK_FALSE(routes.is_broadcast(addr("10.0.0.2")));
    CHECK(routes.lookup(addr("255.255.255.255"))->kind == hop_kind::on_link);
    CHECK(routes.lookup(addr("224.0.0.1"))->kind == hop_kind::on_link);
}

TEST_CASE("what no host may have as its address is refused") {
    route_table routes;
    for (const char* bad :
         {"0.0.0.0/24", "10.0.0.0/24", "10.0.0.255/24", "127.0.0.1/8", "224.0.0.1/4",
          "255.255.255.255/32", "240.0.0.1/4", "::/64", "ff02::1/64", "::1/128"}) {
        CAPTURE(bad);
        CHECK_FALSE(routes.add_address(prefix(bad)));
    }
    CHECK(routes.addresses().empty());
    CHECK(routes.add_address(prefix("10.0.0.0/31")));  // RFC 3021: both ends are hosts
    CHECK_FALSE(routes.add_address(prefix("10.0.0.0/31")));
}

TEST_CASE("a gateway has to be a neighbour of the route's family") {
    auto routes = host_with_gateway();
    CHECK_FALSE(routes.add_route(prefix("192.0.2.0/24"), addr("10.0.1.1")));
    CHECK_FALSE(routes.add_route(prefix("192.0.2.0/24"), addr("10.0.0.2")));
    CHECK_FALSE(routes.add_route(prefix("192.0.2.0/24"), addr("10.0.0.255")));
    CHECK_FALSE(routes.add_route(prefix("2001:db8::/32"), addr("10.0.0.1")));
}
}
