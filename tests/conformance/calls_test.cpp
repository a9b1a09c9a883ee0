// Calls beside the plain ones: epoll, poll together with the kernel's descriptors, splice, vectors,
// time limits, and what TCP_INFO tells.

#include "script.hpp"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <linux/tcp.h>
#include <netinet/in.h>

#include <array>
#include <cerrno>
#include <string_view>

namespace weft::conformance {
namespace {

/// What one epoll_wait reports; 0: nothing.
std::uint32_t waited(script& s, int epfd, int timeout_ms = 0) {
    epoll_event event{};
    const int count = s.api.epoll_wait(s.api.userdata, epfd, &event, 1, timeout_ms);
    REQUIRE(count >= 0);
    return count == 0 ? 0 : event.events & ~std::uint32_t{EPOLLRDNORM | EPOLLWRNORM};
}

int watching(script& s, int fd, std::uint32_t events) {
    const int epfd = s.api.epoll_create(s.api.userdata, 1);
    epoll_event wanted{};
    wanted.events = events;
    s.answers(s.api.epoll_ctl(s.api.userdata, epfd, EPOLL_CTL_ADD, fd, &wanted), 0);
    return epfd;
}

}  // namespace

TEST_SUITE("conformance.calls") {
TEST_CASE("epoll by level reports for as long as it is so") {
    script s{plain};
    const int fd = s.accepted();
    const int epfd = watching(s, fd, EPOLLIN);
    CHECK(waited(s, epfd) == 0);
    s.in("P. 1+10 ack 1");
    s.out(". 1 ack 11");
    CHECK(waited(s, epfd) == EPOLLIN);
    CHECK(waited(s, epfd) == EPOLLIN);
    s.read(fd, 10, 10);
    CHECK(waited(s, epfd) == 0);
    s.in("R 11 win 0");
    CHECK(waited(s, epfd) == (EPOLLIN | EPOLLHUP | EPOLLERR));
}

TEST_CASE("epoll by edge reports once for each arrival, a one-shot once") {
    script s{plain};
    const int fd = s.accepted();
    const int epfd = watching(s, fd, EPOLLIN | EPOLLET);
    s.in("P. 1+10 ack 1");
    s.out(". 1 ack 11");
    CHECK(waited(s, epfd) == EPOLLIN);
    CHECK(waited(s, epfd) == 0);
    s.in("P. 11+10 ack 1");
    s.out(". 1 ack 21");
    CHECK(waited(s, epfd) == EPOLLIN);
    epoll_event wanted{};
    wanted.events = EPOLLIN | EPOLLONESHOT;
    s.answers(s.api.epoll_ctl(s.api.userdata, epfd, EPOLL_CTL_MOD, fd, &wanted), 0);
    CHECK(waited(s, epfd) == EPOLLIN);
    CHECK(waited(s, epfd) == 0);
    s.answers(s.api.epoll_ctl(s.api.userdata, epfd, EPOLL_CTL_ADD, fd, &wanted), -1, EEXIST);
    s.answers(s.api.epoll_ctl(s.api.userdata, epfd, EPOLL_CTL_DEL, fd, nullptr), 0);
    s.answers(s.api.epoll_ctl(s.api.userdata, epfd, EPOLL_CTL_DEL, fd, nullptr), -1, ENOENT);
    s.read(fd, 100, 20);
}

TEST_CASE("epoll_wait and poll sleep until something happens, or their time is up") {
    script s{plain};
    const int fd = s.accepted();
    const int epfd = watching(s, fd, EPOLLIN);
    blocking_call by_epoll{[&] { return static_cast<long>(waited(s, epfd, 5000)); }};
    REQUIRE(by_epoll.is_asleep());
    s.in("P. 1+10 ack 1");
    s.out(". 1 ack 11");
    CHECK(by_epoll.result() == EPOLLIN);
    s.read(fd, 10, 10);
    pollfd asked{fd, POLLIN, 0};
    blocking_call by_poll{[&] { return s.api.poll(s.api.userdata, &asked, 1, 5000); }};
    REQUIRE(by_poll.is_asleep());
    s.in("F. 11 ack 1");
    s.out(". 1 ack 12");
    CHECK(by_poll.result() == 1);
    CHECK(asked.revents == POLLIN);
    asked.events = POLLPRI;
    CHECK(s.api.poll(s.api.userdata, &asked, 1, 10) == 0);
}

TEST_CASE("poll takes the kernel's descriptors beside ours, and either wakes it") {
    script s{plain};
    const int fd = s.accepted();
    std::array<int, 2> ends{};
    REQUIRE(s.api.pipe(s.api.userdata, ends.data()) == 0);
    std::array<pollfd, 2> asked{{{fd, POLLIN, 0}, {ends[0], POLLIN, 0}}};
    const auto poll = [&] { return s.api.poll(s.api.userdata, asked.data(), 2, 5000); };
    {
        blocking_call call{poll};
        REQUIRE(call.is_asleep());
        s.in("P. 1+10 ack 1");
        s.out(". 1 ack 11");
        CHECK(call.result() == 1);
        CHECK(asked[0].revents == POLLIN);
        CHECK(asked[1].revents == 0);
    }
    s.read(fd, 10, 10);
    blocking_call call{poll};
    REQUIRE(call.is_asleep());
    s.write(ends[1], 1);
    CHECK(call.result() == 1);
    CHECK(asked[0].revents == 0);
    CHECK(asked[1].revents == POLLIN);
    s.close(ends[0]);
    s.close(ends[1]);
}

TEST_CASE("splice moves text between a connection and a pipe") {
    script s{plain};
    const int fd = s.accepted();
    std::array<int, 2> ends{};
    REQUIRE(s.api.pipe(s.api.userdata, ends.data()) == 0);
    s.in("P. 1+500 ack 1");
    s.out(". 1 ack 501");
    s.answers(s.api.splice(s.api.userdata, fd, nullptr, ends[1], nullptr, 1000, 0), 500);
    s.answers(s.api.splice(s.api.userdata, ends[0], nullptr, fd, nullptr, 1000, 0), 500);
    s.out("P. 1+500 ack 501");
    s.answers(s.api.splice(s.api.userdata, fd, nullptr, ends[1], nullptr, 1000, SPLICE_F_NONBLOCK),
              -1, EAGAIN);
    s.close(ends[0]);
    s.close(ends[1]);
}

TEST_CASE("messages of several parts, one segment") {
    script s{plain};
    const int fd = s.accepted();
    std::array<char, 8> text{};
    std::array<iovec, 3> parts{{{text.data(), 3}, {nullptr, 0}, {text.data() + 3, 5}}};
    msghdr message{};
    message.msg_iov = parts.data();
    message.msg_iovlen = parts.size();
    s.answers(s.api.sendmsg(s.api.userdata, fd, &message, 0), 8);
    s.out("P. 1+8 ack 1");
    s.in("P. 1+6 ack 9");
    s.out(". 9 ack 7");
    s.answers(s.api.recvmsg(s.api.userdata, fd, &message, 0), 6);
    CHECK(message.msg_flags == 0);
    s.in("P. 7+8 ack 9");
    s.out(". 9 ack 15");
    s.answers(s.api.readv(s.api.userdata, fd, parts.data(), 3), 8);
    s.answers(s.api.readv(s.api.userdata, fd, parts.data(), -1), -1, EINVAL);
    parts[1].iov_len = 4;
    s.answers(s.api.writev(s.api.userdata, fd, parts.data(), 3), -1, EFAULT);
}

TEST_CASE("SO_RCVTIMEO limits how long a read sleeps") {
    script s{plain};
    const int fd = s.accepted();
    const timeval limit{0, 50'000};
    s.answers(s.api.setsockopt(s.api.userdata, fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit),
              0);
    s.read(fd, 10, -1, EAGAIN);
}

TEST_CASE("TCP_INFO tells the state, what is in flight and the window") {
    script s{plain};
    const int fd = s.accepted();
    s.write(fd, 3000);
    s.out(". 1+1000 ack 1");
    s.out(". 1001+1000 ack 1");
    s.out("P. 2001+1000 ack 1");
    tcp_info info{};
    socklen_t bytes = sizeof info;
    const auto ask = [&] {
        return s.api.getsockopt(s.api.userdata, fd, IPPROTO_TCP, TCP_INFO, &info, &bytes);
    };
    s.answers(ask(), 0);
    CHECK(bytes == sizeof info);
    CHECK(info.tcpi_state == 1);  // ESTABLISHED, by Linux's numbers
    CHECK(info.tcpi_unacked == 3);
    CHECK(info.tcpi_snd_cwnd == 10);
    CHECK(info.tcpi_snd_mss == 1000);
    s.in(". 1 ack 3001");
    s.in("F. 1 ack 3001");
    s.out(". 3001 ack 2");
    s.answers(ask(), 0);
    CHECK(info.tcpi_state == 8);  // CLOSE-WAIT
    CHECK(info.tcpi_unacked == 0);
}

TEST_CASE("congestion control is asked for, and set, by name") {
    script s{"congestion=new_reno"};
    const int fd = s.socket();
    std::array<char, 16> name{};
    socklen_t bytes = name.size();
    REQUIRE(s.api.getsockopt(s.api.userdata, fd, IPPROTO_TCP, TCP_CONGESTION, name.data(),
                             &bytes) == 0);
    CHECK(std::string_view{name.data()} == "reno");
    s.answers(s.api.setsockopt(s.api.userdata, fd, IPPROTO_TCP, TCP_CONGESTION, "bbr", 3), 0);
    s.answers(s.api.setsockopt(s.api.userdata, fd, IPPROTO_TCP, TCP_CONGESTION, "none", 4), -1,
              ENOENT);
}

TEST_CASE("names of both ends") {
    script s{plain};
    const int fd = s.socket();
    s.bind(fd, 0);  // any port
    s.close(fd);
    const int peer = s.accepted();
    CHECK(s.get(peer, SOL_SOCKET, SO_TYPE) == SOCK_STREAM);
    CHECK(s.get(s.listener, SOL_SOCKET, SO_ACCEPTCONN) == 1);
    CHECK(s.get(peer, SOL_SOCKET, SO_ACCEPTCONN) == 0);
}

TEST_CASE("a wire on which nothing leaves says so after a while") {
    script s{plain};
    std::array<char, 2000> packet{};
    std::size_t bytes = packet.size();
    long long time = 0;
    const auto before = std::chrono::steady_clock::now();
    CHECK(s.api.netdev_receive(s.api.userdata, packet.data(), &bytes, &time) == 0);
    CHECK(bytes == 0);
    CHECK(std::chrono::steady_clock::now() - before >= 1900ms);
}
}

}  // namespace weft::conformance
