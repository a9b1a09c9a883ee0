// Opening, as packetdrill would script it: which options leave in which order, what each call and
// poll say while it goes on.

#include "script.hpp"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <netinet/in.h>

#include <cerrno>

namespace weft::conformance {

TEST_SUITE("conformance.open") {
TEST_CASE("a passive open answers each option in the order that scripts expect") {
    script s;
    const int fd = s.socket();
    s.set(fd, SOL_SOCKET, SO_REUSEADDR, 1);
    s.bind(fd);
    s.listen(fd);
    s.in("S 0 win 32792 <mss 1000,sackOK,TS val 100 ecr 0,nop,wscale 7>");
    s.out("S. 0 ack 1 win 65535 <mss 1460,sackOK,TS ecr 100,nop,wscale 5>");
    s.in(". 1 ack 1 win 257 <nop,nop,TS val 101 ecr 0>");
    CHECK(s.events(fd) == POLLIN);
    const int peer = s.accept(fd);
    CHECK(s.events(peer) == POLLOUT);
    CHECK(s.get(peer, IPPROTO_TCP, 2 /* TCP_MAXSEG */) == 988);
}

TEST_CASE("a passive open without timestamps pads SACK-permitted and the scale with NOPs") {
    script s;
    const int fd = s.socket();
    s.bind(fd);
    s.listen(fd);
    s.in("S 0 win 32792 <mss 1000,nop,nop,sackOK,nop,wscale 7>");
    s.out("S. 0 ack 1 win 65535 <mss 1460,nop,nop,sackOK,nop,wscale 5>");
    s.in(". 1 ack 1 win 257");
    (void)s.accept(fd);
}

TEST_CASE("an answer offers nothing that was not offered") {
    script s;
    const int fd = s.socket();
    s.bind(fd);
    s.listen(fd);
    s.in("S 0 win 32792 <mss 1000>");
    s.out("S. 0 ack 1 win 65535 <mss 1460>");
    s.in(". 1 ack 1 win 257");
    (void)s.accept(fd);
}

TEST_CASE("an active open offers everything, and each switch of the profile takes one away") {
    const auto syn_of = [](const std::string& flags) {
        script s{flags};
        const int fd = s.socket(SOCK_STREAM | SOCK_NONBLOCK);
        s.connect(fd, -1, EINPROGRESS);
        s.out("S 0");
        return "win " + std::to_string(*s.last.segment.window) + " " + *s.last.segment.options;
    };
    CHECK(syn_of("") == "win 65535 mss 1460,sackOK,TS ecr 0,nop,wscale 5");
    CHECK(syn_of("timestamps=off") == "win 65535 mss 1460,nop,nop,sackOK,nop,wscale 5");
    CHECK(syn_of("sack=0") == "win 65535 mss 1460,nop,nop,TS ecr 0,nop,wscale 5");
    CHECK(syn_of("timestamps=0 sack=off") == "win 65535 mss 1460,nop,wscale 5");
    CHECK(syn_of("window_scale=off") == "win 65535 mss 1460,sackOK,TS ecr 0");
    CHECK(syn_of("window_scale=7,sack=0,timestamps=0") == "win 65535 mss 1460,nop,wscale 7");
    CHECK(syn_of("mtu=1400,sack=0,timestamps=0,window_scale=0,receive_buffer=65535") ==
          "win 65535 mss 1360");
    CHECK(syn_of("receive_buffer=8192, window_scale=off, sack=no, timestamps=no") ==
          "win 8192 mss 1460");
}

TEST_CASE("accept sleeps until the handshake is complete") {
    script s;
    const int fd = s.socket();
    s.bind(fd);
    s.listen(fd);
    blocking_call call{[&] { return s.api.accept(s.api.userdata, fd, nullptr, nullptr); }};
    REQUIRE(call.is_asleep());
    s.in("S 0 win 32792 <mss 1000>");
    s.out("S. 0 ack 1");
    CHECK(call.is_asleep());
    s.in(". 1 ack 1 win 257");
    const auto peer = static_cast<int>(call.result());
    CHECK(peer >= 0);
    s.in("P. 1+100 ack 1 win 257");
    s.out(". 1 ack 101");
    s.read(peer, 1000, 100);
}

TEST_CASE("a SYN,ACK that nobody acknowledges is sent again after 1, 2 and 4 seconds") {
    script s{"initial_rto=200ms"};  // a fifth of the time, in the same proportions
    const int fd = s.socket();
    s.bind(fd);
    s.listen(fd);
    s.in("S 0 win 32792 <mss 1000>");
    s.out(0us, "S. 0 ack 1");
    s.out(200ms, "S. 0 ack 1 <mss 1460>");
    s.out(400ms, "S. 0 ack 1 <mss 1460>");
    s.in("S 0 win 32792 <mss 1000>");
    s.out(0us, "S. 0 ack 1 <mss 1460>");
}

TEST_CASE("connect without blocking: EINPROGRESS, EALREADY, POLLOUT, SO_ERROR, 0 once, EISCONN") {
    script s{"timestamps=off"};
    const int fd = s.socket();
    s.set_non_blocking(fd);
    CHECK(s.events(fd) == (POLLOUT | POLLHUP));
    s.connect(fd, -1, EINPROGRESS);
    s.out(0us, "S 0 win 65535 <mss 1460,nop,nop,sackOK,nop,wscale 5>");
    CHECK(s.events(fd) == 0);
    s.connect(fd, -1, EALREADY);
    s.write(fd, 10, -1, EAGAIN);
    s.read(fd, 10, -1, EAGAIN);
    s.in("S. 0 ack 1 win 65535 <mss 1460,nop,nop,sackOK,nop,wscale 7>");
    s.out(0us, ". 1 ack 1 win 32768 <>");
    CHECK(s.events(fd) == POLLOUT);
    CHECK(s.get(fd, SOL_SOCKET, SO_ERROR) == 0);
    s.connect(fd, 0);
    s.connect(fd, -1, EISCONN);
}

TEST_CASE("a connect that blocks sleeps until the SYN is answered") {
    script s;
    const int fd = s.socket();
    blocking_call call{[&] {
        sockaddr_in to{};
        to.sin_family = AF_INET;
        to.sin_port = htons(8080);
        to.sin_addr.s_addr = htonl(0xc0000201);
        return s.api.connect(s.api.userdata, fd, reinterpret_cast<sockaddr*>(&to), sizeof to);
    }};
    s.out("S 0");
    CHECK(call.is_asleep());
    SUBCASE("by a SYN,ACK") {
        s.in("S. 0 ack 1 win 1000 <mss 1000>");
        s.out(". 1 ack 1");
        CHECK(call.result() == 0);
    }
    SUBCASE("by a RST") {
        s.in("R. 0 ack 1 win 0");
        CHECK(call.result() == -1);
        CHECK(call.error() == ECONNREFUSED);
    }
}

TEST_CASE("a refused connect that does not block is told by poll and SO_ERROR, once") {
    script s;
    const int fd = s.socket(SOCK_STREAM | SOCK_NONBLOCK);
    s.connect(fd, -1, EINPROGRESS);
    s.out("S 0");
    s.in("R. 0 ack 1 win 0");
    CHECK(s.events(fd) == (POLLIN | POLLOUT | POLLRDHUP | POLLHUP | POLLERR));
    CHECK(s.get(fd, SOL_SOCKET, SO_ERROR) == ECONNREFUSED);
    CHECK(s.get(fd, SOL_SOCKET, SO_ERROR) == 0);
    CHECK(s.events(fd) == (POLLIN | POLLOUT | POLLRDHUP | POLLHUP));
    s.write(fd, 1, -1, EPIPE);
    s.read(fd, 1, 0);
}

TEST_CASE("SYNs that cross open the connection from both sides") {
    script s{"timestamps=off,window_scale=off"};
    const int fd = s.socket(SOCK_STREAM | SOCK_NONBLOCK);
    s.connect(fd, -1, EINPROGRESS);
    s.out("S 0 <mss 1460,nop,nop,sackOK>");
    s.in("S 0 win 5840 <mss 1000>");
    s.out(0us, "S. 0 ack 1 <mss 1460>");
    s.in("S. 0 ack 1 win 5840 <mss 1000>");  // RFC 9293 §3.5, figure 8: needs no answer
    CHECK(s.events(fd) == POLLOUT);
    CHECK(s.get(fd, SOL_SOCKET, SO_ERROR) == 0);
}

TEST_CASE("a SYN that is never answered is given up with ETIMEDOUT") {
    script s{"initial_rto=50ms"};
    const int fd = s.socket(SOCK_STREAM | SOCK_NONBLOCK);
    s.set(fd, IPPROTO_TCP, 18 /* TCP_USER_TIMEOUT */, 400);
    s.connect(fd, -1, EINPROGRESS);
    s.out("S 0");
    s.out(50ms, "S 0");
    s.out(100ms, "S 0");
    s.out(200ms, "S 0");
    s.wait(100ms);
    CHECK(s.events(fd) == (POLLIN | POLLOUT | POLLRDHUP | POLLHUP | POLLERR));
    CHECK(s.get(fd, SOL_SOCKET, SO_ERROR) == ETIMEDOUT);
}

TEST_CASE("a SYN,ACK for a number that was never sent is answered by a RST of it") {
    script s;
    const int fd = s.socket(SOCK_STREAM | SOCK_NONBLOCK);
    s.connect(fd, -1, EINPROGRESS);
    s.out("S 0");
    s.in("S. 0 ack 7 win 1000 <mss 1000>");
    s.out(0us, "R 7 win 0 <>");
    s.in("S. 0 ack 1 win 1000 <mss 1000>");
    s.out(". 1 ack 1");
}

TEST_CASE(
    "bind: EADDRINUSE against a listener, EADDRNOTAVAIL for a foreign address, EINVAL twice") {
    script s;
    const int first = s.socket();
    s.bind(first);
    s.bind(first, 8080, -1, EINVAL);
    s.listen(first);
    const int second = s.socket();
    s.set(second, SOL_SOCKET, SO_REUSEADDR, 1);
    s.bind(second, 8080, -1, EADDRINUSE);
    s.bind(second, 8081);
}

TEST_CASE("descriptors that are closed, foreign or not connected fail as on Linux") {
    script s;
    const int fd = s.socket();
    s.read(fd, 10, -1, ENOTCONN);
    s.write(fd, 10, -1, EPIPE);
    s.shutdown(fd, SHUT_WR, -1, ENOTCONN);
    s.answers(s.api.accept(s.api.userdata, fd, nullptr, nullptr), -1, EINVAL);
    s.answers(s.api.shutdown(s.api.userdata, fd, 7), -1, EINVAL);
    s.close(fd);
    s.read(fd, 10, -1, EBADF);
    s.close(fd, -1, EBADF);
    int ends[2];
    REQUIRE(s.api.pipe(s.api.userdata, ends) == 0);
    s.answers(s.api.listen(s.api.userdata, ends[0], 1), -1, ENOTSOCK);
    s.write(ends[1], 3);
    s.read(ends[0], 10, 3);
    s.close(ends[0]);
    s.close(ends[1]);
    s.answers(s.api.socket(s.api.userdata, AF_INET6, SOCK_STREAM, 0), -1, EAFNOSUPPORT);
}
}

}  // namespace weft::conformance
