// The programs of docs/first-steps.md.
#include "loop.hpp"

#include <doctest/doctest.h>
#include <weft/errc.hpp>
#include <weft/kernel/network.hpp>
#include <weft/run.hpp>
#include <weft/sleep.hpp>
#include <weft/stop.hpp>
#include <weft/when_all.hpp>
#include <weft/with_timeout.hpp>
#include <weft/yield.hpp>

#include <array>
#include <chrono>
#include <cstddef>
#include <span>

using namespace std::chrono_literals;

namespace {

weft::task<int> answer() {
    const auto slept = co_await weft::sleep_for(1ms);
    co_return slept ? 42 : 0;
}

weft::task<int> twice() {
    const int once = co_await answer();
    co_return 2 * once;
}

weft::task<weft::result<std::size_t>> greet(weft::kernel::network& on, weft::endpoint to) {
    auto peer = co_await on.connect(to);
    if (!peer) co_return peer.error();
    const auto sent = co_await peer->write_all(std::as_bytes(std::span{"hello\n", 6}));
    if (!sent) co_return sent.error();
    const auto closed = co_await peer->shutdown();
    if (!closed) co_return closed.error();
    std::array<std::byte, 64> bytes;
    co_return co_await peer->read_some(bytes);
}

weft::task<bool> greet_soon(weft::kernel::network& on, weft::endpoint to) {
    const auto heard = co_await weft::with_timeout(200ms, greet(on, to));
    co_return heard.error() == weft::errc::timed_out;
}

weft::task<weft::result<void>> serve_one(weft::kernel::tcp_listener* listener) {
    auto peer = co_await listener->accept();
    if (!peer) co_return peer.error();
    std::array<std::byte, 64> bytes;
    const auto got = co_await peer->read_some(bytes);
    if (!got) co_return got.error();
    const auto sent = co_await peer->write_all(std::span{bytes}.first(*got));
    if (!sent) co_return sent.error();
    co_return co_await peer->shutdown();
}

weft::task<bool> both(weft::kernel::network& on) {
    auto listener = on.listen({weft::ip_address{weft::ipv4_address{127, 0, 0, 1}}, 0}).value();
    const weft::endpoint at = listener.local_endpoint();
    const auto [served, heard] = co_await weft::when_all(serve_one(&listener), greet(on, at));
    co_return served.has_value() && heard.value() == 6;
}

weft::task<int> counts_until_stopped() {
    const weft::stop_token stop = co_await weft::current_stop_token();
    int turns = 0;
    while (!stop.stop_requested()) {
        ++turns;
        co_await weft::yield();
    }
    co_return turns;
}

TEST_SUITE("framework.first_steps") {

TEST_CASE("a task returns what it returns to whoever awaits it, and to run") {
    CHECK(weft::run(twice()) == 84);
}

TEST_CASE("a stream says hello, and a server answers") {
    weft::io_context io;
    weft::kernel::network network{io};
    CHECK(io.run_until_done(both(network)));
}

TEST_CASE("a peer that says nothing is waited for no longer than the limit") {
    weft::io_context io;
    weft::kernel::network network{io};
    const auto nobody_accepts =
        network.listen({weft::ip_address{weft::ipv4_address{127, 0, 0, 1}}, 0}).value();
    CHECK(io.run_until_done(greet_soon(network, nobody_accepts.local_endpoint())));
}

TEST_CASE("a task that asks its stop token ends when it is asked to stop") {
    weft::io_context io;
    weft::stop_source stop;
    const auto main = [](weft::stop_source& source) -> weft::task<int> {
        const auto stops = [](weft::stop_source& from) -> weft::task<> {
            const auto slept = co_await weft::sleep_for(1ms);
            CHECK(slept.has_value());
            from.request_stop();
        };
        const auto [turns, nothing] =
            co_await weft::when_all(counts_until_stopped(), stops(source));
        co_return turns;
    };
    CHECK(io.run_until_done(main(stop), stop.token()) > 0);
}

}

}  // namespace
