// TCP Fast Open, as packetdrill would script it (RFC 7413), with the calls that Linux has for it.

#include "script.hpp"

#include <arpa/inet.h>
#include <doctest/doctest.h>
#include <fcntl.h>
#include <linux/tcp.h>
#include <netinet/in.h>

#include <cerrno>
#include <string>
#include <vector>

namespace weft::conformance {

namespace {

/// For the profile's key, our address and the peer's.
const std::string cookie = "FO 3021b9d889017eeb,nop,nop";

sockaddr_in address_of_peer(sa_family_t family = AF_INET) {
    sockaddr_in to{};
    to.sin_family = family;
    to.sin_port = htons(8080);
    to.sin_addr.s_addr = inet_addr("192.0.2.1");
    return to;
}

long send_fast(script& s, int fd, std::size_t bytes) {
    sockaddr_in to = address_of_peer();
    const std::string text(bytes, 'x');
    return s.api.sendto(s.api.userdata, fd, text.data(), text.size(), MSG_FASTOPEN,
                        reinterpret_cast<sockaddr*>(&to), sizeof to);
}

/// A connection that asks for a cookie, gets it, and goes.
void gets_cookie(script& s) {
    const int fd = s.socket(SOCK_STREAM | SOCK_NONBLOCK);
    s.bind(fd, 8079);
    s.from_port(8080, 8079);
    s.answers(send_fast(s, fd, 1), -1, EINPROGRESS);
    s.out("S 0 win 65535 <mss 1460,FO,nop,nop>");
    s.in("S. 0 ack 1 win 5840 <mss 1040,FO abcd1234,nop,nop>");
    s.out(". 1 ack 1");
    s.close(fd);
    s.out("F. 1 ack 1");
    s.from_port(8080);
}

using key_bytes = std::vector<std::uint8_t>;

/// A key as Linux writes it, four words that begin with their lowest byte.
key_bytes key_of(std::uint8_t a, std::uint8_t b, std::uint8_t c, std::uint8_t d) {
    key_bytes key;
    for (const std::uint8_t each : {a, b, c, d}) key.insert(key.end(), 4, each);
    return key;
}

long set_key(script& s, int fd, const key_bytes& key) {
    return s.api.setsockopt(s.api.userdata, fd, IPPROTO_TCP, TCP_FASTOPEN_KEY, key.data(),
                            static_cast<socklen_t>(key.size()));
}

key_bytes get_key(script& s, int fd, std::size_t room = 32) {
    key_bytes key(room);
    auto bytes = static_cast<socklen_t>(room);
    CHECK(s.api.getsockopt(s.api.userdata, fd, IPPROTO_TCP, TCP_FASTOPEN_KEY, key.data(), &bytes) ==
          0);
    key.resize(bytes);
    return key;
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

TEST_CASE("a connection that is reset before accept(): accepted, read, and then ECONNRESET") {
    script s{"fast_open=3"};
    const int fd = s.socket();
    s.bind(fd);
    s.set(fd, IPPROTO_TCP, TCP_FASTOPEN, 5);
    s.listen(fd);
    s.in("S 0+100 win 32792 <mss 1000,nop,nop,sackOK," + cookie + ">");
    s.out("S. 0 ack 101");
    s.in("R. 101 ack 1 win 0");
    s.nothing();
    const int peer = s.accept(fd);
    CHECK(s.events(fd) == 0);
    CHECK(s.events(peer) == (POLLIN | POLLOUT | POLLRDHUP | POLLHUP | POLLERR));
    s.read(peer, 200, 100);
    s.read(peer, 200, -1, ECONNRESET);
    s.read(peer, 200, 0);
    s.write(peer, 10, -1, EPIPE);
    s.close(peer);
    s.nothing();
}

TEST_CASE("TCP_FASTOPEN_KEY: a listener's own key, and the one before it") {
    script s{"fast_open=3,fast_open_key=01010101-02020202-03030303-04040404"};
    const key_bytes newer = key_of(1, 2, 3, 4);
    const key_bytes older = key_of(0xa1, 0xb2, 0xc3, 0xd4);
    const int fd = s.socket();
    s.bind(fd);
    s.set(fd, IPPROTO_TCP, TCP_FASTOPEN, 5);
    CHECK(get_key(s, fd) == newer);  // the stack's
    s.answers(set_key(s, fd, older), 0);
    CHECK(get_key(s, fd) == older);
    CHECK(get_key(s, fd, 8) == key_bytes(older.begin(), older.begin() + 8));
    s.answers(set_key(s, fd, key_bytes(15)), -1, EINVAL);
    s.answers(set_key(s, fd, key_bytes(31)), -1, EINVAL);
    s.listen(fd, 5);
    s.in("S 0 win 32792 <mss 1000,FO,nop,nop>");
    s.out("S. 0 ack 1 win 65535 <mss 1460," + cookie + ">");
    s.in("R 1 win 0");

    key_bytes both = newer;
    both.insert(both.end(), older.begin(), older.end());
    s.answers(set_key(s, fd, both), 0);
    CHECK(get_key(s, fd) == both);
    s.from_port(8081);
    s.in("S 0+100 win 32792 <mss 1000," + cookie + ">");
    s.out("S. 0 ack 101");  // taken, and a cookie of the new key comes with it
    s.in(". 101 ack 1");
    const std::string renewed = s.last.segment.options.value();
    CHECK(renewed.find("FO ") != std::string::npos);
    CHECK(renewed.find(cookie) == std::string::npos);
    s.from_port(8082);
    s.in("S 0+100 win 32792 <" + renewed + ">");
    s.out("S. 0 ack 101 win 65535 <mss 1460>");
    s.in(". 101 ack 1");
    s.answers(set_key(s, fd, newer), 0);
    s.from_port(8083);
    s.in("S 0+100 win 32792 <mss 1000," + cookie + ">");  // too old by now
    s.out("S. 0 ack 1 win 65535 <" + renewed + ">");
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

TEST_CASE(
    "MSG_FASTOPEN on a socket that blocks: it sleeps until the answer, and sends everything") {
    script s{"timestamps=0,sack=0,window_scale=0"};
    const int fd = s.socket();
    s.bind(fd);
    SUBCASE("without a cookie") {
        blocking_call call{[&] { return send_fast(s, fd, 1000); }};
        s.out("S 0 win 65535 <mss 1460,FO,nop,nop>");
        CHECK(call.is_asleep());
        s.in("S. 0 ack 1 win 5840 <mss 1040,FO abcd1234,nop,nop>");
        s.out(". 1 ack 1");
        s.out("P. 1+1000 ack 1");
        CHECK(call.result() == 1000);
    }
    SUBCASE("with one, and more than a SYN holds") {
        gets_cookie(s);
        blocking_call call{[&] { return send_fast(s, fd, 2500); }};
        s.out("S 0+1000 win 65535 <mss 1460,FO abcd1234,nop,nop>");
        CHECK(call.is_asleep());
        s.in("S. 0 ack 1001 win 5840 <mss 1040>");
        s.out(". 1001 ack 1");
        s.out(". 1001+1040 ack 1");
        s.out("P. 2041+460 ack 1");
        CHECK(call.result() == 2500);
        CHECK((options_of(s, fd) & TCPI_OPT_SYN_DATA) != 0);
    }
    SUBCASE("refused: nothing was sent") {
        gets_cookie(s);
        blocking_call call{[&] { return send_fast(s, fd, 2500); }};
        s.out("S 0+1000 win 65535 <mss 1460,FO abcd1234,nop,nop>");
        s.in("R. 0 ack 1001 win 0");
        CHECK(call.result() == -1);
        CHECK(call.error() == ECONNREFUSED);
    }
    SUBCASE("longer than SO_SNDTIMEO: what is in the SYN was sent") {
        gets_cookie(s);
        const timeval limit{.tv_sec = 0, .tv_usec = 100'000};
        s.answers(
            s.api.setsockopt(s.api.userdata, fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit), 0);
        s.answers(send_fast(s, fd, 2500), 1000);
        s.out("S 0+1000 win 65535 <mss 1460,FO abcd1234,nop,nop>");
        s.answers(send_fast(s, fd, 1000), -1, EALREADY);
    }
}

TEST_CASE(
    "sendmsg with MSG_FASTOPEN takes the address and all parts; none, or no family, opens not") {
    script s{"timestamps=0,sack=0,window_scale=0"};
    gets_cookie(s);
    const int fd = s.socket(SOCK_STREAM | SOCK_NONBLOCK);
    s.bind(fd);
    std::string head(300, 'a');
    std::string body(400, 'b');
    iovec parts[] = {{head.data(), head.size()}, {body.data(), body.size()}};
    msghdr message{};
    message.msg_iov = parts;
    message.msg_iovlen = 2;
    const auto sends = [&] { return s.api.sendmsg(s.api.userdata, fd, &message, MSG_FASTOPEN); };
    s.answers(sends(), -1, EINVAL);
    sockaddr_in to = address_of_peer(AF_UNSPEC);
    message.msg_name = &to;
    message.msg_namelen = sizeof to;
    s.answers(sends(), -1, EOPNOTSUPP);
    s.nothing();
    to = address_of_peer();
    s.answers(sends(), 700);
    s.out("S 0+700 win 65535 <mss 1460,FO abcd1234,nop,nop>");
    s.in("S. 0 ack 701 win 5840 <mss 1040>");
    s.out(". 701 ack 1");
    s.answers(sends(), -1, EISCONN);
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
