#include "two_hosts.hpp"

using namespace weft;
using namespace weft::sim::test;

namespace {

task<> stop_drains(two_hosts& on) {
    stream_pair pair;
    co_await open_pair(on, pair, {.send_buffer_bytes = 1U << 20});
    auto listening = on.client.listen(port);
    const std::string text = pattern(200'000);
    CHECK((co_await pair.client.write_all(bytes_of(std::string_view{text}))).has_value());
    task_group group{co_await current_environment()};
    group.spawn([](tcp_stream& from, const std::string& expected) -> task<> {
        CHECK((co_await read_to_end(from)).value_or("") == expected);
        CHECK((co_await from.shutdown()).has_value());
    }(pair.server, text));
    const instant begun = on.world.now();
    co_await on.client.stop(begun + 10s);
    CHECK(on.world.now() - begun < 2s);
    CHECK(pair.client.state() == state::time_wait);
    CHECK(!pair.client.error());
    CHECK((co_await group.join()).has_value());
    // Nothing new after that.
    CHECK((co_await on.client.connect(on.server_at())).error() == net::errc::stack_stopped);
    CHECK(on.client.listen(port).error() == net::errc::stack_stopped);
    CHECK((co_await listening->accept()).error() == net::errc::closing);
    co_await on.client.stop(on.world.now());  // again: nothing to do
}

task<> stop_aborts(two_hosts& on) {
    stream_pair pair;
    co_await open_pair(on, pair);
    const instant begun = on.world.now();
    co_await on.client.stop(begun + 10s);  // the server never closes
    CHECK(on.world.now() - begun >= 10s);
    CHECK(on.world.now() - begun < 11s);
    CHECK(pair.client.error() == std::errc::connection_aborted);
    (void)co_await sleep_for(100ms);
    CHECK((co_await pair.server.write_some(bytes_of("x"))).error() == std::errc::connection_reset);
}

task<> stop_when_asked_to_stop(two_hosts& on, task_group& group) {
    stream_pair pair;
    co_await open_pair(on, pair);
    task_group reader{co_await current_environment()};
    reader.spawn([](tcp_stream& from) -> task<> {
        (void)co_await read_to_end(from);
        (void)co_await from.shutdown();
    }(pair.server));
    group.cancel();
    pair.client = tcp_stream{};
    co_await on.client.stop(on.world.now() + 1s);  // the request does not cut it short
    (void)co_await reader.join();
}

task<> stops_in_order(two_hosts& on) {
    task_group group{co_await current_environment()};
    group.spawn(stop_when_asked_to_stop(on, group));
    (void)co_await group.join();
}

}  // namespace

TEST_SUITE("sim.stop") {
TEST_CASE("a host that stops sends what was written, closes, and accepts nothing any more") {
    two_hosts on;
    on.world.run(stop_drains(on));
    on.settle();
    CHECK(on.world.bytes_in_use() == 0);
}
TEST_CASE("what does not close by the deadline is aborted, and told so") {
    two_hosts on;
    on.world.run(stop_aborts(on));
    on.settle();
    CHECK(on.world.bytes_in_use() == 0);
}
TEST_CASE("stopping works in a task that was asked to stop") {
    two_hosts on;
    on.world.run(stops_in_order(on));
    on.settle();
    CHECK(on.world.bytes_in_use() == 0);
}
TEST_CASE("a host with connections in TIME-WAIT can be destroyed") {
    two_hosts on;
    on.world.run(stop_drains(on));
    CHECK(on.client.stack().tcp().connection_count() > 0);
}
}
