// The kit for tests, as it is installed: a loop by hand, a simulated network, faults in the ring.

#include <weft/io/io_context.hpp>
#include <weft/sim/hostile_wire.hpp>
#include <weft/sim/world.hpp>
#include <weft/sleep.hpp>
#include <weft/test/manual_loop.hpp>
#include <weft/test/ring_faults.hpp>
#include <weft/test/seeds.hpp>
#include <weft/test/streams.hpp>
#include <weft/when_all.hpp>

#include <chrono>
#include <cstdio>
#include <string>
#include <utility>

using namespace std::chrono_literals;
using weft::net::host;
using weft::net::tcp_stream;

namespace {

weft::task<int> sleeps() {
    (void)co_await weft::sleep_for(8760h);
    co_return 42;
}

bool a_year_takes_no_time() {
    weft::test::manual_loop loop;
    weft::test::started year = loop.start(sleeps());
    loop.advance(8759h);
    if (year.is_done()) return false;
    loop.advance(2h);
    return year.is_done() && year.take() == 42;
}

weft::task<> says(weft::net::tcp_listener& from, const std::string& text) {
    tcp_stream peer = (co_await from.accept()).value();
    (void)co_await weft::test::write_and_shut_down(peer, text);
}

weft::task<std::string> hears(host& from, weft::endpoint at) {
    tcp_stream peer = (co_await from.connect(at, {.user_timeout = 1h})).value();
    co_return (co_await weft::test::read_to_end(peer)).value_or("");
}

weft::task<std::string> conversation(host& client, host& server, const std::string& text) {
    auto listener = server.listen(80, {.connection = {.user_timeout = 1h}}).value();
    auto [nothing, heard] =
        co_await weft::when_all(says(listener, text), hears(client, {server.address(), 80}));
    co_return std::move(heard);
}

bool bytes_survive_hostile_wires() {
    for (const std::uint64_t seed : weft::test::seeds{10}) {
        weft::random_source random{seed};
        weft::sim::world world{seed};
        host& client = world.add_host("10.0.0.1/24");
        host& server = world.add_host("10.0.0.2/24");
        world.connect(client, server, weft::sim::hostile_wire(random),
                      weft::sim::hostile_wire(random));
        const std::string text = weft::test::pattern(10'000, seed);
        if (world.run(conversation(client, server, text)) != text) return false;
        world.run_for(1h);
        if (!world.leftovers().empty()) return false;
    }
    return true;
}

bool a_ring_with_faults_goes_on() {
    weft::io_context io;
    weft::test::ring_faults faults{io.ring(), 1};
    faults.refuse_enter({.one_in = 2});
    const auto naps = []() -> weft::task<> {
        for (int i = 0; i < 50; ++i) (void)co_await weft::sleep_for(100us);
    };
    io.run_until_done(naps());
    return faults.statistics().refused_enters > 0;
}

}  // namespace

int main() {
    if (!a_year_takes_no_time()) return 1;
    if (!bytes_survive_hostile_wires()) return 2;
    if (!a_ring_with_faults_goes_on()) return 3;
    std::puts("a year, ten hostile wires and a faulty ring");
}
