#include "wire_test_bytes.hpp"

#include <weft/net/wire/icmp.hpp>

#include <doctest/doctest.h>

using namespace weft::net;
using namespace weft::net::wire;
using weft::test::byte_string;
using weft::test::hex;
using weft::test::put16;
using weft::test::operator+;

namespace {

byte_string with_checksum(byte_string message) {
    fill_icmp_checksum(message);
    return message;
}

/// A quoted TCP segment of ours: 10.0.0.1:40000 to 192.0.2.9:80, SEQ 0x01020304.
byte_string quoted_segment() {
    return hex("4500 05dc 1234 4000 3f06 0000 0a000001 c0000209  9c40 0050 01020304");
}

byte_string error_message(unsigned type, unsigned code, std::uint32_t rest,
                          const byte_string& quote = quoted_segment()) {
    byte_string header(icmp_header_bytes);
    emit_icmp_header(static_cast<icmp_type>(type), static_cast<std::uint8_t>(code), rest,
                     header.data());
    return with_checksum(header + quote);
}

std::optional<icmp_report> report(unsigned type, unsigned code, std::uint32_t rest = 0) {
    const auto message = parse_icmp(error_message(type, code, rest));
    REQUIRE(message);
    return report_of(*message);
}

}  // namespace

TEST_SUITE("netstack.wire.icmp") {
TEST_CASE("an echo request has an identifier and a sequence number") {
    const auto message = parse_icmp(with_checksum(hex("0800 0000 1234 0007 6162636465")));
    REQUIRE(message);
    CHECK(message->type == icmp_type::echo_request);
    CHECK(message->identifier == 0x1234);
    CHECK(message->sequence == 7);
    CHECK_FALSE(message->is_error());
    CHECK_FALSE(report_of(*message));
}

TEST_CASE("an error carries the datagram that it is about") {
    const auto message = parse_icmp(error_message(3, unreachable_code::port, 0));
    REQUIRE(message);
    CHECK(message->is_error());
    CHECK(message->quoted.header.destination == ipv4_address{192, 0, 2, 9});
    CHECK(message->quoted.source_port() == 40000);
    CHECK(message->quoted.destination_port() == 80);
    CHECK(message->quoted.tcp_sequence() == 0x0102'0304);
}

TEST_CASE("a quoted header with options is skipped by its length") {
    auto quote = hex("4600 05dc 1234 4000 3f06 0000 0a000001 c0000209 94040000 9c40 0050 01020304");
    const auto message = parse_icmp(error_message(11, 0, 0, quote));
    REQUIRE(message);
    CHECK(message->quoted.source_port() == 40000);
}

TEST_CASE("a packet that was too big comes back with the next hop's MTU [RFC 1191]") {
    const auto told = report(3, unreachable_code::fragmentation_needed, 1400);
    REQUIRE(told);
    CHECK(told->problem == delivery_problem::packet_too_big);
    CHECK(told->next_hop_mtu == 1400);
    CHECK(told->quoted_total_bytes == 1500);
    CHECK(told->protocol == ip_protocol::tcp);
    CHECK(told->source == ip_address{ipv4_address{10, 0, 0, 1}});
    CHECK(told->destination == ip_address{ipv4_address{192, 0, 2, 9}});
    CHECK(told->source_port == 40000);
    CHECK(told->destination_port == 80);
    CHECK(told->sequence == 0x0102'0304);
    CHECK(report(3, unreachable_code::host, 1400)->next_hop_mtu == 0);
}

TEST_CASE("each type and code is told as a problem") {
    CHECK(report(3, 0)->problem == delivery_problem::network_unreachable);
    CHECK(report(3, 1)->problem == delivery_problem::host_unreachable);
    CHECK(report(3, 2)->problem == delivery_problem::protocol_unreachable);
    CHECK(report(3, 3)->problem == delivery_problem::port_unreachable);
    CHECK(report(3, 5)->problem == delivery_problem::source_route_failed);
    CHECK(report(3, 6)->problem == delivery_problem::network_unreachable);
    CHECK(report(3, 7)->problem == delivery_problem::host_unreachable);
    CHECK(report(3, 9)->problem == delivery_problem::prohibited);
    CHECK(report(3, 13)->problem == delivery_problem::prohibited);
    CHECK(report(3, 200)->problem == delivery_problem::host_unreachable);
    CHECK(report(11, 0)->problem == delivery_problem::hop_limit_exceeded);
    CHECK(report(11, 1)->problem == delivery_problem::reassembly_timed_out);
    CHECK(report(12, 0)->problem == delivery_problem::parameter_problem);
}

TEST_CASE("an error about a later fragment has no ports to report") {
    auto quote = quoted_segment();
    put16(quote, 6, 100);
    const auto message = parse_icmp(error_message(11, 0, 0, quote));
    REQUIRE(message);
    CHECK_FALSE(report_of(*message));
}

TEST_CASE("source quench and redirect are recognised and are no errors to deliver") {
    for (const unsigned type : {4U, 5U}) {
        const auto message = parse_icmp(error_message(type, 0, 0));
        REQUIRE(message);
        CHECK(message->type == static_cast<icmp_type>(type));
        CHECK_FALSE(report_of(*message));
    }
}

TEST_CASE("each thing that can be wrong with an ICMP message has its name") {
    CHECK(parse_icmp({}).error() == icmp_error::too_short);
    CHECK(parse_icmp(hex("0800 f7ff 0000 00")).error() == icmp_error::too_short);
    CHECK(parse_icmp(hex("0800 f7ff 0000 0000")).error() == icmp_error::none);
    CHECK(parse_icmp(hex("0800 f7fe 0000 0000")).error() == icmp_error::bad_checksum);
    CHECK(parse_icmp(with_checksum(hex("0d00 0000 0000 0000"))).error() ==
          icmp_error::unknown_type);
    const auto error_quoting = [](byte_string quote) {
        return parse_icmp(error_message(3, 3, 0, quote)).error();
    };
    CHECK(error_quoting({}) == icmp_error::bad_quote);
    auto quote = quoted_segment();
    quote.pop_back();
    CHECK(error_quoting(quote) == icmp_error::bad_quote);
    quote = quoted_segment();
    quote[0] = std::byte{0x65};
    CHECK(error_quoting(quote) == icmp_error::bad_quote);
    quote[0] = std::byte{0x44};
    CHECK(error_quoting(quote) == icmp_error::bad_quote);
    quote[0] = std::byte{0x46};
    CHECK(error_quoting(quote) == icmp_error::bad_quote);
}
}
