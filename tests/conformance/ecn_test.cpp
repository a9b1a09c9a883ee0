// Explicit congestion notification (RFC 3168 §6.1) on the wire: who agrees, which packets may be
// marked, and the conversation of CE, ECE and CWR.

#include "script.hpp"

#include <doctest/doctest.h>

#include <string>

namespace weft::conformance {
namespace {

constexpr std::uint8_t not_ect = 0;
constexpr std::uint8_t ect0 = 2;
constexpr std::uint8_t ce = 3;

/// The next packet is this segment, with this in its ECN field.
void out(script& s, const std::string& segment, std::uint8_t codepoint) {
    s.out(segment);
    CHECK(int{s.last.traffic_class & 3} == int{codepoint});
}

/// An accepted connection whose peer asked.
int agreed(script& s) {
    s.start_listening();
    s.in("SEW 0 win 65535 <mss 1000>");
    out(s, "S.E 0 ack 1", not_ect);
    s.in(". 1 ack 1 win 65535");
    return s.accept(s.listener);
}

/// A connection that asked, to a peer that answers with these flags.
int asking(script& s, const std::string& answer) {
    const int fd = s.socket(SOCK_STREAM | SOCK_NONBLOCK);
    s.connect(fd, -1, EINPROGRESS);
    out(s, "SEW 0", not_ect);
    s.in(answer + " 0 ack 1 win 65535 <mss 1000>");
    out(s, ". 1 ack 1", not_ect);
    return fd;
}

}  // namespace

TEST_SUITE("conformance.ecn") {
TEST_CASE("asked, a listener agrees with ECE alone; not asked, or unwilling, it does not") {
    script willing{plain};
    (void)agreed(willing);

    for (const auto& [flags, syn] : {std::pair{"", "S"}, std::pair{"", "SE"}, std::pair{"", "SW"},
                                     std::pair{",ecn=off", "SEW"}}) {
        script s{plain + flags};
        s.start_listening();
        s.in(syn + std::string{" 0 win 65535 <mss 1000>"});
        out(s, "S. 0 ack 1", not_ect);
        s.in("R 1 win 0");
    }
}

TEST_CASE("a host that asks marks its text only for a peer that answers with ECE and not CWR") {
    for (const auto& [answer, codepoint] :
         {std::pair{"S.E", ect0}, std::pair{"S.", not_ect}, std::pair{"S.EW", not_ect}}) {
        script s{plain + ",ecn=on"};
        const int fd = asking(s, answer);
        s.write(fd, 500);
        out(s, "P. 1+500 ack 1", codepoint);
        s.in(". 1 ack 501");
    }
}

TEST_CASE("a SYN that is not answered asks no more when it goes out again") {
    script s{plain + ",ecn=on,initial_rto=100ms"};
    const int fd = s.socket(SOCK_STREAM | SOCK_NONBLOCK);
    s.connect(fd, -1, EINPROGRESS);
    s.out("SEW 0");
    s.out(100ms, "S 0");
    s.in("S. 0 ack 1 win 65535 <mss 1000>");
    s.out(". 1 ack 1");
}

TEST_CASE("text may be marked; pure ACKs, FINs without text and what is sent again may not") {
    script s{plain};
    const int fd = agreed(s);
    s.in("P. 1+10 ack 1");
    out(s, ". 1 ack 11", not_ect);
    s.write(fd, 2000);
    out(s, ". 1+1000 ack 11", ect0);
    out(s, "P. 1001+1000 ack 11", ect0);
    out(s, ". 1+1000 ack 11", not_ect);  // after the timeout
    s.in(". 11 ack 2001");
    s.shutdown(fd, SHUT_WR);
    out(s, "F. 2001 ack 11", not_ect);
    s.in(". 11 ack 2002");
}

TEST_CASE("a mark is echoed at once, and in every ACK until CWR") {
    script s{plain + ",quick_acks=0"};
    const int fd = agreed(s);
    s.in("P. 1+10 ack 1", ce);
    s.out(0us, ".E 1 ack 11");
    s.write(fd, 500);
    s.out("P.E 1+500 ack 11");
    s.in("P. 11+10 ack 501", ect0);
    s.out(40ms, ".E 501 ack 21");
    s.in("P.W 21+10 ack 501", ect0);
    s.out(0us, ". 501 ack 31");
    s.in("P.W 31+10 ack 501", ce);  // heard, and marked anew
    s.out(0us, ".E 501 ack 41");
}

TEST_CASE("one reduction for each window of text, however many ACKs carry ECE; CWR says so once") {
    script s{plain + ",congestion=reno"};
    const int fd = agreed(s);
    s.write(fd, 40'000);
    s.out_full(1, 10);
    s.in(".E 1 ack 2001");
    // Eight are left in flight, four is the aim: one for two that have arrived.
    s.out(".W 10001+1000 ack 1");
    CHECK(int{s.last.traffic_class & 3} == int{ect0});
    s.nothing();
    s.in(".E 1 ack 4001");
    s.out(". 11001+1000 ack 1");
    s.nothing();
    s.in(".E 1 ack 6001");
    s.out(". 12001+1000 ack 1");
    s.nothing();
    s.in(".E 1 ack 8001");
    s.out(". 13001+1000 ack 1");
    s.nothing();
    s.in(".E 1 ack 10001");
    s.nothing();             // four are in flight
    s.in(".E 1 ack 11001");  // of the next window: two is the aim now
    s.nothing();
    s.in(". 1 ack 13001");
    s.out(".W 14001+1000 ack 1");
    s.in("R 1 win 0");
}

TEST_CASE("ECE means nothing to a connection that has not agreed") {
    script s{plain + ",congestion=reno"};
    const int fd = s.accepted();
    s.write(fd, 40'000);
    s.out_full(1, 10);
    s.in(".E 1 ack 2001");
    s.out_full(10001, 4);
    s.in("R 1 win 0");
}
}

}  // namespace weft::conformance
