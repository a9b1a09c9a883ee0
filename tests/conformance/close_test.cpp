// Closing in every order, half-closed connections, and what is left of them.

#include "script.hpp"

#include <doctest/doctest.h>
#include <linux/sockios.h>
#include <netinet/in.h>
#include <sys/ioctl.h>

#include <cerrno>

namespace weft::conformance {

TEST_SUITE("conformance.close") {
TEST_CASE("we close first: FIN-WAIT-1, FIN-WAIT-2, TIME-WAIT, and the peer's FIN again") {
    script s{plain};
    const int fd = s.accepted();
    s.close(fd);
    s.out(0us, "F. 1 ack 1 win 65535 <>");
    s.in(". 1 ack 2");
    s.in("F. 1 ack 2");
    s.out(0us, ". 2 ack 2");
    s.in("F. 1 ack 2");
    s.out(0us, ". 2 ack 2");
}

TEST_CASE("the peer closes first: CLOSE-WAIT, LAST-ACK, CLOSED") {
    script s{plain};
    const int fd = s.accepted();
    s.in("F. 1 ack 1");
    s.out(0us, ". 1 ack 2 win 65535");
    CHECK(s.events(fd) == (POLLIN | POLLOUT | POLLRDHUP));
    s.read(fd, 10, 0);
    s.write(fd, 100);
    s.out("P. 1+100 ack 2");
    s.in(". 2 ack 101");
    s.close(fd);
    s.out(0us, "F. 101 ack 2");
    s.in(". 2 ack 102");
    s.in(". 2 ack 102");  // nobody is here any more
    s.out(0us, "R 102 win 0 <>");
}

TEST_CASE("both close at once: CLOSING, then TIME-WAIT") {
    script s{plain};
    const int fd = s.accepted();
    s.close(fd);
    s.out(0us, "F. 1 ack 1");
    s.in("F. 1 ack 1");
    s.out(0us, ". 2 ack 2");
    s.in(". 2 ack 2");
    s.in("F. 1 ack 1");
    s.out(0us, ". 2 ack 2");
}

TEST_CASE("a FIN that also acknowledges ours ends in TIME-WAIT") {
    script s{plain};
    const int fd = s.accepted();
    s.shutdown(fd, SHUT_WR);
    s.out(0us, "F. 1 ack 1");
    CHECK(s.events(fd) == POLLOUT);
    s.in("F. 1 ack 2");
    s.out(0us, ". 2 ack 2");
    CHECK(s.events(fd) == (POLLIN | POLLOUT | POLLRDHUP | POLLHUP));
    s.read(fd, 10, 0);
    s.shutdown(fd, SHUT_WR, -1, ENOTCONN);
    s.close(fd);
}

TEST_CASE("half-closed, we still read what the peer sends, and cannot write") {
    script s{plain};
    const int fd = s.accepted();
    s.write(fd, 10);
    s.shutdown(fd, SHUT_WR);
    s.out("P. 1+10 ack 1");
    s.out(0us, "F. 11 ack 1");
    CHECK(s.ioctl(fd, SIOCOUTQ) == 11);
    s.write(fd, 1, -1, EPIPE);
    s.in(". 1 ack 12");
    CHECK(s.ioctl(fd, SIOCOUTQ) == 0);
    s.in("P. 1+1000 ack 12");
    s.out(0us, ". 12 ack 1001");
    CHECK(s.events(fd) == (POLLIN | POLLOUT));
    s.read(fd, 2000, 1000);
    s.in("FP. 1001+500 ack 12");
    s.out(0us, ". 12 ack 1502");
    CHECK(s.events(fd) == (POLLIN | POLLOUT | POLLRDHUP | POLLHUP));
    s.read(fd, 2000, 500);
    s.read(fd, 2000, 0);
    s.close(fd);
}

TEST_CASE("SHUT_RD reads nothing more, and the peer does not notice") {
    script s{plain};
    const int fd = s.accepted();
    s.shutdown(fd, SHUT_RD);
    s.nothing();
    CHECK(s.events(fd) == (POLLIN | POLLOUT | POLLRDHUP));
    s.read(fd, 10, 0);
    s.write(fd, 10);
    s.out("P. 1+10 ack 1");
    s.in(". 1 ack 11");
}

TEST_CASE("text before a FIN that comes in the wrong order is not lost, nor is the FIN") {
    script s{plain};
    const int fd = s.accepted();
    s.in("FP. 1001+500 ack 1");
    s.out(0us, ". 1 ack 1");
    s.in(". 1+1000 ack 1");
    s.out(0us, ". 1 ack 1502");
    s.read(fd, 5000, 1500);
    s.read(fd, 5000, 0);
}

TEST_CASE("the FIN goes with the last text, pushed, when that still waits") {
    script s{plain};
    const int fd = s.accepted("mss 1000", 1000);
    s.write(fd, 1500);
    s.out(". 1+1000 ack 1");
    s.close(fd);
    s.nothing();
    s.in(". 1 ack 1001 win 10000");
    s.out(0us, "FP. 1001+500 ack 1");
    s.in("F. 1 ack 1502");
    s.out(". 1502 ack 2");
}

TEST_CASE("a connection that is closed with unread text is reset") {
    script s{plain};
    const int fd = s.accepted();
    s.in("P. 1+10 ack 1");
    s.out(". 1 ack 11");
    s.close(fd);
    s.out(0us, "R. 1 ack 11");
}

TEST_CASE("text for a socket that was closed is answered by a RST of its acknowledgment") {
    script s{plain};
    const int fd = s.accepted();
    s.close(fd);
    s.out("F. 1 ack 1");
    s.in(". 1 ack 2");
    s.in("P. 1+10 ack 2");
    s.out(0us, "R 2 <>");
}

TEST_CASE("SO_LINGER of no time resets; of some time it sleeps until the FIN is acknowledged") {
    script s{plain};
    const int fd = s.accepted();
    linger wanted{1, 0};
    s.answers(s.api.setsockopt(s.api.userdata, fd, SOL_SOCKET, SO_LINGER, &wanted, sizeof wanted),
              0);
    s.close(fd);
    s.out(0us, "R. 1 ack 1");
    s.from_port(9000);
    const int second = s.accepted();
    wanted.l_linger = 5;
    s.answers(
        s.api.setsockopt(s.api.userdata, second, SOL_SOCKET, SO_LINGER, &wanted, sizeof wanted), 0);
    blocking_call call{[&] { return s.api.close(s.api.userdata, second); }};
    s.out("F. 1 ack 1");
    CHECK(call.is_asleep());
    s.in(". 1 ack 2");
    CHECK(call.result() == 0);
    s.in("F. 1 ack 2");
    s.out(". 2 ack 2");
}

TEST_CASE("a FIN that nobody acknowledges is sent again, with its text") {
    script s{plain + " min_rto=100ms"};
    const int fd = s.accepted();
    s.write(fd, 10);
    s.out("P. 1+10 ack 1");
    s.close(fd);
    s.out("F. 11 ack 1");
    s.out(100ms, "FP. 1+10 ack 1");
    s.out(200ms, "FP. 1+10 ack 1");
    s.in(". 1 ack 12");
    s.in("F. 1 ack 12");
    s.out(". 12 ack 2");
}

TEST_CASE("a port in TIME-WAIT is taken, but for those that allow it") {
    script s{plain};
    const int fd = s.accepted();
    s.close(fd);
    s.out("F. 1 ack 1");
    s.in("F. 1 ack 2");
    s.out(". 2 ack 2");
    s.close(s.listener);
    const int next = s.socket();
    s.bind(next, 8080, -1, EADDRINUSE);
    s.set(next, SOL_SOCKET, SO_REUSEADDR, 1);
    s.bind(next);
    s.listen(next);
    s.in("S 5000 win 1000 <mss 1000>");  // RFC 9293 MAY-2
    s.out("S. " + std::to_string(s.new_origin()) + " ack 5001");
}

TEST_CASE("listeners that go reset what was not accepted, and refuse what comes") {
    script s{plain};
    const int fd = s.socket();
    s.bind(fd);
    s.listen(fd, 5);
    s.in("S 0 win 1000 <mss 1000>");
    s.out("S. 0 ack 1");
    s.in(". 1 ack 1 win 1000");
    s.close(fd);
    s.out(0us, "R. 1 ack 1");
    s.from_port(9000);
    s.in("S 0 win 1000 <mss 1000>");
    s.out(0us, "R. 0 ack 1 win 0 <>");
}
}

}  // namespace weft::conformance
