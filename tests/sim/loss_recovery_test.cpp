#include "two_hosts.hpp"

using namespace weft;
using namespace weft::sim::test;

// What loss recovery is for, on a path with a rate: known failures of other stacks, each as a run.

namespace {

constexpr std::uint64_t rate = 20'000'000;  // bits a second
constexpr std::size_t size = std::size_t{3} << 20;

/// A path of 40 ms and 20 Mbit/s with a queue of one round trip.
net::link_options path() {
    net::link_options wire{.delay = 20ms, .bits_per_second = rate};
    wire.queue.limit_bytes = 100'000;
    return wire;
}

task<> transfer(two_hosts& on, std::string text, net::tcp::congestion_algorithm algorithm,
                duration& took) {
    const net::tcp::connection_options options{.congestion = algorithm};
    stream_pair pair;
    co_await open_pair(on, pair, options);
    const instant begin = on.world.now();
    const auto [written, read] =
        co_await when_all(write_and_shut_down(pair.client, text), read_to_end(pair.server));
    took = on.world.now() - begin;
    CHECK(written.has_value());
    CHECK(read.value_or("") == text);
}

/// For `time`, `after` a while, the acknowledgments go over another path.
task<> detour(two_hosts& on, duration after, duration time, net::link_options way) {
    (void)co_await sleep_for(after);
    on.world.device_of(on.server).set_link(way);
    (void)co_await sleep_for(time);
    on.world.device_of(on.server).set_link(path());
}

struct outcome {
    double share = 0;  ///< of the path's rate, in text delivered
    net::stack_counters sender;
};

double share_of(std::size_t bytes, duration took, std::uint64_t bits_per_second) {
    const double seconds = std::chrono::duration<double>(took).count();
    return static_cast<double>(bytes) * 8 / seconds / static_cast<double>(bits_per_second);
}

outcome run(const net::link_options& there, const net::link_options& back, std::uint64_t seed,
            net::tcp::congestion_algorithm algorithm = net::tcp::congestion_algorithm::cubic,
            std::size_t bytes = size) {
    two_hosts on{seed};
    on.get_acquainted();
    on.world.device_of(on.client).set_link(there);
    on.world.device_of(on.server).set_link(back);
    duration took{};
    on.world.run(transfer(on, pattern(bytes), algorithm, took));
    return {share_of(bytes, took, there.bits_per_second), on.client.counters()};
}

task<> transfer_with_detour(two_hosts& on, std::string text, duration after, duration time,
                            net::link_options way, duration& took) {
    co_await when_all(transfer(on, std::move(text), net::tcp::congestion_algorithm::cubic, took),
                      detour(on, after, time, way));
}

outcome run_with_detour(duration after, duration time, const net::link_options& way,
                        std::uint64_t seed) {
    two_hosts on{seed};
    on.get_acquainted();
    on.world.device_of(on.client).set_link(path());
    on.world.device_of(on.server).set_link(path());
    duration took{};
    on.world.run(transfer_with_detour(on, pattern(size), after, time, way, took));
    return {share_of(size, took, rate), on.client.counters()};
}

}  // namespace

TEST_SUITE("sim.loss_recovery") {
TEST_CASE("mild reordering costs no throughput: what is late is not sent again") {
    net::link_options wire = path();
    const double plain = run(wire, path(), 1).share;
    CHECK(plain > 0.8);
    wire.reorder = 0.05;
    wire.reorder_by = 5ms;
    for (std::uint64_t seed = 1; seed <= 3; ++seed) {
        const outcome mixed = run(wire, path(), seed);
        CAPTURE(seed);
        CHECK(mixed.share > 0.85 * plain);
        CHECK(mixed.sender.tcp_timeouts == 0);
        CHECK(mixed.sender.tcp_retransmitted_segments < 200);  // of 2,200
    }
}

TEST_CASE("one segment in a hundred lost: recovered without timeouts, and nothing sent twice") {
    net::link_options wire = path();
    wire.loss = 0.01;
    for (std::uint64_t seed = 1; seed <= 3; ++seed) {
        const outcome lossy = run(wire, path(), seed);
        CAPTURE(seed);
        const std::uint64_t segments = size / 1448;
        CHECK(lossy.sender.tcp_timeouts <= 1);
        CHECK(lossy.sender.tcp_retransmitted_segments < segments * 3 / 100);
        CHECK(lossy.sender.tcp_retransmitted_segments > 0);
    }
}

TEST_CASE("lost acknowledgments cost nothing: the next one says it all") {
    // Not the first and the last one, which no other follows: for those the timer has to ask.
    net::link_options lossy = path();
    lossy.loss = 0.2;
    for (std::uint64_t seed = 1; seed <= 9; ++seed) {
        CAPTURE(seed);
        const outcome run_of_it = run_with_detour(100ms, 1s, lossy, seed);
        CHECK(run_of_it.share > 0.75);
        CHECK(run_of_it.sender.tcp_timeouts == 0);
    }
}

TEST_CASE("a path that stalls for a second: the timeout is found needless, the window comes back") {
    const outcome plain = run(path(), path(), 1);
    // The acknowledgments of 50 ms come a second late; none is lost.
    net::link_options slow = path();
    slow.delay = 1s;
    const net::stack_counters c = run_with_detour(400ms, 50ms, slow, 1).sender;
    CHECK(c.tcp_timeouts >= 1);
    CHECK(c.tcp_spurious_timeouts == 1);  // however often the timer ran out meanwhile
    CHECK(c.tcp_retransmitted_segments < plain.sender.tcp_retransmitted_segments + 10);
}

TEST_CASE("BBR keeps its rate where one segment in fifty is lost") {
    net::link_options wire = path();
    wire.loss = 0.02;
    const outcome lossy = run(wire, path(), 1, net::tcp::congestion_algorithm::bbr);
    CHECK(lossy.share > 0.5);
}

TEST_CASE("what the peer holds behind a gap takes no room from what is to be sent") {
    net::link_options wire{.delay = 5ms, .bits_per_second = 100'000'000};
    wire.queue.limit_bytes = 125'000;
    wire.loss = 0.03;
    // Segments that are lost twice leave a gap for many round trips.
    const outcome lossy =
        run(wire, wire, 1, net::tcp::congestion_algorithm::bbr, std::size_t{48} << 20);
    CHECK(lossy.share > 0.8);
}
}
