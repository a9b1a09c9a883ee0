// TCP Fast Open, as packetdrill would script it (RFC 7413), with the calls that Linux has for it.

#include "script.hpp"

#include <arpa/inet.h>
#include <doctest/doctest.h>
#include <fcntl.h>
#include <linux/tcp.h>
#include <netinet/in.h>

#include <cerrno>

namespace weft::conformance {

namespace {

/// For the profile's key, our address and the peer's.
const std::string cookie = "FO 3021b9d889017eeb,nop,nop";

long send_fast(script& s, int fd, std::size_t bytes, int flags = MSG_FASTOPEN) {
    sockaddr_in to{};
    to.sin_family = AF_INET;
    to.sin_port = htons(8080);
    to.sin_addr.s_addr = inet_addr("192.0.2.1");
    const std::string text(bytes, 'x');
    return s.api.sendto(s.api.userdata, fd, text.data(), text.size(), flags,
                        reinterpret_cast<sockaddr*>(&to), sizeof to);
}

unsigned options_of(script& s, int fd) {
    tcp_info info{};
    socklen_t bytes = sizeof info;
    CHECK(s.api.getsockopt(s.api.userdata, fd, IPPROTO_TCP, TCP_INFO, &info, &bytes) == 0);
    return info.tcpi_options;
}

}  // namespace

TEST_SUITE("conformance.fast_open") {
TEST_CASE("a server reads and answers before the third step") {
    script s{"fast_open=3"};
    const int fd = s.socket();
    s.bind(fd);
    s.set(fd, IPPROTO_TCP, TCP_FASTOPEN, 5);
    CHECK(s.get(fd, IPPROTO_TCP, TCP_FASTOPEN) == 5);
    s.listen(fd);
    s.in("S 0+100 win 32792 <mss 1000,nop,nop,sackOK," + cookie + ">");
    s.out("S. 0 ack 101 win 65535 <mss 1460,nop,nop,sackOK>");
    const int peer = s.accept(fd);
    CHECK((options_of(s, peer) & TCPI_OPT_SYN_DATA) != 0);
    CHECK(s.events(peer) == (POLLIN | POLLOUT));
    s.read(peer, 200, 100);
    s.write(peer, 500);
    s.out("P. 1+500 ack 101");
    s.in(". 101 ack 501 win 32792");
    s.nothing();
}

TEST_CASE("a listener that did not ask for it keeps no text, and one that did gives cookies out") {
    for (const bool asks : {false, true}) {
        script s{"fast_open=3"};
        const int fd = s.socket();
        s.bind(fd);
        if (asks) s.set(fd, IPPROTO_TCP, TCP_FASTOPEN, 5);
        s.listen(fd);
        s.in("S 0+100 win 32792 <mss 1000,FO 1234567812345678,nop,nop>");
        s.out("S. 0 ack 1 win 65535 <mss 1460" + (asks ? "," + cookie : "") + ">");
    }
}

TEST_CASE("MSG_FASTOPEN: a cookie first, then text in the SYN, as much as fits") {
    script s{"timestamps=0,sack=0,window_scale=0"};
    int fd = s.socket(SOCK_STREAM | SOCK_NONBLOCK);
    s.bind(fd);
    s.answers(send_fast(s, fd, 1000), -1, EINPROGRESS);
    s.out("S 0 win 65535 <mss 1460,FO,nop,nop>");
    s.answers(send_fast(s, fd, 1000), -1, EALREADY);
    s.in("S. 0 ack 1 win 5840 <mss 1040,FO abcd1234,nop,nop>");
    s.out(". 1 ack 1");
    s.answers(send_fast(s, fd, 1000), -1, EISCONN);
    CHECK((options_of(s, fd) & TCPI_OPT_SYN_DATA) == 0);
    s.close(fd);
    s.out("F. 1 ack 1");

    fd = s.socket(SOCK_STREAM | SOCK_NONBLOCK);
    s.bind(fd, 8081);
    s.from_port(8080, 8081);
    s.answers(send_fast(s, fd, 5000), 1000);
    s.out("S 0+1000 win 65535 <mss 1460,FO abcd1234,nop,nop>");
    s.in("S. 0 ack 1001 win 5840 <mss 1040>");
    s.out(". 1001 ack 1");
    CHECK((options_of(s, fd) & TCPI_OPT_SYN_DATA) != 0);
}

TEST_CASE("TCP_FASTOPEN_CONNECT: with a cookie connect() returns, and the first text goes along") {
    script s{"timestamps=0,sack=0,window_scale=0"};
    int fd = s.socket(SOCK_STREAM | SOCK_NONBLOCK);
    s.bind(fd);
    s.set(fd, IPPROTO_TCP, TCP_FASTOPEN_CONNECT, 1);
    s.connect(fd, -1, EINPROGRESS);
    s.out("S 0 win 65535 <mss 1460,FO,nop,nop>");
    s.in("S. 0 ack 1 win 5840 <mss 1460,FO abcd1234,nop,nop>");
    s.out(". 1 ack 1");
    s.close(fd);
    s.out("F. 1 ack 1");

    fd = s.socket(SOCK_STREAM | SOCK_NONBLOCK);
    s.bind(fd, 8081);
    s.from_port(8080, 8081);
    s.set(fd, IPPROTO_TCP, TCP_FASTOPEN_CONNECT, 1);
    s.connect(fd);
    s.nothing();
    CHECK(s.events(fd) == POLLOUT);
    s.read(fd, 100, -1, EAGAIN);
    s.write(fd, 700);
    s.out("S 0+700 win 65535 <mss 1460,FO abcd1234,nop,nop>");
    s.in("S. 0 ack 1 win 5840 <mss 1460>");
    s.out("P. 1+700 ack 1");
    CHECK((options_of(s, fd) & TCPI_OPT_SYN_DATA) == 0);
}

TEST_CASE("what a socket may not: in the wrong state, with the wrong value, against the profile") {
    script s{"fast_open=0"};
    const int fd = s.socket();
    s.answers(send_fast(s, fd, 10), -1, EOPNOTSUPP);
    s.set(fd, IPPROTO_TCP, TCP_FASTOPEN_CONNECT, 1, -1, EOPNOTSUPP);
    s.set(fd, IPPROTO_TCP, TCP_FASTOPEN_CONNECT, 2, -1, EINVAL);
    s.set(fd, IPPROTO_TCP, TCP_FASTOPEN, -1, -1, EINVAL);
    s.set(fd, IPPROTO_TCP, TCP_FASTOPEN_KEY, 1, -1, EINVAL);
}
}

}  // namespace weft::conformance
