#include "wire_test_bytes.hpp"

#include <weft/net/wire/checksum.hpp>
#include <weft/net/wire/ipv4.hpp>
#include <weft/net/wire/udp.hpp>

#include <doctest/doctest.h>

using namespace weft::net;
using namespace weft::net::wire;
using weft::test::byte_string;
using weft::test::hex;
using weft::test::pattern;
using weft::test::put16;

namespace {

/// A header whose checksum is made right, whatever it says.
byte_string with_checksum(byte_string header, std::size_t header_bytes = ipv4_header_bytes) {
    put16(header, 10, 0);
    put16(header, 10, checksum_finish(checksum_partial(bytes_view{header}.first(header_bytes))));
    return header;
}

/// A UDP packet of 115 bytes, of which the header is given and the rest does not matter.
byte_string sample() {
    auto packet = hex("4500 0073 0000 4000 4011 b861 c0a8 0001 c0a8 00c7");
    packet.resize(0x73);
    return packet;
}

byte_string with_options(std::string_view options) {
    const auto list = hex(options);
    auto packet = sample();
    packet.insert(packet.begin() + ipv4_header_bytes, list.begin(), list.end());
    packet[0] = static_cast<std::byte>(0x45 + list.size() / 4);
    put16(packet, 2, static_cast<unsigned>(packet.size()));
    return with_checksum(packet, ipv4_header_bytes + list.size());
}

}  // namespace

TEST_SUITE("netstack.wire.ipv4") {
TEST_CASE("a header's fields are read and its payload is found") {
    const auto packet = sample();
    const auto header = parse_ipv4(packet);
    REQUIRE(header);
    CHECK(header->source == ipv4_address{192, 168, 0, 1});
    CHECK(header->destination == ipv4_address{192, 168, 0, 199});
    CHECK(header->protocol == ip_protocol::udp);
    CHECK(header->ttl == 64);
    CHECK(header->dont_fragment);
    CHECK_FALSE(header->is_fragment());
    CHECK(header->header_bytes == 20);
    CHECK(header->payload_in(packet).size() == 0x73 - 20);
    CHECK(header->payload_in(packet).data() == packet.data() + 20);
}

TEST_CASE("padding behind a short packet is not payload") {
    auto packet = hex("4500 001c 0000 4000 4011 0000 c0a8 0001 c0a8 00c7 1111 2222 3333 4444");
    packet.resize(46, std::byte{0xee});
    packet = with_checksum(packet);
    const auto header = parse_ipv4(packet);
    REQUIRE(header);
    CHECK(header->payload_in(packet).size() == 8);
}

TEST_CASE("fragment fields are read in bytes") {
    auto packet = sample();
    put16(packet, 6, 0x2000 | 0x00b9);
    const auto header = parse_ipv4(with_checksum(packet));
    REQUIRE(header);
    CHECK(header->more_fragments);
    CHECK_FALSE(header->dont_fragment);
    CHECK(header->fragment_offset_bytes == 1480);
    put16(packet, 6, 0x1fff);
    CHECK(parse_ipv4(with_checksum(packet))->fragment_offset_bytes == 65528);
}

TEST_CASE("an emitted header is read back, every field") {
    ipv4_header header;
    header.source = {203, 0, 113, 9};
    header.destination = {198, 51, 100, 7};
    header.protocol = ip_protocol::tcp;
    header.ttl = 3;
    header.traffic_class = 0xb8 | ecn::ect0;
    header.total_bytes = 60;
    header.identification = 0xbeef;
    header.fragment_offset_bytes = 2960;
    header.more_fragments = true;
    byte_string out(60);
    CHECK(emit_ipv4(header, out.data()) == ipv4_header_bytes);
    CHECK(*parse_ipv4(out) == header);
    header.more_fragments = false;
    header.fragment_offset_bytes = 0;
    header.dont_fragment = true;
    emit_ipv4(header, out.data());
    CHECK(*parse_ipv4(out) == header);
}

TEST_CASE("each thing that can be wrong with an IPv4 header has its name") {
    const auto packet = sample();
    CHECK(parse_ipv4(bytes_view{packet}.first(19)).error() == ipv4_error::too_short);
    CHECK(parse_ipv4({}).error() == ipv4_error::too_short);
    const auto error_with = [&](std::size_t offset, unsigned value) {
        auto changed = packet;
        put16(changed, offset, value);
        return parse_ipv4(with_checksum(changed)).error();
    };
    CHECK(error_with(0, 0x6500) == ipv4_error::bad_version);
    CHECK(error_with(0, 0x4400) == ipv4_error::bad_header_length);
    CHECK(error_with(2, 19) == ipv4_error::bad_total_length);
    CHECK(error_with(2, 0x74) == ipv4_error::bad_total_length);
    CHECK(error_with(2, 20) == ipv4_error::none);
    auto short_frame = hex("4f00 0018 0000 4000 4011 0000 c0a8 0001 c0a8 00c7 0000 0000");
    CHECK(parse_ipv4(short_frame).error() == ipv4_error::bad_header_length);
    auto corrupt = packet;
    put16(corrupt, 12, 0xc0a9);
    CHECK(parse_ipv4(corrupt).error() == ipv4_error::bad_checksum);
}

TEST_CASE("options are skipped by their length") {
    const auto packet = with_options("94040000 01010101 0703 0400");  // router alert, NOPs, record
    const auto header = parse_ipv4(packet);
    REQUIRE(header);
    CHECK(header->header_bytes == 32);
    CHECK(header->payload_bytes() == 0x73 - 20);
    CHECK(parse_ipv4(with_options("00 ffffff")));  // what follows the end of the list is padding
    CHECK(parse_ipv4(with_options("9904eeee")));   // unknown
}

TEST_CASE("an option with an illegal length is named") {
    CHECK(parse_ipv4(with_options("07000000")).error() == ipv4_error::bad_options);
    CHECK(parse_ipv4(with_options("07010000")).error() == ipv4_error::bad_options);
    CHECK(parse_ipv4(with_options("07050000")).error() == ipv4_error::bad_options);
    CHECK(parse_ipv4(with_options("01010107")).error() == ipv4_error::bad_options);
}

TEST_CASE("a quoted header is read although its sum and length are wrong") {
    auto quoted = sample();
    quoted.resize(28);
    put16(quoted, 10, 0x1234);
    const auto header = parse_quoted_ipv4(quoted);
    REQUIRE(header);
    CHECK(header->total_bytes == 0x73);
    CHECK(parse_quoted_ipv4(bytes_view{quoted}.first(12)).error() == ipv4_error::too_short);
}
}

