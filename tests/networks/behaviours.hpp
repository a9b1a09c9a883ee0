#pragma once
// What a network does for a program, as the tests of every network begin: a client and a server,
// each with a network of its own or one for both, and small tasks that tests put together.
//
// A `setup` has: `client()` and `server()`, models of weft::network; `server_at(port)`, where the
// client finds what the server has opened; `silent()`, where nothing answers to a SYN; and
// `run(task)`. The tests themselves are in behaviours.inc, which each network's source includes in
// a suite of its own.

#include <weft/errc.hpp>
#include <weft/network.hpp>
#include <weft/sleep.hpp>
#include <weft/stop.hpp>
#include <weft/task.hpp>
#include <weft/task_group.hpp>
#include <weft/when_all.hpp>
#include <weft/with_timeout.hpp>

#include <doctest/doctest.h>

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>

namespace weft::networks::test {

using namespace std::chrono_literals;

inline std::span<const std::byte> bytes_of(std::string_view text) {
    return std::as_bytes(std::span{text});
}
inline std::span<std::byte> room_in(std::string& text) {
    return std::as_writable_bytes(std::span{text});
}

/// Bytes that differ from place to place.
inline std::string pattern(std::size_t size, std::uint64_t seed = 7) {
    std::string text(size, '\0');
    std::uint64_t state = seed * 0x9e37'79b9'7f4a'7c15ULL + 1;
    for (char& c : text) {
        state = state * 6'364'136'223'846'793'005ULL + 1'442'695'040'888'963'407ULL;
        c = static_cast<char>(state >> 56);
    }
    return text;
}

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
