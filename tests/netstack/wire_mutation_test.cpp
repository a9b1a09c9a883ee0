#include "wire_test_bytes.hpp"

#include <weft/net/wire/arp.hpp>
#include <weft/net/wire/checksum.hpp>
#include <weft/net/wire/ethernet.hpp>
#include <weft/net/wire/icmp.hpp>
#include <weft/net/wire/ipv4.hpp>
#include <weft/net/wire/tcp.hpp>
#include <weft/net/wire/udp.hpp>

#include <doctest/doctest.h>

#include <array>
#include <cstdlib>
#include <random>
#include <string>

// What cannot be parsed must be named, and nothing may be read beyond what was given: each input is
// an allocation of exactly its size, so a sanitizer sees one byte too many. WEFT_SEED repeats a
// run.

using namespace weft::net;
using namespace weft::net::wire;
using weft::test::byte_string;
using weft::test::hex;
using weft::test::operator+;

namespace {

constexpr std::size_t strings = 1'000'000;

std::uint64_t chosen_seed() {
    const char* const given = std::getenv("WEFT_SEED");
    return given != nullptr ? std::strtoull(given, nullptr, 10) : std::random_device{}();
}

/// Good inputs, from which a few changes go deeper than noise would.
std::vector<byte_string> corpus() {
    const auto ip = hex("4700 0044 1234 4000 4006 0000 0a000001 0a000002 94040000 01010100");
    const auto syn =
        hex("9c40 0050 01020304 00000000 a002 ffff 0000 0000"
            "020405b4 0402 080a 00000010 00000000 01 030307");
    const auto sack =
        hex("9c40 0050 01020304 00000000 f010 ffff 0000 0000 0101 080a 00000001 00000002"
            "0101 051a 00000001 00000002 00000003 00000004 00000005 00000006");
    const auto echo = hex("0800 f7ff 0000 0000 6162");
    const auto unreachable =
        hex("0304 0000 0000 0578") +
        hex("4500 05dc 1234 4000 3f06 0000 0a000001 c0000209 9c40005001020304");
    return {ip + syn,
            syn,
            sack,
            echo,
            unreachable,
            hex("0035 9c40 000a 0000 0102"),
            hex("0001 0800 06 04 0001 02000000000a 0a000001 000000000000 0a000002")};
}

struct outcome {
    std::size_t accepted = 0;
    std::size_t named = 0;

    template <class Value, class Error>
    bool count(const parsed<Value, Error>& answer) {
        ++(answer.has_value() ? accepted : named);
        return answer.has_value();
    }
};

/// Reads one input as everything, with its checksums as they are.
void read_as_everything(bytes_view input, outcome& seen) {
    (void)parse_ethernet(input);
    seen.count(parse_arp(input));
    seen.count(parse_icmp(input));
    if (const auto datagram = parse_udp(input); seen.count(datagram)) {
        (void)verify_udp_checksum(ipv4_address{1, 2, 3, 4}, ipv4_address{5, 6, 7, 8}, input);
    }
    if (const auto packet = parse_ipv4(input); seen.count(packet)) {
        seen.count(parse_tcp(packet->payload_in(input)));
    }
    if (const auto segment = parse_tcp(input); seen.count(segment)) {
        // A parsed value can always be written again.
        std::array<std::byte, tcp_max_header_bytes> out;
        const std::size_t size = emit_tcp(segment->header, segment->options, out.data());
        if (!parse_tcp(bytes_view{out}.first(size))) {
            FAIL("what was parsed and written does not parse");
        }
    }
}

/// Makes the checks that a mutation nearly always fails pass, so that what is behind them is
/// reached.
void repair_checksums(std::span<std::byte> input) {
    if (input.size() >= icmp_header_bytes) {
        fill_icmp_checksum(input);
        if (const auto message = parse_icmp(input)) (void)report_of(*message);
    }
    if (input.size() >= ipv4_header_bytes) {
        const std::size_t size =
            std::min<std::size_t>(load_u8(input.data()) % 16 * 4, input.size());
        store_be16(input.data() + 10, 0);
        store_be16(input.data() + 10, checksum_finish(checksum_partial(input.first(size))));
        if (const auto packet = parse_ipv4(input)) (void)parse_tcp(packet->payload_in(input));
    }
}

}  // namespace

TEST_SUITE("netstack.wire.mutation") {
TEST_CASE("a million random and mutated byte strings are accepted or named, never more") {
    const std::uint64_t seed = chosen_seed();
    MESSAGE("WEFT_SEED=" << seed);
    CAPTURE(seed);
    std::minstd_rand random{static_cast<std::minstd_rand::result_type>(seed)};
    const auto good = corpus();
    outcome seen;
    byte_string input;
    for (std::size_t i = 0; i < strings; ++i) {
        if (i % 4 == 0) {
            input.resize(random() % 80);
            for (std::byte& byte : input) byte = static_cast<std::byte>(random() >> 8 & 0xff);
        } else {
            input = good[random() % good.size()];
            for (auto changes = random() % 4; changes > 0; --changes) {
                input[random() % input.size()] = static_cast<std::byte>(random() >> 8 & 0xff);
            }
            if (random() % 4 == 0) input.resize(random() % (input.size() + 8));
        }
        input.shrink_to_fit();
        read_as_everything(input, seen);
        if (i % 2 == 0) repair_checksums(input);
    }
    CHECK(seen.accepted > strings / 10);
    CHECK(seen.named > strings);
}
}
