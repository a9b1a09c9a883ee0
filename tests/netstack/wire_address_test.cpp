#include <weft/net/address.hpp>

#include <doctest/doctest.h>

#include <string>
#include <type_traits>

using namespace weft::net;

static_assert(std::is_trivially_copyable_v<mac_address>);
static_assert(std::is_trivially_copyable_v<ip_address> && sizeof(ip_address) == 16);
static_assert(std::is_trivially_copyable_v<ip_prefix> && std::is_trivially_copyable_v<endpoint>);

namespace {

std::string v6_round_trip(std::string_view text) {
    const auto address = ipv6_address::parse(text);
    return address ? address->to_string() : "invalid";
}

ip_address ip(std::string_view text) { return ip_address::parse(text).value(); }
ip_prefix prefix(std::string_view text) { return ip_prefix::parse(text).value(); }

}  // namespace

TEST_SUITE("netstack.wire.address") {
TEST_CASE("a MAC address is read with colons or dashes and printed with colons") {
    CHECK(mac_address::parse("02:00:5E:10:00:fF")->to_string() == "02:00:5e:10:00:ff");
    CHECK(mac_address::parse("02-00-5e-10-00-01")->to_string() == "02:00:5e:10:00:01");
    for (const char* bad :
         {"", "02:00:5e:10:00", "02:00:5e:10:00:0", "02:00:5e:10:00:0g", "02:00-5e:10:00:01",
          "02:00:5e:10:00:01:", "02 00 5e 10 00 01", "+2:00:5e:10:00:01"}) {
        CAPTURE(bad);
        CHECK_FALSE(mac_address::parse(bad));
    }
}

TEST_CASE("the group bit makes a MAC address multicast, all ones broadcast") {
    CHECK(mac_address::broadcast().is_broadcast());
    CHECK(mac_address::broadcast().is_multicast());
    CHECK(mac_address::parse("01:00:5e:00:00:01")->is_multicast());
    CHECK_FALSE(mac_address::parse("02:00:5e:00:00:01")->is_multicast());
    CHECK(mac_address{}.is_unspecified());
}

TEST_CASE("an IPv4 address is four plain decimal bytes and nothing else") {
    CHECK(ipv4_address::parse("192.0.2.1") == ipv4_address{192, 0, 2, 1});
    CHECK(ipv4_address::parse("0.0.0.0") == ipv4_address{});
    CHECK(ipv4_address::parse("255.255.255.255")->is_broadcast());
    CHECK(ipv4_address{10, 0, 200, 99}.to_string() == "10.0.200.99");
    for (const char* bad :
         {"", "1.2.3", "1.2.3.4.5", "1.2.3.256", "1.2.3.", ".1.2.3", "1..2.3", "01.2.3.4",
          "1.2.3.010", "1.2.3.-4", "1.2.3.4 ", " 1.2.3.4", "0x1.2.3.4", "1.2.3.4/8", "16909060"}) {
        CAPTURE(bad);
        CHECK_FALSE(ipv4_address::parse(bad));
    }
}

TEST_CASE("IPv4 addresses know what they are for") {
    CHECK(ipv4_address{127, 1, 2, 3}.is_loopback());
    CHECK(ipv4_address{224, 0, 0, 1}.is_multicast());
    CHECK(ipv4_address{239, 255, 255, 255}.is_multicast());
    CHECK_FALSE(ipv4_address{240, 0, 0, 1}.is_multicast());
    CHECK(ipv4_address{169, 254, 9, 9}.is_link_local());
    CHECK(ipv4_address{10, 0, 0, 1}.is_unicast());
    for (const ipv4_address not_one_host :
         {ipv4_address{}, ipv4_address{0, 0, 0, 9}, ipv4_address{127, 0, 0, 1},
          ipv4_address{224, 0, 0, 1}, ipv4_address{240, 0, 0, 1}, ipv4_address::broadcast()}) {
        CHECK_FALSE(not_one_host.is_unicast());
    }
}

TEST_CASE("an IPv6 address is printed in the canonical form of RFC 5952 section 4") {
    CHECK(v6_round_trip("2001:0DB8::0001") == "2001:db8::1");               // §4.1, §4.3
    CHECK(v6_round_trip("2001:db8:0:0:0:0:2:1") == "2001:db8::2:1");        // §4.2.1
    CHECK(v6_round_trip("2001:db8::1:1:1:1:1") == "2001:db8:0:1:1:1:1:1");  // §4.2.2
    CHECK(v6_round_trip("2001:0:0:1:0:0:0:1") == "2001:0:0:1::1");          // §4.2.3 longest
    CHECK(v6_round_trip("2001:db8:0:0:1:0:0:1") == "2001:db8::1:0:0:1");    // §4.2.3 first
    CHECK(v6_round_trip("::") == "::");
    CHECK(v6_round_trip("::1") == "::1");
    CHECK(v6_round_trip("fe80::") == "fe80::");
    CHECK(v6_round_trip("1:2:3:4:5:6:7:8") == "1:2:3:4:5:6:7:8");
    CHECK(v6_round_trip("1:2:3:4:5:6:7::") == "1:2:3:4:5:6:7:0");
    CHECK(v6_round_trip("::2:3:4:5:6:7:8") == "0:2:3:4:5:6:7:8");
    CHECK(v6_round_trip("::ffff:192.0.2.128") == "::ffff:192.0.2.128");  // §5
    CHECK(v6_round_trip("64:ff9b::192.0.2.33") == "64:ff9b::c000:221");
    CHECK(v6_round_trip("1:2:3:4:5:6:1.2.3.4") == "1:2:3:4:5:6:102:304");
}

TEST_CASE("text that is no IPv6 address of RFC 4291 section 2.2 is refused") {
    for (const char* bad : {"",
                            ":",
                            ":::",
                            "1",
                            "1:2:3:4:5:6:7",
                            "1:2:3:4:5:6:7:8:9",
                            "1::2::3",
                            "12345::",
                            "g::",
                            "1:2:3:4:5:6:7:8::",
                            "::1:2:3:4:5:6:7:8",
                            "1:2:3:4::5:6:7:8",
                            "1:2:3:4:5:6:7:1.2.3.4",
                            "::1.2.3",
                            "1.2.3.4::",
                            "::1.2.3.4:5",
                            "1:",
                            ":1",
                            "::1:",
                            ":1::",
                            "::1%eth0",
                            "[::1]",
                            "::+1"}) {
        CAPTURE(bad);
        CHECK_FALSE(ipv6_address::parse(bad));
    }
}

TEST_CASE("IPv6 bytes and words are the same address") {
    const auto address = ipv6_address::parse("2001:db8:1:2:3:4:5:6").value();
    CHECK(ipv6_address{address.bytes()} == address);
    CHECK(address.bytes()[0] == 0x20);
    CHECK(address.bytes()[15] == 0x06);
    CHECK(ipv6_address::parse("ff02::1")->is_multicast());
    CHECK(ipv6_address::parse("febf::1")->is_link_local());
    CHECK_FALSE(ipv6_address::parse("fec0::1")->is_link_local());
}

TEST_CASE("an address of either family keeps its family and compares in one step") {
    CHECK(ip("192.0.2.1").is_v4());
    CHECK(ip("192.0.2.1").v4() == ipv4_address{192, 0, 2, 1});
    CHECK(ip("2001:db8::1").is_v6());
    CHECK(ip("192.0.2.1").to_string() == "192.0.2.1");
    CHECK(ip("::ffff:192.0.2.1") == ip("192.0.2.1"));  // mapped: one and the same
    CHECK(ip("192.0.2.1") < ip("192.0.2.2"));
    CHECK(ip("::") != ip("0.0.0.0"));
    CHECK(ip("0.0.0.0").is_unspecified());
    CHECK(ip_address{}.is_unspecified());
    CHECK(ip_address{}.is_v6());
    CHECK_FALSE(ip("::").is_broadcast());
    CHECK(hash_of(ip("192.0.2.1")) != hash_of(ip("192.0.2.2")));
}

TEST_CASE("a prefix contains the addresses of its network and its family") {
    CHECK(prefix("10.1.2.3/24").contains(ip("10.1.2.200")));
    CHECK_FALSE(prefix("10.1.2.3/24").contains(ip("10.1.3.3")));
    CHECK(prefix("0.0.0.0/0").contains(ip("198.51.100.1")));
    CHECK_FALSE(prefix("0.0.0.0/0").contains(ip("2001:db8::1")));
    CHECK_FALSE(prefix("::/0").contains(ip("198.51.100.1")));
    CHECK(prefix("::/0").contains(ip("2001:db8::1")));
    CHECK(prefix("2001:db8::/32").contains(ip("2001:db8:ffff::1")));
    CHECK_FALSE(prefix("2001:db8::/33").contains(ip("2001:db8:ffff::1")));
    CHECK(prefix("2001:db8::1/65").contains(ip("2001:db8::7fff:0:0:1")));
    CHECK_FALSE(prefix("2001:db8::1/65").contains(ip("2001:db8::8000:0:0:1")));
    CHECK(prefix("192.0.2.7").contains(ip("192.0.2.7")));
    CHECK_FALSE(prefix("192.0.2.7").contains(ip("192.0.2.6")));
}

TEST_CASE("a prefix knows its network and its directed broadcast") {
    CHECK(prefix("10.1.2.3/20").network() == ip("10.1.0.0"));
    CHECK(prefix("10.1.2.3/20").broadcast() == ipv4_address{10, 1, 15, 255});
    CHECK(prefix("10.1.2.3/0").broadcast() == ipv4_address::broadcast());
    CHECK(prefix("2001:db8::1/64").network() == ip("2001:db8::"));
    CHECK_FALSE(prefix("10.1.2.3/31").broadcast());
    CHECK_FALSE(prefix("10.1.2.3/32").broadcast());
    CHECK_FALSE(prefix("2001:db8::1/64").broadcast());
    CHECK(prefix("10.1.2.3/24").to_string() == "10.1.2.3/24");
    for (const char* bad : {"", "/24", "10.0.0.1/", "10.0.0.1/33", "10.0.0.1/-1", "10.0.0.1/24/8",
                            "2001:db8::1/129", "10.0.0.1/a"}) {
        CAPTURE(bad);
        CHECK_FALSE(ip_prefix::parse(bad));
    }
}

TEST_CASE("an endpoint needs brackets around IPv6 and a port in 16 bits") {
    CHECK(endpoint::parse("192.0.2.1:80") == endpoint{ip("192.0.2.1"), 80});
    CHECK(endpoint::parse("[2001:db8::1]:443") == endpoint{ip("2001:db8::1"), 443});
    CHECK(endpoint{ip("2001:db8::1"), 443}.to_string() == "[2001:db8::1]:443");
    CHECK(endpoint{ip("192.0.2.1"), 80}.to_string() == "192.0.2.1:80");
    for (const char* bad :
         {"", "192.0.2.1", "192.0.2.1:", "192.0.2.1:65536", ":80", "2001:db8::1:80",
          "[192.0.2.1]:80", "[2001:db8::1]", "2001:db8::1]:80", "host:80"}) {
        CAPTURE(bad);
        CHECK_FALSE(endpoint::parse(bad));
    }
}
}
