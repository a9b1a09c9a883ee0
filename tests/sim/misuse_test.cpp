// Handles of the network in the wrong hands: what asserts, with the rule, and what is defined.
#include "two_hosts.hpp"

#include <death.hpp>
#include <weft/debug.hpp>

#include <memory>
#include <optional>
#include <utility>

using namespace weft;
using namespace weft::sim::test;

namespace {

bool says(const std::string& words, std::string_view rule) {
    return words.find(rule) != std::string::npos;
}

task<> read_one(tcp_stream& from) {
    std::byte one{};
    (void)co_await from.read_some({&one, 1});
}

task<> two_readers(two_hosts& on) {
    auto listening = on.server.listen(port);
    auto opened = co_await on.client.connect(on.server_at());
    co_await when_all(read_one(*opened), read_one(*opened));
}

task<> accept_once(tcp_listener& from, std::optional<std::error_code>& into) {
    const auto accepted = co_await from.accept();
    into = accepted.error();
}

/// The awaitable is made, the listener goes, and then it is awaited.
task<> accept_late(tcp_listener& from, std::optional<std::error_code>& into) {
    auto accepting = from.accept();
    from = tcp_listener{};
    const auto accepted = co_await accepting;
    into = accepted.error();
}

task<> destroy_under_accepts(two_hosts& on) {
    auto listening = on.server.listen(port);
    std::optional<std::error_code> first;
    std::optional<std::error_code> second;
    task_group accepts{co_await current_environment()};
    accepts.spawn(accept_once(*listening, first));
    accepts.spawn(accept_once(*listening, second));
    (void)co_await sleep_for(1ms);
    CHECK_FALSE(first.has_value());
    *listening = tcp_listener{};
    (void)co_await accepts.join();
    CHECK(first == net::make_error_code(net::errc::closing));
    CHECK(second == net::make_error_code(net::errc::closing));
}

/// Destroys the listener as soon as a connection was accepted.
task<> accept_and_destroy(tcp_listener& from, std::optional<std::error_code>& into) {
    const auto accepted = co_await from.accept();
    from = tcp_listener{};
    into = accepted.error();
}

/// Two accepts are told of their connections in one turn; the first that runs destroys the listener
/// under the second.
task<> destroy_under_a_call(two_hosts& on) {
    auto listening = on.server.listen(port);
    std::optional<std::error_code> first;
    std::optional<std::error_code> second;
    task_group accepts{co_await current_environment()};
    accepts.spawn(accept_and_destroy(*listening, first));
    accepts.spawn(accept_once(*listening, second));
    tcp_stream one;
    tcp_stream another;
    co_await when_all(connect_into(on.client, on.server_at(), one),
                      connect_into(on.client, on.server_at(), another));
    (void)co_await accepts.join();
    CHECK(first == std::error_code{});
    CHECK(second == net::make_error_code(net::errc::closing));
}

task<> accepts_late(two_hosts& on) {
    auto listening = on.server.listen(port);
    std::optional<std::error_code> outcome;
    co_await accept_late(*listening, outcome);
    CHECK(outcome == net::make_error_code(net::errc::closing));
}

task<> waits_to_read(two_hosts& on, std::string& trace) {
    auto listening = on.server.listen(port);
    auto opened = co_await on.client.connect(on.server_at());
    task_group readers{co_await current_environment()};
    readers.spawn(read_one(*opened), "the reader");
    (void)co_await sleep_for(1s);
    trace = debug::describe_tasks(on.world.scheduler());
    opened->abort();
    (void)co_await readers.join();
}

}  // namespace

TEST_SUITE("sim.misuse") {
TEST_CASE("accepts end with closing when their listener is destroyed") {
    two_hosts on;
    on.world.run(destroy_under_accepts(on));
    on.settle();
    on.check_nothing_left();
}

TEST_CASE(
    "an accept that was told of a connection when its listener is destroyed ends with closing") {
    two_hosts on;
    on.world.run(destroy_under_a_call(on));
    on.settle();
    on.check_nothing_left();
}

TEST_CASE("an accept that is awaited after its listener was destroyed ends with closing") {
    two_hosts on;
    on.world.run(accepts_late(on));
    on.settle();
    on.check_nothing_left();
}

TEST_CASE("a trace names the stream's operation" * doctest::skip(!async_trace)) {
    two_hosts on;
    std::string trace;
    on.world.run(waits_to_read(on, trace));
    CHECK_MESSAGE(says(trace, "awaits tcp_stream::read_some\n"), trace);
    CHECK_MESSAGE(says(trace, "* \"the reader\": read_one at sim/misuse_test.cpp:"), trace);
}

TEST_CASE("a second reader on a stream asserts" * doctest::skip(!has_assertions)) {
    const std::string words = last_words_of([] {
        two_hosts on;
        on.world.run(two_readers(on));
    });
    CHECK_MESSAGE(says(words, "one operation at a time on this slot"), words);
}

TEST_CASE("a stream that is awaited on another loop asserts" * doctest::skip(!has_assertions)) {
    const std::string words = last_words_of([] {
        two_hosts on;
        stream_pair pair;
        on.world.run(open_pair(on, pair));
        scheduler another{scheduler::clock::virtual_time};
        another.run_until_done(read_one(pair.client));
    });
    CHECK_MESSAGE(says(words, "a stream is awaited on the loop of its host"), words);
}

TEST_CASE("a host that is destroyed before its streams asserts" * doctest::skip(!has_assertions)) {
    const std::string words = last_words_of([] {
        auto on = std::make_unique<two_hosts>();
        auto listening = on->server.listen(port);
        on.reset();
    });
    CHECK_MESSAGE(says(words, "streams and listeners do not outlive their host"), words);
}
}  // TEST_SUITE("sim.misuse")
