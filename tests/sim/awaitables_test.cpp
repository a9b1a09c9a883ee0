// The contract of each awaitable: when it completes, what cancelling does, what it reports.

#include "two_hosts.hpp"

#include <weft/when_any.hpp>

using namespace weft;
using namespace weft::sim::test;

namespace {

void runs_and_leaves_nothing(task<> (*body)(two_hosts&)) {
    two_hosts on;
    on.world.run(body(on));
    on.settle();
    on.check_nothing_left();
}

// ---- cancelling

task<> cancelled_read(two_hosts& on) {
    stream_pair pair;
    co_await open_pair(on, pair);
    std::string buffer(100, 'x');
    const auto before = co_await with_timeout(50ms, pair.client.read_some(bytes_of(buffer)));
    CHECK(before.error() == std::errc::timed_out);
    CHECK(buffer == std::string(100, 'x'));
    // The slot is free again, and nothing was lost.
    CHECK((co_await pair.server.write_all(bytes_of("hello"))).has_value());
    const auto after = co_await with_timeout(50ms, pair.client.read_some(bytes_of(buffer)));
    CHECK(after.value_or(0) == 5);
    CHECK(buffer.substr(0, 5) == "hello");
}

task<> cancelled_readable(two_hosts& on) {
    stream_pair pair;
    co_await open_pair(on, pair);
    CHECK((co_await with_timeout(50ms, pair.client.readable())).error() == std::errc::timed_out);
    CHECK((co_await pair.server.write_all(bytes_of("hello"))).has_value());
    CHECK((co_await with_timeout(50ms, pair.client.readable())).has_value());
    CHECK(pair.client.connection()->readable_bytes() == 5);
    std::string rest(5, '\0');
    CHECK((co_await pair.client.read_exactly(bytes_of(rest))).has_value());
}

task<> cancelled_read_exactly(two_hosts& on) {
    stream_pair pair;
    co_await open_pair(on, pair);
    std::string buffer(100, '\0');
    CHECK((co_await pair.server.write_all(bytes_of("hello"))).has_value());
    const auto cut = co_await with_timeout(50ms, pair.client.read_exactly(bytes_of(buffer)));
    CHECK(cut.error() == std::errc::timed_out);
    CHECK(buffer.substr(0, 5) == "hello");  // taken, as its contract says
}

task<> cancelled_writes(two_hosts& on) {
    stream_pair pair;
    co_await open_pair(on, pair, {.send_buffer_bytes = 100'000, .receive_buffer_bytes = 50'000});
    const std::string plenty = pattern(1'000'000);
    const auto all =
        co_await with_timeout(500ms, pair.client.write_all(bytes_of(std::string_view{plenty})));
    CHECK(all.error() == std::errc::timed_out);
    const auto some =
        co_await with_timeout(50ms, pair.client.write_some(bytes_of(std::string_view{plenty})));
    CHECK(some.error() == std::errc::timed_out);
    // What was taken before is sent, and it is a prefix.
    const auto [read, closed] = co_await when_all(read_to_end(pair.server), pair.client.shutdown());
    CHECK(closed.has_value());
    const std::string got = read.value_or("");
    CHECK(got.size() >= 100'000);
    CHECK(got.size() < plenty.size());
    CHECK(got == plenty.substr(0, got.size()));
}

task<> cancelled_shutdown(two_hosts& on) {
    stream_pair pair;
    co_await open_pair(on, pair);
    on.world.device_of(on.server).set_filter(nothing_passes);
    const auto cut = co_await with_timeout(500ms, pair.client.shutdown());
    CHECK(cut.error() == std::errc::timed_out);
    CHECK(pair.client.state() == state::fin_wait_1);  // the FIN stays queued
    on.world.device_of(on.server).set_filter({});
    CHECK((co_await pair.client.reached(state::fin_wait_2)).has_value());
}

task<> cancelled_closed_and_reached(two_hosts& on) {
    stream_pair pair;
    co_await open_pair(on, pair);
    CHECK((co_await with_timeout(50ms, pair.client.closed())).error() == std::errc::timed_out);
    const auto waiting = co_await with_timeout(50ms, pair.client.reached(state::time_wait));
    CHECK(waiting.error() == std::errc::timed_out);
    CHECK(pair.client.state() == state::established);
}

task<> cancelled_accept(two_hosts& on) {
    auto listening = on.server.listen(port);
    REQUIRE(listening.has_value());
    auto none = co_await with_timeout(50ms, listening->accept());
    CHECK(none.error() == std::errc::timed_out);
    stream_pair pair;
    co_await when_all(connect_into(on.client, on.server_at(), pair.client),
                      accept_into(*listening, pair.server));
}

task<> stop_then_call(two_hosts& on, stream_pair& pair, task_group& group) {
    group.cancel();
    std::string buffer(10, '\0');
    const auto canceled = std::errc::operation_canceled;
    CHECK((co_await pair.client.read_some(bytes_of(buffer))).error() == canceled);
    CHECK((co_await pair.client.read_exactly(bytes_of(buffer))).error() == canceled);
    CHECK((co_await pair.client.readable()).error() == canceled);
    CHECK((co_await pair.client.write_some(bytes_of("x"))).error() == canceled);
    CHECK((co_await pair.client.write_all(bytes_of("x"))).error() == canceled);
    CHECK((co_await pair.client.shutdown()).error() == canceled);
    CHECK((co_await pair.client.closed()).error() == canceled);
    CHECK((co_await pair.client.reached(state::closed)).error() == canceled);
    CHECK((co_await on.client.connect(on.server_at())).error() == canceled);
}

task<> stopped_before(two_hosts& on) {
    stream_pair pair;
    co_await open_pair(on, pair);
    task_group group{co_await current_environment()};
    group.spawn(stop_then_call(on, pair, group));
    (void)co_await group.join();
    CHECK(pair.client.state() == state::established);
    CHECK(pair.client.connection()->unacked_bytes() == 0);
}

// ---- reading and writing

task<> empty_buffers(two_hosts& on) {
    stream_pair pair;
    co_await open_pair(on, pair);
    CHECK((co_await pair.client.read_some({})).value_or(1) == 0);
    CHECK((co_await pair.client.read_exactly({})).has_value());
    CHECK((co_await pair.client.write_some({})).value_or(1) == 0);
    CHECK((co_await pair.client.write_all({})).has_value());
    CHECK(pair.client.state() == state::established);
}

task<> write_slowly(tcp_stream& to, std::string text, std::size_t step) {
    for (std::size_t at = 0; at < text.size(); at += step) {
        const std::string_view part = std::string_view{text}.substr(at, step);
        CHECK((co_await to.write_all(bytes_of(part))).has_value());
        (void)co_await sleep_for(1ms);
    }
    CHECK((co_await to.shutdown()).has_value());
}

task<> read_records(tcp_stream& from, std::string expected, std::size_t record) {
    std::string buffer(record, '\0');
    for (std::size_t at = 0; at + record <= expected.size(); at += record) {
        CHECK((co_await from.read_exactly(bytes_of(buffer))).has_value());
        CHECK(buffer == expected.substr(at, record));
    }
    CHECK((co_await from.read_exactly(bytes_of(buffer))).error() == net::errc::end_of_stream);
}

task<> exact_reads(two_hosts& on) {
    stream_pair pair;
    co_await open_pair(on, pair, {.no_delay = true});
    const std::string text = pattern(10'050);
    co_await when_all(write_slowly(pair.client, text, 37), read_records(pair.server, text, 100));
}

task<> write_at_once(tcp_stream& to, const std::string& text) {
    CHECK((co_await to.write_all(bytes_of(std::string_view{text}))).has_value());
}
task<> read_at_once(tcp_stream& from, std::string& into) {
    CHECK((co_await from.read_exactly(bytes_of(into))).has_value());
}

/// Larger than the send buffer, the receive buffer and the window together.
task<> exact_read_beyond_the_window(two_hosts& on) {
    stream_pair pair;
    co_await open_pair(on, pair, {.send_buffer_bytes = 20'000, .receive_buffer_bytes = 10'000});
    const std::string text = pattern(1'000'000);
    std::string got(text.size(), '\0');
    co_await when_all(write_at_once(pair.client, text), read_at_once(pair.server, got));
    CHECK(got == text);
}

task<> views(two_hosts& on) {
    stream_pair pair;
    co_await open_pair(on, pair);
    CHECK(pair.server.read_view().empty());
    CHECK((co_await pair.client.write_all(bytes_of("hello world"))).has_value());
    CHECK((co_await pair.server.readable()).has_value());
    REQUIRE(pair.server.read_view().size() == 11);
    CHECK(pair.server.read_view()[6] == std::byte{'w'});
    pair.server.consume(6);
    std::string rest(5, '\0');
    CHECK((co_await pair.server.read_exactly(bytes_of(rest))).has_value());
    CHECK(rest == "world");
    CHECK((co_await pair.client.shutdown()).has_value());
    CHECK((co_await pair.server.readable()).has_value());  // the end can be read, too
    CHECK(pair.server.read_view().empty());
}

task<> read_into_string(tcp_stream& from, std::string& into) {
    std::string buffer(64, '\0');
    const auto n = co_await from.read_some(bytes_of(buffer));
    CHECK(n.has_value());
    into = buffer.substr(0, n.value_or(0));
}

task<> moves_while_waiting(two_hosts& on) {
    stream_pair pair;
    co_await open_pair(on, pair);
    std::string got;
    task_group group{co_await current_environment()};
    group.spawn(read_into_string(pair.server, got));
    (void)co_await sleep_for(10ms);
    tcp_stream elsewhere = std::move(pair.server);  // the read goes with it
    CHECK((co_await pair.client.write_all(bytes_of("found"))).has_value());
    CHECK((co_await group.join()).has_value());
    CHECK(got == "found");
}

task<> settings(two_hosts& on) {
    stream_pair pair;
    co_await open_pair(on, pair);
    pair.client.set_no_delay(true);
    pair.client.set_keepalive({.enabled = true, .idle = 10s});
    pair.client.set_user_timeout(30s);
    CHECK(pair.client.remote_endpoint() == on.server_at());
    CHECK(pair.server.remote_endpoint() == pair.client.local_endpoint());
    (void)co_await sleep_for(25s);
    CHECK(on.client.counters().tcp_keepalives_sent >= 2);
    pair.client.set_keepalive({});
    const std::uint64_t sent = on.client.counters().tcp_keepalives_sent;
    (void)co_await sleep_for(60s);
    CHECK(on.client.counters().tcp_keepalives_sent == sent);
}

task<> read_into_error(tcp_stream& from, std::error_code& into) {
    std::string buffer(10, '\0');
    into = (co_await from.read_some(bytes_of(buffer))).error();
}

/// Where assertions are off; a debug build stops at the second read.
[[maybe_unused]] task<> two_reads(two_hosts& on) {
    stream_pair pair;
    co_await open_pair(on, pair);
    std::error_code first;
    task_group group{co_await current_environment()};
    group.spawn(read_into_error(pair.client, first));
    (void)co_await sleep_for(10ms);
    std::error_code second;
    co_await read_into_error(pair.client, second);
    CHECK(second == weft::errc::busy);
    CHECK((co_await pair.server.write_all(bytes_of("hello"))).has_value());
    CHECK((co_await group.join()).has_value());
    CHECK(!first);
}

// ---- reached()

task<> expects(tcp_stream& stream, state s, bool reached, int& done) {
    const auto came = co_await stream.reached(s);
    CAPTURE(net::tcp::to_string(s));
    CHECK(came.has_value() == reached);
    if (!reached) CHECK(came.error() == net::errc::unreachable_state);
    ++done;
}

task<> close_in_turn(tcp_stream& first, tcp_stream& second) {
    CHECK((co_await first.shutdown()).has_value());
    CHECK((co_await second.shutdown()).has_value());
    CHECK((co_await first.closed()).has_value());
    CHECK((co_await second.closed()).has_value());
}

task<> what_each_end_reaches(two_hosts& on) {
    struct expectation {
        state s;
        bool at_client;
        bool at_server;
    };
    // The client opens and closes first.
    constexpr expectation all[] = {
        {state::listen, false, true},       {state::syn_sent, true, false},
        {state::syn_received, false, true}, {state::established, true, true},
        {state::fin_wait_1, true, false},   {state::fin_wait_2, true, false},
        {state::close_wait, false, true},   {state::closing, false, false},
        {state::last_ack, false, true},     {state::time_wait, true, false},
        {state::closed, true, true},
    };
    for (const expectation& e : all) {
        stream_pair pair;
        co_await open_pair(on, pair);
        int done = 0;
        co_await when_all(expects(pair.client, e.s, e.at_client, done),
                          expects(pair.server, e.s, e.at_server, done),
                          close_in_turn(pair.client, pair.server));
        CHECK(done == 2);
    }
}

task<> unreachable_at_once(two_hosts& on) {
    stream_pair pair;
    co_await open_pair(on, pair);
    const auto never_again = net::errc::unreachable_state;
    CHECK((co_await pair.client.reached(state::listen)).error() == never_again);
    CHECK((co_await pair.client.reached(state::syn_received)).error() == never_again);
    CHECK((co_await pair.client.reached(state::syn_sent)).has_value());  // it was there
    CHECK((co_await pair.client.shutdown()).has_value());
    CHECK((co_await pair.client.reached(state::close_wait)).error() == never_again);
    pair.client.abort();
    CHECK((co_await pair.client.reached(state::closed)).has_value());
    CHECK((co_await pair.client.reached(state::time_wait)).error() == never_again);
}

}  // namespace

TEST_SUITE("sim.awaitables") {
TEST_CASE("a read that is cancelled has moved nothing") { runs_and_leaves_nothing(cancelled_read); }
TEST_CASE("readable() that is cancelled reads nothing, and neither does one that completes") {
    runs_and_leaves_nothing(cancelled_readable);
}
TEST_CASE("read_exactly that is cancelled may have taken bytes") {
    runs_and_leaves_nothing(cancelled_read_exactly);
}
TEST_CASE("what a cancelled write had taken is sent, and nothing else") {
    runs_and_leaves_nothing(cancelled_writes);
}
TEST_CASE("a shutdown that is cancelled leaves the FIN queued") {
    runs_and_leaves_nothing(cancelled_shutdown);
}
TEST_CASE("closed() and reached() that are cancelled change nothing") {
    runs_and_leaves_nothing(cancelled_closed_and_reached);
}
TEST_CASE("an accept that is cancelled takes no connection") {
    runs_and_leaves_nothing(cancelled_accept);
}
TEST_CASE("every awaitable reports canceled when stop was requested before") {
    runs_and_leaves_nothing(stopped_before);
}
TEST_CASE("empty buffers complete at once") { runs_and_leaves_nothing(empty_buffers); }
TEST_CASE("read_exactly puts small segments together and knows the end") {
    runs_and_leaves_nothing(exact_reads);
}
TEST_CASE("read_exactly and write_all go round more often than any buffer is large") {
    runs_and_leaves_nothing(exact_read_beyond_the_window);
}
TEST_CASE("bytes are looked at in place and consumed") { runs_and_leaves_nothing(views); }
TEST_CASE("a stream may be moved while an operation waits") {
    runs_and_leaves_nothing(moves_while_waiting);
}
#ifdef NDEBUG
TEST_CASE("a second read beside one that waits is refused, and disturbs nothing") {
    runs_and_leaves_nothing(two_reads);
}
#endif
TEST_CASE("settings of a stream take effect while it is open") {
    runs_and_leaves_nothing(settings);
}
TEST_CASE("reached() completes for the states of each end, and fails for the others in time") {
    runs_and_leaves_nothing(what_each_end_reaches);
}
TEST_CASE("reached() fails at once when no path leads there any more") {
    runs_and_leaves_nothing(unreachable_at_once);
}
}
