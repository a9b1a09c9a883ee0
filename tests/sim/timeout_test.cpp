// Peers that say nothing: keep-alive, user timeout, R2, orphans. Time is virtual.

#include "two_hosts.hpp"

using namespace weft;
using namespace weft::sim::test;

namespace {

/// ARP goes on: the link is there, the peer's TCP is not.
net::memory_device::fate no_tcp_passes(std::span<const std::byte> frame, instant) {
    return tcp_header_of(frame) ? net::memory_device::fate::drop : net::memory_device::fate::pass;
}

void cut(two_hosts& on) {
    on.world.device_of(on.client).set_filter(no_tcp_passes);
    on.world.device_of(on.server).set_filter(no_tcp_passes);
}

task<> keepalive_finds_the_dead(two_hosts& on, bool peer_lives) {
    stream_pair pair;
    co_await open_pair(on, pair);
    pair.client.set_keepalive({.enabled = true, .idle = 60s, .interval = 10s, .probes = 4});
    if (!peer_lives) cut(on);
    std::string buffer(10, '\0');
    const instant begun = on.world.now();
    const auto read = co_await with_timeout(2h, pair.client.read_some(bytes_of(buffer)));
    CHECK(read.error() == std::errc::timed_out);
    if (peer_lives) {
        CHECK(on.world.now() - begun >= 2h);
        CHECK(on.client.counters().tcp_keepalives_sent > 100);
        CHECK(pair.client.state() == state::established);
    } else {
        CHECK(read.error() == net::errc::timed_out);
        CHECK(on.world.now() - begun >= 100s);
        CHECK(on.world.now() - begun < 110s);
        CHECK(on.client.counters().tcp_keepalives_sent == 4);
        CHECK(pair.client.state() == state::closed);
    }
}

task<> short_idle_long_interval(two_hosts& on) {
    stream_pair pair;
    co_await open_pair(on, pair);
    pair.client.set_keepalive({.enabled = true, .idle = 1s, .interval = 30s, .probes = 2});
    (void)co_await sleep_for(10min);
    CHECK(pair.client.state() == state::established);
}

task<> user_timeout(two_hosts& on) {
    stream_pair pair;
    co_await open_pair(on, pair, {.user_timeout = 20s});
    cut(on);
    const instant begun = on.world.now();
    CHECK((co_await pair.client.write_all(bytes_of("is anybody there?"))).has_value());
    CHECK((co_await pair.client.closed()).error() == std::errc::timed_out);
    CHECK(on.world.now() - begun >= 20s);
    CHECK(on.world.now() - begun < 60s);
    CHECK((co_await pair.client.write_all(bytes_of("?"))).error() == std::errc::timed_out);
    CHECK(on.client.counters().tcp_user_timeouts == 1);
}

task<> default_timeout(two_hosts& on) {
    stream_pair pair;
    co_await open_pair(on, pair);
    cut(on);
    const instant begun = on.world.now();
    CHECK((co_await pair.client.write_all(bytes_of("is anybody there?"))).has_value());
    CHECK((co_await pair.client.closed()).error() == std::errc::timed_out);
    CHECK(on.world.now() - begun >= 5min);
    CHECK(on.world.now() - begun < 8min);
}

task<> shutdown_unanswered(two_hosts& on) {
    stream_pair pair;
    co_await open_pair(on, pair, {.user_timeout = 20s});
    cut(on);
    CHECK((co_await pair.client.shutdown()).error() == std::errc::timed_out);
    CHECK(pair.client.state() == state::closed);
}

task<> comes_back(two_hosts& on) {
    stream_pair pair;
    co_await open_pair(on, pair);
    cut(on);
    const std::string text = pattern(50'000);
    task_group group{co_await current_environment()};
    group.spawn(write_and_shut_down(pair.client, text));
    (void)co_await sleep_for(60s);
    on.world.device_of(on.client).set_filter({});
    on.world.device_of(on.server).set_filter({});
    const auto got = co_await read_to_end(pair.server);
    CHECK(got.value_or("") == text);
    CHECK((co_await group.join()).has_value());
}

/// The peer acknowledges our FIN and never sends its own.
task<> orphan_in_fin_wait_2(two_hosts& on) {
    stream_pair pair;
    co_await open_pair(on, pair);
    pair.client = tcp_stream{};
    (void)co_await sleep_for(30s);
    CHECK(on.client.stack().tcp().connection_count() == 1);
    (void)co_await sleep_for(60s);
    CHECK(on.client.stack().tcp().connection_count() == 0);
    CHECK(pair.server.state() == state::close_wait);
    pair.server.abort();
}

/// Opens, and says nothing, ever: the server's stream waits as long as the program lets it.
task<> silent_client(two_hosts& on) {
    stream_pair pair;
    co_await open_pair(on, pair);
    std::string buffer(100, '\0');
    const auto read = co_await with_timeout(30s, pair.server.read_some(bytes_of(buffer)));
    CHECK(read.error() == std::errc::timed_out);
    CHECK(on.server.pool().bytes_out() == 0);  // an idle connection holds no memory
    pair.server.abort();
    (void)co_await sleep_for(1s);
    CHECK((co_await pair.client.closed()).error() == std::errc::connection_reset);
}

/// SYNs from a host that never answers the SYN,ACK.
task<> half_open(two_hosts& on) {
    auto listening = on.server.listen(port);
    REQUIRE(listening.has_value());
    on.world.device_of(on.client).set_filter(drop_flags{tcp_flags::ack, 1 << 30});
    stream_pair pair;
    co_await connect_into(on.client, on.server_at(), pair.client);
    pair.client.abort();
    on.world.device_of(on.client).set_filter(nothing_passes);
    CHECK(on.server.stack().tcp().connection_count() == 1);
    (void)co_await sleep_for(4min);
    CHECK(on.server.stack().tcp().connection_count() == 0);
}

void runs_and_leaves_nothing(two_hosts& on, task<> body) {
    on.world.run(std::move(body));
    on.world.run_for(30min);
    CHECK(on.client.stack().tcp().connection_count() == 0);
    CHECK(on.server.stack().tcp().connection_count() <= 1);  // may wait for a peer that is cut off
    CHECK(on.world.bytes_in_use() == 0);
}

}  // namespace

TEST_SUITE("sim.timeout") {
TEST_CASE("a keep-alive finds out that the peer is gone [MUST-24, MUST-29]") {
    two_hosts on;
    runs_and_leaves_nothing(on, keepalive_finds_the_dead(on, false));
}
TEST_CASE("a keep-alive that is answered keeps the connection") {
    two_hosts on;
    runs_and_leaves_nothing(on, keepalive_finds_the_dead(on, true));
}
TEST_CASE("an interval longer than the idle time does not kill a peer that answers") {
    two_hosts on;
    runs_and_leaves_nothing(on, short_idle_long_interval(on));
}
TEST_CASE("unacknowledged text ends the connection at the user timeout [MUST-21]") {
    two_hosts on;
    runs_and_leaves_nothing(on, user_timeout(on));
}
TEST_CASE("unacknowledged text ends the connection after five minutes by itself [MUST-20]") {
    two_hosts on;
    runs_and_leaves_nothing(on, default_timeout(on));
}
TEST_CASE("a FIN that is never acknowledged times out") {
    two_hosts on;
    runs_and_leaves_nothing(on, shutdown_unanswered(on));
}
TEST_CASE("a wire that is cut for a minute costs time, and nothing else") {
    two_hosts on;
    runs_and_leaves_nothing(on, comes_back(on));
}
TEST_CASE("an orphan in FIN-WAIT-2 ends after its limit") {
    two_hosts on;
    runs_and_leaves_nothing(on, orphan_in_fin_wait_2(on));
}
TEST_CASE("a client that opens and says nothing costs no memory") {
    two_hosts on;
    runs_and_leaves_nothing(on, silent_client(on));
}
TEST_CASE("a handshake that is never completed ends by itself") {
    two_hosts on;
    runs_and_leaves_nothing(on, half_open(on));
}
}
