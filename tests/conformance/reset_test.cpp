// Resets in both directions: which segments are answered by one and with which numbers (RFC 9293
// §3.10.7), which RSTs are believed (RFC 5961), and what the calls say after it.

#include "script.hpp"

#include <doctest/doctest.h>

#include <array>
#include <cerrno>

namespace weft::conformance {

TEST_SUITE("conformance.reset") {
TEST_CASE("what is for nobody is answered by a RST in the two forms of CLOSED") {
    script s{plain};
    s.in("S 0 win 1000 <mss 1000>");
    s.out(0us, "R. 0 ack 1 win 0 <>");
    s.in("P. 1+10 ack 77 win 1000");
    s.out(0us, "R 77 win 0 <>");
    s.in("P 1+10 win 1000");
    s.out(0us, "R. 0 ack 11");
    s.in("F 1 win 1000");
    s.out(0us, "R. 0 ack 2");
    s.in("R 1 win 0");
    s.in("R. 1 ack 5 win 0");
    s.nothing();
}

TEST_CASE("a listener resets an acknowledgment and ignores a RST") {
    script s{plain};
    const int fd = s.socket();
    s.bind(fd);
    s.listen(fd);
    s.in(". 1 ack 77 win 1000");
    s.out(0us, "R 77 win 0 <>");
    s.in("S. 1 ack 77 win 1000 <mss 1000>");
    s.out(0us, "R 77");
    s.in("R 1 win 0");
    s.nothing();
}

TEST_CASE("a RST at the edge of the window resets: ECONNRESET once, then the end") {
    script s{plain};
    const int fd = s.accepted();
    s.in("R 1 win 0");
    s.nothing();
    CHECK(s.events(fd) == (POLLIN | POLLOUT | POLLRDHUP | POLLHUP | POLLERR));
    s.read(fd, 10, -1, ECONNRESET);
    s.read(fd, 10, 0);
    s.write(fd, 10, -1, EPIPE);
    CHECK(s.events(fd) == (POLLIN | POLLOUT | POLLRDHUP | POLLHUP));
}

TEST_CASE("text that came before a RST is read before the error") {
    script s{plain};
    const int fd = s.accepted();
    s.in("P. 1+100 ack 1");
    s.out(". 1 ack 101");
    s.in("R. 101 ack 1 win 0");
    s.read(fd, 1000, 100);
    s.read(fd, 1000, -1, ECONNRESET);
    s.read(fd, 1000, 0);
}

TEST_CASE("a connection that is reset before accept() is accepted all the same") {
    script s{plain};
    s.start_listening();
    s.in("S 0 win 65535 <mss 1000>");
    s.out("S. 0 ack 1");
    s.in("P. 1+100 ack 1");
    s.out(". 1 ack 101");
    s.in("R. 101 ack 1 win 0");
    const int fd = s.accept(s.listener);
    CHECK(s.events(s.listener) == 0);
    CHECK(s.events(fd) == (POLLIN | POLLOUT | POLLRDHUP | POLLHUP | POLLERR));
    s.read(fd, 1000, 100);
    s.read(fd, 1000, -1, ECONNRESET);
    s.read(fd, 1000, 0);
}

TEST_CASE("a RST elsewhere in the window is challenged, one outside is ignored") {
    script s{plain};
    const int fd = s.accepted();
    s.in("R 2 win 0");
    s.out(0us, ". 1 ack 1");
    s.in("R 65535 win 0");
    s.out(0us, ". 1 ack 1");
    s.in("R 65536 win 0");
    s.nothing();
    s.in("R 1 win 0");
    s.write(fd, 1, -1, ECONNRESET);
    s.write(fd, 1, -1, EPIPE);
}

TEST_CASE("a SYN in the window is challenged") {
    script s{plain};
    (void)s.accepted();
    s.in("S 10 win 1000 <mss 1000>");
    s.out(0us, ". 1 ack 1");
    s.in("S 0 win 1000 <mss 1000>");
    s.out(0us, ". 1 ack 1");
    s.in("S. 10 ack 1 win 1000 <mss 1000>");
    s.out(0us, ". 1 ack 1");
}

TEST_CASE("an acknowledgment of what was never sent is challenged, an old one too") {
    script s{plain};
    const int fd = s.accepted();
    s.in(". 1 ack 2");
    s.out(0us, ". 1 ack 1");
    s.in("P. 1+10 ack 1000");
    s.out(0us, ". 1 ack 1");
    s.in(". 1 ack 4294867296");
    s.out(0us, ". 1 ack 1");
    s.in("P. 1+10 ack 1");
    s.out(0us, ". 1 ack 11");
    s.read(fd, 100, 10);
}

TEST_CASE("a RST wakes a reader that sleeps; in CLOSE-WAIT a write breaks a pipe") {
    script s{plain};
    const int fd = s.accepted();
    std::array<char, 10> text{};
    blocking_call call{[&] { return s.api.read(s.api.userdata, fd, text.data(), text.size()); }};
    REQUIRE(call.is_asleep());
    s.in("R 1 win 0");
    CHECK(call.result() == -1);
    CHECK(call.error() == ECONNRESET);

    s.from_port(9000);
    const int second = s.accepted();
    s.in("F. 1 ack 1");
    s.out(". 1 ack 2");
    s.in("R 2 win 0");
    s.read(second, 10, 0);
    s.write(second, 10, -1, EPIPE);
}

TEST_CASE("a RST in SYN-RECEIVED sends the listener back to waiting") {
    script s{plain};
    const int fd = s.socket();
    s.bind(fd);
    s.listen(fd);
    s.in("S 0 win 1000 <mss 1000>");
    s.out("S. 0 ack 1");
    s.in("R 1 win 0");
    s.set_non_blocking(fd);
    s.answers(s.api.accept(s.api.userdata, fd, nullptr, nullptr), -1, EAGAIN);
    s.in(". 1 ack 1");
    s.out(0us, "R 1");
}

TEST_CASE("in SYN-RECEIVED a wrong acknowledgment is answered by a RST of it") {
    script s{plain};
    const int fd = s.socket();
    s.bind(fd);
    s.listen(fd);
    s.in("S 0 win 1000 <mss 1000>");
    s.out("S. 0 ack 1");
    s.in(". 1 ack 5000 win 1000");
    s.out(0us, "R 5000 win 0 <>");
    s.in(". 1 ack 1 win 1000");
    (void)s.accept(fd);
}

TEST_CASE("segments outside the window are answered by an acknowledgment") {
    script s{plain};
    (void)s.accepted();
    s.in("P. 70000+10 ack 1");
    s.out(0us, ". 1 ack 1");
    s.in(". 70000 ack 1");
    s.out(0us, ". 1 ack 1");
    s.in(". 0 ack 1");  // a keep-alive
    s.out(0us, ". 1 ack 1");
}
}

}  // namespace weft::conformance
