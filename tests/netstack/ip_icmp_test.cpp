#include "wire_test_bytes.hpp"

#include <weft/net/ip/icmp.hpp>

#include <doctest/doctest.h>

#include <array>

using namespace std::chrono_literals;
using namespace weft::net;
using namespace weft::net::ip;
using weft::instant;
using weft::test::byte_string;
using weft::test::hex;
using weft::test::pattern;
using weft::test::operator+;

namespace {

instant at(weft::duration since_start) { return instant{since_start}; }

route_table our_routes() {
    route_table routes;
    REQUIRE(routes.add_address({ipv4_address{10, 0, 0, 2}, 24}));
    return routes;
}

wire::ipv4_header udp_header_to_us(std::size_t payload_bytes) {
    wire::ipv4_header header;
    header.source = {10, 0, 0, 1};
    header.destination = {10, 0, 0, 2};
    header.protocol = wire::ip_protocol::udp;
    header.total_bytes = static_cast<std::uint16_t>(20 + payload_bytes);
    return header;
}

byte_string packet_of(const wire::ipv4_header& header, const byte_string& payload) {
    byte_string out(wire::ipv4_header_bytes);
    wire::emit_ipv4(header, out.data());
    return out + payload;
}

struct sender_fixture {
    route_table routes = our_routes();
    stack_counters counters;
    icmp_error_sender sender{10, 5};
    std::array<std::byte, icmp_max_error_bytes> out{};

    std::size_t about(const wire::ipv4_header& header, const byte_string& payload,
                      link_delivery delivery = link_delivery::unicast, instant now = at(0s)) {
        return sender.make_error(port_unreachable, routes, header, packet_of(header, payload),
                                 delivery, out, now, counters);
    }
};

}  // namespace

