// Congestion control in the whole stack: long transfers over simulated bottlenecks.

#include "two_hosts.hpp"

#include <weft/net/tcp/options.hpp>

#include <algorithm>

using namespace weft;
using namespace weft::sim;
using namespace weft::sim::test;
using net::tcp::congestion_algorithm;

namespace {

constexpr auto everyone = {congestion_algorithm::cubic, congestion_algorithm::new_reno,
                           congestion_algorithm::bbr};

constexpr std::uint64_t rate = 10'000'000;
constexpr std::uint32_t product = 50'000;  // bytes: 10 Mbit/s x 40 ms

net::link_options bottleneck(std::uint32_t queue_bytes) {
    return {.delay = 20ms, .bits_per_second = rate, .queue = {.limit_bytes = queue_bytes}};
}

struct progress {
    std::uint64_t received = 0;
    bool is_over = false;
};

task<> send_until_over(net::host& from, net::endpoint to, congestion_algorithm algorithm,
                       progress& p) {
    tcp_stream stream;
    co_await connect_into(from, to, stream, {.congestion = algorithm});
    const std::string text = pattern(100'000);
    while (!p.is_over) {
        const auto sent = co_await stream.write_all(bytes_of(std::string_view{text}));
        if (!sent) co_return;
    }
    stream.abort();
}

task<> take_until_over(tcp_listener& at, progress& p) {
    tcp_stream stream;
    co_await accept_into(at, stream);
    std::string buffer(65'536, '\0');
    for (;;) {
        const auto n = co_await stream.read_some(bytes_of(buffer));
        if (!n || *n == 0) co_return;
        p.received += *n;
    }
}

/// Sends from one host to another for so long; the marks are taken by the caller between.
task<> flow(net::host& from, net::host& to, std::uint16_t at_port, congestion_algorithm algorithm,
            progress& p) {
    auto listening = to.listen(at_port);
    REQUIRE(listening.has_value());
    co_await when_all(send_until_over(from, {to.address(), at_port}, algorithm, p),
                      take_until_over(*listening, p));
}

task<> end_after(duration warm_up, duration length, progress& p, std::uint64_t& in_between) {
    (void)co_await sleep_for(warm_up);
    const std::uint64_t before = p.received;
    (void)co_await sleep_for(length);
    in_between = p.received - before;
    p.is_over = true;
}

task<> timed_flow(net::host& from, net::host& to, congestion_algorithm algorithm, duration warm_up,
                  duration length, std::uint64_t& in_between) {
    progress p;
    co_await when_all(flow(from, to, port, algorithm, p),
                      end_after(warm_up, length, p, in_between));
}

task<> two_flows(two_hosts& on, congestion_algorithm algorithm, std::uint64_t& one,
                 std::uint64_t& two) {
    progress a;
    progress b;
    co_await when_all(flow(on.client, on.server, 81, algorithm, a),
                      flow(on.client, on.server, 82, algorithm, b), end_after(10s, 25s, a, one),
                      end_after(10s, 25s, b, two));
}

/// 20 KB ten times a second: a sixth of the path, 5 segments a round trip.
task<> thin_sender(net::host& from, net::endpoint to, congestion_algorithm algorithm,
                   std::uint32_t& window) {
    tcp_stream stream;
    co_await connect_into(from, to, stream, {.congestion = algorithm});
    const std::string text = pattern(20'000);
    for (int i = 0; i < 200; ++i) {
        REQUIRE((co_await stream.write_all(bytes_of(std::string_view{text}))).has_value());
        (void)co_await sleep_for(100ms);
    }
    window = stream.connection()->congestion_window();
    (void)co_await stream.shutdown();
}

task<> thin_flow(two_hosts& on, congestion_algorithm algorithm, std::uint32_t& window) {
    auto listening = on.server.listen(port);
    REQUIRE(listening.has_value());
    progress p;
    co_await when_all(thin_sender(on.client, on.server_at(), algorithm, window),
                      take_until_over(*listening, p));
    CHECK(p.received == 4'000'000);
}

/// Goodput after the start, as a share of what the frames leave for text.
double share_of(std::uint64_t bytes, duration length) {
    const double seconds = std::chrono::duration<double>(length).count();
    const double most = static_cast<double>(rate) / 8 * seconds * 1448 / 1514;
    return static_cast<double>(bytes) / most;
}

}  // namespace

TEST_SUITE("sim.congestion") {
TEST_CASE("each algorithm fills a path with a buffer of its product") {
    for (const congestion_algorithm a : everyone) {
        CAPTURE(static_cast<int>(a));
        two_hosts on{1, bottleneck(product)};
        std::uint64_t bytes = 0;
        on.world.run(timed_flow(on.client, on.server, a, 3s, 20s, bytes));
        CHECK(share_of(bytes, 20s) >= 0.95);
        CHECK(on.client.counters().tcp_timeouts == 0);
        CHECK(on.client.counters().tcp_spurious_recoveries == 0);
        on.settle();
        CHECK(on.world.bytes_in_use() == 0);
    }
}

TEST_CASE("BBR leaves a deep buffer empty; CUBIC does not overrun it in slow start") {
    const auto run = [](congestion_algorithm a) {
        two_hosts on{1, bottleneck(10 * product)};
        std::uint64_t bytes = 0;
        on.world.run(timed_flow(on.client, on.server, a, 2s, 5s, bytes));
        CHECK(share_of(bytes, 5s) >= 0.95);
        const net::link_counters wire = on.world.device_of(on.client).statistics();
        CHECK(wire.queue_full == 0);
        on.settle();
        return wire.peak_queue_bytes;
    };
    CHECK(run(congestion_algorithm::bbr) <= 3 * product);  // most of it while it starts up
    CHECK(run(congestion_algorithm::cubic) >= 4 * product);
}

TEST_CASE("one segment in a hundred is lost over a long path: BBR does not mind") {
    net::link_options lossy = bottleneck(2 * product);
    lossy.loss = 0.01;
    lossy.delay = 50ms;
    two_hosts on{1, lossy};
    std::uint64_t bytes = 0;
    on.world.run(timed_flow(on.client, on.server, congestion_algorithm::bbr, 3s, 10s, bytes));
    CHECK(share_of(bytes, 10s) >= 0.9);
    // What the last recovery sent again is no witness that the next one was needless.
    CHECK(on.client.counters().tcp_fast_retransmits >= 20);
    CHECK(on.client.counters().tcp_spurious_recoveries == 0);
    on.settle();
}

TEST_CASE("a slow start that overruns the buffer is over with one recovery") {
    net::link_options shallow = bottleneck(2 * product);
    shallow.delay = 50ms;
    two_hosts on{1, shallow};
    std::uint64_t bytes = 0;
    on.world.run(timed_flow(on.client, on.server, congestion_algorithm::cubic, 1500ms, 5s, bytes));
    CHECK(share_of(bytes, 5s) >= 0.95);
    CHECK(on.client.counters().tcp_fast_retransmits >= 1);
    CHECK(on.client.counters().tcp_fast_retransmits <= 4);
    CHECK(on.client.counters().tcp_lost_retransmissions == 0);
    on.settle();
}

TEST_CASE("two flows share a bottleneck, whatever the algorithm") {
    for (const congestion_algorithm a : everyone) {
        CAPTURE(static_cast<int>(a));
        two_hosts on{2, bottleneck(product)};
        std::uint64_t one = 0;
        std::uint64_t two = 0;
        on.world.run(two_flows(on, a, one, two));
        CHECK(share_of(one + two, 25s) >= 0.93);
        CHECK(std::min(one, two) * 2 >= std::max(one, two));
        on.settle();
    }
}

TEST_CASE("an application that sends little does not make the window grow") {
    for (const congestion_algorithm a : everyone) {
        CAPTURE(static_cast<int>(a));
        two_hosts on{1, bottleneck(product)};
        std::uint32_t window = 0;
        on.world.run(thin_flow(on, a, window));
        CHECK(window >= 10 * 1448);
        CHECK(window <= 40 * 1448);
        on.settle();
    }
}
}
