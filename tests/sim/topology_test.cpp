// More than two hosts, bottlenecks that are shared, wires that are cut for a while.

#include "two_hosts.hpp"

using namespace weft;
using namespace weft::sim;
using namespace weft::sim::test;

namespace {

task<> send_all(net::host& from, net::endpoint to, std::string text) {
    tcp_stream stream;
    co_await connect_into(from, to, stream);
    const auto sent = co_await write_and_shut_down(stream, std::move(text));
    CHECK_MESSAGE(sent.has_value(), sent.error().message());
}

task<> take_all(tcp_listener& at, std::string expected) {
    tcp_stream stream;
    co_await accept_into(at, stream);
    const auto text = co_await read_to_end(stream);
    CHECK(text.value_or("") == expected);
    (void)co_await stream.shutdown();
}

task<> transfer(net::host& from, net::host& to, std::string text) {
    auto listening = to.listen(port);
    REQUIRE(listening.has_value());
    co_await when_all(send_all(from, {to.address(), port}, text), take_all(*listening, text));
}

task<> two_transfers(net::host& a, net::host& to_a, net::host& b, net::host& to_b) {
    co_await when_all(transfer(a, to_a, pattern(400'000, 1)),
                      transfer(b, to_b, pattern(400'000, 2)));
}

}  // namespace

TEST_SUITE("sim.topology") {
TEST_CASE("four hosts on two switches share the one wire between them") {
    sim::world world{1};
    network_switch& left = world.add_switch();
    network_switch& right = world.add_switch();
    net::host* hosts[4];
    for (int i = 0; i < 4; ++i) {
        hosts[i] = &world.add_host("10.0.0." + std::to_string(i + 1) + "/24");
        world.connect(*hosts[i], i < 2 ? left : right, {.delay = 1ms}, {.delay = 1ms});
    }
    const net::link_options narrow{
        .delay = 10ms, .bits_per_second = 10'000'000, .queue = {.limit_bytes = 50'000}};
    const wire_ends bottleneck = world.connect(left, right, narrow, narrow);
    world.run(two_transfers(*hosts[0], *hosts[2], *hosts[1], *hosts[3]));
    // 800 KB at 10 Mbit/s: not before 0.64 s.
    CHECK(world.now() > instant{} + 640ms);
    CHECK(bottleneck.a.statistics().queue_full > 0);
    CHECK(bottleneck.a.statistics().peak_queue_bytes <= 50'000);
    // A switch that knows where a host is sends nothing elsewhere.
    CHECK(world.device_of(*hosts[1]).statistics().nobody_there == 0);
    CHECK(left.dropped() + right.dropped() == 0);
    world.run_for(10min);
    CHECK(world.bytes_in_use() == 0);
}

TEST_CASE("a partition holds a connection up, and it goes on when the wire is whole again") {
    two_hosts on;
    const wire_ends between = on.world.wire_between(on.client, on.server);
    sim::world::partition(between, instant{} + 50ms, instant{} + 30s);
    on.world.run(transfer(on.client, on.server, pattern(500'000)));
    CHECK(on.world.now() > instant{} + 30s);
    CHECK(on.world.now() < instant{} + 2min);
    CHECK(between.a.statistics().down > 0);
    on.settle();
    CHECK(on.world.bytes_in_use() == 0);
}

TEST_CASE("a wire that goes down every second lets a connection through in the end") {
    two_hosts on{
        1, {.delay = 10ms, .bits_per_second = 10'000'000, .up_for = 700ms, .down_for = 300ms}};
    on.world.run(transfer(on.client, on.server, pattern(2'000'000)));
    CHECK(on.world.device_of(on.client).statistics().down > 0);
    on.settle();
    CHECK(on.world.bytes_in_use() == 0);
}

TEST_CASE("a queue in front of a slow line drops what a sender pushes, and TCP makes it good") {
    two_hosts on{1, {.delay = 10ms, .bits_per_second = 5'000'000, .queue = {.limit_frames = 10}}};
    on.world.run(transfer(on.client, on.server, pattern(1'000'000)));
    const auto& up = on.world.device_of(on.client).statistics();
    CHECK(up.queue_full > 0);
    CHECK(up.peak_queue_bytes <= 10 * 1514);
    on.settle();
    CHECK(on.world.bytes_in_use() == 0);
}

TEST_CASE("bursts of loss are survived") {
    std::uint64_t lost = 0;
    for (std::uint64_t seed = 1; seed <= 10; ++seed) {
        CAPTURE(seed);
        two_hosts on{seed, {.delay = 10ms, .burst = {.enter = 0.01, .leave = 0.2}}};
        on.world.run(transfer(on.client, on.server, pattern(300'000, seed)));
        lost += on.world.device_of(on.client).statistics().lost;
        on.settle();
        CHECK(on.world.bytes_in_use() == 0);
    }
    CHECK(lost > 50);
}

TEST_CASE("frames of 64 KiB that the wire cuts lose single segments") {
    for (std::uint64_t seed = 1; seed <= 10; ++seed) {
        CAPTURE(seed);
        two_hosts on{
            seed, {.loss = 0.02, .delay = 10ms, .cuts_large_frames = true}, {.offloads = true}};
        on.world.run(transfer(on.client, on.server, pattern(1'000'000, seed)));
        CHECK(on.world.device_of(on.client).statistics().lost > 5);
        on.settle();
        CHECK(on.world.bytes_in_use() == 0);
    }
}
}
