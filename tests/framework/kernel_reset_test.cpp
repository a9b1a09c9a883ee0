// Kernel streams: connections that end by an error, cancelled operations, backpressure.
#include "io_scratch.hpp"
#include "kernel_network_fixture.hpp"
#include "loop.hpp"

#include <weft/sleep.hpp>
#include <weft/task_group.hpp>

#include <array>
#include <fstream>
#include <string>

using namespace weft;
using namespace weft::kernel_test;

namespace {

task<std::error_code> read_error(kernel::tcp_stream& from) {
    std::array<std::byte, 64> into{};
    const result<std::size_t> got = co_await from.read_some(into);
    co_return got.error();
}

task<std::error_code> write_error(kernel::tcp_stream& to, std::size_t count) {
    const std::vector<std::byte> bytes(count);
    const result<void> written = co_await to.write_all(bytes);
    co_return written.error();
}

}  // namespace

TEST_SUITE("framework.kernel.reset") {
TEST_CASE("bytes before a reset are read first, then the error, and it stays") {
    fixture on;
    on.run([](kernel::network& network) -> task<> {
        connected_pair pair = co_await connect_pair(network);
        const result<void> sent = co_await pair.client.write_all(bytes_of("last words"));
        CHECK(sent.has_value());
        const result<void> there = co_await pair.server.readable();
        CHECK(there.has_value());
        pair.client.abort();
        std::array<std::byte, 4> into{};
        const result<std::size_t> first = co_await pair.server.read_some(into);
        CHECK(first.value() == 4);
        std::array<std::byte, 64> rest{};
        const result<std::size_t> second = co_await pair.server.read_some(rest);
        CHECK(second.value() == 6);
        for (int times = 0; times < 3; ++times) {
            const std::error_code why = co_await read_error(pair.server);
            CHECK(why == std::errc::connection_reset);
        }
        const std::error_code writing = co_await write_error(pair.server, 1);
        CHECK(writing == std::errc::connection_reset);
        const result<void> ending = co_await pair.server.shutdown();
        CHECK(ending.error() == std::errc::connection_reset);
        const result<void> over = co_await pair.server.closed();
        CHECK(over.error() == std::errc::connection_reset);
    });
}

TEST_CASE("a write that meets the reset first leaves it for the reads behind the bytes") {
    fixture on;
    on.run([](kernel::network& network) -> task<> {
        connected_pair pair = co_await connect_pair(network);
        const result<void> sent = co_await pair.client.write_all(bytes_of("before"));
        CHECK(sent.has_value());
        pair.client.abort();
        (void)co_await sleep_for(5ms);
        const std::error_code writing = co_await write_error(pair.server, 1);
        CHECK(writing == std::errc::connection_reset);
        std::array<std::byte, 64> into{};
        const result<std::size_t> got = co_await pair.server.read_some(into);
        CHECK(got.value_or(std::size_t{0}) == 6);
        const std::error_code why = co_await read_error(pair.server);
        CHECK(why == std::errc::connection_reset);
        const std::error_code again = co_await write_error(pair.server, 1);
        CHECK(again == std::errc::connection_reset);
    });
}

TEST_CASE("abort ends what waits here with connection_aborted, and the peer gets a reset") {
    fixture on;
    on.run([](kernel::network& network) -> task<> {
        connected_pair pair = co_await connect_pair(network);
        auto abort_later = [](kernel::tcp_stream& which) -> task<> {
            (void)co_await sleep_for(5ms);
            which.abort();
            which.abort();
        };
        auto [reading, writing, done] = co_await when_all(
            read_error(pair.client), write_error(pair.client, 32U << 20), abort_later(pair.client));
        (void)done;
        CHECK(reading == std::errc::connection_aborted);
        CHECK(writing == std::errc::connection_aborted);
        const std::error_code later = co_await read_error(pair.client);
        CHECK(later == std::errc::connection_aborted);
        CHECK(pair.client.remote_endpoint() != endpoint{});
        std::vector<std::byte> into(1 << 16);
        std::error_code end;
        for (;;) {
            const result<std::size_t> got = co_await pair.server.read_some(into);
            end = got.error();
            if (!got || *got == 0) break;
        }
        CHECK(end == std::errc::connection_reset);
    });
}

TEST_CASE("destroying a stream with unread bytes resets, without them it ends in order") {
    fixture on;
    on.run([](kernel::network& network) -> task<> {
        connected_pair pair = co_await connect_pair(network);
        const result<void> sent = co_await pair.client.write_all(bytes_of("unread"));
        CHECK(sent.has_value());
        const result<void> there = co_await pair.server.readable();
        CHECK(there.has_value());
        pair.server = {};
        const std::error_code why = co_await read_error(pair.client);
        CHECK(why == std::errc::connection_reset);

        connected_pair other = co_await connect_pair(network);
        auto wait_a_while = [](kernel::tcp_stream& stream) -> task<> {
            std::array<std::byte, 8> into{};
            const result<std::size_t> none = co_await with_timeout(2ms, stream.read_some(into));
            CHECK(none.error() == std::errc::timed_out);
        };
        co_await wait_a_while(other.server);  // a receive request is in flight now
        other.server = {};
        std::array<std::byte, 8> into{};
        const result<std::size_t> end = co_await other.client.read_some(into);
        CHECK(end.value() == 0);
    });
}

TEST_CASE("linger_abort makes the destruction a reset") {
    fixture on;
    on.run([](kernel::network& network) -> task<> {
        kernel::connect_options options;
        options.linger_abort = true;
        connected_pair pair = co_await connect_pair(network, options);
        pair.client = {};
        const std::error_code why = co_await read_error(pair.server);
        CHECK(why == std::errc::connection_reset);
    });
}

TEST_CASE("a cancelled read moves nothing, and what comes later is read in full") {
    fixture on;
    on.run([](kernel::network& network) -> task<> {
        connected_pair pair = co_await connect_pair(network);
        std::array<std::byte, 64> into{};
        for (int times = 0; times < 3; ++times) {
            const result<std::size_t> none =
                co_await with_timeout(1ms, pair.server.read_some(into));
            CHECK(none.error() == std::errc::timed_out);
        }
        const result<void> sent = co_await pair.client.write_all(bytes_of("whole"));
        CHECK(sent.has_value());
        const result<std::size_t> got = co_await pair.server.read_some(into);
        CHECK(got.value() == 5);
    });
}

TEST_CASE("a peer that does not read stops the writer, and a stop ends the write and frees it") {
    fixture on;
    on.run([](kernel::network& network) -> task<> {
        connected_pair pair = co_await connect_pair(network);
        const std::vector<std::byte> much = pattern(64U << 20);
        const result<void> stuck = co_await with_timeout(30ms, pair.client.write_all(much));
        CHECK(stuck.error() == std::errc::timed_out);
        const result<std::size_t> full = co_await with_timeout(10ms, pair.client.write_some(much));
        CHECK(full.error() == std::errc::timed_out);
        // What the kernel had taken is a prefix, and arrives.
        pair.client.abort();
    });
}

TEST_CASE("what lies unread here is bounded; the rest stays with the kernel and the peer") {
    kernel::network_options options;
    options.unread_bytes = 32U << 10;
    fixture on{options};
    on.run([&on](kernel::network& network) -> task<> {
        connected_pair pair = co_await connect_pair(network);
        const result<void> sent = co_await pair.client.write_all(bytes_of("x"));
        CHECK(sent.has_value());
        std::array<std::byte, 1> one{};
        const result<std::size_t> first = co_await pair.server.read_some(one);
        CHECK(first.value() == 1);
        const std::vector<std::byte> much = pattern(16U << 20);
        const result<void> stuck = co_await with_timeout(50ms, pair.client.write_all(much));
        CHECK(stuck.error() == std::errc::timed_out);
        std::vector<std::byte> into(8U << 20);
        const result<std::size_t> got = co_await pair.server.read_some(into);
        std::size_t most = network.options().unread_bytes;
        if (!on.io.ring().abilities().receive_limit) {
            // The kernel goes on until it hears of the pause: as far as there are buffers.
            most += std::size_t{network.options().receive_buffers} *
                    network.options().receive_buffer_bytes;
        }
        CHECK(*got > 0);
        CHECK(*got <= most);
        pair.client.abort();
    });
}

TEST_CASE("with a bound of one byte every byte arrives") {
    kernel::network_options options;
    options.unread_bytes = 1;
    fixture on{options};
    on.run([](kernel::network& network) -> task<> {
        connected_pair pair = co_await connect_pair(network);
        const result<void> sent = co_await pair.client.write_all(bytes_of("one by one"));
        CHECK(sent.has_value());
        std::array<std::byte, 10> all{};
        const result<void> got = co_await with_timeout(5s, pair.server.read_exactly(all));
        CHECK(got.has_value());
        CHECK(text_of(all) == "one by one");
    });
}

TEST_CASE("a connection to a port where nobody listens is refused") {
    fixture on;
    on.run([](kernel::network& network) -> task<> {
        endpoint nobody;
        {
            result<kernel::tcp_listener> gone = network.listen(endpoint{here, 0});
            nobody = gone.value().local_endpoint();
            gone->close();
        }
        (void)co_await sleep_for(5ms);
        const auto refused = co_await network.connect(nobody);
        CHECK(refused.error() == std::errc::connection_refused);
    });
}

TEST_CASE("what is not the address of one host is invalid") {
    fixture on;
    on.run([](kernel::network& network) -> task<> {
        for (const endpoint& to :
             {endpoint{ipv4_address{}, 80}, endpoint{ip_address{}, 80}, endpoint{here, 0},
              endpoint{ipv4_address{224, 0, 0, 1}, 80}, endpoint{ipv4_address::broadcast(), 80}}) {
            const auto refused = co_await network.connect(to);
            CHECK(refused.error() == std::errc::invalid_argument);
        }
    });
}

TEST_CASE("a connect that waits can be given up, and leaves no descriptor behind") {
    // A listener whose queue is full lets the SYN of the next go unanswered.
    fixture on;
    on.run([](kernel::network& network) -> task<> {
        kernel::listen_options tiny;
        tiny.backlog = 1;
        result<kernel::tcp_listener> full = network.listen(endpoint{here, 0}, tiny);
        const endpoint to = full.value().local_endpoint();
        std::vector<kernel::tcp_stream> queued;
        std::error_code last;
        for (int i = 0; i < 4 && !last; ++i) {
            auto made = co_await with_timeout(50ms, network.connect(to));
            last = made.error();
            if (made) queued.push_back(std::move(*made));
        }
        CHECK(last == std::errc::timed_out);
        CHECK(queued.size() <= 3);
        const int before = test::open_descriptors();
        for (int i = 0; i < 5; ++i) {
            const auto given_up = co_await with_timeout(2ms, network.connect(to));
            CHECK(given_up.error() == std::errc::timed_out);
            CHECK(test::open_descriptors() == before);
        }
        const auto connects = [](kernel::network& from, endpoint where) -> task<> {
            (void)co_await from.connect(where);
        };
        for (int i = 0; i < 5; ++i) {  // or is destroyed where it waits
            test::started waiting{network.scheduler(), connects(network, to)};
            (void)co_await sleep_for(2ms);
            CHECK(test::open_descriptors() == before + 1);
            waiting.abandon();
            CHECK(test::open_descriptors() == before);
        }
    });
}

TEST_CASE("a suspended reader and writer may be destroyed where they are") {
    fixture on;
    on.run([](kernel::network& network) -> task<> {
        connected_pair pair = co_await connect_pair(network);
        const std::vector<std::byte> much = pattern(64U << 20);
        struct quiet : task_listener {
            quiet() noexcept
                : task_listener{[](task_listener&) noexcept -> std::coroutine_handle<> {
                      return std::noop_coroutine();
                  }} {}
        };
        const environment in{&network.scheduler(), {}};
        quiet nobody;
        {
            running_task<std::error_code> reading{read_error(pair.client)};
            CHECK_FALSE(reading.start(in, nobody));
            running_task<std::error_code> writing{write_error(pair.client, 64U << 20)};
            CHECK_FALSE(writing.start(in, nobody));
            (void)co_await sleep_for(5ms);
        }
        const result<void> sent = co_await pair.server.write_all(bytes_of("alive"));
        CHECK(sent.has_value());
        std::array<std::byte, 8> into{};
        const result<std::size_t> got = co_await pair.client.read_some(into);
        CHECK(got.value() == 5);
        pair.client.abort();
    });
}

TEST_CASE("a network may go while requests of streams that are gone are in flight") {
    for (int times = 0; times < 3; ++times) {
        fixture on;
        on.run([](kernel::network& network) -> task<> {
            connected_pair pair = co_await connect_pair(network);
            const std::error_code none =
                (co_await with_timeout(1ms, pair.server.readable())).error();
            CHECK(none == std::errc::timed_out);
        });
    }
}
}
