// What keepalive, user_timeout and no_delay do to a connection whose peer is gone without a word,
// what a connect says of where nobody is, and names of the hosts file.
//
// kernel_vanishing_test.py makes the peer, in a network namespace, with a host's table of its own,
// and says how it goes away; without that these tests are skipped.
#include "kernel_network_fixture.hpp"

#include <weft/sleep.hpp>

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <array>
#include <cstddef>
#include <cstdlib>
#include <cstring>

using namespace weft;
using namespace weft::kernel_test;

namespace {

using clock = std::chrono::steady_clock;

const char* said(const char* name) {
    const char* const value = std::getenv(name);
    return value == nullptr ? "" : value;
}

bool has_peer() { return *said("WEFT_PEER_GOES") != '\0'; }

/// The peer is there from construction on; `goes()` makes it deaf and dumb.
class peer {
public:
    peer() { command("WEFT_PEER_COMES"); }
    void goes() { command("WEFT_PEER_GOES"); }
    [[nodiscard]] endpoint listening() const { return {address, 7000}; }
    [[nodiscard]] endpoint closed() const { return {address, 7001}; }

private:
    static constexpr ipv4_address address{10, 9, 0, 2};
    static void command(const char* name) { REQUIRE(std::system(said(name)) == 0); }
};

/// Bytes that were written and have not been sent for the first time.
std::uint32_t unsent(const kernel::tcp_stream& of) {
    struct {
        tcp_info info;
        std::array<std::byte, 256> newer;  // than the headers
    } all{};
    socklen_t length = sizeof all;
    CHECK(::getsockopt(of.descriptor(), IPPROTO_TCP, TCP_INFO, &all, &length) == 0);
    constexpr std::size_t place_of_notsent = 144;  // linux/tcp.h, tcpi_notsent_bytes
    CHECK(length >= place_of_notsent + sizeof(std::uint32_t));
    std::uint32_t bytes = 0;
    std::memcpy(&bytes, reinterpret_cast<const std::byte*>(&all) + place_of_notsent, sizeof bytes);
    return bytes;
}

task<std::error_code> read_error(kernel::tcp_stream& from) {
    std::array<std::byte, 10> into{};
    const auto got = co_await with_timeout(20s, from.read_some(into));
    co_return got.error();
}

task<std::error_code> closed_error(kernel::tcp_stream& which) {
    const auto ended = co_await with_timeout(20s, which.closed());
    co_return ended.error();
}

}  // namespace

