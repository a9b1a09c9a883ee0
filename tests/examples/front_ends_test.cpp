// The example servers in their three front ends, on simulated wires: they answer alike, to the
// segment.
#include "echo_server/front_ends.hpp"
#include "common/accept_all.hpp"
#include "http_server/front_ends.hpp"
#include "sim/two_hosts.hpp"

#include <doctest/doctest.h>

#include <array>
#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <utility>

namespace {

namespace echo_server = examples::echo_server;
namespace http_server = examples::http_server;
using examples::front_end;
using namespace weft;
using namespace weft::sim::test;

constexpr std::array front_ends{front_end::coroutine, front_end::fiber, front_end::callback};

task<result<void>> serve(front_end how, tcp_listener& from, echo_server::service& with) {
    return examples::accept_all<echo_server::front_ends>(how, from, with);
}
task<result<void>> serve(front_end how, tcp_listener& from, http_server::service& with) {
    return examples::accept_all<http_server::front_ends>(how, from, with);
}

/// Every segment of a run, as text.
class trace final : public net::observer {
public:
    void on_transition(const net::transition_event& e) override {
        text += std::to_string(e.at.time_since_epoch().count()) + " " +
                std::string{net::tcp::to_string(e.on)} + "\n";
    }
    void on_segment(const net::segment_event& e) override {
        text += std::to_string(e.at.time_since_epoch().count()) + " " + e.local.to_string() + " " +
                std::to_string(e.header.sequence) + " " + std::to_string(e.header.acknowledgment) +
                " " + std::to_string(e.header.flags.bits) + " " + std::to_string(e.payload_bytes) +
                "\n";
    }

