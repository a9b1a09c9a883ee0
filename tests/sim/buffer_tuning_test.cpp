#include "two_hosts.hpp"

using namespace weft;
using namespace weft::sim::test;

// Buffers that follow their path, end to end.

namespace {

constexpr std::uint64_t gigabit = 1'000'000'000;

/// A long fat path, and frames that devices put together.
two_hosts on_a_long_fat_path(std::uint64_t seed = 1) {
    sim::host_settings settings;
    settings.offloads = true;
    return two_hosts{seed, {.delay = 50ms, .bits_per_second = gigabit}, settings};
}

task<> writes_until(two_hosts& on, tcp_stream& to, instant end) {
    const std::string piece(1 << 20, 'x');
    while (on.world.now() < end) {
        if (!co_await to.write_all(bytes_of(std::string_view{piece}))) co_return;
    }
    (void)co_await to.shutdown();
}

/// Counts what arrives from `begin` on, until `end`, and reads on to the end of the stream.
task<> counts(two_hosts& on, tcp_stream& from, instant begin, instant end, std::uint64_t& bytes) {
    std::string buffer(1 << 20, '\0');
    for (;;) {
        const auto n = co_await from.read_some(bytes_of(buffer));
        if (!n || *n == 0) co_return;
        if (on.world.now() >= begin && on.world.now() < end) bytes += *n;
    }
}

task<> fills_the_path(two_hosts& on) {
    stream_pair pair;
    co_await open_pair(on, pair);
    CHECK(pair.server.connection()->receive_limit() == 64U << 10);
    CHECK(pair.client.connection()->send_limit() == 128U << 10);
    const instant begin = on.world.now() + 4s;
    const instant end = begin + 2s;
    std::uint64_t bytes = 0;
    co_await when_all(writes_until(on, pair.client, end),
                      counts(on, pair.server, begin, end, bytes));
    const double share = static_cast<double>(bytes) * 8 / 2 / static_cast<double>(gigabit);
    MESSAGE("share of 1 Gbit/s at 100 ms: "
            << share << ", receive limit " << pair.server.connection()->receive_limit()
            << ", send limit " << pair.client.connection()->send_limit());
    CHECK(share >= 0.9);
    CHECK((co_await pair.server.shutdown()).has_value());
}

task<> reads_slowly(two_hosts& on, tcp_stream& from, instant end, std::uint32_t& largest) {
    std::string buffer(8192, '\0');
    while (on.world.now() < end) {
        const auto n = co_await from.read_some(bytes_of(buffer));
        if (!n || *n == 0) co_return;
        largest = std::max(largest, from.connection()->receive_limit());
        (void)co_await sleep_for(100ms);
    }
    from.abort();
}

task<> small_for_a_slow_reader(two_hosts& on) {
    stream_pair pair;
    co_await open_pair(on, pair);
    std::uint32_t largest = 0;
    const instant end = on.world.now() + 60s;
    co_await when_all(writes_until(on, pair.client, end),
                      reads_slowly(on, pair.server, end, largest));
    CHECK(largest <= 128U << 10);
}

task<> small_on_a_slow_path(two_hosts& on) {
    stream_pair pair;
    co_await open_pair(on, pair);
    std::uint64_t bytes = 0;
    const instant end = on.world.now() + 20s;
    co_await when_all(writes_until(on, pair.client, end), counts(on, pair.server, {}, end, bytes));
    CHECK(pair.client.connection()->send_limit() <= 256U << 10);
    CHECK(pair.server.connection()->receive_limit() <= 512U << 10);
    CHECK(bytes * 8 >= 20 * 900'000);
    CHECK((co_await pair.server.shutdown()).has_value());
}

/// Nothing is lost, so the window grows for ever: what is buffered must not.
task<> small_on_a_short_path(two_hosts& on) {
    stream_pair pair;
    co_await open_pair(on, pair);
    std::uint64_t bytes = 0;
    const instant begin = on.world.now();
    const instant end = begin + 300ms;
    co_await when_all(writes_until(on, pair.client, end), counts(on, pair.server, {}, end, bytes));
    CHECK(pair.client.connection()->congestion_window() > 4U << 20);
    CHECK(pair.client.connection()->send_limit() <=
          (1U << 20) + 25 * 150'000);  // the largest frames take 52 us
    CHECK(bytes * 8 * 10 / 3 >= 10 * gigabit * 9 / 10);
    CHECK((co_await pair.server.shutdown()).has_value());
}

task<> sleeps_then_reads(two_hosts& on, tcp_stream& from, instant wake) {
    std::string buffer(1 << 16, '\0');
    (void)co_await sleep_for(wake - on.world.now());
    for (;;) {
        const auto n = co_await from.read_some(bytes_of(buffer));
        if (!n || *n == 0) co_return;
    }
}

/// Many connections whose readers stop: what they hold is bounded, and all of them come through.
task<> many_with_little_memory(two_hosts& on, std::size_t limit) {
    constexpr int count = 12;
    std::vector<stream_pair> pairs(count);
    auto listening = on.server.listen(port);
    REQUIRE(listening.has_value());
    for (stream_pair& pair : pairs) {
        co_await when_all(connect_into(on.client, on.server_at(), pair.client),
                          accept_into(*listening, pair.server));
    }
    std::uint64_t bytes = 0;
    task_group group{co_await current_environment()};
    const instant end = on.world.now() + 6s;
    for (stream_pair& pair : pairs) group.spawn(writes_until(on, pair.client, end));
    task_group readers{co_await current_environment()};
    for (int i = 0; i < count; ++i) {
        if (i % 2 == 0)
            readers.spawn(counts(on, pairs[static_cast<std::size_t>(i)].server, {}, end, bytes));
        else
            readers.spawn(sleeps_then_reads(on, pairs[static_cast<std::size_t>(i)].server, end));
    }
    (void)co_await sleep_for(5s);
    CHECK(on.server.pool().bytes_out() <= limit);
    CHECK((co_await group.join()).has_value());
    CHECK((co_await readers.join()).has_value());
    // All is read: open, idle, and nothing held.
    (void)co_await sleep_for(1s);
    CHECK(on.world.bytes_in_use() == 0);
    for (stream_pair& pair : pairs) (void)co_await pair.server.shutdown();
}

/// Watches the right edge of every window that leaves a host (RFC 9293 §3.8.6, SHLD-14). Units of
/// the scaled field may hide up to one of them (RFC 7323 §2.4).
struct edge_watch {
    std::uint8_t scale = 0;
    std::uint32_t edge = 0;
    int moved_left = 0;
    int seen = 0;

    net::memory_device::fate operator()(std::span<const std::byte> frame, instant) {
        const auto header = tcp_header_of(frame);
        if (!header || !header->flags.has(tcp_flags::ack)) return net::memory_device::fate::pass;
        const bool is_syn = header->flags.has(tcp_flags::syn);
        const std::uint32_t at =
            header->acknowledgment + (std::uint32_t{header->window} << (is_syn ? 0 : scale));
        const auto moved = seen++ == 0 ? 1 : static_cast<std::int32_t>(at - edge);
        if (moved <= -(1 << scale)) ++moved_left;
        if (moved > 0) edge = at;
        return net::memory_device::fate::pass;
    }
};

task<> one_after_the_other(two_hosts& on) {
    stream_pair pair;
    co_await open_pair(on, pair);
    const instant end = on.world.now() + 5s;
    co_await when_all(writes_until(on, pair.client, end),
                      sleeps_then_reads(on, pair.server, end - 2s));
    CHECK((co_await pair.server.shutdown()).has_value());
}

/// From some time on drops frames with text: so many in a row, or one in so many.
struct drop_text {
    instant begin = {};
    int in_a_row = 0;
    int one_in = 0;
    int seen = 0;
    int dropped = 0;

    net::memory_device::fate operator()(std::span<const std::byte> frame, instant now) {
        using enum net::memory_device::fate;
        if (now < begin || frame.size() < 1000) return pass;
        ++seen;
        if (one_in != 0 ? seen % one_in != 0 : seen > in_a_row) return pass;
        ++dropped;
        return drop;
    }
};

task<> fills_the_path_with_losses(two_hosts& on, net::tcp::congestion_algorithm algorithm,
                                  std::uint32_t& receive_limit) {
    stream_pair pair;
    co_await open_pair(on, pair, {.congestion = algorithm});
    const instant begin = on.world.now();
    const instant end = begin + 2500ms;
    std::uint64_t bytes = 0;
    co_await when_all(writes_until(on, pair.client, end),
                      counts(on, pair.server, begin, end, bytes));
    receive_limit = pair.server.connection()->receive_limit();
    CHECK((co_await pair.server.shutdown()).has_value());
}

void runs(two_hosts& on, task<> body) {
    on.world.run(std::move(body));
    on.settle();
    CHECK(on.world.bytes_in_use() == 0);
}

/// A stream over 1 Gbit/s and 100 ms that loses this, so long `after` it began: more than
/// `held_segments` arrive behind a gap, and all are kept. How many were lost.
int keeps_all_behind_gaps(duration after, drop_text loss, std::uint64_t held_segments) {
    two_hosts on{1, {.delay = 50ms, .bits_per_second = gigabit}};
    loss.begin = on.world.now() + after;
    on.world.device_of(on.client).set_filter(std::ref(loss));
    std::uint32_t limit = 0;
    runs(on, fills_the_path_with_losses(on, net::tcp::congestion_algorithm::bbr, limit));
    CAPTURE(counters_of(on.server));
    CHECK(limit > 8U << 20);
    CHECK(on.server.counters().tcp_out_of_order_segments > held_segments);
    CHECK(on.server.counters().tcp_out_of_order_dropped == 0);
    CHECK(on.client.counters().tcp_timeouts == 0);
    return loss.dropped;
}

}  // namespace

TEST_SUITE("sim.buffer_tuning") {
TEST_CASE("with nothing set, one stream fills 1 Gbit/s at 100 ms to nine tenths") {
    two_hosts on = on_a_long_fat_path();
    runs(on, fills_the_path(on));
}
TEST_CASE("a reader of 80 kB/s on the same path keeps his buffer small") {
    two_hosts on = on_a_long_fat_path();
    runs(on, small_for_a_slow_reader(on));
}
TEST_CASE("a slow path keeps both buffers small") {
    two_hosts on{1, {.delay = 20ms, .bits_per_second = 1'000'000, .queue = {.limit_frames = 30}}};
    runs(on, small_on_a_slow_path(on));
}
TEST_CASE("a short fast path is filled by no more than the caches of a processor hold") {
    sim::host_settings settings;
    settings.offloads = true;
    two_hosts on{1, {.delay = 20us, .bits_per_second = 10 * gigabit}, settings};
    runs(on, small_on_a_short_path(on));
}
TEST_CASE("many connections share what memory there is, and idle ones hold nothing of it") {
    sim::host_settings settings;
    settings.pool_limit_bytes = 8U << 20;
    two_hosts on{1, {.delay = 20ms, .bits_per_second = 100'000'000}, settings};
    runs(on, many_with_little_memory(on, settings.pool_limit_bytes));
}
TEST_CASE("a burst lost at 1 Gbit/s and 100 ms: the window behind the gap is kept, all of it") {
    CHECK(keeps_all_behind_gaps(1800ms, {.in_a_row = 40}, 4000) == 40);
}
TEST_CASE("one segment in a hundred lost at 1 Gbit/s and 100 ms: nothing behind a gap is dropped") {
    CHECK(keeps_all_behind_gaps(1500ms, {.one_in = 100}, 20'000) > 250);
}
TEST_CASE("no window ever shrinks, while buffers grow and memory gets short (SHLD-14)") {
    for (const std::size_t memory : {std::size_t{1} << 28, std::size_t{2} << 20}) {
        sim::host_settings settings;
        settings.pool_limit_bytes = memory;
        two_hosts on{1, {.delay = 20ms, .bits_per_second = 100'000'000}, settings};
        edge_watch watch;
        while ((settings.tcp.receive_buffer_max_bytes >> watch.scale) > 0xffff) ++watch.scale;
        on.world.device_of(on.server).set_filter(std::ref(watch));
        runs(on, one_after_the_other(on));
        CHECK(watch.seen > 100);
        CHECK(watch.moved_left == 0);
    }
}
}
