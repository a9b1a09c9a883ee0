#pragma once
// What a network does for a program, as the tests of every network begin: a client and a server,
// each with a network of its own or one for both, and small tasks that tests put together.
//
// A `setup` has: `client()` and `server()`, models of weft::network; `server_at(port)`, where the
// client finds what the server has opened; `silent()`, where nobody is: the kernel's loopback
// leaves the SYN unanswered, an Ethernet the question for the link address; and `run(task)`. The
// tests themselves are in behaviours.inc, which each network's source includes in a suite of its
// own.

#include <weft/errc.hpp>
#include <weft/network.hpp>
#include <weft/sleep.hpp>
#include <weft/stop.hpp>
#include <weft/task.hpp>
#include <weft/task_group.hpp>
#include <weft/test/streams.hpp>
#include <weft/when_all.hpp>
#include <weft/with_timeout.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace weft::networks::test {

using namespace std::chrono_literals;

using weft::test::bytes_of;
using weft::test::pattern;
using weft::test::room_in;

template <class Setup>
using client_stream =
    typename std::remove_cvref_t<decltype(std::declval<Setup&>().client())>::stream;
template <class Setup>
using server_stream =
    typename std::remove_cvref_t<decltype(std::declval<Setup&>().server())>::stream;
template <class Setup>
using server_listener =
    typename std::remove_cvref_t<decltype(std::declval<Setup&>().server())>::listener;

/// Both ends of an established connection.
template <class Setup>
struct both_ends {
    both_ends() = default;
    client_stream<Setup> client;
    server_stream<Setup> server;
};

template <class Network, class Stream>
task<> connect_into(Network& from, endpoint to, Stream& into) {
    auto opened = co_await with_timeout(20s, from.connect(to));
    REQUIRE_MESSAGE(opened.has_value(), opened.error().message());
    into = std::move(*opened);
}

template <class Listener, class Stream>
task<> accept_into(Listener& from, Stream& into) {
    auto accepted = co_await with_timeout(20s, from.accept());
    REQUIRE_MESSAGE(accepted.has_value(), accepted.error().message());
    into = std::move(*accepted);
}

template <class Setup>
auto listen_on(Setup& with) {
    auto opened = with.server().listen(std::uint16_t{0});
    REQUIRE_MESSAGE(opened.has_value(), opened.error().message());
    return std::move(*opened);
}

template <class Setup>
task<> open(Setup& with, both_ends<Setup>& into) {
    auto listening = listen_on(with);
    const endpoint at = with.server_at(listening.local_endpoint().port);
    co_await when_all(connect_into(with.client(), at, into.client),
                      accept_into(listening, into.server));
}

/// Everything the peer sends until it closes its direction, or an error.
template <class Stream>
task<result<std::string>> read_to_end(Stream& from) {
    std::string all;
    std::string piece(64 * 1024, '\0');
    for (;;) {
        const auto got = co_await with_timeout(20s, from.read_some(room_in(piece)));
        if (!got) co_return got.error();
        if (*got == 0) co_return all;
        all.append(piece, 0, *got);
    }
}

template <class Stream>
task<result<void>> write_and_close(Stream& to, std::string_view text) {
    const auto written = co_await with_timeout(20s, to.write_all(bytes_of(text)));
    if (!written) co_return written.error();
    co_return co_await with_timeout(20s, to.shutdown());
}

/// Runs `body`, asks it to stop after a while, and waits for it.
template <class Body>
task<> cancel_after(duration time, Body body) {
    task_group group{co_await current_environment()};
    group.spawn(std::move(body));
    (void)co_await sleep_for(time);
    group.cancel();
    (void)co_await group.join();
}

/// Awaits a read, into a local buffer, and says how it ended.
template <class Stream>
task<> read_and_tell(Stream& from, std::error_code& ended) {
    std::string piece(100, '\0');
    const auto got = co_await from.read_some(room_in(piece));
    ended = got.error();
}

/// Our end, which is behind bytes that the peer does not read.
template <class Stream>
task<> shut_down_and_tell(Stream& from, std::error_code& ended) {
    const auto closed = co_await from.shutdown();
    ended = closed.error();
}

/// Writes until the peer takes nothing more, and says how much that was. The bytes are those of
/// `text`, over and over.
template <class Stream>
task<std::size_t> write_until_stuck(Stream& to, std::string_view text) {
    constexpr std::size_t most = std::size_t{256} << 20;
    std::size_t written = 0;
    for (;;) {
        const std::size_t at = written % text.size();
        const auto took = co_await with_timeout(300ms, to.write_some(bytes_of(text.substr(at))));
        if (!took) {
            CHECK(took.error() == std::errc::timed_out);
            co_return written;
        }
        REQUIRE(*took > 0);
        written += *took;
        REQUIRE(written < most);
    }
}

/// Reads `expected` where it lies, a part of what is there at a time, on streams that can do so.
template <class Stream>
task<> read_in_place(Stream& from, std::string_view expected) {
    if constexpr (viewable_stream<Stream>) {
        CHECK(from.read_view().empty());
        std::string all;
        for (std::size_t most = 1; all.size() < expected.size(); most = 2 * most + 1) {
            const auto is_there = co_await with_timeout(20s, from.readable());
            REQUIRE_MESSAGE(is_there.has_value(), is_there.error().message());
            const std::span<const std::byte> lying = from.read_view();
            REQUIRE(!lying.empty());
            const std::span<const std::byte> taken = lying.first(std::min(lying.size(), most));
            all.append(reinterpret_cast<const char*>(taken.data()), taken.size());
            const std::size_t left = lying.size() - taken.size();
            from.consume(taken.size());
            if (left != 0) CHECK(from.read_view().size() >= left);
        }
        CHECK(all == expected);
        CHECK(from.read_view().empty());
    } else {
        std::string all(expected.size(), '\0');
        const auto got = co_await with_timeout(20s, from.read_exactly(room_in(all)));
        CHECK(got.has_value());
        CHECK(all == expected);
    }
}

/// A listener whose queue is full: it leaves SYNs that reach it unanswered.
template <class Setup>
struct full_server {
    full_server() = default;
    server_listener<Setup> listening;
    std::vector<client_stream<Setup>> queued;
    endpoint at;
};

template <class Setup>
task<> fill(Setup& with, full_server<Setup>& into) {
    auto opened = with.server().listen(std::uint16_t{0}, {.backlog = 1});
    REQUIRE_MESSAGE(opened.has_value(), opened.error().message());
    into.listening = std::move(*opened);
    into.at = with.server_at(into.listening.local_endpoint().port);
    for (;;) {
        auto one = co_await with_timeout(500ms, with.client().connect(into.at));
        if (!one) {
            CHECK(one.error() == std::errc::timed_out);
            break;
        }
        into.queued.push_back(std::move(*one));
        REQUIRE(into.queued.size() < 5);
    }
    REQUIRE(!into.queued.empty());
}

template <class Listener>
task<> accept_and_tell(Listener& from, std::error_code& ended) {
    auto accepted = co_await from.accept();
    ended = accepted.error();
}

template <class Network>
task<> connect_and_tell(Network& from, endpoint to, std::error_code& ended) {
    auto opened = co_await from.connect(to);
    ended = opened.error();
}

}  // namespace weft::networks::test
