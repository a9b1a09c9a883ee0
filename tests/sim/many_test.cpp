// Many connections side by side on one wire.

#include "two_hosts.hpp"

using namespace weft;
using namespace weft::sim::test;

namespace {

task<result<void>> echo(tcp_stream peer) {
    std::string buffer(4096, '\0');
    for (;;) {
        const auto n = co_await peer.read_some(bytes_of(buffer));
        if (!n) co_return n.error();
        if (*n == 0) break;
        const auto written = co_await peer.write_all(bytes_of(buffer).first(*n));
        if (!written) co_return written.error();
    }
    co_return co_await peer.shutdown();
}

task<> serve(task_group& group, tcp_listener& from, int count) {
    for (int i = 0; i < count; ++i) {
        auto accepted = co_await from.accept();
        if (!accepted) co_return;
        group.spawn(echo(std::move(*accepted)));
    }
}

task<> ask(net::host& from, net::endpoint to, std::uint64_t seed, int& right) {
    net::random_source random{seed};
    (void)co_await sleep_for(random.up_to(200ms));
    auto opened = co_await from.connect(to);
    CHECK(opened.has_value());
    if (!opened) co_return;
    tcp_stream stream = std::move(*opened);
    const std::string text = pattern(1 + random.below(30'000), seed);
    const auto [written, read] =
        co_await when_all(write_and_shut_down(stream, text), read_to_end(stream));
    CHECK(written.has_value());
    if (read.value_or("") == text) ++right;
}

task<> ask_all(two_hosts& on, int count, int& right) {
    std::vector<task<>> all;
    for (int i = 0; i < count; ++i) {
        all.push_back(ask(on.client, on.server_at(), static_cast<std::uint64_t>(i) + 1, right));
    }
    co_await when_all(std::move(all));
}

task<> many(two_hosts& on, int count) {
    auto listening = on.server.listen(port);
    REQUIRE(listening.has_value());
    int right = 0;
    task_group group{co_await current_environment()};
    group.spawn(serve(group, *listening, count));
    co_await ask_all(on, count, right);
    CHECK((co_await group.join()).has_value());
    CHECK(right == count);
}

}  // namespace

TEST_SUITE("sim.many") {
TEST_CASE("two hundred echoes side by side on a wire that loses and reorders") {
    two_hosts on{9, {.loss = 0.03, .reorder = 0.1, .delay = 5ms}};
    on.get_acquainted();
    on.world.run(many(on, 200));
    on.settle();
    CHECK(on.client.stack().tcp().connection_count() == 0);
    CHECK(on.server.stack().tcp().connection_count() == 0);
    CHECK(on.world.bytes_in_use() == 0);
}

TEST_CASE("a thousand connections share a slow line") {
    two_hosts on{9, {.delay = 2ms, .bits_per_second = 100'000'000}};
    on.world.run(many(on, 1000));
    on.settle();
    CHECK(on.world.bytes_in_use() == 0);
}
}
