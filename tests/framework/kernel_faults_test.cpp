// Kernel sockets when their ring fails: what a call says then, that the next one goes on, and that
// nothing leaks. Faults that nobody notices are crossed with every behaviour in tests/networks.
#include "io_scratch.hpp"
#include "kernel_network_fixture.hpp"
#include "loop.hpp"

#include <weft/io/file.hpp>
#include <weft/sleep.hpp>
#include <weft/task_group.hpp>
#include <weft/test/ring_faults.hpp>

#include <array>
#include <cstdint>
#include <string>

using namespace weft;
using kernel_test::connect_pair;
using kernel_test::connected_pair;
using kernel_test::fixture;
using kernel_test::here;
using kernel_test::pattern;
using test::open_descriptors;
using test::ring_faults;
using namespace std::chrono_literals;

namespace {

constexpr test::how_often once{.one_in = 1, .times = 1};
constexpr std::array shortages{std::errc::no_buffer_space, std::errc::not_enough_memory,
                               std::errc::resource_unavailable_try_again,
                               std::errc::operation_canceled};

task<std::error_code> write_error(kernel::tcp_stream& to, std::string_view text) {
    const result<void> written = co_await to.write_all(test::bytes_of(text));
    co_return written.error();
}

task<std::string> read_some(kernel::tcp_stream& from) {
    std::string text(100, '\0');
    const auto got = co_await with_timeout(5s, from.read_some(test::room_in(text)));
    REQUIRE_MESSAGE(got.has_value(), got.error().message());
    text.resize(*got);
    co_return text;
}

/// Sends what it reads, until the end or an error.
task<> echo(kernel::tcp_stream peer) {
    std::vector<std::byte> piece(3000);
    for (;;) {
        const auto got = co_await peer.read_some(piece);
        if (!got || *got == 0) break;
        const auto sent = co_await peer.write_all(std::span{piece}.first(*got));
        if (!sent) co_return;
    }
    (void)co_await peer.shutdown();
}

task<> serve(task_group* group, kernel::tcp_listener* from) {
    for (;;) {
        auto come = co_await from->accept();
        if (come) {
            group->spawn(echo(std::move(*come)));
        } else if (come.error() == std::errc::broken_pipe) {
            co_return;
        }
    }
}

/// One client's life under faults. Whatever it reads is a prefix of what it sent.
task<> visit(kernel::network* from, endpoint to, unsigned number, std::size_t* whole) {
    auto made = co_await with_timeout(2s, from->connect(to));
    if (!made) co_return;
    const std::vector<std::byte> sent = pattern(1000 + std::size_t{number} * 997 % 40'000);
    if (number % 7 == 3) {
        (void)co_await with_timeout(1ms, made->readable());
        if (number % 2 == 1) made->abort();
        co_return;
    }
    const auto write = [](kernel::tcp_stream& on, std::span<const std::byte> all) -> task<> {
        const auto written = co_await with_timeout(5s, on.write_all(all));
        if (!written) {
            on.abort();  // nobody knows how much of it has left
        } else {
            (void)co_await with_timeout(5s, on.shutdown());
        }
    };
    std::vector<std::byte> back;
    const auto read = [](kernel::tcp_stream& on, std::vector<std::byte>& into) -> task<> {
        std::vector<std::byte> piece(5000);
        for (;;) {
            const auto got = co_await with_timeout(5s, on.read_some(piece));
            if (!got || *got == 0) co_return;
            into.insert(into.end(), piece.begin(),
                        piece.begin() + static_cast<std::ptrdiff_t>(*got));
        }
    };
    (void)co_await when_all(write(*made, sent), read(*made, back));
    CHECK(back.size() <= sent.size());
    CHECK(std::equal(back.begin(), back.end(), sent.begin()));
    if (back.size() == sent.size()) ++*whole;
}

task<> visits(task_group& group, kernel::network* network, std::size_t* whole) {
    auto listening = network->listen(endpoint{here, 0});
    const endpoint at = listening.value().local_endpoint();
    task_group servers{co_await current_environment()};
    servers.spawn(serve(&servers, &*listening));
    {
        task_group clients{co_await current_environment()};
        for (unsigned i = 0; i < 30; ++i) clients.spawn(visit(network, at, i, whole));
        (void)co_await clients.join();
    }
    listening->close();
    (void)co_await servers.join();
    (void)group;
}

}  // namespace

TEST_SUITE("framework.kernel.faults") {
TEST_CASE("what the kernel lacks fails one write, and the next goes out") {
    fixture on;
    on.run([&on](kernel::network& network) -> task<> {
        connected_pair pair = co_await connect_pair(network);
        for (const std::errc shortage : shortages) {
            CAPTURE(static_cast<int>(shortage));
            {
                ring_faults faults{on.io.ring(), 1};
                faults.fail(ring_request::send, shortage, once);
                CHECK((co_await write_error(pair.client, "lost")) == shortage);
                CHECK(faults.statistics().failed == 1);
            }
            CHECK_FALSE(pair.client.error());
            CHECK_FALSE(co_await write_error(pair.client, "comes"));
            CHECK((co_await read_some(pair.server)) == "comes");
            CHECK_FALSE(co_await write_error(pair.server, "back"));
            CHECK((co_await read_some(pair.client)) == "back");
        }
    });
}

TEST_CASE("what the kernel lacks delays a read, and no byte is lost") {
    fixture on;
    on.run([&on](kernel::network& network) -> task<> {
        for (const std::errc shortage : shortages) {
            CAPTURE(static_cast<int>(shortage));
            connected_pair pair = co_await connect_pair(network);
            ring_faults faults{on.io.ring(), 1};
            faults.fail(ring_request::receive, shortage, {.one_in = 1, .times = 3});
            CHECK_FALSE(co_await write_error(pair.client, "patience"));
            CHECK((co_await read_some(pair.server)) == "patience");
            CHECK(faults.statistics().failed == 3);
        }
    });
}

TEST_CASE("a receive that fails for good is an error that stays") {
    fixture on;
    on.run([&on](kernel::network& network) -> task<> {
        connected_pair pair = co_await connect_pair(network);
        ring_faults faults{on.io.ring(), 1};
        faults.fail(ring_request::receive, std::errc::io_error, once);
        std::string text(10, '\0');
        for (int i = 0; i < 3; ++i) {
            const auto got = co_await pair.server.read_some(test::room_in(text));
            CHECK(got.error() == std::errc::io_error);
        }
        CHECK((co_await write_error(pair.server, "x")) == std::errc::io_error);
    });
}

TEST_CASE("a datagram's call says what failed, and the next one goes on") {
    fixture on;
    on.run([&on](kernel::network& network) -> task<> {
        auto there = network.bind(endpoint{here, 0});
        auto from = network.bind(endpoint{here, 0});
        const endpoint at = there.value().local_endpoint();
        std::string text(100, '\0');
        for (const std::errc shortage : shortages) {
            CAPTURE(static_cast<int>(shortage));
            ring_faults faults{on.io.ring(), 1};
            faults.fail(ring_request::send_message, shortage, once)
                .fail(ring_request::receive_message, shortage, once);
            const auto lost = co_await from.value().send_to(test::bytes_of("lost"), at);
            CHECK(lost.error() == shortage);
            const auto none = co_await there->receive_from(test::room_in(text));
            CHECK(none.error() == shortage);
            const auto sent = co_await from->send_to(test::bytes_of("comes"), at);
            CHECK(sent.value() == 5);
            const auto got = co_await there->receive_from(test::room_in(text));
            CHECK(text.substr(0, got.value().bytes) == "comes");
        }
    });
}

TEST_CASE("a connect that fails leaves no descriptor, and the next one succeeds") {
    fixture on;
    on.run([&on](kernel::network& network) -> task<> {
        auto listening = network.listen(endpoint{here, 0});
        const endpoint at = listening.value().local_endpoint();
        const int before = open_descriptors();
        ring_faults faults{on.io.ring(), 1};
        for (const std::errc shortage : shortages) {
            CAPTURE(static_cast<int>(shortage));
            faults.fail(ring_request::connect, shortage, once);
            const auto failed = co_await network.connect(at);
            CHECK(failed.error() == shortage);
            CHECK(open_descriptors() == before);
        }
        const auto made = co_await network.connect(at);
        CHECK(made.has_value());
    });
}

TEST_CASE("a connection whose accept is answered late is closed with a network that goes") {
    const int before = open_descriptors();
    {
        fixture on;
        ring_faults faults{on.io.ring(), 1};
        on.run([&faults](kernel::network& network) -> task<> {
            auto listening = network.listen(endpoint{here, 0});
            const endpoint at = listening.value().local_endpoint();
            const auto none = co_await with_timeout(1ms, listening->accept());
            CHECK(none.error() == std::errc::timed_out);
            faults.delay(ring_request::any);
            for (int i = 0; i < 5; ++i) (void)co_await network.connect(at);
        });
    }
    CHECK(open_descriptors() == before);
}

TEST_CASE("a file that was opened for a coroutine that is gone is closed") {
    io_context io;
    const auto opens = []() -> task<> {
        const auto opened = co_await file::open("/dev/null");
        (void)opened;
    };
    const int before = open_descriptors();
    for (const bool is_late : {false, true}) {
        ring_faults faults{io.ring(), 1};
        if (is_late) faults.delay(ring_request::open);
        for (int i = 0; i < 10; ++i) {
            test::started waiting{io, opens()};
            io.ring().enter(0s);
            if (is_late) io.ring().reap(10);
            waiting.abandon();
        }
    }
    CHECK(open_descriptors() == before);
}

TEST_CASE("thirty clients under all faults at once end, and leave nothing behind") {
    std::size_t whole = 0;
    std::uint64_t met = 0;
    for (std::uint64_t seed = 1; seed <= 12; ++seed) {
        CAPTURE(seed);
        const int before = open_descriptors();
        {
            kernel::network_options scarce;
            scarce.receive_buffers = 8;
            scarce.receive_buffer_bytes = 4096;
            scarce.accept_pause = 2ms;
            io_context io{{.submissions = 8, .completions = 32}};
            ring_faults faults{io.ring(), seed};
            kernel::network network{io, scarce};
            faults.shorten(ring_request::send, {.one_in = 3})
                .delay(ring_request::any, {.one_in = 4})
                .overflow({.one_in = 10})
                .refuse_enter({.one_in = 5});
            for (const std::errc shortage : shortages) {
                faults.fail(ring_request::send, shortage, {.one_in = 60})
                    .fail(ring_request::receive, shortage, {.one_in = 12})
                    .fail(ring_request::connect, shortage, {.one_in = 60})
                    .fail(ring_request::accept, shortage, {.one_in = 12})
                    .fail(ring_request::poll, shortage, {.one_in = 12});
            }
            const auto ended = io.run_until_done(with_task_group(&visits, &network, &whole));
            CHECK(ended.has_value());
            CHECK(network.pool().held() == 0);
            met += faults.statistics().failed;
            CHECK(faults.statistics().overflows > 0);
        }
        CHECK(open_descriptors() == before);
    }
    CHECK(whole > std::size_t{12} * 30 / 4);
    CHECK(met > 200);
}
}
