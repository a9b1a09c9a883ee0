#include "two_hosts.hpp"

#include <weft/net/ladder.hpp>
#include <weft/test/seeds.hpp>

using namespace weft;
using namespace weft::sim::test;

namespace {

/// Both send and half-close, both read to the end; every byte is looked at.
task<> one_side(tcp_stream& stream, std::string sends, const std::string& expects) {
    const auto [written, read] =
        co_await when_all(write_and_shut_down(stream, std::move(sends)), read_to_end(stream));
    CHECK_MESSAGE(written.has_value(), written.error().message());
    CHECK_MESSAGE(read.has_value(), read.error().message());
    CHECK(read.value_or("") == expects);
    const auto closed = co_await stream.closed();
    CHECK_MESSAGE(closed.has_value(), closed.error().message());
}

task<> accept_in_time(tcp_listener& from, tcp_stream& into) {
    auto accepted = co_await with_timeout(5min, from.accept());
    if (accepted) into = std::move(*accepted);
}

/// A listener gives up a handshake whose ACK never comes: as often as that happens, once more.
task<> open_persistently(two_hosts& on, stream_pair& into, net::tcp::connection_options options) {
    auto listening = on.server.listen(port, {.connection = options});
    REQUIRE(listening.has_value());
    while (!into.server) {
        into.client = tcp_stream{};
        co_await when_all(connect_into(on.client, on.server_at(), into.client, options),
                          accept_in_time(*listening, into.server));
    }
    CHECK(into.server.remote_endpoint() == into.client.local_endpoint());
}

task<> exchange(two_hosts& on, std::string up, std::string down,
                net::tcp::connection_options options = {}) {
    stream_pair pair;
    co_await open_persistently(on, pair, options);
    co_await when_all(one_side(pair.client, up, down), one_side(pair.server, down, up));
}

task<> client_to_server(two_hosts& on, std::string text) {
    auto listening = on.server.listen(port);
    REQUIRE(listening.has_value());
    tcp_stream client;
    tcp_stream server;
    co_await when_all(connect_into(on.client, on.server_at(), client),
                      accept_into(*listening, server));
    co_await when_all(one_side(client, text, ""), one_side(server, "", text));
}

/// One end of an active open to each other's port; the first to say something is the first to know.
task<> crossing(net::host& from, net::endpoint local, net::endpoint remote, std::string text,
                const std::string& expects) {
    auto opened = co_await from.connect_from(local, remote, {.user_timeout = 1h});
    CHECK_MESSAGE(opened.has_value(), opened.error().message());
    if (!opened) co_return;
    tcp_stream stream = std::move(*opened);
    co_await one_side(stream, std::move(text), expects);
}

task<> crossing_opens(two_hosts& on) {
    const net::endpoint here{on.client.address(), 1000};
    const net::endpoint there{on.server.address(), 2000};
    const std::string up = pattern(5000, 1);
    const std::string down = pattern(5000, 2);
    co_await when_all(crossing(on.client, here, there, up, down),
                      crossing(on.server, there, here, down, up));
}

void ends_clean(two_hosts& on) {
    on.world.run_for(3h);
    CHECK(on.client.stack().tcp().connection_count() == 0);
    CHECK(on.server.stack().tcp().connection_count() == 0);
    CHECK(on.world.bytes_in_use() == 0);
}

/// What became of a segment that was dropped on one side, once.
std::uint64_t runs_without(tcp_flags flags, int count, bool from_client) {
    two_hosts on;
    net::memory_device& device = on.world.device_of(from_client ? on.client : on.server);
    device.set_filter(drop_flags{flags, count});
    on.world.run(client_to_server(on, "some bytes"));
    const std::uint64_t filtered = device.statistics().filtered;
    ends_clean(on);
    return filtered;
}

}  // namespace

