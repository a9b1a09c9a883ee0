// Kernel listeners over the loopback: order, bounds, running out of descriptors, closing.
#include "kernel_network_fixture.hpp"

#include <weft/sleep.hpp>

#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <array>
#include <vector>

using namespace weft;
using namespace weft::kernel_test;

namespace {

task<std::error_code> accept_error(kernel::tcp_listener& from) {
    const result<kernel::tcp_stream> come = co_await from.accept();
    co_return come.error();
}

/// No more descriptors for as long as it lives.
class descriptor_famine {
public:
    descriptor_famine() {
        REQUIRE(::getrlimit(RLIMIT_NOFILE, &before_) == 0);
        const int next = ::open("/dev/null", O_RDONLY | O_CLOEXEC);
        REQUIRE(next >= 0);
        ::close(next);
        rlimit now = before_;
        now.rlim_cur = static_cast<rlim_t>(next);
        REQUIRE(::setrlimit(RLIMIT_NOFILE, &now) == 0);
    }
    descriptor_famine(const descriptor_famine&) = delete;
    descriptor_famine& operator=(const descriptor_famine&) = delete;
    ~descriptor_famine() { end(); }
    void end() { (void)::setrlimit(RLIMIT_NOFILE, &before_); }

private:
    rlimit before_{};
};

std::size_t open_descriptors() {
    std::size_t count = 0;
    for (int fd = 0; fd < 1024; ++fd) count += ::fcntl(fd, F_GETFD) >= 0 ? 1U : 0U;
    return count;
}

task<std::vector<kernel::tcp_stream>> connect_many(kernel::network& network, const endpoint& to,
                                                   std::size_t count) {
    std::vector<kernel::tcp_stream> made;
    for (std::size_t i = 0; i < count; ++i) {
        result<kernel::tcp_stream> one = co_await network.connect(to);
        CHECK(one.has_value());
        if (one) made.push_back(std::move(*one));
    }
    co_return made;
}

}  // namespace

