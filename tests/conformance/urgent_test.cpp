// Urgent data (RFC 9293 §3.8.5): the pointer on the wire, and the byte that a socket shows apart.

#include "script.hpp"

#include <doctest/doctest.h>
#include <linux/sockios.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/ioctl.h>

#include <array>
#include <cerrno>
#include <string_view>

namespace weft::conformance {
namespace {

constexpr int nothing_urgent = POLLIN | POLLOUT;

void send_urgent(script& s, int fd, std::string_view text, int flags = 0) {
    s.answers(s.api.send(s.api.userdata, fd, text.data(), text.size(), MSG_OOB | flags),
              static_cast<long>(text.size()));
}

long receive(script& s, int fd, int flags = 0) {
    std::array<char, 100> text{};
    return s.api.recv(s.api.userdata, fd, text.data(), text.size(), flags);
}

}  // namespace

TEST_SUITE("conformance.urgent") {
TEST_CASE("an urgent byte goes out with its pointer, and comes in apart from the stream") {
    script s{plain};
    const int fd = s.accepted();
    send_urgent(s, fd, "abc");
    s.out("P.U 1+3 ack 1 urg 3");
    s.in(". 1 ack 4");
    s.in("P.U 1+10 ack 4 urg 5");
    s.out(". 4 ack 11");
    CHECK(s.events(fd) == (nothing_urgent | POLLPRI));
    s.answers(receive(s, fd), 4);
    CHECK(s.ioctl(fd, SIOCATMARK) == 1);
    s.answers(receive(s, fd, MSG_OOB), 1);
    s.answers(receive(s, fd, MSG_OOB), -1, EINVAL);
    s.answers(receive(s, fd), 5);
    CHECK(s.events(fd) == POLLOUT);
}

TEST_CASE("in line the byte stays in the stream, and a read ends in front of it") {
    script s{plain};
    const int fd = s.accepted();
    s.set(fd, SOL_SOCKET, SO_OOBINLINE, 1);
    s.in("P.U 1+10 ack 1 urg 5");
    s.out(". 1 ack 11");
    s.answers(receive(s, fd, MSG_OOB), -1, EINVAL);
    CHECK(s.events(fd) == (nothing_urgent | POLLPRI));
    CHECK(s.ioctl(fd, SIOCINQ) == 4);
    s.answers(receive(s, fd), 4);
    CHECK(s.ioctl(fd, SIOCATMARK) == 1);
    s.answers(receive(s, fd), 6);
    CHECK(s.ioctl(fd, SIOCATMARK) == 0);
    CHECK(s.events(fd) == POLLOUT);
}

TEST_CASE("what was announced and is not here yet is no event, and told by EAGAIN") {
    script s{plain};
    const int fd = s.accepted();
    s.answers(receive(s, fd, MSG_OOB), -1, EINVAL);
    s.in(".U 1 ack 1 urg 3");
    s.answers(receive(s, fd, MSG_OOB), -1, EAGAIN);
    CHECK(s.events(fd) == POLLOUT);
    s.in("P. 1+3 ack 1");
    s.out(". 1 ack 4");
    CHECK(s.events(fd) == (nothing_urgent | POLLPRI));
    s.answers(receive(s, fd, MSG_OOB | MSG_PEEK), 1);
    s.answers(receive(s, fd, MSG_OOB), 1);
    CHECK(s.events(fd) == nothing_urgent);  // taken
    s.answers(receive(s, fd), 2);
}

TEST_CASE("alone, the urgent byte is nothing to read") {
    script s{plain};
    const int fd = s.accepted();
    s.in("P.U 1+1 ack 1 urg 1");
    s.out(". 1 ack 2");
    CHECK(s.events(fd) == (POLLOUT | POLLPRI));
    CHECK(s.ioctl(fd, SIOCINQ) == 0);
    s.answers(receive(s, fd, MSG_DONTWAIT), -1, EAGAIN);  // it has passed over the byte
    s.answers(receive(s, fd, MSG_OOB), 1);
}

TEST_CASE("a reader at the mark does not find the byte in the stream when the next one is urgent") {
    for (const bool is_taken : {true, false}) {
        script s{plain};
        const int fd = s.accepted();
        s.in("P.U 1+3 ack 1 urg 3");
        s.out(". 1 ack 4");
        if (is_taken) s.answers(receive(s, fd, MSG_OOB), 1);
        s.answers(receive(s, fd), 2);
        s.in("P.U 4+5 ack 1 urg 5");
        s.out(". 1 ack 9");
        s.answers(receive(s, fd, MSG_PEEK), 4);
        s.answers(receive(s, fd), 4);
        s.answers(receive(s, fd, MSG_OOB), 1);
        s.answers(receive(s, fd, MSG_OOB), -1, EINVAL);
        CHECK(s.events(fd) == POLLOUT);
    }
}

TEST_CASE("sent again, even with text behind it, urgent data has the same pointer") {
    script s{plain};
    const int fd = s.accepted();
    s.set(fd, IPPROTO_TCP, TCP_NODELAY, 1);
    send_urgent(s, fd, "abc");
    s.out("P.U 1+3 ack 1 urg 3");
    s.write(fd, 10);
    s.out("P. 4+10 ack 1 urg 0");
    s.out("P.U 1+13 ack 1 urg 3");  // after the timeout
    s.in(". 1 ack 14");
}

TEST_CASE("a closed window holds urgent data back, not the news of it (MUST-30)") {
    script s{plain};
    const int fd = s.accepted("mss 1000", 1000);
    s.write(fd, 1000);
    s.out("P. 1+1000 ack 1");
    s.in(". 1 ack 1001 win 0");
    send_urgent(s, fd, "abc");
    s.out(0us, ".U 1001 ack 1 urg 3");
    s.in(". 1 ack 1001 win 1000");
    s.out("P.U 1001+3 ack 1 urg 3");
}
}

}  // namespace weft::conformance
