#include "behaviours.hpp"

#include <weft/io/io_context.hpp>
#include <weft/kernel/network.hpp>
#include <weft/net/io/with_network.hpp>
#include <weft/rendezvous.hpp>
#include <weft/runtime.hpp>

#include <array>
#include <atomic>
#include <concepts>
#include <memory>
#include <stdexcept>
#include <string>
#include <system_error>
#include <type_traits>
#include <utility>
#include <vector>

// Programs on the network that a spec names, on one loop and on several; and what is said of a spec
// that cannot be had. Those on a TAP are in with_network_tap_test.cpp.

namespace weft::networks::test {
namespace {

using net::network_spec;
using net::with_network;

constexpr std::size_t loops = 3;

template <class Program, class... Arguments>
auto run_one(const network_spec& spec, Program program, Arguments... arguments) {
    io_context io;
    return io.run_until_done(with_network(io, spec, program, std::move(arguments)...));
}

template <class Program, class... Arguments>
auto run_cores(const network_spec& spec, Program program, Arguments... arguments) {
    runtime cores{{.threads = loops}};
    return cores.run([&](runtime& all) { return with_network(all, spec, program, arguments...); });
}

/// The text of what is thrown; empty: nothing of that type.
template <class Exception, class Run>
std::string thrown_by(Run run) {
    try {
        run();
    } catch (const Exception& thrown) {
        return thrown.what();
    }
    return {};
}

bool begins_with(const std::string& text, std::string_view begin) {
    CAPTURE(text);
    return text.starts_with(begin) && text.size() > begin.size();
}

const network_spec on_kernel = network_spec::parse("kernel:");

constexpr auto never = [](auto&) -> task<> {
    CHECK_MESSAGE(false, "the program was started");
    co_return;
};

template <class Network>
task<int> add_up(Network&, std::unique_ptr<int> one, int two) {
    CHECK(std::same_as<Network, kernel::network>);
    co_return *one + two;
}

TEST_SUITE("networks.with_network") {
TEST_CASE("kernel: is a kernel::network; arguments and the value go through, moved") {
    const auto program = [](auto& on, std::unique_ptr<int> one, int two) {
        return add_up(on, std::move(one), two);
    };
    CHECK(run_one(on_kernel, program, std::make_unique<int>(2), 3) == 5);
}

TEST_CASE("a program without a value, and one that throws") {
    bool has_run = false;
    run_one(
        on_kernel,
        [](auto&, bool* flag) -> task<> {
            *flag = true;
            co_return;
        },
        &has_run);
    CHECK(has_run);
    const auto throwing = [](auto&) -> task<int> {
        throw std::runtime_error{"as it is"};
        co_return 0;
    };
    CHECK(thrown_by<std::runtime_error>([&] { (void)run_one(on_kernel, throwing); }) == "as it is");
}

TEST_CASE("a spec with a problem is thrown before the program starts, with that text") {
    for (const char* text : {"kernel:fast", "tap:addr=10.0.0.0/24", "tun:"}) {
        CAPTURE(text);
        const network_spec bad = network_spec::parse(text);
        REQUIRE_FALSE(bad.problem().empty());
        CHECK(thrown_by<std::invalid_argument>([&] { run_one(bad, never); }) == bad.problem());
        CHECK(thrown_by<std::invalid_argument>([&] { (void)run_cores(bad, never); }) ==
              bad.problem());
    }
}

TEST_CASE("an interface that cannot be had is named first, on one loop and on several") {
    const network_spec loopback = network_spec::parse("tap:name=lo");
    CHECK(begins_with(thrown_by<std::system_error>([&] { run_one(loopback, never); }), "lo: "));
    CHECK(begins_with(thrown_by<std::system_error>([&] { (void)run_cores(loopback, never); }),
                      "lo: "));
}

TEST_CASE("what several loops or the kernel cannot do is refused") {
    network_spec recorded = network_spec::parse("tap:");
    recorded.pcap = "/tmp/all.pcapng";
    CHECK(thrown_by<std::invalid_argument>([&] {
              (void)run_cores(recorded, never);
          }).find("/tmp/all.pcapng") != std::string::npos);
    const std::string not_a_tap = thrown_by<std::invalid_argument>([] {
        io_context io;
        net::tap_network{io, on_kernel};
    });
    CHECK(begins_with(not_a_tap, "kernel:"));
}

TEST_CASE("on several loops the program runs on each, with that loop's network") {
    const auto program = [](auto& on, runtime* cores) -> task<std::size_t> {
        runtime_loop& here = co_await cores->here();
        scheduler& its = here.context();
        CHECK(&on.scheduler() == &its);
        co_return here.index();
    };
    runtime cores{{.threads = loops}};
    const auto values =
        cores.run([&](runtime& all) { return with_network(all, on_kernel, program, &all); });
    REQUIRE(values.has_value());
    CHECK(*values == std::vector<std::size_t>{0, 1, 2});
}

TEST_CASE("each loop has copies of the arguments of its own") {
    const auto program = [](auto&, std::string text) -> task<std::string> {
        text += "!";
        co_return text;
    };
    const auto values = run_cores(on_kernel, program, std::string{"a text that is on the heap"});
    REQUIRE(values.has_value());
    CHECK(*values == std::vector<std::string>(loops, "a text that is on the heap!"));
}

TEST_CASE("an exception on one loop stops the program on the others and is thrown") {
    struct shared {
        runtime* cores = nullptr;
        std::atomic<int> stopped = 0;
    } seen;
    const auto program = [](auto&, shared* with) -> task<> {
        const runtime_loop& here = co_await with->cores->here();
        if (here.index() == 1) throw std::runtime_error{"loop 1 cannot"};
        const auto slept = co_await sleep_for(60s);
        if (slept.error() == std::errc::operation_canceled) ++with->stopped;
    };
    runtime cores{{.threads = loops}};
    seen.cores = &cores;
    CHECK(thrown_by<std::runtime_error>([&] {
              (void)cores.run(
                  [&](runtime& all) { return with_network(all, on_kernel, program, &seen); });
          }) == "loop 1 cannot");
    CHECK(seen.stopped == loops - 1);
}

TEST_CASE("a runtime that stops ends the programs, whose values still come") {
    const auto program = [](auto&, std::atomic<runtime*>* cores) -> task<bool> {
        runtime* const all = cores->exchange(nullptr);
        if (all != nullptr) co_await all->stop();
        const auto slept = co_await sleep_for(60s);
        co_return slept.error() == std::errc::operation_canceled;
    };
    runtime cores{{.threads = loops}};
    std::atomic<runtime*> who_stops = &cores;
    const auto values =
        cores.run([&](runtime& all) { return with_network(all, on_kernel, program, &who_stops); });
    // A loop that had not begun has no value; the error says so.
    if (values) {
        CHECK(*values == std::vector<bool>(loops, true));
    } else {
        CHECK(values.error() == std::errc::operation_canceled);
    }
    CHECK(who_stops == nullptr);
}

TEST_CASE("the loops share the ports that they name, of TCP and of UDP, and no other") {
    struct shared {
        explicit shared(runtime& cores) : opened{cores} {}
        rendezvous opened;
        std::uint16_t port = 0;
    };
    const auto program = [](auto& on, shared* with) -> task<bool> {
        const endpoint at{ipv4_address{127, 0, 0, 1}, with->port};
        const auto listening = on.listen(at);
        const auto bound = on.bind(at);
        const bool is_open = listening.has_value() && bound.has_value();
        const auto all = co_await with->opened.arrive();  // none closes before all are open
        co_return is_open&& all.has_value();
    };
    runtime cores{{.threads = loops}};
    shared with{cores};
    {
        io_context io;  // a port that is free
        kernel::network probe{io};
        with.port = probe.listen(endpoint{ipv4_address{127, 0, 0, 1}, 0})->local_endpoint().port;
    }
    const auto values =
        cores.run([&](runtime& all) { return with_network(all, on_kernel, program, &with); });
    REQUIRE(values.has_value());
    CHECK(*values == std::vector<bool>(loops, true));
}

TEST_CASE("one loop of a runtime shares no port") {
    const auto program = [](auto& on) -> task<bool> {
        const auto first = on.listen(endpoint{ipv4_address{127, 0, 0, 1}, 0});
        const auto second = on.listen(first->local_endpoint());
        co_return second.error() == std::errc::address_in_use;
    };
    runtime cores{{.threads = 1}};
    const auto values =
        cores.run([&](runtime& all) { return with_network(all, on_kernel, program); });
    REQUIRE(values.has_value());
    CHECK(values->front());
}
}

}  // namespace
}  // namespace weft::networks::test
