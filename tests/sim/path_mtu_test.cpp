#include "two_hosts.hpp"

using namespace weft;
using namespace weft::sim::test;

// Whole stacks on paths that take less than their links: RFC 1191, RFC 4821.

namespace {

using net::tcp::mtu_probing_mode;

constexpr std::uint32_t headers = 52;  // IP, TCP, timestamps

net::link_options narrow_path(std::uint32_t mtu, net::oversize what) {
    return {.delay = 10ms, .path_mtu = mtu, .too_big = what};
}

sim::host_settings with_probing(mtu_probing_mode mode) {
    sim::host_settings settings;
    settings.tcp.mtu_probing = mode;
    return settings;
}

/// Sends `text` over the pair; how long that took, until the peer has all of it.
task<duration> sends(two_hosts& on, stream_pair& pair, std::string text) {
    const instant begin = on.world.now();
    std::string got(text.size(), '\0');
    const auto [written, read] =
        co_await when_all(pair.client.write_all(bytes_of(std::string_view{text})),
                          pair.server.read_exactly(bytes_of(got)));
    CHECK(written.has_value());
    CHECK(read.has_value());
    CHECK((got == text));
    co_return on.world.now() - begin;
}

task<> ends(stream_pair& pair) {
    CHECK((co_await pair.client.shutdown()).has_value());
    CHECK((co_await pair.server.shutdown()).has_value());
}

task<> out_of_a_black_hole(two_hosts& on, std::uint32_t takes) {
    stream_pair first;
    co_await open_pair(on, first);
    CHECK(first.client.connection()->mss() == 1500 - headers);
    const duration took1 = co_await sends(on, first, pattern(400'000));
    CHECK((took1 < 5s));
    CHECK(on.client.counters().tcp_path_mtu_black_holes >= 1);
    const auto falls = on.client.counters().tcp_path_mtu_black_holes;
    // Up again, by probes alone: nothing waits for a timer any more.
    const auto timeouts = on.client.counters().tcp_timeouts;
    for (int i = 0; i < 20; ++i) {
        (void)co_await sends(on, first, pattern(200'000));
        (void)co_await sleep_for(2s);
    }
    CHECK(first.client.connection()->mss() + headers <= takes);
    CHECK(first.client.connection()->mss() + headers + 16 > takes);
    CHECK(on.client.counters().tcp_timeouts == timeouts);
    CHECK(on.client.counters().tcp_path_mtu_black_holes == falls);
    co_await ends(first);

    stream_pair second;  // knows what the first one found
    co_await open_pair(on, second);
    CHECK(second.client.connection()->mss() + headers <= takes);
    const duration took2 = co_await sends(on, second, pattern(400'000));
    CHECK((took2 < 2s));
    CHECK(on.client.counters().tcp_path_mtu_black_holes == falls);
    CHECK(on.client.counters().tcp_timeouts == timeouts);
    co_await ends(second);
}

task<> told_by_a_router(two_hosts& on, std::uint32_t takes) {
    stream_pair pair;
    co_await open_pair(on, pair);
    const duration took3 = co_await sends(on, pair, pattern(400'000));
    CHECK((took3 < 2s));
    CHECK(pair.client.connection()->mss() + headers == takes);
    CHECK(on.client.counters().tcp_path_mtu_reduced == 1);
    CHECK(on.client.counters().tcp_timeouts == 0);
    co_await ends(pair);
}

task<> over_a_very_narrow_path(two_hosts& on) {
    stream_pair pair;
    co_await open_pair(on, pair);
    const duration took4 = co_await sends(on, pair, pattern(50'000));
    CHECK((took4 < 10s));
    CHECK(pair.client.connection()->mss() + headers == 552);
    CHECK(on.server.counters().datagrams_reassembled > 50);
    co_await ends(pair);
}

task<> through_an_outage(two_hosts& on) {
    stream_pair pair;
    co_await open_pair(on, pair);
    (void)co_await sends(on, pair, pattern(400'000));
    CHECK(on.client.counters().tcp_path_mtu_reduced == 0);
    task_group group{co_await current_environment()};
    on.world.device_of(on.client).set_filter(nothing_passes);
    std::string got(100'000, '\0');
    const std::string text = pattern(100'000);
    group.spawn([](tcp_stream& to, std::string_view what) -> task<> {
        CHECK((co_await to.write_all(bytes_of(what))).has_value());
    }(pair.client, text));
    (void)co_await sleep_for(3s);
    CHECK(pair.client.connection()->mss() + headers < 1500);
    on.world.device_of(on.client).set_filter({});
    CHECK((co_await pair.server.read_exactly(bytes_of(got))).has_value());
    CHECK((co_await group.join()).has_value());
    for (int i = 0; i < 5; ++i) (void)co_await sends(on, pair, pattern(200'000));
    CHECK(pair.client.connection()->mss() + headers == 1500);
    CHECK(on.client.counters().tcp_mtu_probes_lost == 0);
    co_await ends(pair);
}

/// Searches from the start. Its probes are lost one by one, and nothing takes that for congestion.
task<> search_from_the_start(two_hosts& on, std::uint32_t takes) {
    stream_pair pair;
    co_await open_pair(on, pair);
    (void)co_await sends(on, pair, pattern(2000));  // too little to probe with
    CHECK(pair.client.connection()->mss() + headers == 1024);
    for (int i = 0; i < 30; ++i) {
        (void)co_await sends(on, pair, pattern(200'000));
        (void)co_await sleep_for(1s);
    }
    CHECK(pair.client.connection()->mss() + headers <= takes);
    CHECK(pair.client.connection()->mss() + headers + 16 > takes);
    CHECK(on.client.counters().tcp_mtu_probes_sent > 0);
    CHECK(on.client.counters().tcp_fast_retransmits == 0);
    CHECK(on.client.counters().tcp_timeouts == 0);
    CHECK(on.client.counters().tcp_path_mtu_reduced == 0);
    co_await ends(pair);
}

task<> path_that_widens(two_hosts& on) {
    stream_pair pair;
    co_await open_pair(on, pair);
    (void)co_await sends(on, pair, pattern(400'000));
    CHECK(pair.client.connection()->mss() + headers == 1400);
    on.world.device_of(on.client).set_link({.delay = 10ms});
    (void)co_await sleep_for(9min);
    (void)co_await sends(on, pair, pattern(400'000));
    CHECK(pair.client.connection()->mss() + headers == 1400);
    (void)co_await sleep_for(2min);
    (void)co_await sends(on, pair, pattern(400'000));
    CHECK(pair.client.connection()->mss() + headers == 1500);
    CHECK(on.client.counters().tcp_timeouts == 0);
    co_await ends(pair);
}

void runs(two_hosts& on, task<> body) {
    on.world.run(std::move(body));
    CHECK_MESSAGE(on.client.counters().tcp_user_timeouts == 0, counters_of(on.client));
    on.settle();
    CHECK(on.world.bytes_in_use() == 0);
}

}  // namespace

TEST_SUITE("sim.tcp_path_mtu") {
TEST_CASE("a black hole is found by timeouts, what it takes by probes, and the next one knows") {
    for (const std::uint32_t takes : {1400U, 1300U, 900U}) {
        CAPTURE(takes);
        two_hosts on{1, {.delay = 10ms}};
        on.world.device_of(on.client).set_link(narrow_path(takes, net::oversize::vanishes));
        runs(on, out_of_a_black_hole(on, takes));
    }
}
TEST_CASE("a router that says what it takes costs a round trip and no timeout (RFC 1191)") {
    for (const std::uint32_t takes : {1400U, 576U}) {
        CAPTURE(takes);
        two_hosts on{1, {.delay = 10ms}};
        on.world.device_of(on.client).set_link(narrow_path(takes, net::oversize::answered));
        runs(on, told_by_a_router(on, takes));
    }
}
TEST_CASE("a path narrower than our floor gets packets that routers may cut") {
    two_hosts on{1, {.delay = 10ms}};
    on.world.device_of(on.client).set_link(narrow_path(296, net::oversize::answered));
    runs(on, over_a_very_narrow_path(on));
}
TEST_CASE("an outage looks like a black hole, and one probe after it brings the old size back") {
    two_hosts on{1, {.delay = 10ms}};
    runs(on, through_an_outage(on));
}
TEST_CASE(
    "a search from the start finds the size; a lost probe is no congestion (RFC 4821 7.6.2)") {
    for (const std::uint32_t takes : {1500U, 1400U, 1200U}) {
        CAPTURE(takes);
        two_hosts on{1, {.delay = 10ms}, with_probing(mtu_probing_mode::always)};
        on.world.device_of(on.client).set_link(narrow_path(takes, net::oversize::vanishes));
        runs(on, search_from_the_start(on, takes));
    }
}
TEST_CASE("a path that has become wider is found out after ten minutes (RFC 1191 section 6.3)") {
    two_hosts on{1, {.delay = 10ms}};
    on.world.device_of(on.client).set_link(narrow_path(1400, net::oversize::answered));
    runs(on, path_that_widens(on));
}
}
