// Kernel UDP sockets over the loopback, the kernel's abilities, and what a network refuses.
#include "kernel_network_fixture.hpp"

#include <weft/sleep.hpp>

#include <algorithm>
#include <array>
#include <string>
#include <system_error>

using namespace weft;
using namespace weft::kernel_test;

namespace {

task<std::error_code> receive_error(kernel::udp_socket& from) {
    std::array<std::byte, 64> into{};
    const result<datagram> got = co_await from.receive_from(into);
    co_return got.error();
}

}  // namespace

TEST_SUITE("framework.kernel.udp") {
TEST_CASE("a datagram arrives whole, with its sender, also an empty one") {
    fixture on;
    on.run([](kernel::network& network) -> task<> {
        kernel::udp_socket one = network.bind(endpoint{here, 0}).value();
        kernel::udp_socket other = network.bind(endpoint{here, 0}).value();
        std::array<std::byte, 64> into{};
        for (const std::string_view text : {"hello", "", "again"}) {
            const result<std::size_t> sent =
                co_await one.send_to(bytes_of(text), other.local_endpoint());
            CHECK(sent.value() == text.size());
            const result<datagram> got = co_await other.receive_from(into);
            CHECK(text_of(std::span{into}.first(got.value().bytes)) == text);
            CHECK(got->from == one.local_endpoint());
            CHECK_FALSE(got->truncated);
        }
    });
}

TEST_CASE("what does not fit is cut, and the receiver is told") {
    fixture on;
    on.run([](kernel::network& network) -> task<> {
        kernel::udp_socket one = network.bind(endpoint{here, 0}).value();
        kernel::udp_socket other = network.bind(endpoint{here, 0}).value();
        const result<std::size_t> sent =
            co_await one.send_to(bytes_of("0123456789"), other.local_endpoint());
        CHECK(sent.value() == 10);
        std::array<std::byte, 4> into{};
        const result<datagram> got = co_await other.receive_from(into);
        CHECK(got.value().bytes == 4);
        CHECK(got->truncated);
        const std::vector<std::byte> giant(70'000);
        const result<std::size_t> refused = co_await one.send_to(giant, other.local_endpoint());
        CHECK(refused.error() == std::errc::message_size);
    });
}

TEST_CASE("a receive that waits is cancelled or closed, and takes nothing") {
    fixture on;
    on.run([](kernel::network& network) -> task<> {
        kernel::udp_socket one = network.bind(endpoint{here, 0}).value();
        kernel::udp_socket other = network.bind(endpoint{here, 0}).value();
        std::array<std::byte, 64> into{};
        const result<datagram> none = co_await with_timeout(2ms, other.receive_from(into));
        CHECK(none.error() == std::errc::timed_out);
        const result<std::size_t> sent =
            co_await one.send_to(bytes_of("x"), other.local_endpoint());
        CHECK(sent.has_value());
        const result<datagram> got = co_await other.receive_from(into);
        CHECK(got.value().bytes == 1);

        const endpoint at = other.local_endpoint();
        auto close_later = [](kernel::udp_socket& which) -> task<> {
            (void)co_await sleep_for(2ms);
            which.close();
        };
        auto [waiting, done] = co_await when_all(receive_error(other), close_later(other));
        (void)done;
        CHECK(waiting == std::errc::broken_pipe);
        CHECK_FALSE(static_cast<bool>(other));
        const std::error_code nothing = co_await receive_error(other);
        CHECK(nothing == std::errc::not_connected);
        CHECK(network.bind(at).has_value());
    });
}

TEST_CASE("a connected socket is told that nobody is there") {
    fixture on;
    on.run([](kernel::network& network) -> task<> {
        endpoint nobody;
        {
            const kernel::udp_socket gone = network.bind(endpoint{here, 0}).value();
            nobody = gone.local_endpoint();
        }
        kernel::udp_socket one = network.bind(endpoint{here, 0}).value();
        CHECK(one.connect(nobody).has_value());
        const result<std::size_t> sent = co_await one.send_to(bytes_of("x"), nobody);
        CHECK(sent.has_value());
        const std::error_code why = co_await receive_error(one);
        CHECK(why == std::errc::connection_refused);
    });
}
}

TEST_SUITE("framework.kernel.network") {
TEST_CASE("a simulation's scheduler has no kernel network") {
    scheduler virtual_time{scheduler::clock::virtual_time};
    CHECK_THROWS_AS(kernel::network{virtual_time}, std::system_error);
}

TEST_CASE("a pool of an impossible size is refused") {
    io_context io;
    kernel::network_options odd;
    odd.receive_buffers = 3;
    CHECK_THROWS_AS(kernel::network(io, odd), std::invalid_argument);
}

TEST_CASE("two networks live on one loop") {
    io_context io;
    kernel::network first{io};
    kernel::network second{io};
    auto across = [](kernel::network& from, kernel::network& to) -> task<> {
        result<kernel::tcp_listener> listening = to.listen(endpoint{here, 0});
        result<kernel::tcp_stream> client =
            co_await from.connect(listening.value().local_endpoint());
        result<kernel::tcp_stream> server = co_await listening->accept();
        const result<void> sent = co_await client.value().write_all(bytes_of("x"));
        CHECK(sent.has_value());
        std::array<std::byte, 8> into{};
        const result<std::size_t> got = co_await server.value().read_some(into);
        CHECK(got.value() == 1);
    };
    io.run_until_done(across(first, second));
}

TEST_CASE("a send in place falls back to copies where the kernel copies, and loses nothing") {
    fixture on;
    if (!on.io.ring().abilities().zero_copy_send) return;
    on.run([](kernel::network& network) -> task<> {
        kernel::connect_options options;
        options.zero_copy_from_bytes = 1000;
        connected_pair pair = co_await connect_pair(network, options);
        const std::vector<std::byte> bytes = pattern(300'000);
        auto send_twice = [](kernel::tcp_stream& to, std::span<const std::byte> all) -> task<> {
            for (int times = 0; times < 2; ++times) {
                const result<void> sent = co_await to.write_all(all);
                CHECK(sent.error() == std::error_code{});
            }
        };
        auto read_twice = [](kernel::tcp_stream& from,
                             std::span<const std::byte> expected) -> task<bool> {
            std::vector<std::byte> into(2 * expected.size());
            const result<void> got = co_await from.read_exactly(into);
            CHECK(got.error() == std::error_code{});
            const std::span<const std::byte> all{into};
            co_return std::ranges::equal(all.first(expected.size()), expected) &&
                std::ranges::equal(all.last(expected.size()), expected);
        };
        auto [done, same] =
            co_await when_all(send_twice(pair.client, bytes), read_twice(pair.server, bytes));
        (void)done;
        CHECK(same);
    });
}

TEST_CASE("busy polling is switched on and off where the kernel offers it") {
    ring::options options;
    options.busy_poll = std::chrono::microseconds{20};
    io_context io{options};
    const bool has_it = io.ring().abilities().busy_poll;
    CHECK((io.ring().poll_busily(std::chrono::microseconds{50}) == std::error_code{}) == has_it);
    CHECK((io.ring().poll_busily(duration::zero()) == std::error_code{}) == has_it);
}
}