TEST_SUITE("framework.kernel.vanishing" * doctest::skip(!has_peer())) {
TEST_CASE("user_timeout ends a connection whose peer acknowledges nothing") {
    fixture on;
    on.run([](kernel::network& network) -> task<> {
        peer other;
        auto made = co_await network.connect(other.listening(), {.user_timeout = 800ms});
        REQUIRE_MESSAGE(made.has_value(), made.error().message());
        other.goes();
        const auto begin = clock::now();
        const auto wrote = co_await made->write_all(bytes_of("anybody?"));
        CHECK(wrote.has_value());
        const auto [reading, closing] = co_await when_all(read_error(*made), closed_error(*made));
        CHECK(reading == std::errc::timed_out);
        CHECK(closing == std::errc::timed_out);
        CHECK(made->error() == std::errc::timed_out);
        CHECK(clock::now() - begin > 700ms);
        CHECK(clock::now() - begin < 10s);
        const auto late = co_await made->write_all(bytes_of("x"));
        CHECK(late.error() == std::errc::timed_out);
    });
}

TEST_CASE("without it the connection is kept for longer") {
    fixture on;
    on.run([](kernel::network& network) -> task<> {
        peer other;
        auto made = co_await network.connect(other.listening());
        REQUIRE(made.has_value());
        other.goes();
        const auto wrote = co_await made->write_all(bytes_of("anybody?"));
        CHECK(wrote.has_value());
        (void)co_await sleep_for(3s);
        CHECK_FALSE(made->error());
        made->abort();
    });
}

TEST_CASE("keepalive finds that an idle connection's peer is gone; without it nobody asks") {
    fixture on;
    on.run([](kernel::network& network) -> task<> {
        peer other;
        kernel::connect_options probing;
        probing.keepalive = {.enabled = true, .idle = 1s, .interval = 1s, .probes = 2};
        auto made = co_await network.connect(other.listening(), probing);
        auto silent = co_await network.connect(other.listening());
        REQUIRE(made.has_value());
        REQUIRE(silent.has_value());
        (void)co_await sleep_for(2500ms);
        CHECK_FALSE(made->error());  // it answers
        other.goes();
        const auto begin = clock::now();
        const std::error_code why = co_await read_error(*made);
        CHECK(why == std::errc::timed_out);
        CHECK(clock::now() - begin > 1s);
        CHECK(clock::now() - begin < 10s);
        const auto none = co_await with_timeout(100ms, silent->closed());
        CHECK(none.error() == std::errc::timed_out);
        CHECK_FALSE(silent->error());
        silent->abort();
    });
}

TEST_CASE("user_timeout bounds a connect that nobody answers") {
    fixture on;
    on.run([](kernel::network& network) -> task<> {
        peer other;
        other.goes();
        const auto begin = clock::now();
        const auto made = co_await with_timeout(
            30s, network.connect(other.listening(), {.user_timeout = 1500ms}));
        CHECK(made.error() == std::errc::timed_out);
        CHECK(clock::now() - begin > 1s);
        CHECK(clock::now() - begin < 10s);
    });
}

TEST_CASE("a connect says why nobody was reached") {
    fixture on;
    on.run([](kernel::network& network) -> task<> {
        peer other;
        const auto refused = co_await network.connect(other.closed());
        CHECK(refused.error() == std::errc::connection_refused);
        const auto nowhere = co_await network.connect({ipv4_address{198, 51, 100, 1}, 80});
        CHECK(nowhere.error() == std::errc::network_unreachable);
        const auto nobody =
            co_await with_timeout(20s, network.connect({ipv4_address{10, 9, 0, 77}, 80}));
        CHECK(nobody.error() == std::errc::host_unreachable);
        auto socket = network.bind(endpoint{ipv4_address{}, 0});
        const auto lost =
            co_await socket.value().send_to(bytes_of("x"), {ipv4_address{198, 51, 100, 1}, 80});
        CHECK(lost.error() == std::errc::network_unreachable);
    });
}

TEST_CASE("no_delay sends a second small write at once; without it that waits for an ACK") {
    for (const bool is_prompt : {false, true}) {
        CAPTURE(is_prompt);
        fixture on;
        on.run([is_prompt](kernel::network& network) -> task<> {
            peer other;
            auto made = co_await network.connect(other.listening(), {.no_delay = is_prompt});
            REQUIRE(made.has_value());
            other.goes();
            for (const char* text : {"one", "two"}) {
                const auto wrote = co_await made->write_all(bytes_of(text));
                CHECK(wrote.has_value());
            }
            CHECK(unsent(*made) == (is_prompt ? 0U : 3U));
            made->set_no_delay(true);  // what waited goes out
            CHECK(unsent(*made) == 0U);
            made->abort();
        });
    }
}

TEST_CASE("a name that is in the hosts file is found there, and one that is not is not") {
    fixture on;
    on.run([](kernel::network& network) -> task<> {
        const auto found = co_await network.resolve("peer.weft.test", "7000");
        REQUIRE_MESSAGE(found.has_value(), found.error().message());
        const peer other;
        CHECK(found.value() == std::vector<endpoint>{other.listening()});
        const auto made = co_await network.connect(found->front());
        CHECK(made.has_value());
        const auto none = co_await network.resolve("nobody.weft.test", "7000");
        CHECK_FALSE(none.has_value());
    });
}
}