    std::string text;
};

/// What clients do, and what they saw.
using clients = task<std::string> (*)(two_hosts&);

template <class Service>
task<> program(two_hosts& on, front_end how, Service& shared, clients run, std::string& seen) {
    tcp_listener listening = on.server.listen(port, {}).value();
    task_group group{co_await current_environment()};
    group.spawn(serve(how, listening, shared));
    seen = co_await run(on);
    group.cancel();
    const result<void> ended = co_await group.join();
    CHECK(ended.has_value());
}

struct outcome {
    outcome() = default;
    std::string seen;
    std::string segments;
};

template <class Service>
outcome run(front_end how, Service& shared, clients what, const net::link_options& wire = {}) {
    CAPTURE(static_cast<int>(how));
    outcome came;
    trace watcher;
    two_hosts on{5, wire};
    on.server.observe(&watcher);
    on.world.run(program(on, how, shared, what, came.seen));
    on.settle();
    on.check_nothing_left();
    came.segments = watcher.text;
    return came;
}

/// Runs the clients against all front ends; returns what they saw, which is the same each time.
std::string on_all(const echo_server::service_options& options, clients what,
                   const net::link_options& wire = {.delay = 10ms}) {
    outcome first;
    for (const front_end how : front_ends) {
        CAPTURE(static_cast<int>(how));
        echo_server::service shared{options};
        outcome came = run(how, shared, what, wire);
        CHECK(came.segments.size() > 100);
        if (how == front_ends.front()) {
            first = std::move(came);
            continue;
        }
        CHECK(came.seen == first.seen);
        const bool is_same_to_the_segment = came.segments == first.segments;
        CHECK(is_same_to_the_segment);
    }
    return first.seen;
}

task<std::string> ask(two_hosts& on, std::string text) {
    auto opened = co_await on.client.connect(on.server_at());
    REQUIRE(opened.has_value());
    tcp_stream peer = std::move(*opened);
    const auto [sent, all] =
        co_await when_all(write_and_shut_down(peer, std::move(text)), read_to_end(peer));
    co_return all ? *all : all.error().message();
}

task<std::string> three_ask(two_hosts& on) {
    const auto [a, b, c] = co_await when_all(ask(on, pattern(200'000, 1)), ask(on, pattern(1, 2)),
                                             ask(on, std::string{}));
    CHECK(a == pattern(200'000, 1));
    CHECK(b == pattern(1, 2));
    CHECK(c.empty());
    co_return a + b + c;
}

task<std::string> one_asks(two_hosts& on) { co_return co_await ask(on, "hello"); }

/// Connects, says nothing, and reports how that ends.
task<std::string> say_nothing(two_hosts& on) {
    tcp_stream peer = (co_await on.client.connect(on.server_at())).value();
    const auto ended = co_await read_to_end(peer);
    const std::string rest = co_await ask(on, "and the next one is served");
    co_return ended.error().message() + ", " + rest;
}

/// Breaks off in the middle; others do not notice.
task<std::string> break_off(two_hosts& on) {
    tcp_stream peer = (co_await on.client.connect(on.server_at())).value();
    (void)co_await peer.write_all(bytes_of(std::string_view{"some of it"}));
    (void)co_await sleep_for(100ms);
    peer.abort();
    co_return co_await ask(on, "another");
}

task<std::string> five_for_two_places(two_hosts& on) {
    const auto [a, b, c, d, e] = co_await when_all(
        ask(on, pattern(3000, 1)), ask(on, pattern(3000, 2)), ask(on, pattern(3000, 3)),
        ask(on, pattern(3000, 4)), ask(on, pattern(3000, 5)));
    CHECK(e == pattern(3000, 5));
    co_return a + b + c + d + e;
}

/// Leaves connections open when the server is asked to stop: one idle, one used.
struct left_open {
    left_open() = default;
    tcp_stream idle;
    tcp_stream used;
};

task<> stop_under_them(two_hosts& on, front_end how, echo_server::service& shared) {
    tcp_listener listening = on.server.listen(port, {}).value();
    task_group group{co_await current_environment()};
    group.spawn(serve(how, listening, shared));
    left_open peers;
    peers.idle = (co_await on.client.connect(on.server_at())).value();
    peers.used = (co_await on.client.connect(on.server_at())).value();
    (void)co_await peers.used.write_all(bytes_of(std::string_view{"x"}));
    std::string one(1, ' ');
    (void)co_await peers.used.read_some(bytes_of(one));
    CHECK(one == "x");
    group.cancel();
    const result<void> ended = co_await group.join();
    CHECK(ended.has_value());
    CHECK((co_await read_to_end(peers.idle)).has_value());  // a FIN, not a reset
    CHECK((co_await read_to_end(peers.used)).has_value());
}

// ---- HTTP

struct asked {
    std::string_view request;
    std::string_view status;
};
constexpr std::array requests{
    asked{"GET /old HTTP/1.1\r\nHost: x\r\n\r\n", "302"},
    asked{"HEAD /old HTTP/1.1\r\nHost: x\r\n\r\n", "302"},
    // A simulation has no ring to open files with.
    asked{"GET /page HTTP/1.1\r\nHost: x\r\n\r\n", "500"},
    asked{"GET /../etc/passwd HTTP/1.1\r\nHost: x\r\n\r\n", "403"},
    asked{"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello", "405"},
    asked{"PUT / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
          "405"},
    asked{"BREW / HTTP/1.1\r\nHost: x\r\n\r\n", "501"},
    asked{"GET /old HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", "302"},
};

/// The answers, without what tells the time.
std::string without_dates(std::string text) {
    for (std::size_t at = 0; (at = text.find("Date: ", at)) != std::string::npos;) {
        text.erase(at, text.find("\r\n", at) + 2 - at);
    }
    return text;
}

task<std::string> ask_for_pages(two_hosts& on) {
    std::string pipelined;
    for (const asked& each : requests) pipelined += each.request;
    const std::string all = co_await ask(on, std::move(pipelined));
    std::size_t at = 0;
    for (const asked& each : requests) {
        at = all.find("HTTP/1.1 ", at);
        REQUIRE(at != std::string::npos);
        at += 9;
        CHECK(all.substr(at, 3) == each.status);
    }
    const std::string refused = co_await ask(on, "nonsense\r\n\r\n");
    CHECK(refused.starts_with("HTTP/1.1 400 "));
    co_return without_dates(all + refused);
}

/// One byte each 20 ms; then a request that never ends.
task<std::string> ask_slowly(two_hosts& on) {
    std::string seen;
    for (const std::string_view text :
         {std::string_view{"GET /old HTTP/1.0\r\n\r\n"}, std::string_view{"GET /old HT"}}) {
        tcp_stream peer = (co_await on.client.connect(on.server_at())).value();
        for (const char& c : text) {
            (void)co_await peer.write_all(std::as_bytes(std::span{&c, 1}));
            (void)co_await sleep_for(20ms);
        }
        const auto all = co_await read_to_end(peer);
        seen += without_dates(all ? *all : all.error().message()) + "\n";
    }
    co_return seen;
}

std::string http_on_all(clients what) {
    outcome first;
    for (const front_end how : front_ends) {
        CAPTURE(static_cast<int>(how));
        std::map<std::string, std::string, std::less<>> redirects;
        redirects.insert_or_assign("old", "/new");
        http_server::service shared{file{}, std::move(redirects), examples::serve_limits{}, 16};
        outcome came = run(how, shared, what, {.delay = 10ms});
        if (how == front_ends.front()) {
            first = std::move(came);
            continue;
        }
        CHECK(came.seen == first.seen);
        const bool is_same_to_the_segment = came.segments == first.segments;
        CHECK(is_same_to_the_segment);
    }
    return first.seen;
}

TEST_SUITE("examples.front_ends") {
TEST_CASE("what is sent comes back in every front end, by the same segments") {
    CHECK(on_all({}, three_ask).size() == 200'001);
}

TEST_CASE("what is sent comes back over a wire that loses and reorders") {
    CHECK(on_all({}, three_ask, {.loss = 0.05, .reorder = 0.1, .delay = 10ms, .jitter = 3ms})
              .size() == 200'001);
}

TEST_CASE("a peer that says nothing is reset in time, and the next one is served") {
    const std::string seen = on_all({.idle_seconds = 2}, say_nothing);
    CHECK(seen.ends_with("and the next one is served"));
    CHECK(seen.find("reset") != std::string::npos);
}

TEST_CASE("a peer that breaks off hurts nobody else") { CHECK(on_all({}, break_off) == "another"); }

TEST_CASE("who finds all places taken waits and is served") {
    CHECK(on_all({.max_connections = 2}, five_for_two_places).size() == 15'000);
}

TEST_CASE("hash tells what it read, chargen writes what it was told to") {
    const std::string told = on_all({.what = echo_server::mode::hash}, one_asks);
    CHECK(told == "5 3610a686\n");  // the CRC-32 of "hello"
    const std::string sent =
        on_all({.what = echo_server::mode::chargen, .bytes = 300'000}, one_asks);
    CHECK(examples::pattern{}.matches(0, bytes_of(std::string_view{sent})));
    CHECK(sent.size() == 300'000);
}

TEST_CASE("a server that is asked to stop ends the connections that it has with a FIN") {
    for (const front_end how : front_ends) {
        CAPTURE(static_cast<int>(how));
        echo_server::service shared{echo_server::service_options{}};
        two_hosts on{5};
        on.world.run(stop_under_them(on, how, shared));
        on.settle();
        on.check_nothing_left();
    }
}

TEST_CASE("pipelined requests have the same answers in every front end, by the same segments") {
    const std::string seen = http_on_all(ask_for_pages);
    CHECK(seen.find("Location: /new\r\n") != std::string::npos);
}

TEST_CASE("requests that come slowly are answered or given up alike") {
    const std::string seen = http_on_all(ask_slowly);
    CHECK(seen.find("HTTP/1.1 302 ") != std::string::npos);
    CHECK(seen.find("HTTP/1.1 408 ") != std::string::npos);
}
}

}  // namespace
