#include "two_hosts.hpp"

using namespace weft;
using namespace weft::sim::test;

namespace {

task<> echo_once(tcp_listener& listening) {
    auto accepted = co_await listening.accept();
    REQUIRE(accepted.has_value());
    tcp_stream& peer = *accepted;
    CHECK((co_await peer.reached(state::established)).has_value());
    std::string buffer(100, '\0');
    for (;;) {
        const auto n = co_await peer.read_some(bytes_of(buffer));
        REQUIRE(n.has_value());
        if (*n == 0) break;
        CHECK((co_await peer.write_all(bytes_of(buffer).first(*n))).has_value());
    }
    CHECK(peer.state() == state::close_wait);
    CHECK((co_await peer.shutdown()).has_value());
    CHECK(peer.state() == state::closed);
}

task<> ask(net::host& from, net::endpoint to, std::string text) {
    auto opened = co_await from.connect(to);
    REQUIRE(opened.has_value());
    tcp_stream stream = std::move(*opened);
    CHECK(stream.state() == state::established);
    CHECK(stream.remote_endpoint() == to);
    CHECK(stream.local_endpoint().address == from.address());
    const auto [written, answer] =
        co_await when_all(write_and_shut_down(stream, text), read_to_end(stream));
    CHECK(written.has_value());
    CHECK(stream.connection()->is_fin_acked());
    REQUIRE(answer.has_value());
    CHECK(*answer == text);
    CHECK(stream.state() == state::time_wait);
    CHECK((co_await stream.closed()).has_value());
}

task<> echo_conversation(two_hosts& on, std::string text) {
    auto listening = on.server.listen(port);
    REQUIRE(listening.has_value());
    co_await when_all(echo_once(*listening), ask(on.client, on.server_at(), std::move(text)));
}

}  // namespace

TEST_SUITE("sim.handshake") {
TEST_CASE("a client connects, sends, half-closes, reads its echo and reaches TIME-WAIT") {
    two_hosts on;
    on.world.run(echo_conversation(on, "hello"));
    CHECK(on.client.stack().tcp().connection_count() == 1);
    CHECK(on.client.stack().tcp().time_wait_count() == 1);
    CHECK(on.server.stack().tcp().connection_count() == 0);
    on.settle();
    CHECK(on.client.stack().tcp().connection_count() == 0);
    CHECK(on.world.bytes_in_use() == 0);
}

TEST_CASE("an echo of a million bytes arrives whole") {
    two_hosts on;
    on.world.run(echo_conversation(on, pattern(1'000'000)));
    on.settle();
    CHECK(on.world.bytes_in_use() == 0);
}
}