TEST_SUITE("netstack.wire.udp") {
TEST_CASE("an emitted UDP datagram is read back and its checksum is right") {
    const ip_address from = ipv4_address{10, 0, 0, 1};
    const ip_address to = ipv4_address{10, 0, 0, 2};
    for (const std::size_t size : {0U, 1U, 7U, 500U}) {
        const auto payload = pattern(size);
        byte_string datagram(udp_header_bytes);
        CHECK(emit_udp(from, to, 53, 40000, checksum_partial(payload), size, datagram.data()) == 8);
        datagram.insert(datagram.end(), payload.begin(), payload.end());
        const auto header = parse_udp(datagram);
        REQUIRE(header);
        CHECK(header->source_port == 53);
        CHECK(header->destination_port == 40000);
        CHECK(header->length == 8 + size);
        CHECK(verify_udp_checksum(from, to, datagram));
        CHECK_FALSE(verify_udp_checksum(from, from, datagram));
    }
}

TEST_CASE("no UDP checksum is accepted over IPv4 and refused over IPv6") {
    const auto datagram = hex("0035 9c40 0008 0000");
    CHECK(verify_udp_checksum(ipv4_address{10, 0, 0, 1}, ipv4_address{10, 0, 0, 2}, datagram));
    CHECK_FALSE(verify_udp_checksum(ipv6_address{1, 1}, ipv6_address{1, 2}, datagram));
}

TEST_CASE("a UDP checksum that works out as zero is sent as ffff") {
    const ip_address from = ipv4_address{10, 0, 0, 1};
    byte_string datagram(udp_header_bytes);
    emit_udp(from, from, 1, 2, 0, 2, datagram.data());
    const auto filler = load_be16(datagram.data() + 6);  // this word makes the sum ffff
    emit_udp(from, from, 1, 2, filler, 2, datagram.data());
    CHECK(load_be16(datagram.data() + 6) == 0xffff);
}

TEST_CASE("each thing that can be wrong with a UDP header has its name") {
    CHECK(parse_udp(hex("0035 9c40 0008 00")).error() == udp_error::too_short);
    CHECK(parse_udp(hex("0035 9c40 0007 0000")).error() == udp_error::bad_length);
    CHECK(parse_udp(hex("0035 9c40 0009 0000")).error() == udp_error::bad_length);
    CHECK(parse_udp(hex("0035 9c40 0008 0000 ffff")).error() == udp_error::none);
}
}
