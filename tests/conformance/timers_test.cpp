// What time does: retransmissions and their back-off, recovery, probes of a closed window,
// keep-alives, and when it is enough. Timeouts are short where a profile allows it, so that the
// proportions are tested in a second or two.

#include "script.hpp"

#include <doctest/doctest.h>
#include <netinet/in.h>
#include <netinet/tcp.h>

#include <cerrno>

namespace weft::conformance {

TEST_SUITE("conformance.timers") {
TEST_CASE("text that nobody acknowledges is sent again after 200, 400 and 800 ms") {
    script s{plain};
    const int fd = s.accepted();
    s.write(fd, 1000);
    s.out(0us, "P. 1+1000 ack 1");
    s.out(200ms, "P. 1+1000 ack 1");
    s.out(400ms, "P. 1+1000 ack 1");
    s.out(800ms, "P. 1+1000 ack 1");
    s.in(". 1 ack 1001");
    s.nothing();
}

TEST_CASE("the timeout follows the round trip (RFC 6298)") {
    script s{plain + " min_rto=10ms"};
    const int fd = s.socket();
    s.bind(fd);
    s.listen(fd);
    s.in("S 0 win 65535 <mss 1000>");
    s.out(0us, "S. 0 ack 1");
    s.wait(100ms);
    s.in(". 1 ack 1");
    const int peer = s.accept(fd);
    s.write(peer, 1000);
    s.out(0us, "P. 1+1000 ack 1");
    s.out(300ms, "P. 1+1000 ack 1");  // R + 4 * R / 2
    s.out(600ms, "P. 1+1000 ack 1");
    s.in(". 1 ack 1001");
}

TEST_CASE("after a timeout one segment goes, then slow start repairs the rest") {
    script s{plain + " min_rto=100ms initial_window=4 congestion=reno"};
    const int fd = s.accepted();
    s.write(fd, 4000);
    s.out(". 1+1000 ack 1");
    s.out(". 1001+1000 ack 1");
    s.out(". 2001+1000 ack 1");
    s.out("P. 3001+1000 ack 1");
    s.out(100ms, ". 1+1000 ack 1");
    s.nothing();
    s.in(". 1 ack 1001");
    s.out(0us, ". 1001+1000 ack 1");
    s.out(". 2001+1000 ack 1");
    s.in(". 1 ack 4001");
    s.nothing();
}

TEST_CASE("three duplicate acknowledgments bring the segment back at once (RFC 5681)") {
    script s{plain + " congestion=reno"};
    const int fd = s.accepted();
    s.write(fd, 10'000);
    for (std::uint32_t at = 1; at < 9001; at += 1000) {
        s.out(". " + std::to_string(at) + "+1000 ack 1");
    }
    s.out("P. 9001+1000 ack 1");
    s.in(". 1 ack 1");
    s.in(". 1 ack 1");
    s.nothing();
    s.in(". 1 ack 1");
    s.out(0us, ". 1+1000 ack 1");
    s.nothing();
    s.in(". 1 ack 10001");
    s.nothing();
}

TEST_CASE("with SACK only what is missing is sent again") {
    script s{"timestamps=0,window_scale=0,receive_buffer=65535 congestion=reno tail_loss_probe=0"};
    const int fd = s.accepted("mss 1000,nop,nop,sackOK");
    s.write(fd, 6000);
    for (std::uint32_t at = 1; at < 5001; at += 1000) {
        s.out(". " + std::to_string(at) + "+1000 ack 1");
    }
    s.out("P. 5001+1000 ack 1");
    s.wait(20ms);
    s.in(". 1 ack 1001");
    s.in(". 1 ack 1001 <nop,nop,sack 2001:3001>");
    s.in(". 1 ack 1001 <nop,nop,sack 2001:4001>");
    s.in(". 1 ack 1001 <nop,nop,sack 2001:5001>");
    s.out(". 1001+1000 ack 1");
    s.in(". 1 ack 6001");
    s.nothing();
}

TEST_CASE("a closed window is probed with one byte, less and less often, and opens") {
    script s{plain + " min_rto=100ms"};
    const int fd = s.accepted("mss 1000", 1000);
    s.write(fd, 2000);
    s.out(". 1+1000 ack 1");
    s.in(". 1 ack 1001 win 0");
    s.out(100ms, ". 1001+1 ack 1");
    s.in(". 1 ack 1001 win 0");
    s.out(200ms, ". 1001+1 ack 1");
    s.in(". 1 ack 1001 win 0");
    s.in(". 1 ack 1001 win 5000");
    s.out(0us, "P. 1001+1000 ack 1");
    s.in(". 1 ack 2001 win 5000");
    s.nothing();
}

TEST_CASE("an idle connection is probed by keep-alives, and given up when none is answered") {
    script s{plain};
    const int fd = s.accepted();
    s.set(fd, SOL_SOCKET, SO_KEEPALIVE, 1);
    s.set(fd, IPPROTO_TCP, TCP_KEEPIDLE, 1);
    s.set(fd, IPPROTO_TCP, TCP_KEEPINTVL, 1);
    s.set(fd, IPPROTO_TCP, TCP_KEEPCNT, 1);
    s.out(1s, ". 0 ack 1");
    s.in(". 1 ack 1");
    s.out(1s, ". 0 ack 1");
    s.out(1s, "R. 1 ack 1");
    s.read(fd, 10, -1, ETIMEDOUT);
    s.read(fd, 10, 0);
}

TEST_CASE("TCP_USER_TIMEOUT ends a connection that is not acknowledged") {
    script s{plain + " min_rto=100ms"};
    const int fd = s.accepted();
    s.set(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, 500);
    CHECK(s.get(fd, IPPROTO_TCP, TCP_USER_TIMEOUT) == 500);
    s.write(fd, 1000);
    s.out("P. 1+1000 ack 1");
    s.out(100ms, "P. 1+1000 ack 1");
    s.out(200ms, "P. 1+1000 ack 1");
    s.wait(300ms);
    CHECK((s.events(fd) & (POLLERR | POLLHUP)) == (POLLERR | POLLHUP));
    s.write(fd, 10, -1, ETIMEDOUT);
    s.write(fd, 10, -1, EPIPE);
}

TEST_CASE("TIME-WAIT is left after two maximum segment lifetimes") {
    script s{plain + " msl=100ms"};
    const int fd = s.accepted();
    s.close(fd);
    s.out("F. 1 ack 1");
    s.in("F. 1 ack 2");
    s.out(". 2 ack 2");
    s.wait(100ms);
    s.in("F. 1 ack 2");
    s.out(". 2 ack 2");
    s.wait(150ms);
    s.in("F. 1 ack 2");  // the time began anew
    s.out(". 2 ack 2");
    s.wait(300ms);
    s.in("F. 1 ack 2");
    s.out("R 2");
}

TEST_CASE("an unreachable port refuses a SYN; what routers say of hosts is only remembered") {
    script s{plain};
    const int fd = s.socket(SOCK_STREAM | SOCK_NONBLOCK);
    s.connect(fd, -1, EINPROGRESS);
    s.out("S 0");
    s.icmp(3, 1, 0);
    CHECK(s.get(fd, SOL_SOCKET, SO_ERROR) == 0);
    s.icmp(3, 3, 0);
    CHECK(s.get(fd, SOL_SOCKET, SO_ERROR) == ECONNREFUSED);
}
}

}  // namespace weft::conformance
