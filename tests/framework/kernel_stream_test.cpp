// Kernel streams over the loopback: reading, writing, both ends of closing.
#include "kernel_network_fixture.hpp"

#include <weft/network.hpp>

#include <array>
#include <string>

using namespace weft;
using namespace weft::kernel_test;

static_assert(viewable_stream<kernel::tcp_stream>);
static_assert(listener<kernel::tcp_listener>);
static_assert(datagram_socket<kernel::udp_socket>);
static_assert(network<kernel::network>);

namespace {

task<> write_and_close(kernel::tcp_stream& to, std::span<const std::byte> bytes) {
    const result<void> written = co_await to.write_all(bytes);
    CHECK(written.error() == std::error_code{});
    const result<void> closed = co_await to.shutdown();
    CHECK(closed.error() == std::error_code{});
}

task<std::vector<std::byte>> read_to_end(kernel::tcp_stream& from, std::size_t piece) {
    std::vector<std::byte> all;
    std::vector<std::byte> into(piece);
    for (;;) {
        const result<std::size_t> got = co_await from.read_some(into);
        CHECK(got.error() == std::error_code{});
        if (!got || *got == 0) break;
        all.insert(all.end(), into.begin(), into.begin() + static_cast<std::ptrdiff_t>(*got));
    }
    co_return all;
}

task<> exchange(kernel::network& network, std::size_t bytes, std::size_t piece) {
    connected_pair pair = co_await connect_pair(network);
    const std::vector<std::byte> sent = pattern(bytes);
    auto [done, received] =
        co_await when_all(write_and_close(pair.client, sent), read_to_end(pair.server, piece));
    (void)done;
    CHECK(received.size() == sent.size());
    CHECK(received == sent);
}

}  // namespace

