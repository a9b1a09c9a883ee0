#include "golden.hpp"
#include "two_hosts.hpp"

#include <weft/net/ladder.hpp>

#include <algorithm>

using namespace weft;
using namespace weft::sim::test;

namespace {

task<> greet(tcp_stream& stream) {
    CHECK((co_await stream.write_all(bytes_of("GET / HTTP/1.1\r\n\r\n"))).has_value());
    CHECK((co_await stream.shutdown()).has_value());
    const auto answer = co_await read_to_end(stream);
    CHECK(answer.value_or("") == "HTTP/1.1 204 No Content\r\n\r\n");
}

task<> answer(tcp_stream& stream) {
    const auto asked = co_await read_to_end(stream);
    CHECK(asked.value_or("") == "GET / HTTP/1.1\r\n\r\n");
    (void)co_await sleep_for(5ms);
    const std::string reply = "HTTP/1.1 204 No Content\r\n\r\n";
    CHECK((co_await write_and_shut_down(stream, reply)).has_value());
}

/// A handshake, a request, a half-close, an answer, the other half.
task<> conversation(two_hosts& on) {
    stream_pair pair;
    co_await open_pair(on, pair);
    (void)co_await sleep_for(30ms);
    co_await when_all(greet(pair.client), answer(pair.server));
}

task<> one_close(tcp_stream& stream) {
    CHECK((co_await stream.shutdown()).has_value());
    CHECK((co_await stream.closed()).has_value());
}

task<> simultaneous_close(two_hosts& on) {
    stream_pair pair;
    co_await open_pair(on, pair);
    (void)co_await sleep_for(30ms);
    co_await when_all(one_close(pair.client), one_close(pair.server));
}

task<> dialed(net::host& from, net::endpoint local, net::endpoint remote) {
    auto opened = co_await from.connect_from(local, remote);
    REQUIRE(opened.has_value());
    tcp_stream stream = std::move(*opened);
    (void)co_await sleep_for(30ms);
    CHECK((co_await stream.shutdown()).has_value());
}

task<> crossing_opens(two_hosts& on) {
    const net::endpoint here{on.client.address(), 1000};
    const net::endpoint there{on.server.address(), 2000};
    co_await when_all(dialed(on.client, here, there), dialed(on.server, there, here));
}

task<> refused(two_hosts& on) {
    auto opened = co_await on.client.connect(on.server_at(81));
    CHECK(opened.error() == net::errc::connection_refused);
}

task<> bulk(two_hosts& on) {
    stream_pair pair;
    co_await open_pair(on, pair);
    co_await when_all(write_and_shut_down(pair.client, pattern(100'000)), read_to_end(pair.server));
    CHECK((co_await pair.server.shutdown()).has_value());
}

void on_both(two_hosts& on, net::ladder& watcher) {
    on.client.observe(&watcher);
    on.server.observe(&watcher);
}

}  // namespace

TEST_SUITE("sim.ladder") {
TEST_CASE("a handshake, an exchange and a four-way close, both ends watched") {
    two_hosts on;
    net::ladder ladder;
    on_both(on, ladder);
    on.world.run(conversation(on));
    on.settle();
    REQUIRE(ladder.size() == 1);
    CHECK(ladder.is_over(0));
    check_golden("tests/sim/golden/ladder_both_ends.txt", ladder.render());
}

TEST_CASE("the same, with the server watched alone: the client's states are inferred") {
    two_hosts on;
    net::ladder ladder;
    on.server.observe(&ladder);
    on.world.run(conversation(on));
    on.settle();
    check_golden("tests/sim/golden/ladder_server_only.txt", ladder.render());
}

TEST_CASE("the same, with the client watched alone: the server's states are inferred") {
    two_hosts on;
    net::ladder ladder{{.ascii = true}};
    on.client.observe(&ladder);
    on.world.run(conversation(on));
    on.settle();
    check_golden("tests/sim/golden/ladder_client_only.txt", ladder.render());
}

TEST_CASE("SYNs and FINs that cross") {
    two_hosts on;
    net::ladder ladder{{.left_name = "A", .right_name = "B"}};
    on_both(on, ladder);
    on.world.run(crossing_opens(on));
    on.settle();
    check_golden("tests/sim/golden/ladder_crossing.txt", ladder.render());
}

TEST_CASE("a FIN that crosses a FIN") {
    two_hosts on;
    net::ladder ladder;
    on_both(on, ladder);
    on.world.run(simultaneous_close(on));
    on.settle();
    check_golden("tests/sim/golden/ladder_simultaneous_close.txt", ladder.render());
}

TEST_CASE("a SYN that is lost and sent again, and a connection that is refused") {
    two_hosts on;
    net::ladder ladder;
    on_both(on, ladder);
    on.world.device_of(on.client).set_filter(drop_flags{tcp_flags::syn, 1});
    on.world.run(refused(on));
    on.settle();
    check_golden("tests/sim/golden/ladder_refused.txt", ladder.render());
}

TEST_CASE("long runs of segments are summed up") {
    two_hosts on{3, {.loss = 0.02, .delay = 10ms}};
    net::ladder ladder;
    on_both(on, ladder);
    on.world.run(bulk(on));
    on.settle();
    const std::string picture = ladder.render();
    CAPTURE(picture);
    CHECK(picture.find("⋮  ──▶  ") != std::string::npos);
    CHECK(picture.find(" KiB") != std::string::npos);
    CHECK(picture.find("⋮  ◀──  ") != std::string::npos);
    CHECK(picture.find("no data") != std::string::npos);
    CHECK(picture.find("LAST-ACK") != std::string::npos);
    CHECK(std::ranges::count(picture, '\n') < 60);  // of some 150 segments
}

TEST_CASE("what is kept of a connection is bounded; its beginning and its end stay") {
    two_hosts on;
    net::ladder ladder{{.max_steps = 32}};
    on_both(on, ladder);
    on.world.run(bulk(on));
    on.settle();
    const std::string picture = ladder.render();
    CHECK(picture.find("were not kept") != std::string::npos);
    CHECK(picture.find("SYN-SENT") != std::string::npos);
    CHECK(picture.find("LAST-ACK") != std::string::npos);
    CHECK(picture.size() < 8000);
}
}
