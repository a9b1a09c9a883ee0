// The options of kernel sockets reach the socket, of a connection that was made and of one that was
// accepted. What they do to a connection is in kernel_vanishing_test.cpp.
#include "kernel_network_fixture.hpp"

#include <weft/network.hpp>

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <string>
#include <vector>

using namespace weft;
using namespace weft::kernel_test;

namespace {

int option(const kernel::tcp_stream& of, int level, int name) {
    int value = -1;
    socklen_t length = sizeof value;
    CHECK(::getsockopt(of.descriptor(), level, name, &value, &length) == 0);
    return value;
}

}  // namespace

TEST_SUITE("framework.kernel.options") {
TEST_CASE("each option is the socket's, of either end") {
    fixture on;
    on.run([](kernel::network& network) -> task<> {
        kernel::connect_options wanted;
        wanted.no_delay = true;
        wanted.keepalive = {.enabled = true, .idle = 7s, .interval = 3s, .probes = 4};
        wanted.user_timeout = 12'345ms;
        wanted.send_buffer_bytes = 70'000;
        wanted.receive_buffer_bytes = 50'000;
        const connected_pair pair = co_await connect_pair(network, wanted);
        for (const kernel::tcp_stream* end : {&pair.client, &pair.server}) {
            CHECK(option(*end, IPPROTO_TCP, TCP_NODELAY) == 1);
            CHECK(option(*end, SOL_SOCKET, SO_KEEPALIVE) == 1);
            CHECK(option(*end, IPPROTO_TCP, TCP_KEEPIDLE) == 7);
            CHECK(option(*end, IPPROTO_TCP, TCP_KEEPINTVL) == 3);
            CHECK(option(*end, IPPROTO_TCP, TCP_KEEPCNT) == 4);
            CHECK(option(*end, IPPROTO_TCP, TCP_USER_TIMEOUT) == 12'345);
            CHECK(option(*end, SOL_SOCKET, SO_SNDBUF) == 140'000);  // Linux doubles
            CHECK(option(*end, SOL_SOCKET, SO_RCVBUF) == 100'000);
        }
    });
}

TEST_CASE("without options a socket is as the system makes it, and they can be set later") {
    fixture on;
    on.run([](kernel::network& network) -> task<> {
        connected_pair pair = co_await connect_pair(network);
        for (kernel::tcp_stream* end : {&pair.client, &pair.server}) {
            CHECK(option(*end, IPPROTO_TCP, TCP_NODELAY) == 0);
            CHECK(option(*end, SOL_SOCKET, SO_KEEPALIVE) == 0);
            CHECK(option(*end, IPPROTO_TCP, TCP_USER_TIMEOUT) == 0);
            end->set_no_delay(true);
            end->set_user_timeout(1500us);  // the kernel counts milliseconds: never too few
            end->set_keepalive({.enabled = true, .idle = 1ms, .interval = 1500ms, .probes = 0});
            CHECK(option(*end, IPPROTO_TCP, TCP_NODELAY) == 1);
            CHECK(option(*end, IPPROTO_TCP, TCP_USER_TIMEOUT) == 2);
            CHECK(option(*end, SOL_SOCKET, SO_KEEPALIVE) == 1);
            CHECK(option(*end, IPPROTO_TCP, TCP_KEEPIDLE) == 1);
            CHECK(option(*end, IPPROTO_TCP, TCP_KEEPINTVL) == 2);
            CHECK(option(*end, IPPROTO_TCP, TCP_KEEPCNT) == 1);
            end->set_no_delay(false);
            end->set_keepalive({});
            end->set_user_timeout(0s);
            CHECK(option(*end, IPPROTO_TCP, TCP_NODELAY) == 0);
            CHECK(option(*end, SOL_SOCKET, SO_KEEPALIVE) == 0);
            CHECK(option(*end, IPPROTO_TCP, TCP_USER_TIMEOUT) == 0);
        }
    });
}

TEST_CASE("a network knows names: an address and a port are themselves, localhost is this host") {
    static_assert(resolving_network<kernel::network>);
    fixture on;
    on.run([](kernel::network& network) -> task<> {
        const auto numeric = co_await network.resolve("192.0.2.9", "77");
        CHECK(numeric.value() == std::vector<endpoint>{endpoint{ipv4_address{192, 0, 2, 9}, 77}});
        auto listening = network.listen(endpoint{here, 0});
        const auto at = std::to_string(listening.value().local_endpoint().port);
        const auto found = co_await network.resolve(
            "localhost", at, {.family = kernel::resolve_options::addresses::v4});
        REQUIRE_MESSAGE(found.has_value(), found.error().message());
        CHECK(found->front() == listening->local_endpoint());
        const auto made = co_await network.connect(found->front());
        CHECK(made.has_value());
    });
}
}
