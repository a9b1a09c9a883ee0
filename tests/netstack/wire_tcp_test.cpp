#include "wire_test_bytes.hpp"

#include <weft/net/wire/tcp.hpp>

#include <doctest/doctest.h>

#include <type_traits>

using namespace weft::net;
using namespace weft::net::wire;
using weft::test::byte_string;
using weft::test::hex;
using weft::test::pattern;
using weft::test::operator+;

static_assert(std::is_trivially_copyable_v<tcp_segment_header>);

namespace {

/// A segment with these option bytes and two bytes of text.
byte_string segment_with(std::string_view options) {
    const auto list = hex(options);
    auto segment = hex("0050 9c40 00000001 00000002 5010 2000 0000 0000") + list + hex("4142");
    segment[12] = static_cast<std::byte>((tcp_header_bytes + list.size()) / 4 << 4);
    return segment;
}

auto parse_options(std::string_view options) { return parse_tcp(segment_with(options)); }

std::string_view digits = "0123456789abcdef";

std::string emitted_options(const tcp_options& options) {
    byte_string out(tcp_max_header_bytes);
    const std::size_t size = emit_tcp(tcp_header{}, options, out.data());
    CHECK(size == tcp_header_bytes + options.encoded_bytes());
    CHECK(size % 4 == 0);
    std::string text;
    for (std::size_t i = tcp_header_bytes; i < size; ++i) {
        text += digits[std::to_integer<unsigned>(out[i]) >> 4];
        text += digits[std::to_integer<unsigned>(out[i]) & 0xf];
    }
    return text;
}

const ip_address v4_from = ipv4_address{10, 0, 0, 1};
const ip_address v4_to = ipv4_address{10, 0, 0, 2};
const ip_address v6_from = ipv6_address{0x2001'0db8'0000'0000, 1};
const ip_address v6_to = ipv6_address{0x2001'0db8'0000'0000, 2};

}  // namespace

TEST_SUITE("netstack.wire.tcp") {
TEST_CASE("a header's fields are read") {
    const auto segment = parse_tcp(hex("0050 9c40 01020304 f1f2f3f4 5012 fff0 abcd 0007 4142"));
    REQUIRE(segment);
    const tcp_header expected{
        0x50, 0x9c40, 0x0102'0304, 0xf1f2'f3f4, tcp_flags::syn | tcp_flags::ack, 20, 0xfff0, 7};
    CHECK(segment->header == expected);
    CHECK(segment->options.is_empty());
}

TEST_CASE("flags combine and are told apart") {
    const tcp_flags flags = tcp_flags::fin | tcp_flags::ack;
    CHECK(flags.has(tcp_flags::fin));
    CHECK_FALSE(flags.has(tcp_flags::fin | tcp_flags::syn));
    CHECK(flags.has_any(tcp_flags::fin | tcp_flags::syn));
    CHECK((flags & ~tcp_flags::fin) == tcp_flags::ack);
    CHECK_FALSE(static_cast<bool>(flags & tcp_flags::rst));
    CHECK((tcp_flags::fin | tcp_flags::syn | tcp_flags::rst | tcp_flags::psh | tcp_flags::ack |
           tcp_flags::urg | tcp_flags::ece | tcp_flags::cwr)
              .bits == 0xff);
}

TEST_CASE("a segment shorter than its header is named so") {
    const auto segment = segment_with("");
    CHECK(parse_tcp(bytes_view{segment}.first(20)));
    CHECK(parse_tcp(bytes_view{segment}.first(19)).error() == tcp_error::too_short);
    CHECK(parse_tcp({}).error() == tcp_error::too_short);
}

TEST_CASE("a data offset below five words or beyond the segment is named so") {
    auto segment = segment_with("");
    for (const unsigned words : {0U, 1U, 4U, 6U, 15U}) {
        segment[12] = static_cast<std::byte>(words << 4);
        CHECK(parse_tcp(segment).error() == tcp_error::bad_data_offset);
    }
}

TEST_CASE("reserved bits beside the data offset are ignored") {
    auto segment = segment_with("");
    segment[12] = std::byte{0x5f};
    CHECK(parse_tcp(segment));
}

TEST_CASE("the options of a usual SYN are read [MUST-5]") {
    const auto segment = parse_options("020405b4 0402 080a 00000010 00000000 01 030307");
    REQUIRE(segment);
    const tcp_options& options = segment->options;
    CHECK(options.has_mss());
    CHECK(options.mss() == 1460);
    CHECK(options.has_sack_permitted());
    CHECK(options.has_timestamps());
    CHECK(options.timestamps() == tcp_timestamps{0x10, 0});
    CHECK(options.has_window_scale());
    CHECK(options.window_scale() == 7);
    CHECK_FALSE(options.has_sack());
    CHECK(segment->header.data_offset_bytes == 40);
}

TEST_CASE("timestamps in the usual layout and in any other are read alike [MUST-64]") {
    const tcp_timestamps expected{0xdead'beef, 0x0102'0304};
    for (const char* layout : {"0101 080a deadbeef 01020304", "080a deadbeef 01020304 0101",
                               "01 080a deadbeef 01020304 00", "080a deadbeef 01020304 0000",
                               "01010101 01 080a deadbeef 01020304 01"}) {
        CAPTURE(layout);
        const auto segment = parse_options(layout);
        REQUIRE(segment);
        CHECK(segment->options.has_timestamps());
        CHECK(segment->options.timestamps() == expected);
    }
}

TEST_CASE("SACK blocks are read in order, up to four") {
    const auto two = parse_options("0101 0512 00000001 00000002 fffffff0 00000010");
    REQUIRE(two);
    REQUIRE(two->options.sack_blocks().size() == 2);
    CHECK(two->options.sack_blocks()[0] == sack_block{1, 2});
    CHECK(two->options.sack_blocks()[1] == sack_block{0xffff'fff0, 0x10});
    const auto four = parse_options(
        "0101 0522 00000001 00000002 00000003 00000004 00000005 00000006 00000007 00000008");
    REQUIRE(four);
    CHECK(four->options.sack_blocks().size() == 4);
    CHECK(four->options.sack_blocks()[3] == sack_block{7, 8});
}

TEST_CASE("what follows the end of the option list is padding") {
    const auto segment = parse_options("00 0204ff 05b40101");
    REQUIRE(segment);
    CHECK(segment->options.is_empty());
}

TEST_CASE("a Fast Open cookie is read from a SYN, whatever its length (RFC 7413 §4.1.1)") {
    const auto of_syn = [](std::string_view options) {
        byte_string segment = segment_with(options);
        segment[13] = std::byte{0x02};
        return parse_tcp(segment)->options;
    };
    CHECK(of_syn("2202 0101").has_fast_open());
    CHECK(of_syn("2202 0101").fast_open().is_empty());
    CHECK(of_syn("2206 01020304 0101").fast_open().bytes().size() == 4);
    CHECK(of_syn("2206 01020304 0101").fast_open().bytes()[3] == std::byte{4});
    CHECK(of_syn("2212 00112233445566778899aabbccddeeff 0101").fast_open().bytes().size() == 16);
    // "Options with invalid Length values or without the SYN flag set MUST be ignored."
    CHECK_FALSE(of_syn("2203 01 01010101").has_fast_open());
    CHECK_FALSE(of_syn("2204 0102").has_fast_open());
    CHECK_FALSE(of_syn("2207 0102030405 01").has_fast_open());
    CHECK_FALSE(of_syn("2214 00112233445566778899aabbccddeeff0011").has_fast_open());
    CHECK_FALSE(of_syn("fe04 f989").has_fast_open());  // the experiment's kind
    CHECK_FALSE(parse_options("2206 01020304 0101")->options.has_fast_open());
    CHECK(of_syn("2204 0102 020405b4").mss() == 1460);  // and the others count
}

TEST_CASE("unknown options are skipped by their length [MUST-6]") {
    const auto segment = parse_options("fd04 beef fe02 01 2203 00 020405b4 0101");
    REQUIRE(segment);
    CHECK(segment->options.mss() == 1460);
}

TEST_CASE("an option with an illegal length is named and never read beyond the header [MUST-7]") {
    for (const char* bad : {
             "0200 05b4",                         // zero
             "0201 05b4",                         // one
             "fd00 0000",                         // zero, of an unknown option
             "fd01 0000",                         //
             "010101 02",                         // no length at all
             "01010102 0204 05b4 010101 08",      //
             "01 0204 05",                        // beyond the header, into the text
             "fd05 0000",                         //
             "0101 08ff 00000000 00000000",       //
             "0203 05 01", "0205 05b400 010101",  // not the length of an MSS
             "0302 0101", "0304 0700",            // of a window scale
             "0403 00 01",                        // of SACK-permitted
             "0502 0101", "0506 00000001 0101",   // of SACK: no block, half a block
             "0809 00000000 000000 010101",       // of timestamps
         }) {
        CAPTURE(bad);
        CHECK(parse_options(bad).error() == tcp_error::bad_option_length);
    }
}

TEST_CASE("of an option given twice the last one counts") {
    CHECK(parse_options("020405b4 02040218")->options.mss() == 536);
    const auto sack = parse_options("0101 050a 00000001 00000002 0101 050a 00000003 00000004");
    REQUIRE(sack);
    REQUIRE(sack->options.sack_blocks().size() == 1);
    CHECK(sack->options.sack_blocks()[0] == sack_block{3, 4});
}

TEST_CASE("options are written in the usual order and padded to words [MUST-69]") {
    CHECK(emitted_options({}) == "");
    CHECK(emitted_options(tcp_options{}
                              .set_mss(1460)
                              .set_sack_permitted()
                              .set_timestamps({0x10, 0x20})
                              .set_window_scale(7)) ==
          "020405b4"
          "0402080a0000001000000020"
          "01030307");
    CHECK(emitted_options(tcp_options{}.set_mss(536).set_fast_open({})) == "0204021822020101");
    const auto six = hex("010203040506");
    CHECK(emitted_options(tcp_options{}.set_fast_open(tcp_fast_open_cookie{six})) ==
          "2208010203040506");
    CHECK(emitted_options(tcp_options{}.set_mss(536).set_sack_permitted()) == "0204021801010402");
    CHECK(emitted_options(tcp_options{}.set_window_scale(14)) == "0103030e");
    CHECK(emitted_options(tcp_options{}.set_timestamps({1, 2})) == "0101080a0000000100000002");
    CHECK(emitted_options(tcp_options{}.set_timestamps({1, 2}).add_sack_block({3, 4})) ==
          "0101080a00000001000000020101050a0000000300000004");
}

TEST_CASE("SACK blocks that find no room beside timestamps are left out") {
    tcp_options options;
    for (std::uint32_t i = 0; i < 5; ++i) options.add_sack_block({i, i + 1});
    CHECK(options.sack_blocks().size() == 4);
    CHECK(options.encoded_bytes() == 36);
    options.set_timestamps({1, 2});
    CHECK(options.encoded_bytes() == 40);
    byte_string out(tcp_max_header_bytes);
    CHECK(emit_tcp(tcp_header{}, options, out.data()) == 60);
    CHECK(parse_tcp(out)->options.sack_blocks().size() == 3);
}

TEST_CASE("every combination of options that is written is read back") {
    const auto cookie = hex("00112233445566778899aabbccddeeff");
    const std::size_t cookie_bytes[] = {0, 0, 10, 16};
    for (unsigned mask = 0; mask < 64; ++mask) {
        for (unsigned blocks = 0; blocks <= 4; ++blocks) {
            tcp_options options;
            if ((mask & 1U) != 0) options.set_mss(1400);
            if ((mask & 2U) != 0) options.set_window_scale(9);
            if ((mask & 4U) != 0) options.set_sack_permitted();
            if ((mask & 8U) != 0) options.set_timestamps({77, 88});
            if (mask >> 4 != 0) {
                options.set_fast_open(
                    tcp_fast_open_cookie{bytes_view{cookie}.first(cookie_bytes[mask >> 4])});
            }
            for (unsigned i = 0; i < blocks; ++i) options.add_sack_block({i * 10, i * 10 + 5});
            if (options.fitting_sack_blocks() != blocks) continue;
            tcp_header header{1, 2, 3, 4, tcp_flags::syn, 0, 5, 6};
            byte_string out(tcp_max_header_bytes);
            const std::size_t size = emit_tcp(header, options, out.data());
            const auto segment = parse_tcp(bytes_view{out}.first(size));
            REQUIRE(segment);
            header.data_offset_bytes = static_cast<std::uint8_t>(size);
            CHECK(segment->header == header);
            CHECK(segment->options == options);
        }
    }
}

TEST_CASE("a filled checksum verifies over both families, any change does not [MUST-2] [MUST-3]") {
    for (const std::size_t size : {0U, 1U, 2U, 1460U, 1461U}) {
        const auto text = pattern(size);
        byte_string header(tcp_max_header_bytes);
        header.resize(emit_tcp({80, 40000, 1, 2, tcp_flags::ack, 0, 65535, 0},
                               tcp_options{}.set_timestamps({5, 6}), header.data()));
        for (const bool v6 : {false, true}) {
            const ip_address& from = v6 ? v6_from : v4_from;
            const ip_address& to = v6 ? v6_to : v4_to;
            fill_tcp_checksum(from, to, header, checksum_partial(text), text.size());
            auto segment = header + text;
            CHECK(verify_tcp_checksum(from, to, segment));
            CHECK(verify_tcp_checksum(to, from, segment));  // the sum does not tell them apart
            CHECK_FALSE(verify_tcp_checksum(from, from, segment));
            segment.back() ^= std::byte{1};
            CHECK_FALSE(verify_tcp_checksum(from, to, segment));
        }
    }
}

TEST_CASE("a checksum worked out by hand is right") {
    // A SYN from 127.0.0.1:50000 to 127.0.0.1:80; the words of RFC 9293 §3.1 add up to 11c1.
    const ip_address loop = ipv4_address{127, 0, 0, 1};
    CHECK(verify_tcp_checksum(loop, loop, hex("c350 0050 00000001 00000000 5002 ffff ee3e 0000")));
}

TEST_CASE("completing a partial checksum as a device does gives the full one") {
    const auto text = pattern(999);
    byte_string header(tcp_header_bytes);
    emit_tcp({80, 40000, 1, 2, tcp_flags::ack, 0, 65535, 0}, {}, header.data());
    fill_tcp_partial_checksum(v4_from, v4_to, header, text.size());
    auto segment = header + text;
    const std::uint16_t completed = checksum_finish(checksum_partial(segment));
    store_be16(segment.data() + tcp_checksum_offset, completed);
    CHECK(verify_tcp_checksum(v4_from, v4_to, segment));
    fill_tcp_checksum(v4_from, v4_to, header, checksum_partial(text), text.size());
    CHECK(load_be16(header.data() + tcp_checksum_offset) == completed);
}
}
