#include <weft/net/tcp/keyed_hash.hpp>

#include <doctest/doctest.h>

#include <bit>
#include <cstdint>
#include <set>

using namespace weft::net;
using namespace weft::net::tcp;
using enum weft::net::tcp::hash_purpose;

namespace {

// The key of the published vectors: the bytes 00 to 0f.
constexpr hash_secret published{0x0706'0504'0302'0100, 0x0f0e'0d0c'0b0a'0908};

four_tuple tuple_of(std::uint16_t port) {
    return {ipv4_address{10, 0, 0, 1}, ipv4_address{10, 0, 0, 2}, port, 80};
}

}  // namespace

TEST_SUITE("netstack.tcp.keyed_hash") {
TEST_CASE("SipHash-2-4 of messages of whole words gives the published values [MUST-9]") {
    // vectors_sip64 of the authors: the message is 00 01 02 … of 0, 8, 16 and 24 bytes.
    CHECK(keyed_hash(published, {}) == 0x726f'db47'dd0e'0e31);
    CHECK(keyed_hash(published, {0x0706'0504'0302'0100}) == 0x93f5'f579'9a93'2462);
    CHECK(keyed_hash(published, {0x0706'0504'0302'0100, 0x0f0e'0d0c'0b0a'0908}) ==
          0x3f2a'cc7f'57c2'9bdb);
}

TEST_CASE("the hash of a tuple depends on the secret, on each part and on the purpose [SHLD-1]") {
    std::set<std::uint64_t> seen;
    const four_tuple base = tuple_of(1000);
    seen.insert(keyed_hash(published, base, table));
    seen.insert(keyed_hash({1, 2}, base, table));
    seen.insert(keyed_hash(published, base, syn_cookie));
    seen.insert(keyed_hash(published, tuple_of(1001), table));
    four_tuple other = base;
    other.remote_port = 81;
    seen.insert(keyed_hash(published, other, table));
    other = base;
    other.remote_address = ipv4_address{10, 0, 0, 3};
    seen.insert(keyed_hash(published, other, table));
    other = base;
    other.local_address = ipv4_address{10, 0, 0, 3};
    seen.insert(keyed_hash(published, other, table));
    other.local_address = base.remote_address;
    other.remote_address = base.local_address;
    seen.insert(keyed_hash(published, other, table));
    four_tuple v6 = base;
    v6.local_address = ipv6_address{1, 2};
    v6.remote_address = ipv6_address{3, 4};
    seen.insert(keyed_hash(published, v6, table));
    v6.remote_address = ipv6_address{5, 4};
    seen.insert(keyed_hash(published, v6, table));
    CHECK(seen.size() == 10);
}

TEST_CASE("neighbouring tuples differ in about half of their bits [SHLD-1]") {
    int bits = 0;
    for (std::uint16_t port = 1; port <= 1000; ++port) {
        bits += std::popcount(keyed_hash(published, tuple_of(port), table) ^
                              keyed_hash(published, tuple_of(port + 1), table));
    }
    CHECK(bits > 30 * 1000);
    CHECK(bits < 34 * 1000);
}
}
