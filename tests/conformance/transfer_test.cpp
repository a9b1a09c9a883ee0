// Text in both directions: what is acknowledged when, what is pushed, which windows are offered.

#include "script.hpp"

#include <doctest/doctest.h>
#include <linux/sockios.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/ioctl.h>

#include <array>
#include <cerrno>
#include <utility>

namespace weft::conformance {
namespace {

const std::string plain_delayed = plain + ",quick_acks=0";

}  // namespace

TEST_SUITE("conformance.transfer") {
TEST_CASE("a write leaves at once, its last segment pushed") {
    script s{plain};
    const int fd = s.accepted();
    s.write(fd, 1000);
    s.out(0us, "P. 1+1000 ack 1 win 65535 <>");
    s.in(". 1 ack 1001");
    s.write(fd, 2500);
    s.out(0us, ". 1001+1000 ack 1");
    s.out(". 2001+1000 ack 1");
    s.out("P. 3001+500 ack 1");
    s.in(". 1 ack 3501");
    const std::array<iovec, 2> parts{{{const_cast<char*>("abc"), 3}, {const_cast<char*>("de"), 2}}};
    s.answers(s.api.writev(s.api.userdata, fd, parts.data(), 2), 5);
    s.out("P. 3501+5 ack 1");
}

TEST_CASE("the initial window is ten segments, and each acknowledged byte opens it by one") {
    script s{plain};
    const int fd = s.accepted();
    s.write(fd, 40'000);
    s.out_full(1, 10);
    s.nothing();
    s.in(". 1 ack 2001");
    s.out_full(10001, 4);
    s.nothing();
    s.in("R 1 win 0");
}

TEST_CASE("the initial window is as many segments as the profile says") {
    script s{plain + " initial_window=3 congestion=reno"};
    const int fd = s.accepted();
    s.write(fd, 20'000);
    s.out(". 1+1000 ack 1");
    s.out(". 1001+1000 ack 1");
    s.out(". 2001+1000 ack 1");
    s.nothing();
    s.in(". 1 ack 1001");
    s.out(". 3001+1000 ack 1");
    s.out(". 4001+1000 ack 1");
    s.nothing();
    s.in("R 1 win 0");
}

TEST_CASE("Nagle: a short segment waits for an earlier short one, and TCP_NODELAY lets it go") {
    script s{plain};
    const int fd = s.accepted();
    s.write(fd, 100);
    s.out(0us, "P. 1+100 ack 1");
    s.write(fd, 100);
    s.nothing();
    s.set(fd, IPPROTO_TCP, TCP_NODELAY, 1);
    s.out(0us, "P. 101+100 ack 1");
    CHECK(s.get(fd, IPPROTO_TCP, TCP_NODELAY) == 1);
    s.write(fd, 100);
    s.out(0us, "P. 201+100 ack 1");
}

TEST_CASE("TCP_CORK gathers full segments, and lets the rest go when it is taken out") {
    script s{plain};
    const int fd = s.accepted();
    s.set(fd, IPPROTO_TCP, TCP_CORK, 1);
    s.write(fd, 600);
    s.write(fd, 600);
    s.out(0us, ". 1+1000 ack 1");
    s.nothing();
    s.set(fd, IPPROTO_TCP, TCP_CORK, 0);
    s.out(0us, "P. 1001+200 ack 1");
    s.in(". 1 ack 1201");
    const std::array<char, 300> text{};
    s.answers(s.api.send(s.api.userdata, fd, text.data(), 300, MSG_MORE), 300);
    s.nothing();
    s.answers(s.api.send(s.api.userdata, fd, text.data(), 300, 0), 300);
    s.out("P. 1201+600 ack 1");
}

TEST_CASE("a segment alone is acknowledged after the delay, every second full one at once") {
    script s{plain_delayed + " delayed_ack=400ms"};  // long, for slow machines
    const int fd = s.accepted("mss 1460");
    s.in("P. 1+1460 ack 1");
    s.out(400ms, ". 1 ack 1461 win 64075");
    s.in(". 1461+1460 ack 1");
    s.nothing();
    s.in("P. 2921+1460 ack 1");
    s.out(0us, ". 1 ack 4381 win 61155");
    s.in("P. 4381+10 ack 1");
    s.nothing();
    s.write(fd, 5);  // the acknowledgment rides on it
    s.out(0us, "P. 1+5 ack 4391");
    s.in(". 4391 ack 6");
    s.read(fd, 10'000, 4390);
    s.silence(450ms);
}

TEST_CASE("without a delay each segment is acknowledged at once") {
    script s{plain + " delayed_ack=0 quick_acks=0"};
    const int fd = s.accepted();
    s.in("P. 1+10 ack 1");
    s.out(0us, ". 1 ack 11");
    s.in("P. 11+10 ack 1");
    s.out(0us, ". 1 ack 21");
    s.read(fd, 100, 20);
}

TEST_CASE("the delay is 40 ms, or the profile's") {
    for (const auto& [flags, delay] :
         {std::pair{"", 40ms}, std::pair{" delayed_ack=200ms", 200ms}}) {
        script s{plain_delayed + flags};
        (void)s.accepted();
        s.in("P. 1+10 ack 1");
        s.out(delay, ". 1 ack 11");
    }
}

TEST_CASE("text behind a gap is acknowledged at once, and so is what fills it") {
    script s{plain_delayed};
    const int fd = s.accepted();
    s.in("P. 1001+1000 ack 1");
    s.out(0us, ". 1 ack 1 win 65535 <>");
    s.in("P. 2001+1000 ack 1");
    s.out(0us, ". 1 ack 1");
    s.in("P. 1+1000 ack 1");
    s.out(0us, ". 1 ack 3001");
    s.in("P. 1+1000 ack 1");  // again: an old duplicate
    s.out(0us, ". 1 ack 3001");
    s.read(fd, 5000, 3000);
}

TEST_CASE("SACK blocks name what is behind gaps, the newest first; a duplicate is reported") {
    script s{"timestamps=0,window_scale=0,receive_buffer=65535,quick_acks=0"};
    const int fd = s.accepted("mss 1000,nop,nop,sackOK");
    s.in(". 1001+1000 ack 1");
    s.out(0us, ". 1 ack 1 <nop,nop,sack 1001:2001>");
    s.in(". 3001+1000 ack 1");
    s.out(0us, ". 1 ack 1 <nop,nop,sack 3001:4001 1001:2001>");
    s.in(". 5001+1000 ack 1");
    s.out(0us, ". 1 ack 1 <nop,nop,sack 5001:6001 3001:4001 1001:2001>");
    s.in(". 2001+1000 ack 1");
    s.out(0us, ". 1 ack 1 <nop,nop,sack 1001:4001 5001:6001>");
    s.in(". 1+1000 ack 1");
    s.out(0us, ". 1 ack 4001 <nop,nop,sack 5001:6001>");
    s.in(". 1+1000 ack 1");  // RFC 2883
    s.out(0us, ". 1 ack 4001 <nop,nop,sack 1:1001 5001:6001>");
    s.in(". 4001+1000 ack 1");
    s.out(0us, ". 1 ack 6001 <>");
    s.read(fd, 10'000, 6000);
}

TEST_CASE("with timestamps SACK leaves room for three blocks, behind them") {
    script s{"window_scale=0,receive_buffer=65535,quick_acks=0"};
    (void)s.accepted("mss 1000,sackOK,TS val 100 ecr 0");
    s.in(". 1001+1000 ack 1 <nop,nop,TS val 101 ecr 0>");
    s.out(0us, ". 1 ack 1 <nop,nop,TS ecr 100,nop,nop,sack 1001:2001>");
    s.in(". 1+1000 ack 1 <nop,nop,TS val 102 ecr 0>");
    s.out(0us, ". 1 ack 2001 <nop,nop,TS ecr 102>");
}

TEST_CASE("the window closes as unread text piles up, and opens for a reader") {
    script s{"timestamps=0,sack=0,window_scale=0,receive_buffer=4000,quick_acks=255"};
    const int fd = s.accepted();
    s.in(". 1+1000 ack 1");
    s.out(". 1 ack 1001 win 3000");
    s.in(". 1001+1000 ack 1");
    s.out(". 1 ack 2001 win 2000");
    s.in(". 2001+1000 ack 1");
    s.out(". 1 ack 3001 win 1000");
    s.in("P. 3001+1000 ack 1");
    s.out(". 1 ack 4001 win 0");
    CHECK(s.ioctl(fd, SIOCINQ) == 4000);
    s.in(". 4001+1 ack 1");  // a probe
    s.out(0us, ". 1 ack 4001 win 0");
    s.read(fd, 500, 500);
    s.nothing();  // too little to tell
    s.read(fd, 1500, 1500);
    s.out(0us, ". 1 ack 4001 win 2000");
    s.read(fd, 1000, 1000);
    s.nothing();
    s.read(fd, 1000, 1000);  // half of the buffer since the last word
    s.out(0us, ". 1 ack 4001 win 4000");
    s.in("P. 4001+1000 ack 1");
    s.out(". 1 ack 5001 win 3000");
}

TEST_CASE("reading early makes no window update of its own") {
    script s{plain};
    const int fd = s.accepted();
    for (std::uint32_t at = 1; at < 5000; at += 1000) {
        s.in("P. " + std::to_string(at) + "+1000 ack 1");
        s.out(". 1 ack " + std::to_string(at + 1000));
        s.read(fd, 1000, 1000);
        s.nothing();
    }
}

TEST_CASE("a shift of the window scale counts in both directions") {
    script s{"timestamps=0,sack=0,window_scale=7,receive_buffer=1000000,quick_acks=255"};
    const int fd = s.accepted("mss 1000,nop,wscale 2", 1000);
    s.in("P. 1+1000 ack 1 win 250");  // 1000 bytes
    s.out(". 1 ack 1001 win 7804");   // (1000000 - 1000) / 128, rounded down
    s.write(fd, 3000);
    s.out(". 1+1000 ack 1001");
    s.nothing();
    s.in(". 1001 ack 1001 win 750");
    s.out(". 1001+1000 ack 1001");
    s.out("P. 2001+1000 ack 1001");
    s.in("R. 1001 ack 3001 win 0");
}

TEST_CASE("a read that blocks sleeps until there is text; recv has its flags") {
    script s{plain};
    const int fd = s.accepted();
    std::array<char, 100> text{};
    blocking_call call{[&] { return s.api.read(s.api.userdata, fd, text.data(), text.size()); }};
    REQUIRE(call.is_asleep());
    s.in("P. 1+30 ack 1");
    CHECK(call.result() == 30);
    s.out(". 1 ack 31");
    const auto recv = [&](std::size_t bytes, int flags) {
        return s.api.recv(s.api.userdata, fd, text.data(), bytes, flags);
    };
    s.answers(recv(10, MSG_DONTWAIT), -1, EAGAIN);
    s.in("P. 31+50 ack 1");
    s.out(". 1 ack 81");
    s.answers(recv(100, MSG_PEEK), 50);
    s.answers(recv(20, MSG_PEEK), 20);
    CHECK(s.ioctl(fd, FIONREAD) == 50);
    s.answers(recv(20, 0), 20);
    blocking_call whole{[&] { return recv(60, MSG_WAITALL); }};
    CHECK(whole.is_asleep());
    s.in("P. 81+40 ack 1");
    s.out(". 1 ack 121");
    CHECK(whole.result() == 60);
    s.answers(recv(100, 0), 10);
}

TEST_CASE("a write that blocks sleeps while the send buffer is full") {
    script s{plain + " send_buffer=4000"};
    const int fd = s.accepted("mss 1000", 2000);
    std::array<char, 6000> text{};
    blocking_call call{[&] { return s.api.write(s.api.userdata, fd, text.data(), text.size()); }};
    s.out(". 1+1000 ack 1");
    s.out(". 1001+1000 ack 1");
    REQUIRE(call.is_asleep());
    CHECK(s.events(fd) == 0);
    CHECK(s.ioctl(fd, SIOCOUTQ) == 4000);
    CHECK(s.ioctl(fd, SIOCOUTQNSD) == 2000);
    s.answers(s.api.send(s.api.userdata, fd, text.data(), 1, MSG_DONTWAIT), -1, EAGAIN);
    s.in(". 1 ack 2001 win 60000");
    CHECK(call.result() == 6000);
    s.out(". 2001+1000 ack 1");
    s.out("P. 3001+1000 ack 1");
    s.out(". 4001+1000 ack 1");
    s.out("P. 5001+1000 ack 1");
    s.in(". 1 ack 6001");
    CHECK(s.events(fd) == POLLOUT);
    CHECK(s.ioctl(fd, SIOCOUTQ) == 0);
}

TEST_CASE("sizes of buffers are reported doubled, as on Linux") {
    script s;
    const int fd = s.socket();
    s.set(fd, SOL_SOCKET, SO_SNDBUF, 20'000);
    s.set(fd, SOL_SOCKET, SO_RCVBUF, 30'000);
    CHECK(s.get(fd, SOL_SOCKET, SO_SNDBUF) == 40'000);
    CHECK(s.get(fd, SOL_SOCKET, SO_RCVBUF) == 60'000);
    s.set(fd, SOL_SOCKET, 12345, 1, -1, ENOPROTOOPT);
    s.set(fd, IPPROTO_TCP, TCP_KEEPIDLE, 0, -1, EINVAL);
}
}

}  // namespace weft::conformance
