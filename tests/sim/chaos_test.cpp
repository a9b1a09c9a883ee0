// Programs that do anything at any time: what they leave behind is nothing.

#include "two_hosts.hpp"

#include <weft/test/seeds.hpp>

using namespace weft;
using namespace weft::sim::test;

namespace {

/// Reads, writes, waits, gives up, closes and aborts at random, until the stream is gone.
task<> behave_badly(tcp_stream stream, std::uint64_t seed) {
    net::random_source random{seed};
    std::string buffer(1 + random.below(9000), 'x');
    for (int i = 0; i < 40; ++i) {
        const duration patience = random.up_to(300ms);
        const auto some =
            bytes_of(buffer).first(random.below(static_cast<std::uint32_t>(buffer.size())));
        switch (random.below(16)) {
            case 0:
            case 1:
            case 2: (void)co_await with_timeout(patience, stream.read_some(some)); break;
            case 3: (void)co_await with_timeout(patience, stream.read_exactly(some)); break;
            case 4: (void)co_await with_timeout(patience, stream.readable()); break;
            case 5:
            case 6: (void)co_await with_timeout(patience, stream.write_some(some)); break;
            case 7:
            case 8: (void)co_await with_timeout(patience, stream.write_all(some)); break;
            case 9: (void)co_await with_timeout(patience, stream.shutdown()); break;
            case 10: (void)co_await with_timeout(patience, stream.closed()); break;
            case 11: {
                const auto any = static_cast<state>(random.below(net::tcp::state_count));
                (void)co_await with_timeout(patience, stream.reached(any));
                break;
            }
            case 12: stream.consume(stream.read_view().size()); break;
            case 13: {
                tcp_stream elsewhere = std::move(stream);
                (void)co_await sleep_for(patience);
                stream = std::move(elsewhere);
                break;
            }
            case 14:
                if (random.chance(0.1)) stream.abort();
                break;
            case 15:
                if (random.chance(0.1)) co_return;
                break;
            default: break;
        }
    }
}

task<> accept_badly(two_hosts& on, task_group& group, std::uint64_t seed) {
    net::random_source random{seed};
    for (int round = 0; round < 4; ++round) {
        auto listening = on.server.listen(port, {.backlog = 1 + random.below(4)});
        REQUIRE(listening.has_value());
        for (int i = 0; i < 8; ++i) {
            auto accepted = co_await with_timeout(random.up_to(400ms), listening->accept());
            if (accepted) group.spawn(behave_badly(std::move(*accepted), random.next()));
        }
    }  // whoever waits in the backlog is reset
}

task<> connect_badly(two_hosts& on, task_group& group, std::uint64_t seed) {
    net::random_source random{seed};
    for (int i = 0; i < 25; ++i) {
        (void)co_await sleep_for(random.up_to(200ms));
        const net::tcp::connection_options options{
            .no_delay = random.chance(0.5),
            .keepalive = {.enabled = random.chance(0.3), .idle = 50ms, .interval = 50ms},
            .user_timeout = random.chance(0.3) ? duration{2s} : duration::zero(),
            .send_buffer_bytes = 2048 + random.below(50'000),
            .receive_buffer_bytes = 2048 + random.below(50'000),
            .linger_abort = random.chance(0.2)};
        auto opened =
            co_await with_timeout(random.up_to(1s), on.client.connect(on.server_at(), options));
        if (opened) group.spawn(behave_badly(std::move(*opened), random.next()));
    }
}

task<> chaos(two_hosts& on, std::uint64_t seed) {
    task_group group{co_await current_environment()};
    group.spawn(accept_badly(on, group, seed));
    group.spawn(connect_badly(on, group, seed + 1));
    (void)co_await group.join();
}

}  // namespace

TEST_SUITE("sim.chaos") {
TEST_CASE("programs that time out, abort and drop at random leave no connection and no memory") {
    const weft::test::seeds seeds{100};
    net::stack_counters all;
    for (const std::uint64_t seed : seeds) {
        CAPTURE(seed);
        net::random_source random{seed};
        two_hosts on{seed,
                     {.loss = 0.01 * random.below(20),
                      .duplicate = 0.05,
                      .corrupt = 0.01,
                      .reorder = 0.1,
                      .delay = std::chrono::milliseconds{random.below(30)}},
                     {.offloads = random.chance(0.3)}};
        on.world.run(chaos(on, seed));
        on.world.run_for(1h);
        CHECK(on.client.stack().tcp().connection_count() == 0);
        CHECK(on.server.stack().tcp().connection_count() == 0);
        CHECK(on.client.stack().tcp().orphan_count() == 0);
        CHECK(on.server.stack().tcp().orphan_count() == 0);
        CHECK(on.client.handle_count() == 0);
        CHECK(on.server.handle_count() == 0);
        CHECK(on.world.bytes_in_use() == 0);
        const net::stack_counters& here = on.server.counters();
        all.tcp_passive_opens += here.tcp_passive_opens;
        all.tcp_bytes_received += here.tcp_bytes_received;
        all.tcp_resets_sent += here.tcp_resets_sent;
        all.tcp_resets_received += here.tcp_resets_received;
    }
    // It was not idle.
    CHECK(all.tcp_passive_opens > 5 * seeds.size());
    CHECK(all.tcp_bytes_received > 10'000 * seeds.size());
    CHECK(all.tcp_resets_sent > seeds.size());
    CHECK(all.tcp_resets_received > seeds.size());
}
}
