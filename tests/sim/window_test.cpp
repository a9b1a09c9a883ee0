#include "two_hosts.hpp"

using namespace weft;
using namespace weft::sim::test;

namespace {

task<> read_slowly(tcp_stream& from, std::string& into, duration pause, std::size_t piece) {
    std::string buffer(piece, '\0');
    for (;;) {
        const auto n = co_await from.read_some(bytes_of(buffer));
        CHECK_MESSAGE(n.has_value(), n.error().message());
        if (!n || *n == 0) co_return;
        into.append(buffer, 0, *n);
        (void)co_await sleep_for(pause);
    }
}

task<> slow_reader(two_hosts& on, std::string text, duration pause, std::size_t piece) {
    stream_pair pair;
    co_await open_pair(on, pair, {.send_buffer_bytes = 64'000, .receive_buffer_bytes = 16'000});
    std::string got;
    co_await when_all(write_and_shut_down(pair.client, text),
                      read_slowly(pair.server, got, pause, piece));
    CHECK(got == text);
    CHECK((co_await pair.server.shutdown()).has_value());
}

/// The reader sleeps for ten minutes before it reads.
task<> sleeping_reader(two_hosts& on) {
    stream_pair pair;
    co_await open_pair(on, pair, {.receive_buffer_bytes = 16'000});
    const std::string text = pattern(100'000);
    task_group group{co_await current_environment()};
    std::string got;
    group.spawn(write_and_shut_down(pair.client, text));
    (void)co_await sleep_for(10min);
    CHECK(pair.client.connection()->peer_window() == 0);
    CHECK(pair.server.connection()->readable_bytes() <= 16'000);
    CHECK(on.client.counters().tcp_zero_window_probes > 5);
    CHECK(on.server.pool().bytes_out() < 200'000);
    co_await read_slowly(pair.server, got, 0ms, 4096);
    CHECK((co_await group.join()).has_value());
    CHECK(got == text);
    CHECK((co_await pair.server.shutdown()).has_value());
}

/// The window update that would end the wait is lost: the next probe finds out.
task<> lost_window_update(two_hosts& on) {
    stream_pair pair;
    co_await open_pair(on, pair, {.receive_buffer_bytes = 16'000});
    const std::string text = pattern(60'000);
    task_group group{co_await current_environment()};
    group.spawn(write_and_shut_down(pair.client, text));
    (void)co_await sleep_for(5s);
    std::string got(16'000, '\0');
    on.world.device_of(on.server).set_filter(drop_flags{tcp_flags::ack, 3});
    CHECK((co_await pair.server.read_exactly(bytes_of(got))).has_value());
    std::string rest;
    co_await read_slowly(pair.server, rest, 0ms, 4096);
    CHECK((co_await group.join()).has_value());
    CHECK(got + rest == text);
}

void runs_and_leaves_nothing(two_hosts& on, task<> body) {
    on.world.run(std::move(body));
    on.settle();
    CHECK(on.client.stack().tcp().connection_count() == 0);
    CHECK(on.server.stack().tcp().connection_count() == 0);
    CHECK(on.world.bytes_in_use() == 0);
}

}  // namespace

TEST_SUITE("sim.window") {
TEST_CASE(
    "a reader that takes little and seldom gets everything, without silly windows [MUST-39]") {
    two_hosts on;
    runs_and_leaves_nothing(on, slow_reader(on, pattern(200'000), 3ms, 500));
    // 200,000 bytes in segments of about 1448: dribbles would be thousands more.
    CHECK(on.client.counters().tcp_segments_sent < 600);
}
TEST_CASE("a reader that sleeps for minutes keeps its peer probing, not sending") {
    two_hosts on;
    runs_and_leaves_nothing(on, sleeping_reader(on));
}
TEST_CASE("a lost window update is found out by a probe") {
    two_hosts on;
    runs_and_leaves_nothing(on, lost_window_update(on));
}
TEST_CASE("a slow reader behind a lossy wire") {
    for (std::uint64_t seed = 1; seed <= 10; ++seed) {
        CAPTURE(seed);
        two_hosts on{seed, {.loss = 0.1, .reorder = 0.1, .delay = 5ms}};
        runs_and_leaves_nothing(on, slow_reader(on, pattern(60'000), 2ms, 700));
    }
}
}