TEST_SUITE("framework.kernel.stream") {
TEST_CASE("what one end writes the other reads, then its end, in pieces of any size") {
    fixture on;
    on.run(&exchange, std::size_t{1}, std::size_t{64});
    on.run(&exchange, std::size_t{5000}, std::size_t{7});
    on.run(&exchange, std::size_t{3} << 20, std::size_t{1} << 16);
    on.run(&exchange, std::size_t{3} << 20, std::size_t{1500});
    CHECK(on.network.pool().held() == 0);
}

TEST_CASE("the pool of receive buffers may be tiny") {
    kernel::network_options options;
    options.receive_buffers = 2;
    options.receive_buffer_bytes = 256;
    fixture on{options};
    on.run(&exchange, std::size_t{1} << 19, std::size_t{1} << 16);
    CHECK(on.network.counters().starvations > 0);
    CHECK(on.network.pool().held() == 0);
}

TEST_CASE("both endpoints agree on who is who") {
    fixture on;
    on.run([](kernel::network& network) -> task<> {
        const connected_pair pair = co_await connect_pair(network);
        CHECK(pair.client.remote_endpoint() == pair.server.local_endpoint());
        CHECK(pair.client.local_endpoint() == pair.server.remote_endpoint());
        CHECK(pair.client.remote_endpoint().address == ip_address{here});
        CHECK(pair.client.local_endpoint().port != 0);
    });
}

TEST_CASE("after our end was acknowledged, reading goes on") {
    fixture on;
    on.run([](kernel::network& network) -> task<> {
        connected_pair pair = co_await connect_pair(network);
        const result<void> ended = co_await pair.client.shutdown();
        CHECK(ended.has_value());
        std::array<std::byte, 16> into{};
        const result<std::size_t> end = co_await pair.server.read_some(into);
        CHECK(end.value() == 0);
        const result<void> sent = co_await pair.server.write_all(bytes_of("still here"));
        CHECK(sent.has_value());
        const result<std::size_t> got = co_await pair.client.read_some(into);
        CHECK(text_of(std::span{into}.first(got.value())) == "still here");
        const result<void> late = co_await pair.client.write_all(bytes_of("no"));
        CHECK(late.error() == std::errc::broken_pipe);
        const result<void> again = co_await pair.client.shutdown();
        CHECK(again.error() == std::errc::broken_pipe);
        const result<void> last = co_await pair.server.shutdown();
        CHECK(last.has_value());
        const result<void> over = co_await pair.server.closed();
        CHECK(over.has_value());
        const result<std::size_t> their_end = co_await pair.client.read_some(into);
        CHECK(their_end.value() == 0);
        const result<void> ours = co_await pair.client.closed();
        CHECK(ours.has_value());
    });
}

TEST_CASE("shutdown waits for the acknowledgment of all that was written before it") {
    // The peer's window is shut while it does not read, so its kernel cannot take the FIN.
    kernel::network_options options;
    options.unread_bytes = 1024;
    fixture on{options};
    on.run([](kernel::network& network) -> task<> {
        kernel::connect_options small;
        small.receive_buffer_bytes = 4096;
        connected_pair pair = co_await connect_pair(network, small);
        const std::vector<std::byte> much = pattern(400'000);
        const result<void> stuck = co_await with_timeout(50ms, pair.client.write_all(much));
        const bool all_written = stuck.has_value();
        const result<void> early = co_await with_timeout(50ms, pair.client.shutdown());
        CHECK(early.error() == std::errc::timed_out);
        std::vector<std::byte> into(1 << 16);
        std::size_t total = 0;
        for (;;) {
            const result<std::size_t> got = co_await pair.server.read_some(into);
            CHECK(got.error() == std::error_code{});
            if (!got || *got == 0) break;
            total += *got;
        }
        CHECK((!all_written || total == much.size()));
        CHECK(total > 0);
    });
}

TEST_CASE("read_exactly goes round until the buffer is full, and says when the end comes first") {
    fixture on;
    on.run([](kernel::network& network) -> task<> {
        connected_pair pair = co_await connect_pair(network);
        const std::vector<std::byte> sent = pattern(70'000);
        const result<void> written = co_await pair.client.write_all(sent);
        CHECK(written.has_value());
        std::vector<std::byte> into(60'000);
        const result<void> first = co_await pair.server.read_exactly(into);
        CHECK(first.has_value());
        CHECK(std::equal(into.begin(), into.end(), sent.begin()));
        const result<void> ended = co_await pair.client.shutdown();
        CHECK(ended.has_value());
        const result<void> second = co_await pair.server.read_exactly(into);
        CHECK(second.error() == errc::end_of_stream);
        CHECK(second.error() == std::errc::no_message_available);
    });
}

TEST_CASE("readable reads nothing; a view shows the bytes where they lie, consume drops them") {
    fixture on;
    on.run([](kernel::network& network) -> task<> {
        connected_pair pair = co_await connect_pair(network);
        CHECK(pair.server.read_view().empty());
        const result<void> sent = co_await pair.client.write_all(bytes_of("hello"));
        CHECK(sent.has_value());
        const result<void> there = co_await pair.server.readable();
        CHECK(there.has_value());
        CHECK(text_of(pair.server.read_view()) == "hello");
        pair.server.consume(3);
        CHECK(text_of(pair.server.read_view()) == "lo");
        std::array<std::byte, 8> into{};
        const result<std::size_t> rest = co_await pair.server.read_some(into);
        CHECK(rest.value() == 2);
        CHECK(pair.server.read_view().empty());
    });
    CHECK(on.network.pool().held() == 0);
}

TEST_CASE("an empty buffer completes at once, and nothing held fails in every call") {
    fixture on;
    on.run([](kernel::network& network) -> task<> {
        connected_pair pair = co_await connect_pair(network);
        const result<std::size_t> none = co_await pair.server.read_some({});
        CHECK(none.value() == 0);
        const result<std::size_t> nothing = co_await pair.server.write_some({});
        CHECK(nothing.value() == 0);
        kernel::tcp_stream empty;
        CHECK_FALSE(static_cast<bool>(empty));
        std::array<std::byte, 8> into{};
        const result<std::size_t> read = co_await empty.read_some(into);
        CHECK(read.error() == std::errc::not_connected);
        const result<void> write = co_await empty.write_all(bytes_of("x"));
        CHECK(write.error() == std::errc::not_connected);
        const result<void> end = co_await empty.shutdown();
        CHECK(end.error() == std::errc::not_connected);
        empty.abort();
        CHECK(empty.local_endpoint() == endpoint{});
    });
}

TEST_CASE("a stream may be moved while an operation of it waits") {
    fixture on;
    on.run([](kernel::network& network) -> task<> {
        connected_pair pair = co_await connect_pair(network);
        auto late_write = [](connected_pair& both) -> task<> {
            kernel::tcp_stream moved = std::move(both.server);
            const result<void> sent = co_await both.client.write_all(bytes_of("x"));
            CHECK(sent.has_value());
            both.server = std::move(moved);
        };
        auto read_one = [](connected_pair& both) -> task<std::size_t> {
            std::array<std::byte, 8> into{};
            const result<std::size_t> got = co_await both.server.read_some(into);
            co_return got.value();
        };
        auto [count, done] = co_await when_all(read_one(pair), late_write(pair));
        (void)done;
        CHECK(count == 1);
    });
}
}