TEST_SUITE("framework.kernel.listener") {
TEST_CASE("connections are accepted in the order in which they were made") {
    fixture on;
    on.run([](kernel::network& network) -> task<> {
        result<kernel::tcp_listener> listening = network.listen(endpoint{here, 0});
        const auto clients = co_await connect_many(network, listening.value().local_endpoint(), 10);
        for (const kernel::tcp_stream& client : clients) {
            const result<kernel::tcp_stream> come = co_await listening->accept();
            CHECK(come.value().remote_endpoint() == client.local_endpoint());
        }
    });
    CHECK(on.network.counters().accepted == 10);
    CHECK(on.network.counters().connected == 10);
}

TEST_CASE("of those that wait the first comes first; a stop takes nobody's connection") {
    fixture on;
    on.run([](kernel::network& network) -> task<> {
        result<kernel::tcp_listener> listening = network.listen(endpoint{here, 0});
        auto limited = [](kernel::tcp_listener& from) -> task<std::error_code> {
            const result<kernel::tcp_stream> none = co_await with_timeout(5ms, from.accept());
            co_return none.error();
        };
        auto connect_later = [](kernel::network& from, endpoint to) -> task<std::error_code> {
            (void)co_await sleep_for(20ms);
            const result<kernel::tcp_stream> made = co_await from.connect(to);
            co_return made.error();
        };
        auto [first, second, made] =
            co_await when_all(limited(*listening), accept_error(*listening),
                              connect_later(network, listening->local_endpoint()));
        CHECK(first == std::errc::timed_out);
        CHECK(second == std::error_code{});
        CHECK(made == std::error_code{});
    });
}

TEST_CASE("closing ends the accepts that wait, resets who was not accepted and frees the port") {
    fixture on;
    const std::size_t before = open_descriptors();
    on.run([](kernel::network& network) -> task<> {
        result<kernel::tcp_listener> listening = network.listen(endpoint{here, 0});
        const endpoint at = listening.value().local_endpoint();
        auto clients = co_await connect_many(network, at, 3);
        const std::error_code first = co_await accept_error(*listening);  // arms the request
        CHECK(first == std::error_code{});
        (void)co_await sleep_for(2ms);
        listening->close();
        CHECK_FALSE(static_cast<bool>(*listening));
        CHECK(listening->local_endpoint() == at);
        std::array<std::byte, 1> into{};
        for (std::size_t i = 1; i < clients.size(); ++i) {
            const result<std::size_t> got = co_await clients[i].read_some(into);
            CHECK(got.error() == std::errc::connection_reset);
        }
        const std::error_code late = co_await accept_error(*listening);
        CHECK(late == std::errc::broken_pipe);
        const result<kernel::tcp_stream> refused = co_await network.connect(at);
        CHECK(refused.error() == std::errc::connection_refused);
        *listening = {};
        (void)co_await sleep_for(2ms);
        result<kernel::tcp_listener> again = network.listen(at);
        CHECK(again.has_value());

        auto close_later = [](kernel::tcp_listener& which) -> task<> {
            (void)co_await sleep_for(2ms);
            which.close();
        };
        auto [waiting, done] = co_await when_all(accept_error(*again), close_later(*again));
        (void)done;
        CHECK(waiting == std::errc::broken_pipe);
    });
    on.run([](kernel::network&) -> task<> { (void)co_await sleep_for(2ms); });
    CHECK(open_descriptors() == before);
}

TEST_CASE("a port that is taken is refused, an address that is not ours too") {
    fixture on;
    result<kernel::tcp_listener> first = on.network.listen(endpoint{here, 0});
    const endpoint at = first.value().local_endpoint();
    CHECK(on.network.listen(at).error() == std::errc::address_in_use);
    CHECK(on.network.listen(endpoint{ipv4_address{192, 0, 2, 1}, 0}).error() ==
          std::errc::address_not_available);
}

TEST_CASE("two listeners share a port when both ask for it") {
    fixture on;
    kernel::listen_options shared;
    shared.reuse_port = true;
    result<kernel::tcp_listener> first = on.network.listen(endpoint{here, 0}, shared);
    result<kernel::tcp_listener> second = on.network.listen(first.value().local_endpoint(), shared);
    CHECK(second.has_value());
}

TEST_CASE("the unspecified IPv6 address takes connections of both families") {
    fixture on;
    on.run([](kernel::network& network) -> task<> {
        result<kernel::tcp_listener> any = network.listen(endpoint{ip_address{}, 0});
        if (!any) {  // no IPv6 here
            MESSAGE("not tested: ", any.error().message());
            co_return;
        }
        const std::uint16_t port = any->local_endpoint().port;
        const result<kernel::tcp_stream> client = co_await network.connect({here, port});
        const result<kernel::tcp_stream> server = co_await any->accept();
        CHECK(server.value().remote_endpoint() == client.value().local_endpoint());
        CHECK(server->remote_endpoint().address.is_v4());
    });
}

TEST_CASE("connections that nobody takes are bounded here and wait with the kernel") {
    kernel::network_options options;
    options.accept_ahead = 4;
    fixture on{options};
    on.run([](kernel::network& network) -> task<> {
        result<kernel::tcp_listener> listening = network.listen(endpoint{here, 0});
        const endpoint at = listening.value().local_endpoint();
        std::vector<kernel::tcp_stream> servers;
        auto first = co_await connect_many(network, at, 1);
        servers.push_back((co_await listening->accept()).value());
        auto rest = co_await connect_many(network, at, 40);
        (void)co_await sleep_for(2ms);
        CHECK(network.counters().accepted < 20);
        while (servers.size() < 41) {
            auto come = co_await with_timeout(1s, listening->accept());
            CHECK(come.has_value());
            if (!come) break;
            servers.push_back(std::move(*come));
        }
        CHECK(servers.size() == 41);
    });
}

TEST_CASE("accepting rests while there are no descriptors, and goes on by itself") {
    kernel::network_options options;
    options.accept_pause = 5ms;
    fixture on{options};
    on.run([](kernel::network& network) -> task<> {
        result<kernel::tcp_listener> listening = network.listen(endpoint{here, 0});
        const endpoint at = listening.value().local_endpoint();
        auto clients = co_await connect_many(network, at, 2);
        descriptor_famine famine;
        const result<kernel::tcp_stream> none = co_await with_timeout(30ms, listening->accept());
        CHECK(none.error() == std::errc::timed_out);
        CHECK(network.counters().accept_pauses >= 2);
        CHECK(network.counters().accept_pauses <= 20);
        const result<kernel::tcp_stream> refused = co_await network.connect(at);
        CHECK(refused.error() == std::errc::too_many_files_open);
        famine.end();
        for (const kernel::tcp_stream& client : clients) {
            const result<kernel::tcp_stream> come = co_await with_timeout(1s, listening->accept());
            CHECK(come.value().remote_endpoint() == client.local_endpoint());
        }
    });
}

TEST_CASE("a thousand connections that come and go leave no descriptor and no buffer behind") {
    fixture on;
    const std::size_t before = open_descriptors();
    on.run([](kernel::network& network) -> task<> {
        result<kernel::tcp_listener> listening = network.listen(endpoint{here, 0});
        const endpoint at = listening.value().local_endpoint();
        for (int i = 0; i < 1000; ++i) {
            result<kernel::tcp_stream> client = co_await network.connect(at);
            result<kernel::tcp_stream> server = co_await listening->accept();
            const result<void> sent = co_await client.value().write_all(bytes_of("ping"));
            CHECK(sent.has_value());
            std::array<std::byte, 8> into{};
            const result<std::size_t> got = co_await server.value().read_some(into);
            CHECK(got.value() == 4);
            if (i % 2 == 0) client->abort();
        }
    });
    on.run([](kernel::network&) -> task<> { (void)co_await sleep_for(2ms); });
    CHECK(open_descriptors() == before);
    CHECK(on.network.pool().held() == 0);
}
}
