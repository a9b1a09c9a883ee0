#include "wire_test_bytes.hpp"

#include <weft/net/wire/arp.hpp>
#include <weft/net/wire/ethernet.hpp>

#include <doctest/doctest.h>

#include <array>

using namespace weft::net;
using namespace weft::net::wire;
using weft::test::byte_string;
using weft::test::hex;
using weft::test::put16;

namespace {

const mac_address alice = mac_address::parse("02:00:00:00:00:0a").value();
const mac_address bob = mac_address::parse("02:00:00:00:00:0b").value();

byte_string request_bytes() {
    return hex("0001 0800 06 04 0001 02000000000a 0a000001 000000000000 0a000002");
}

}  // namespace

TEST_SUITE("netstack.wire.ethernet") {
TEST_CASE("a frame's header is two addresses and a type") {
    const auto frame = hex("02000000000b 02000000000a 0800 45");
    const auto header = parse_ethernet(frame);
    REQUIRE(header);
    CHECK(*header == ethernet_header{bob, alice, ethernet_type::ipv4});
}

TEST_CASE("a frame shorter than its header is not read") {
    const auto frame = hex("02000000000b 02000000000a 0800");
    CHECK(parse_ethernet(frame));
    for (std::size_t size = 0; size < ethernet_header_bytes; ++size) {
        CHECK_FALSE(parse_ethernet(bytes_view{frame}.first(size)));
    }
}

TEST_CASE("an emitted Ethernet header is read back") {
    std::array<std::byte, ethernet_header_bytes> out{};
    const ethernet_header header{alice, bob, ethernet_type::arp};
    CHECK(emit_ethernet(header, out.data()) == ethernet_header_bytes);
    CHECK(parse_ethernet(out) == header);
}

TEST_CASE("an ARP request is read, padded or not") {
    auto bytes = request_bytes();
    for (int padded = 0; padded < 2; ++padded) {
        const auto packet = parse_arp(bytes);
        REQUIRE(packet);
        CHECK(
            *packet ==
            arp_packet{arp_operation::request, alice, {10, 0, 0, 1}, mac_address{}, {10, 0, 0, 2}});
        bytes.resize(ethernet_min_payload_bytes);
    }
}

TEST_CASE("an emitted ARP packet has the bytes of RFC 826") {
    byte_string out(arp_bytes);
    CHECK(emit_arp({arp_operation::request, alice, {10, 0, 0, 1}, mac_address{}, {10, 0, 0, 2}},
                   out.data()) == arp_bytes);
    CHECK(out == request_bytes());
    const arp_packet reply{arp_operation::reply, bob, {10, 0, 0, 2}, alice, {10, 0, 0, 1}};
    emit_arp(reply, out.data());
    CHECK(*parse_arp(out) == reply);
}

TEST_CASE("each thing that can be wrong with an ARP packet has its name") {
    const auto error_with = [](std::size_t offset, unsigned value) {
        auto bytes = request_bytes();
        put16(bytes, offset, value);
        return parse_arp(bytes).error();
    };
    auto bytes = request_bytes();
    bytes.pop_back();
    CHECK(parse_arp(bytes).error() == arp_error::too_short);
    CHECK(error_with(0, 6) == arp_error::bad_hardware);
    CHECK(error_with(2, 0x86dd) == arp_error::bad_protocol);
    CHECK(error_with(4, 0x0804) == arp_error::bad_hardware);
    CHECK(error_with(4, 0x0610) == arp_error::bad_protocol);
    CHECK(error_with(6, 0) == arp_error::bad_operation);
    CHECK(error_with(6, 3) == arp_error::bad_operation);
    CHECK(error_with(6, 2) == arp_error::none);
}
}
