#include "two_hosts.hpp"

#include <weft/task_group.hpp>

#include <doctest/doctest.h>

// UDP sockets of two hosts on a wire.

namespace weft::sim::test {
namespace {

using net::udp_socket;

udp_socket bound(net::host& at, std::uint16_t at_port, const net::udp::socket_options& o = {}) {
    auto made = at.bind({net::ip_address{}, at_port}, o);
    REQUIRE(made.has_value());
    return std::move(*made);
}

task<> answer(udp_socket& at, int count) {
    std::string buffer(65536, '\0');
    for (int i = 0; i < count; ++i) {
        const auto got = co_await at.receive_from(bytes_of(buffer));
        REQUIRE(got.has_value());
        const auto sent = co_await at.send_to(bytes_of(buffer).first(got->bytes), got->from);
        REQUIRE(sent.has_value());
    }
}

TEST_SUITE("sim.udp") {
TEST_CASE("a datagram goes there and back, of every size that there is") {
    two_hosts on;
    auto there = bound(on.server, 53);
    auto here = bound(on.client, 0);
    on.world.run([](two_hosts& with, udp_socket& server, udp_socket& client) -> task<> {
        task_group group{co_await current_environment()};
        group.spawn(answer(server, 5));
        std::string buffer(65536, '\0');
        for (const std::size_t size : {0UL, 1UL, 1472UL, 1473UL, 65507UL}) {
            const std::string sent = pattern(size);
            const auto taken =
                co_await client.send_to(bytes_of(std::string_view{sent}), with.server_at(53));
            REQUIRE(taken.has_value());
            CHECK(*taken == size);
            const auto got = co_await client.receive_from(bytes_of(buffer));
            REQUIRE(got.has_value());
            CHECK(got->from == with.server_at(53));
            CHECK_FALSE(got->truncated);
            CHECK(buffer.substr(0, got->bytes) == sent);
        }
        (void)co_await group.join();
    }(on, there, here));
    CHECK(on.server.counters().datagrams_reassembled == 2);
}

TEST_CASE("what does not fit the buffer is gone, and the result says so") {
    two_hosts on;
    auto there = bound(on.server, 53);
    auto here = bound(on.client, 0);
    on.world.run([](two_hosts& with, udp_socket& server, udp_socket& client) -> task<> {
        const std::string_view text = "a long one";
        (void)co_await client.send_to(bytes_of(text), with.server_at(53));
        (void)co_await client.send_to(bytes_of(std::string_view{"next"}), with.server_at(53));
        std::string buffer(6, '\0');
        auto got = co_await server.receive_from(bytes_of(buffer));
        REQUIRE(got.has_value());
        CHECK(got->bytes == 6);
        CHECK(got->truncated);
        CHECK(buffer == "a long");
        got = co_await server.receive_from(bytes_of(buffer));
        REQUIRE(got.has_value());
        CHECK_FALSE(got->truncated);
        CHECK(buffer.substr(0, got->bytes) == "next");
    }(on, there, here));
}

TEST_CASE("a connected socket hears that the port is closed, and can go on") {
    two_hosts on;
    auto here = bound(on.client, 0);
    REQUIRE(here.connect(on.server_at(9)).has_value());
    CHECK(here.remote_endpoint() == on.server_at(9));
    CHECK(here.local_endpoint().address == on.client.address());
    on.world.run([](two_hosts& with, udp_socket& client) -> task<> {
        std::string buffer(100, '\0');
        REQUIRE((co_await client.send(bytes_of(std::string_view{"hello"}))).has_value());
        auto got = co_await client.receive_from(bytes_of(buffer));
        CHECK(got.error() == std::errc::connection_refused);
        auto server = bound(with.server, 9);
        REQUIRE((co_await client.send(bytes_of(std::string_view{"again"}))).has_value());
        got = co_await server.receive_from(bytes_of(buffer));
        REQUIRE(got.has_value());
        CHECK(buffer.substr(0, got->bytes) == "again");
    }(on, here));
}

TEST_CASE("a send without an address needs a connected socket") {
    two_hosts on;
    auto here = bound(on.client, 0);
    on.world.run([](udp_socket& client) -> task<> {
        const auto sent = co_await client.send(bytes_of(std::string_view{"whom?"}));
        CHECK(sent.error() == std::errc::not_connected);
    }(here));
}

TEST_CASE("receives are served first come first served, also against who did not wait") {
    two_hosts on;
    auto there = bound(on.server, 53);
    auto here = bound(on.client, 0);
    std::string order;
    on.world.run(
        [](two_hosts& with, udp_socket& server, udp_socket& client, std::string& seen) -> task<> {
            task_group group{co_await current_environment()};
            for (const char name : {'a', 'b', 'c'}) {
                group.spawn([](udp_socket& from, char who, std::string& into) -> task<> {
                    std::string buffer(8, '\0');
                    const auto got = co_await from.receive_from(bytes_of(buffer));
                    REQUIRE(got.has_value());
                    into += who;
                    into += buffer[0];
                }(server, name, seen));
            }
            (void)co_await sleep_for(1ms);
            for (const char* text : {"1", "2", "3"}) {
                (void)co_await client.send_to(bytes_of(std::string_view{text}), with.server_at(53));
            }
            (void)co_await group.join();
        }(on, there, here, order));
    CHECK(order == "a1b2c3");
}

TEST_CASE("a receive that is asked to stop takes nothing, and the next one gets the datagram") {
    two_hosts on;
    auto there = bound(on.server, 53);
    auto here = bound(on.client, 0);
    on.world.run([](two_hosts& with, udp_socket& server, udp_socket& client) -> task<> {
        std::string buffer(8, '\0');
        const auto none = co_await with_timeout(1s, server.receive_from(bytes_of(buffer)));
        CHECK(none.error() == std::errc::timed_out);
        (void)co_await client.send_to(bytes_of(std::string_view{"x"}), with.server_at(53));
        const auto got = co_await with_timeout(1s, server.receive_from(bytes_of(buffer)));
        REQUIRE(got.has_value());
        CHECK(got->bytes == 1);
    }(on, there, here));
}

TEST_CASE("senders wait while the send buffer is full, and all of it arrives") {
    two_hosts on{1, {.delay = 1ms, .bits_per_second = 10'000'000}};
    on.get_acquainted();
    auto there = bound(on.server, 53, {.receive_buffer_bytes = 4U << 20});
    auto here = bound(on.client, 0, {.send_buffer_bytes = 16 * 1024});
    on.world.run([](two_hosts& with, udp_socket& client) -> task<> {
        task_group group{co_await current_environment()};
        for (int i = 0; i < 8; ++i) {
            group.spawn([](two_hosts& in, udp_socket& from) -> task<> {
                const std::string text = pattern(1000);
                for (int n = 0; n < 50; ++n) {
                    const auto sent =
                        co_await from.send_to(bytes_of(std::string_view{text}), in.server_at(53));
                    REQUIRE(sent.has_value());
                }
            }(with, client));
        }
        (void)co_await group.join();
        (void)co_await sleep_for(2s);
    }(on, here));
    CHECK(on.client.counters().udp_sent == 400);
    CHECK(on.server.counters().udp_received == 400);
}

TEST_CASE("closing a socket ends who waits on it, and what was queued still leaves") {
    two_hosts on;
    auto there = bound(on.server, 53);
    auto here = bound(on.client, 0);
    on.world.run([](two_hosts& with, udp_socket& server, udp_socket& client) -> task<> {
        task_group group{co_await current_environment()};
        group.spawn([](udp_socket& from) -> task<> {
            std::string buffer(8, '\0');
            const auto got = co_await from.receive_from(bytes_of(buffer));
            CHECK(got.error() == net::errc::closing);
        }(client));
        (void)co_await sleep_for(1ms);
        (void)co_await client.send_to(bytes_of(std::string_view{"last"}), with.server_at(53));
        client.close();
        CHECK_FALSE(client);
        std::string buffer(8, '\0');
        const auto got = co_await server.receive_from(bytes_of(buffer));
        REQUIRE(got.has_value());
        CHECK(buffer.substr(0, got->bytes) == "last");
        const auto late = co_await client.send_to(bytes_of(std::string_view{"x"}), got->from);
        CHECK(late.error() == net::errc::closing);
        (void)co_await group.join();
    }(on, there, here));
    there = {};
    here = {};
    on.settle();
    CHECK(on.client.stack().udp().socket_count() == 0);
    on.check_nothing_left();
}

TEST_CASE("a host that stops closes its sockets, and opens no more") {
    two_hosts on;
    auto here = bound(on.client, 0);
    on.world.run([](two_hosts& with, udp_socket& client) -> task<> {
        task_group group{co_await current_environment()};
        group.spawn([](udp_socket& from) -> task<> {
            std::string buffer(8, '\0');
            const auto got = co_await from.receive_from(bytes_of(buffer));
            CHECK(got.error() == net::errc::closing);
        }(client));
        (void)co_await sleep_for(1ms);
        (void)co_await client.send_to(bytes_of(std::string_view{"bye"}), with.server_at(53));
        co_await with.client.stop(with.client.now() + 5s);
        (void)co_await sleep_for(1s);
        CHECK(with.client.bind({}).error() == net::errc::stack_stopped);
        (void)co_await group.join();
    }(on, here));
    CHECK(on.server.counters().udp_no_port == 1);
}

TEST_CASE("on a bad wire what arrives is what was sent, and the same seed loses the same") {
    const auto arrived = [](std::uint64_t seed) {
        two_hosts on{seed, {.loss = 0.1, .duplicate = 0.1, .reorder = 0.1, .delay = 5ms}};
        on.get_acquainted();
        auto there = bound(on.server, 53);
        auto here = bound(on.client, 0);
        std::string log;
        on.world.run([](two_hosts& with, udp_socket& server, udp_socket& client,
                        std::string& into) -> task<> {
            for (std::uint64_t i = 0; i < 100; ++i) {
                const std::string text = pattern(20 + i * 30, i);
                (void)co_await client.send_to(bytes_of(std::string_view{text}), with.server_at(53));
                (void)co_await sleep_for(1ms);
            }
            std::string buffer(4096, '\0');
            for (;;) {
                const auto got =
                    co_await with_timeout(100ms, server.receive_from(bytes_of(buffer)));
                if (!got) break;
                const std::uint64_t i = (got->bytes - 20) / 30;
                CHECK(buffer.substr(0, got->bytes) == pattern(got->bytes, i));
                into += std::to_string(i) + ' ';
            }
        }(on, there, here, log));
        return log;
    };
    const std::string first = arrived(7);
    CHECK(first == arrived(7));
    CHECK(first != arrived(8));
}
}

}  // namespace
}  // namespace weft::sim::test
