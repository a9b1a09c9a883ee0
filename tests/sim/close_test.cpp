#include "two_hosts.hpp"

using namespace weft;
using namespace weft::sim::test;

namespace {

/// The server closes first and goes on reading; the client writes after it has seen the end.
task<> server_half_closes(two_hosts& on) {
    stream_pair pair;
    co_await open_pair(on, pair);
    CHECK((co_await pair.server.shutdown()).has_value());
    CHECK(pair.server.state() == state::fin_wait_2);
    std::string buffer(10, '\0');
    CHECK((co_await pair.client.read_some(bytes_of(buffer))).value() == 0);
    CHECK(pair.client.state() == state::close_wait);
    const std::string text = pattern(300'000);
    const auto [read, written] =
        co_await when_all(read_to_end(pair.server), write_and_shut_down(pair.client, text));
    CHECK(read.value_or("") == text);
    CHECK(written.has_value());
    CHECK(pair.client.state() == state::closed);
    CHECK(pair.server.state() == state::time_wait);
    CHECK((co_await pair.client.closed()).has_value());
    CHECK((co_await pair.server.closed()).has_value());
}

task<> client_half_closes(two_hosts& on) {
    stream_pair pair;
    co_await open_pair(on, pair);
    CHECK((co_await pair.client.shutdown()).has_value());
    CHECK(pair.client.state() == state::fin_wait_2);
    std::string buffer(10, '\0');
    CHECK((co_await pair.server.read_some(bytes_of(buffer))).value() == 0);
    const std::string text = pattern(300'000, 9);
    const auto [read, written] =
        co_await when_all(read_to_end(pair.client), write_and_shut_down(pair.server, text));
    CHECK(read.value_or("") == text);
    CHECK(written.has_value());
    CHECK(pair.client.state() == state::time_wait);
    CHECK(pair.server.state() == state::closed);
}

task<> abort_with_unread_end(two_hosts& on) {
    stream_pair pair;
    co_await open_pair(on, pair);
    CHECK((co_await write_and_shut_down(pair.client, "unread")).has_value());
    (void)co_await pair.server.readable();
    pair.server.abort();
    std::string buffer(10, '\0');
    CHECK((co_await pair.server.read_some(bytes_of(buffer))).error() ==
          net::errc::connection_aborted);
}

task<> both_close_with_data(two_hosts& on) {
    stream_pair pair;
    co_await open_pair(on, pair);
    (void)co_await sleep_for(30ms);
    const std::string up = pattern(1000, 1);
    const std::string down = pattern(1000, 2);
    const auto [a, b, c, d] = co_await when_all(write_and_shut_down(pair.client, up),
                                                write_and_shut_down(pair.server, down),
                                                read_to_end(pair.client), read_to_end(pair.server));
    CHECK(a.has_value());
    CHECK(b.has_value());
    CHECK(c.value_or("") == down);
    CHECK(d.value_or("") == up);
    CHECK((co_await pair.client.reached(state::closing)).has_value());
    CHECK((co_await pair.server.reached(state::closing)).has_value());
    CHECK(pair.client.state() == state::time_wait);
    CHECK(pair.server.state() == state::time_wait);
}

task<> client_aborts(two_hosts& on) {
    stream_pair pair;
    co_await open_pair(on, pair);
    CHECK((co_await pair.client.write_all(bytes_of("last words"))).has_value());
    (void)co_await sleep_for(50ms);
    pair.client.abort();
    CHECK(pair.client.state() == state::closed);
    CHECK(pair.client.error() == net::errc::connection_aborted);
    (void)co_await sleep_for(50ms);
    // Bytes that came before the RST are delivered before the error, and the error stays.
    std::string buffer(100, '\0');
    CHECK((co_await pair.server.read_some(bytes_of(buffer))).value_or(0) == 10);
    CHECK((co_await pair.server.read_some(bytes_of(buffer))).error() ==
          std::errc::connection_reset);
    CHECK((co_await pair.server.read_some(bytes_of(buffer))).error() ==
          std::errc::connection_reset);
    CHECK((co_await pair.server.readable()).error() == std::errc::connection_reset);
    CHECK((co_await pair.server.write_some(bytes_of("x"))).error() == std::errc::connection_reset);
    CHECK((co_await pair.server.write_all(bytes_of("x"))).error() == std::errc::connection_reset);
    CHECK((co_await pair.server.shutdown()).error() == std::errc::connection_reset);
    CHECK((co_await pair.server.closed()).error() == std::errc::connection_reset);
    CHECK((co_await pair.client.read_some(bytes_of(buffer))).error() ==
          std::errc::connection_aborted);
    CHECK((co_await pair.client.closed()).error() == std::errc::connection_aborted);
}

task<> read_until_error(tcp_stream& from, std::error_code& into) {
    std::string buffer(100, '\0');
    into = (co_await from.read_some(bytes_of(buffer))).error();
}
task<> write_until_error(tcp_stream& to, std::error_code& into) {
    const std::string plenty(8 << 20, 'x');
    into = (co_await to.write_all(bytes_of(std::string_view{plenty}))).error();
}
task<> abort_later(tcp_stream& what) {
    (void)co_await sleep_for(500ms);
    what.abort();
}

task<> abort_wakes_both_ends(two_hosts& on) {
    stream_pair pair;
    co_await open_pair(on, pair);
    std::error_code client_read, client_write, server_write;
    co_await when_all(read_until_error(pair.client, client_read),
                      write_until_error(pair.client, client_write),
                      write_until_error(pair.server, server_write), abort_later(pair.client));
    CHECK((client_read == std::errc::connection_aborted || !client_read));
    CHECK(client_write == std::errc::connection_aborted);
    CHECK(server_write == std::errc::connection_reset);
}

task<> drop_with_unread(two_hosts& on) {
    stream_pair pair;
    co_await open_pair(on, pair);
    CHECK((co_await pair.server.write_all(bytes_of("nobody reads this"))).has_value());
    (void)co_await sleep_for(50ms);
    pair.client = tcp_stream{};
    std::string buffer(10, '\0');
    CHECK((co_await pair.server.read_some(bytes_of(buffer))).error() ==
          std::errc::connection_reset);
}

task<> drop_with_queued(two_hosts& on) {
    stream_pair pair;
    co_await open_pair(on, pair, {.send_buffer_bytes = 1U << 20});
    const std::string text = pattern(500'000);
    CHECK((co_await pair.client.write_all(bytes_of(std::string_view{text}))).has_value());
    pair.client = tcp_stream{};  // closes behind the data
    const auto read = co_await read_to_end(pair.server);
    CHECK(read.value_or("") == text);
    CHECK((co_await pair.server.shutdown()).has_value());
    CHECK(pair.server.state() == state::closed);
}

task<> drop_and_hear_more(two_hosts& on) {
    stream_pair pair;
    co_await open_pair(on, pair);
    pair.client = tcp_stream{};
    std::string buffer(10, '\0');
    CHECK((co_await pair.server.read_some(bytes_of(buffer))).value_or(1) == 0);
    CHECK((co_await pair.server.write_all(bytes_of("to an orphan"))).has_value());
    CHECK((co_await pair.server.closed()).error() == std::errc::connection_reset);
}

task<> linger_aborts(two_hosts& on) {
    stream_pair pair;
    co_await open_pair(on, pair, {.linger_abort = true});
    pair.client = tcp_stream{};
    std::string buffer(10, '\0');
    CHECK((co_await pair.server.read_some(bytes_of(buffer))).error() ==
          std::errc::connection_reset);
}

task<> second_shutdown(two_hosts& on) {
    stream_pair pair;
    co_await open_pair(on, pair);
    CHECK((co_await pair.client.shutdown()).has_value());
    CHECK((co_await pair.client.shutdown()).error() == net::errc::closing);
    CHECK((co_await pair.client.write_some(bytes_of("x"))).error() == net::errc::closing);
    CHECK((co_await pair.client.write_all(bytes_of("x"))).error() == std::errc::broken_pipe);
}

task<> moved_from(two_hosts& on) {
    stream_pair pair;
    co_await open_pair(on, pair);
    tcp_stream elsewhere = std::move(pair.client);
    CHECK(!pair.client);
    CHECK(elsewhere);
    std::string buffer(10, '\0');
    const auto none = net::errc::not_connected;
    CHECK((co_await pair.client.read_some(bytes_of(buffer))).error() == none);
    CHECK((co_await pair.client.read_exactly(bytes_of(buffer))).error() == none);
    CHECK((co_await pair.client.readable()).error() == none);
    CHECK((co_await pair.client.write_some(bytes_of("x"))).error() == none);
    CHECK((co_await pair.client.write_all(bytes_of("x"))).error() == none);
    CHECK((co_await pair.client.shutdown()).error() == none);
    CHECK((co_await pair.client.closed()).error() == none);
    CHECK((co_await pair.client.reached(state::closed)).error() == none);
    pair.client.abort();
    pair.client.consume(0);
    CHECK(pair.client.read_view().empty());
    CHECK(pair.client.state() == state::closed);
    CHECK(elsewhere.state() == state::established);
}

void runs_and_leaves_nothing(task<> (*body)(two_hosts&)) {
    two_hosts on;
    on.world.run(body(on));
    on.settle();
    on.check_nothing_left();
}

}  // namespace

TEST_SUITE("sim.close") {
TEST_CASE("a server that half-closes goes on reading what the client sends after that") {
    runs_and_leaves_nothing(server_half_closes);
}
TEST_CASE("a client that half-closes goes on reading what the server sends after that") {
    runs_and_leaves_nothing(client_half_closes);
}
TEST_CASE("FINs that cross behind data end in TIME-WAIT on both sides, through CLOSING") {
    runs_and_leaves_nothing(both_close_with_data);
}
TEST_CASE("an abort resets the peer, which reads what came before it") {
    runs_and_leaves_nothing(client_aborts);
}
TEST_CASE("after an abort, bytes that came before the peer's FIN were not the whole stream") {
    runs_and_leaves_nothing(abort_with_unread_end);
}
TEST_CASE("an abort wakes every operation that waits, at both ends") {
    runs_and_leaves_nothing(abort_wakes_both_ends);
}
TEST_CASE("destroying a stream with unread bytes resets the connection [SHLD-3]") {
    runs_and_leaves_nothing(drop_with_unread);
}
TEST_CASE("destroying a stream sends what was written, and then a FIN") {
    runs_and_leaves_nothing(drop_with_queued);
}
TEST_CASE("bytes for a connection whose stream is gone are answered with a RST") {
    runs_and_leaves_nothing(drop_and_hear_more);
}
TEST_CASE("destroying a stream that lingers for nothing aborts") {
    runs_and_leaves_nothing(linger_aborts);
}
TEST_CASE("what is closed cannot be closed or written again") {
    runs_and_leaves_nothing(second_shutdown);
}
TEST_CASE("a stream that was moved from is inert") { runs_and_leaves_nothing(moved_from); }
}