TEST_SUITE("sim.loss") {
TEST_CASE("a lost SYN is sent again") { CHECK(runs_without(tcp_flags::syn, 2, true) == 2); }
TEST_CASE("a lost SYN,ACK is sent again") {
    CHECK(runs_without(tcp_flags::syn | tcp_flags::ack, 2, false) == 2);
}
TEST_CASE("a lost ACK of the handshake is made good by what follows") {
    CHECK(runs_without(tcp_flags::ack, 1, true) == 1);
}
TEST_CASE("a lost FIN of the client is sent again") {
    CHECK(runs_without(tcp_flags::fin | tcp_flags::ack, 2, true) == 2);
}
TEST_CASE("a lost FIN of the server is sent again, and TIME-WAIT acknowledges it") {
    CHECK(runs_without(tcp_flags::fin | tcp_flags::ack, 2, false) == 2);
}
TEST_CASE("lost acknowledgments of text and FIN are made good") {
    CHECK(runs_without(tcp_flags::ack, 3, false) == 3);
}

TEST_CASE("a reordering wire of small frames brings every byte in order, once") {
    for (std::uint64_t seed = 1; seed <= 10; ++seed) {
        CAPTURE(seed);
        two_hosts on{seed, {.reorder = 0.3, .reorder_by = 5ms, .delay = 3ms, .jitter = 2ms}};
        on.world.run(exchange(on, pattern(200'000, seed), pattern(50'000, seed + 1)));
        ends_clean(on);
    }
}

TEST_CASE("a wire that flips bits brings every byte right, and counts the sums that were wrong") {
    std::uint64_t bad = 0;
    for (std::uint64_t seed = 1; seed <= 10; ++seed) {
        CAPTURE(seed);
        two_hosts on{seed, {.corrupt = 0.05, .delay = 3ms}};
        on.world.run(exchange(on, pattern(100'000, seed), pattern(100'000, seed + 1)));
        bad += on.server.counters().tcp_bad_checksum + on.server.counters().ipv4_bad_checksum;
        ends_clean(on);
    }
    CHECK(bad > 10);
}

TEST_CASE(
    "0 to 30 % loss with reordering and duplication, many seeds: every byte, in order, once") {
    const weft::test::seeds seeds{120};
    for (const std::uint64_t seed : seeds) {
        CAPTURE(seed);
        net::random_source random{seed};
        const net::link_options wire{.loss = 0.01 * random.below(31),
                                     .duplicate = 0.01 * random.below(11),
                                     .corrupt = 0.005 * random.below(5),
                                     .reorder = 0.01 * random.below(31),
                                     .reorder_by = std::chrono::milliseconds{random.below(40)},
                                     .delay = std::chrono::milliseconds{random.below(60)},
                                     .jitter = std::chrono::milliseconds{random.below(10)}};
        CAPTURE(wire.loss);
        CAPTURE(wire.reorder);
        // Such wires lose the last ACK several times over: TIME-WAIT has to last.
        two_hosts on{seed, wire, {.tcp = {.max_segment_lifetime = 10min}}};
        on.get_acquainted();
        net::ladder ladder;  // shown when something fails
        on.client.observe(&ladder);
        on.server.observe(&ladder);
        INFO("\n", ladder.render(), "\nclient: ", counters_of(on.client),
             "\nserver: ", counters_of(on.server));
        on.world.run(exchange(on, pattern(1 + random.below(120'000), seed),
                              pattern(1 + random.below(120'000), seed + 1000),
                              {.user_timeout = 1h}));  // at 30 % five minutes may not be enough
        CHECK(on.world.now() < instant{} + 3h);
        ends_clean(on);
    }
}

TEST_CASE("SYNs that cross on wires that lose up to 30 % end in one connection") {
    for (std::uint64_t seed = 1; seed <= 300; ++seed) {
        CAPTURE(seed);
        net::random_source random{seed};
        two_hosts on{seed,
                     {.loss = 0.01 * random.below(31), .duplicate = 0.1, .delay = 10ms},
                     {.tcp = {.max_segment_lifetime = 10min}}};
        on.get_acquainted();
        net::ladder ladder;
        on.client.observe(&ladder);
        on.server.observe(&ladder);
        INFO("\n", ladder.render());
        on.world.run(crossing_opens(on));
        ends_clean(on);
    }
}

TEST_CASE("frames of 64 KiB that the device cuts and puts together survive loss too") {
    for (std::uint64_t seed = 1; seed <= 20; ++seed) {
        CAPTURE(seed);
        two_hosts on{seed, {.loss = 0.05, .reorder = 0.1, .delay = 5ms}, {.offloads = true}};
        on.world.run(exchange(on, pattern(600'000, seed), pattern(600'000, seed + 1)));
        ends_clean(on);
    }
}

TEST_CASE("a link without addresses of its own, and large and small MTUs") {
    using link_type = net::device_capabilities::link_type;
    for (const std::uint32_t mtu : {576U, 1500U, 9000U}) {
        for (const link_type link : {link_type::ethernet, link_type::raw_ip}) {
            CAPTURE(mtu);
            two_hosts on{mtu, {.loss = 0.02, .delay = 1ms}, {.link = link, .mtu = mtu}};
            on.world.run(exchange(on, pattern(100'000, mtu), pattern(100'000, mtu + 1)));
            ends_clean(on);
        }
    }
}

TEST_CASE("a slow line fills the device, and holds back the sender instead of losing frames") {
    two_hosts on{5, {.delay = 1ms, .bits_per_second = 10'000'000}, {.slots = 4}};
    on.world.run(exchange(on, pattern(1'000'000, 1), pattern(1000, 2)));
    const auto& up = on.world.device_of(on.client).statistics();
    CHECK(up.delivered == up.submitted);
    CHECK(on.client.counters().tcp_retransmitted_segments == 0);
    // 1 MB at 10 Mbit/s: 0.8 s, and headers.
    CHECK(on.world.now() > instant{} + 800ms);
    CHECK(on.world.now() < instant{} + 1200ms);
    ends_clean(on);
}
}
