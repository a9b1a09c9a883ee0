// What a router says of the size of our packets (RFC 1191, RFC 5927 §7), and what is found out
// without one (RFC 4821).

#include "script.hpp"

#include <doctest/doctest.h>

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <cstdint>

namespace weft::conformance {
namespace {

constexpr std::uint8_t unreachable = 3;
constexpr std::uint8_t fragmentation_needed = 4;

/// Accepted, and the first full packet that leaves is too big for a router, which names `mtu`.
int sends_too_much(script& s, std::uint16_t mtu) {
    const int fd = s.accepted("mss 1460");
    s.write(fd, 1460);
    s.out("P. 1+1460 ack 1");
    s.icmp(unreachable, fragmentation_needed, 1, mtu);
    return fd;
}

}  // namespace

TEST_SUITE("conformance.path_mtu") {
TEST_CASE("fragmentation needed: what was too large goes out again in smaller packets, at once") {
    script s{plain};
    const int fd = s.accepted("mss 1460");
    s.write(fd, 2920);
    s.out(". 1+1460 ack 1");
    s.out("P. 1461+1460 ack 1");
    s.icmp(unreachable, fragmentation_needed, 1, 1040);
    s.out(0us, ". 1+1000 ack 1");
    s.out(". 1001+1000 ack 1");
    s.out("P. 2001+920 ack 1");
    s.in(". 1 ack 2921");
    CHECK(s.get(fd, IPPROTO_TCP, TCP_MAXSEG) == 1000);
    s.write(fd, 1500);
    s.out(". 2921+1000 ack 1");
    s.out("P. 3921+500 ack 1");
    s.in(". 1 ack 4421");
}

TEST_CASE("a router that does not name a size is taken to mean the next common one below") {
    script s{plain};
    sends_too_much(s, 0);
    s.out(0us, ". 1+966 ack 1");  // 1006 - 40
    s.out("P. 967+494 ack 1");
    s.in(". 1 ack 1461");
}

TEST_CASE("the next connection to the same host begins with what was learned") {
    script s{plain};
    sends_too_much(s, 1040);
    s.out(". 1+1000 ack 1");
    s.out("P. 1001+460 ack 1");
    s.in(". 1 ack 1461");
    s.from_port(9090);
    const int next = s.accepted("mss 1460");
    s.write(next, 1460);
    s.out(". 1+1000 ack 1");
    s.out("P. 1001+460 ack 1");
    s.in(". 1 ack 1461");
}

TEST_CASE("a word about nothing in flight, about nothing that large, or below 68 changes nothing") {
    script s{plain};
    const int fd = s.accepted("mss 1460");
    s.write(fd, 2000);
    s.out(". 1+1460 ack 1");
    s.out("P. 1461+540 ack 1");
    s.icmp(unreachable, fragmentation_needed, 2001, 600);  // not sent yet
    s.nothing();
    s.icmp(unreachable, fragmentation_needed, 1, 1500);
    s.nothing();
    s.icmp(unreachable, fragmentation_needed, 1, 67);
    s.nothing();
    s.in(". 1 ack 2001");
    s.icmp(unreachable, fragmentation_needed, 1, 600);  // acknowledged
    s.write(fd, 1460);
    s.out("P. 2001+1460 ack 1");
    s.in(". 1 ack 3461");
}

TEST_CASE("of packets of a size that has arrived it is believed only after a timeout") {
    script s{plain};
    const int fd = s.accepted("mss 1460");
    s.write(fd, 1460);
    s.out("P. 1+1460 ack 1");
    s.in(". 1 ack 1461");
    s.write(fd, 1460);
    s.out("P. 1461+1460 ack 1");
    s.icmp(unreachable, fragmentation_needed, 1461, 1040);
    s.nothing();
    s.out(". 1461+1000 ack 1");  // the timeout
    s.in(". 1 ack 2461");
    s.out("P. 2461+460 ack 1");
    s.in(". 1 ack 2921");
}

TEST_CASE("three timeouts of a full packet are a black hole, where that is wanted") {
    script s{plain + ",mtu_probing=on,min_rto=100ms"};
    const int fd = s.accepted("mss 1460");
    s.write(fd, 1460);
    s.out("P. 1+1460 ack 1");
    s.out("P. 1+1460 ack 1");
    s.out("P. 1+1460 ack 1");
    s.out(". 1+984 ack 1");  // 1024 - 40
    s.in(". 1 ack 985");
    s.out("P. 985+476 ack 1");
    s.in(". 1 ack 1461");
}
}

}  // namespace weft::conformance