TEST_SUITE("netstack.ip.icmp") {
TEST_CASE("an echo reply has the request's data and a right checksum") {
    for (const std::size_t size : {0U, 1U, 56U, 4001U}) {
        auto request = hex("0800 0000 1234 0007") + pattern(size);
        wire::fill_icmp_checksum(request);
        byte_string reply(request.size());
        CHECK(make_echo_reply(request, reply) == request.size());
        const auto message = wire::parse_icmp(reply);
        REQUIRE(message);
        CHECK(message->type == wire::icmp_type::echo_reply);
        CHECK(message->identifier == 0x1234);
        CHECK(message->sequence == 7);
        CHECK(std::equal(request.begin() + 4, request.end(), reply.begin() + 4));
        make_echo_reply(request, request);  // in place
        CHECK(request == reply);
    }
}

TEST_CASE("the reply's header exchanges the addresses") {
    auto request = udp_header_to_us(100);
    request.traffic_class = 0xb8 | wire::ecn::ce;
    request.dont_fragment = true;
    const auto header = reply_header(request, wire::ip_protocol::icmp, 108, 77);
    CHECK(header.source == request.destination);
    CHECK(header.destination == request.source);
    CHECK(header.traffic_class == 0xb8);
    CHECK(header.total_bytes == 128);
    CHECK(header.identification == 77);
    CHECK_FALSE(header.dont_fragment);
}

TEST_CASE("pings to a broadcast or from nobody are not answered") {
    const auto routes = our_routes();
    auto request = udp_header_to_us(8);
    CHECK(may_answer_echo(routes, request, link_delivery::unicast));
    CHECK_FALSE(may_answer_echo(routes, request, link_delivery::group));
    for (const ipv4_address to :
         {ipv4_address{10, 0, 0, 255}, ipv4_address::broadcast(), ipv4_address{224, 0, 0, 1}}) {
        request.destination = to;
        CHECK_FALSE(may_answer_echo(routes, request, link_delivery::unicast));
    }
    request = udp_header_to_us(8);
    for (const ipv4_address from :
         {ipv4_address{}, ipv4_address{127, 0, 0, 1}, ipv4_address{224, 0, 0, 1},
          ipv4_address{10, 0, 0, 255}, ipv4_address{10, 0, 0, 2}, ipv4_address::broadcast()}) {
        request.source = from;
        CHECK_FALSE(may_answer_echo(routes, request, link_delivery::unicast));
    }
}

TEST_CASE("an error quotes the datagram's header and what it carries") {
    sender_fixture f;
    const auto payload = hex("9c40 0035 000c 0000 41424344");
    const auto header = udp_header_to_us(payload.size());
    const std::size_t size = f.about(header, payload);
    REQUIRE(size == 8 + 20 + 12);
    const auto message = wire::parse_icmp(wire::bytes_view{f.out}.first(size));
    REQUIRE(message);
    CHECK(message->type == wire::icmp_type::destination_unreachable);
    CHECK(message->code == wire::unreachable_code::port);
    CHECK(message->quoted.source_port() == 40000);
    CHECK(message->quoted.header.source == header.source);
    CHECK(f.counters.icmp_errors_sent == 1);
}

TEST_CASE("an error is at most 576 bytes and does not quote a frame's padding") {
    sender_fixture f;
    CHECK(f.about(udp_header_to_us(1400), pattern(1400)) == icmp_max_error_bytes);
    CHECK(f.about(udp_header_to_us(8), pattern(26)) == 8 + 20 + 8);
}

TEST_CASE("a parameter problem points at the bad byte") {
    sender_fixture f;
    const auto header = udp_header_to_us(8);
    f.sender.make_error({wire::icmp_type::parameter_problem, 0, 20}, f.routes, header,
                        packet_of(header, pattern(8)), link_delivery::unicast, f.out, at(0s),
                        f.counters);
    CHECK(f.out[4] == std::byte{20});
}

TEST_CASE("no error is sent about what RFC 1122 section 3.2.2 excepts") {
    sender_fixture f;
    auto header = udp_header_to_us(8);
    CHECK(f.about(header, pattern(8), link_delivery::group) == 0);
    header.fragment_offset_bytes = 8;
    CHECK(f.about(header, pattern(8)) == 0);
    header = udp_header_to_us(8);
    header.destination = {10, 0, 0, 255};
    CHECK(f.about(header, pattern(8)) == 0);
    header.destination = {224, 0, 0, 251};
    CHECK(f.about(header, pattern(8)) == 0);
    header = udp_header_to_us(8);
    for (const ipv4_address from :
         {ipv4_address{}, ipv4_address{127, 0, 0, 1}, ipv4_address{10, 0, 0, 255},
          ipv4_address{239, 1, 1, 1}, ipv4_address{250, 1, 1, 1}}) {
        header.source = from;
        CHECK(f.about(header, pattern(8)) == 0);
    }
    header = udp_header_to_us(8);
    header.protocol = wire::ip_protocol::icmp;
    for (const unsigned type : {3U, 4U, 5U, 11U, 12U, 200U}) {
        auto payload = pattern(8);
        payload[0] = static_cast<std::byte>(type);
        CHECK(f.about(header, payload) == 0);
    }
    CHECK(f.about(header, {}) == 0);
    CHECK(f.counters.icmp_errors_sent == 0);
    CHECK(f.about(header, hex("0800 0000 0000 0000")) != 0);
}

TEST_CASE("errors are limited in rate and what is not sent is counted") {
    sender_fixture f;
    const auto header = udp_header_to_us(8);
    unsigned sent = 0;
    for (int i = 0; i < 100; ++i) sent += f.about(header, pattern(8)) != 0 ? 1U : 0U;
    CHECK(sent == 5);
    CHECK(f.counters.icmp_errors_limited == 95);
    CHECK(f.about(header, pattern(8), link_delivery::unicast, at(99ms)) == 0);
    CHECK(f.about(header, pattern(8), link_delivery::unicast, at(100ms)) != 0);
    CHECK(f.about(header, pattern(8), link_delivery::unicast, at(100ms)) == 0);
}

TEST_CASE(
    "a token bucket gives its burst, then its rate, and no more than its burst after a rest") {
    token_bucket bucket{1000, 3};
    unsigned taken = 0;
    for (int i = 0; i < 1000; ++i) taken += bucket.take(at(10s + i * 100us)) ? 1U : 0U;
    CHECK(taken == 3 + 99);
    for (int i = 0; i < 3; ++i) CHECK(bucket.take(at(1h)));
    CHECK_FALSE(bucket.take(at(1h)));
}
}
