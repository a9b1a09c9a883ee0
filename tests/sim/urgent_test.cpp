#include "two_hosts.hpp"

#include <weft/net/errc.hpp>

using namespace weft;
using namespace weft::sim::test;

// Urgent data through two whole stacks (RFC 9293 §3.8.5).

namespace {

task<> write_calmly_then_urgently(tcp_stream& to) {
    const std::string calm = pattern(100'000);
    REQUIRE((co_await to.write_all(bytes_of(std::string_view{calm}))).has_value());
    const result<std::size_t> urgent = co_await to.write_urgent(bytes_of(std::string_view{"now!"}));
    REQUIRE(urgent.value() == 4);
}

/// Waits for urgent data and discards what lies before its end.
task<> read_up_to_the_mark(tcp_stream& from, std::string& last) {
    const result<std::size_t> told = co_await from.urgent();
    REQUIRE(told.has_value());
    CHECK(*told > 0);
    std::string all;
    std::string buffer(1000, '\0');
    while (from.urgent_bytes() != 0) {
        const std::size_t most = std::min(from.urgent_bytes(), buffer.size());
        const result<std::size_t> n = co_await from.read_some(bytes_of(buffer).first(most));
        REQUIRE(n.has_value());
        all.append(buffer, 0, *n);
    }
    CHECK(all.size() == 100'004);
    last = all.substr(all.size() - 4);
}

task<> urgent_over(two_hosts& on, std::string& last) {
    stream_pair streams;
    co_await open_pair(on, streams, {.receive_buffer_bytes = 16'384});
    // The reader looks only when there is urgent news, so the window closes before.
    co_await when_all(write_calmly_then_urgently(streams.client),
                      read_up_to_the_mark(streams.server, last));
}

task<> urgent_then_nothing(two_hosts& on) {
    stream_pair streams;
    co_await open_pair(on, streams);
    (void)co_await streams.client.write_urgent(bytes_of(std::string_view{"!"}));
    (void)co_await sleep_for(100ms);
    CHECK(streams.server.urgent_bytes() == 1);
    CHECK((co_await streams.server.urgent()).value() == 1);
    std::string one(1, ' ');
    CHECK((co_await streams.server.read_some(bytes_of(one))).value() == 1);
    // Told once: the next news is another pointer, or the end.
    const result<std::size_t> none = co_await with_timeout(1s, streams.server.urgent());
    CHECK(none.error() == std::errc::timed_out);
    CHECK((co_await streams.client.shutdown()).has_value());
    CHECK((co_await streams.server.urgent()).error() == net::errc::end_of_stream);
    streams.client.abort();
    CHECK((co_await streams.client.urgent()).error() == net::errc::connection_aborted);
}

}  // namespace

TEST_SUITE("sim.urgent") {
TEST_CASE("a reader hears of urgent data beyond a closed window, and where it ends (MUST-32)") {
    two_hosts on;
    std::string last;
    on.world.run(urgent_over(on, last));
    CHECK(last == "now!");
    on.settle();
}

TEST_CASE("waiting for urgent data ends with the news, the peer's FIN or an error (MUST-32)") {
    two_hosts on;
    on.world.run(urgent_then_nothing(on));
    on.settle();
}
}
