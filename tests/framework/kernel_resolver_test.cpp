// Names by way of the system; nothing here leaves this host.
#include <doctest/doctest.h>
#include <weft/io/io_context.hpp>
#include <weft/kernel/resolver.hpp>
#include <weft/when_all.hpp>
#include <weft/with_timeout.hpp>

#include <netdb.h>

#include <algorithm>
#include <chrono>
#include <semaphore>

namespace {

using namespace std::chrono_literals;
using weft::endpoint;
using weft::result;
using weft::task;
using weft::kernel::resolve_errc;
using weft::kernel::resolve_options;
using weft::kernel::resolver;

result<resolver::endpoints> resolve(std::string host, std::string service,
                                    resolve_options wanted = {}) {
    weft::io_context io;
    const auto ask = [](std::string name, std::string port,
                        resolve_options how) -> task<result<resolver::endpoints>> {
        const resolver names;
        co_return co_await names.resolve(std::move(name), std::move(port), how);
    };
    return io.run_until_done(ask(std::move(host), std::move(service), wanted));
}

bool is_among(const result<resolver::endpoints>& all, std::string_view text) {
    return std::ranges::count(*all, *endpoint::parse(text)) == 1;
}

}  // namespace

TEST_SUITE("framework.resolver") {
TEST_CASE("addresses and ports are what they say, of either family, each once") {
    const auto v4 = resolve("192.0.2.7", "8080");
    REQUIRE(v4.has_value());
    CHECK(v4.value() == resolver::endpoints{*endpoint::parse("192.0.2.7:8080")});
    const auto v6 = resolve("2001:db8::7", "443", {.numeric = true});
    REQUIRE(v6.has_value());
    CHECK(v6.value() == resolver::endpoints{*endpoint::parse("[2001:db8::7]:443")});
    const auto mapped = resolve("::ffff:192.0.2.7", "1", {.numeric = true});
    REQUIRE(mapped.has_value());
    CHECK(is_among(mapped, "192.0.2.7:1"));
}

TEST_CASE("an empty host is this one, to reach or to listen on") {
    const auto here = resolve("", "80", {.family = resolve_options::addresses::v4});
    REQUIRE(here.has_value());
    CHECK(is_among(here, "127.0.0.1:80"));
    const auto all =
        resolve("", "80", {.family = resolve_options::addresses::v4, .to_listen = true});
    REQUIRE(all.has_value());
    CHECK(is_among(all, "0.0.0.0:80"));
}

TEST_CASE("what is wrong with a name is told in the words of getaddrinfo") {
    const auto name = resolve("not a number", "80", {.numeric = true});
    CHECK(name.error() == resolve_errc{EAI_NONAME});
    CHECK(name.error().category().name() == std::string_view{"getaddrinfo"});
    CHECK_FALSE(name.error().message().empty());
    const auto service = resolve("127.0.0.1", "no-such-service");
    CHECK(service.error() == resolve_errc{EAI_SERVICE});
    CHECK(resolve(std::string{"127.0.0.1\0.example", 18}, "80").error() ==
          resolve_errc{EAI_NONAME});
    CHECK(resolve("192.0.2.7", "1", {.family = resolve_options::addresses::v6, .numeric = true})
              .error() == resolve_errc{EAI_ADDRFAMILY});
    CHECK(resolve("fe80::1%1", "1", {.numeric = true}).error() == resolve_errc{EAI_ADDRFAMILY});
    const std::error_code again = resolve_errc{EAI_AGAIN};
    CHECK(again == std::errc::resource_unavailable_try_again);
}

TEST_CASE("a look-up that takes too long times out") {
    weft::offload_pool pool{{.threads = 1}};
    weft::io_context io;
    const auto late = [](weft::offload_pool& on) -> task<> {
        std::binary_semaphore gate{0};
        const resolver names{on};
        const auto ask = [](const resolver& from,
                            std::binary_semaphore& closed) -> task<result<resolver::endpoints>> {
            auto got = co_await weft::with_timeout(5ms, from.resolve("127.0.0.1", "1"));
            closed.release();
            co_return got;
        };
        const auto [blocked, asked] =
            co_await weft::when_all(on.run([&gate] { gate.acquire(); }), ask(names, gate));
        CHECK(blocked.has_value());
        CHECK(asked.error() == weft::errc::timed_out);
    };
    io.run_until_done(late(pool));
}
}  // TEST_SUITE("framework.resolver")
