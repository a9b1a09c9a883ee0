// The programs of docs/testing.md, which says what they are about.
#include <doctest/doctest.h>

#include <weft/io/io_context.hpp>
#include <weft/kernel/network.hpp>
#include <weft/net/ladder.hpp>
#include <weft/network.hpp>
#include <weft/sim/hostile_wire.hpp>
#include <weft/sim/world.hpp>
#include <weft/sync/channel.hpp>
#include <weft/task_group.hpp>
#include <weft/test/manual_loop.hpp>
#include <weft/test/ring_faults.hpp>
#include <weft/test/seeds.hpp>
#include <weft/test/streams.hpp>
#include <weft/when_all.hpp>
#include <weft/with_timeout.hpp>

#include <array>
#include <cctype>
#include <chrono>
#include <string>
#include <utility>
#include <vector>

using namespace std::chrono_literals;

namespace {

/// Says in capitals what it hears; hangs up after 30 silent seconds.
weft::task<> shout(weft::stream auto peer) {
    std::array<char, 512> text{};
    for (;;) {
        const auto heard = co_await weft::with_timeout(
            30s, peer.read_some(std::as_writable_bytes(std::span{text})));
        if (!heard) co_return;
        if (*heard == 0) break;
        const std::span words = std::span{text}.first(*heard);
        for (char& c : words) c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
        const auto said = co_await peer.write_all(std::as_bytes(words));
        if (!said) co_return;
    }
    (void)co_await peer.shutdown();
}

template <weft::listener Listener>
weft::task<weft::result<void>> shouter(weft::task_group& peers, Listener from) {
    for (;;) {
        auto peer = co_await from.accept();
        if (!peer) co_return peer.error();
        peers.spawn(shout(std::move(*peer)));
    }
}

/// Shouts at everybody who comes to `at`.
template <weft::network Network>
weft::task<weft::result<void>> serve(Network& on, weft::endpoint at) {
    auto listening = on.listen(at);
    if (!listening) co_return listening.error();
    co_return co_await weft::with_task_group(shouter<typename Network::listener>,
                                             std::move(*listening));
}

/// What a client hears that says `text` and then nothing more.
template <weft::network Network>
weft::task<weft::result<std::string>> ask(Network& from, weft::endpoint at, std::string text) {
    auto peer = co_await from.connect(at);
    if (!peer) co_return peer.error();
    const auto [said, heard] = co_await weft::when_all(
        weft::test::write_and_shut_down(*peer, std::move(text)), weft::test::read_to_end(*peer));
    co_return said ? heard : said.error();
}

weft::task<weft::result<weft::net::tcp_stream>> call(weft::net::host& from, weft::endpoint at) {
    co_return co_await from.connect(at);
}

/// Puts lines together that come within 100 ms of the first.
weft::task<> gather(weft::channel<std::string>& lines, std::vector<std::string>& batches) {
    for (;;) {
        auto first = co_await lines.receive();
        if (!first) co_return;
        std::string batch = std::move(*first);
        weft::scheduler& loop = co_await weft::current_scheduler();
        const weft::instant end = loop.now() + 100ms;
        for (;;) {
            auto next = co_await weft::with_timeout(end - loop.now(), lines.receive());
            if (!next) break;
            batch += *next;
        }
        batches.push_back(std::move(batch));
    }
}

TEST_SUITE("sim.testing_guide") {
TEST_CASE("lines within 100 ms make one batch") {
    weft::test::manual_loop loop;
    weft::channel<std::string> lines{8};
    std::vector<std::string> batches;
    weft::test::started gathering = loop.start(gather(lines, batches));

    (void)lines.try_send("a");
    loop.advance(60ms);
    (void)lines.try_send("b");
    loop.advance(30ms);
    CHECK(batches.empty());
    loop.advance(20ms);
    CHECK(batches == std::vector<std::string>{"ab"});

    lines.close();
    loop.run_until_idle();
    CHECK(gathering.is_done());
}

TEST_CASE("a silent client is hung up on after half a minute, and nothing is left of it") {
    weft::sim::world world{1};
    weft::net::host& client = world.add_host("10.0.0.1/24");
    weft::net::host& server = world.add_host("10.0.0.2/24");
    world.connect(client, server, {.delay = 5ms});
    const weft::endpoint at{server.address(), 80};
    weft::test::started serving{world.scheduler(), serve(server, at)};
    {
        auto peer = world.run(call(client, at));
        REQUIRE(peer.has_value());
        world.run_for(29s);
        CHECK(server.handle_count() == 2);  // the listener and the peer
        world.run_for(2s);
        CHECK(server.handle_count() == 1);
    }
    serving.request_stop();
    world.run_for(10min);
    CHECK(serving.take().error() == std::errc::operation_canceled);
    CHECK(world.leftovers() == "");
}

TEST_CASE("whatever the wires do, every client hears its own words") {
    const weft::test::seeds seeds{50};
    std::uint64_t answered = 0;
    for (const std::uint64_t seed : seeds) {
        CAPTURE(seed);
        weft::random_source random{seed};
        weft::sim::world world{seed};
        weft::net::host& client = world.add_host("10.0.0.1/24");
        weft::net::host& server = world.add_host("10.0.0.2/24");
        world.connect(client, server, weft::sim::hostile_wire(random),
                      weft::sim::hostile_wire(random));
        const weft::endpoint at{server.address(), 80};
        weft::net::ladder ladder;  // shown when something fails
        client.observe(&ladder);
        INFO(ladder.render());
        weft::test::started serving{world.scheduler(), serve(server, at)};
        std::string words(1 + random.below(20'000), 'w');
        const auto heard = world.run(ask(client, at, words));
        // A wire may be so bad that half a minute passes in silence: the server hangs up.
        if (heard) CHECK(*heard == std::string(words.size(), 'W'));
        if (heard) ++answered;
        serving.request_stop();
        world.run_for(1h);
        CHECK(world.leftovers() == "");
    }
    CHECK((seeds.is_replay() || 10 * answered > 8 * seeds.size()));
}

TEST_CASE("short writes, late answers and a lack of descriptors change no word") {
    for (const std::uint64_t seed : weft::test::seeds{20}) {
        CAPTURE(seed);
        weft::io_context io;
        weft::kernel::network network{io};
        weft::test::ring_faults faults{io.ring(), seed};
        faults.shorten(weft::ring_request::any, {.one_in = 2})
            .fail(weft::ring_request::accept, std::errc::too_many_files_open, {.times = 1})
            .delay(weft::ring_request::any, {.one_in = 3});
        const weft::endpoint at{weft::ipv4_address{127, 0, 0, 1},
                                static_cast<std::uint16_t>(17'000 + seed)};
        weft::test::started serving{io, serve(network, at)};
        const auto heard = io.run_until_done(ask(network, at, std::string(600, 'w')));
        CHECK(heard.value_or("") == std::string(600, 'W'));
        CHECK(faults.statistics().failed == 1);
        serving.request_stop();
        while (!serving.is_done()) io.step();
    }
}

TEST_CASE("the words are the same on the oldest kernel") {
    weft::io_context io{{.abilities = weft::linux_6_1_abilities}};
    weft::kernel::network network{io};
    const weft::endpoint at{weft::ipv4_address{127, 0, 0, 1}, 16'999};
    weft::test::started serving{io, serve(network, at)};
    const auto heard = io.run_until_done(ask(network, at, std::string(60'000, 'w')));
    CHECK(heard.value_or("") == std::string(60'000, 'W'));
    serving.request_stop();
    while (!serving.is_done()) io.step();
}
}

}  // namespace
