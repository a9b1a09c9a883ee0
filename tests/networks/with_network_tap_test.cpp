#include "behaviours.hpp"

#include <weft/io/io_context.hpp>
#include <weft/net/io/with_network.hpp>
#include <weft/net/observer.hpp>
#include <weft/runtime.hpp>

#include <net/if.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

// What each field of a tap: spec does, against the kernel at the other end, in the namespace that
// spec_test.py has made: there an echo server of the kernel listens at 10.0.0.1, at
// 10.1.0.1 (behind a TAP of several queues) and at 192.0.2.9, which no TAP's network contains.

namespace weft::networks::test {
namespace {

using net::network_spec;
using net::with_network;

constexpr std::uint16_t echo_port = 7777;
constexpr std::size_t loops = 3;
const endpoint near{ipv4_address{10, 0, 0, 1}, echo_port};
const endpoint far{ipv4_address{192, 0, 2, 9}, echo_port};
const endpoint on_cores{ipv4_address{10, 1, 0, 1}, echo_port};

/// Sends `size` bytes to an echo server; no error when they came back.
template <class Network>
task<std::error_code> exchange(Network& from, endpoint to, std::size_t size, std::uint64_t seed) {
    auto peer = co_await with_timeout(20s, from.connect(to));
    if (!peer) co_return peer.error();
    const std::string text = pattern(size, seed);
    const auto both = co_await when_all(read_to_end(*peer), write_and_close(*peer, text));
    const auto& [back, written] = both;
    if (!written) co_return written.error();
    if (!back) co_return back.error();
    co_return *back == text ? std::error_code{} : std::make_error_code(std::errc::bad_message);
}

template <class Program, class... Arguments>
auto run_one(const network_spec& spec, Program program, Arguments... arguments) {
    REQUIRE_MESSAGE(spec.problem().empty(), spec.problem());
    io_context io;
    return io.run_until_done(with_network(io, spec, program, std::move(arguments)...));
}

std::error_code reach(const network_spec& spec, endpoint to, std::size_t size = 1000) {
    return run_one(
        spec,
        [](auto& on, endpoint whom, std::size_t bytes) { return exchange(on, whom, bytes, 1); }, to,
        size);
}

std::string contents_of(const std::string& path) {
    std::ifstream in{path, std::ios::binary};
    return {std::istreambuf_iterator<char>{in}, {}};
}

/// The largest piece of text in a segment that came.
class largest_segment final : public net::observer {
public:
    void on_transition(const net::transition_event&) override {}
    void on_segment(const net::segment_event& e) override {
        if (e.way == net::segment_event::direction::sent) return;
        largest = std::max<std::size_t>(largest, e.payload_bytes);
    }
    std::size_t largest = 0;
};

std::size_t largest_received(const network_spec& spec) {
    return run_one(spec, [](auto& on) -> task<std::size_t> {
        largest_segment seen;
        if constexpr (requires { on.observe(&seen); }) on.observe(&seen);
        CHECK_FALSE(co_await exchange(on, near, 3'000'000, 5));
        if constexpr (requires { on.observe(&seen); }) on.observe(nullptr);
        co_return seen.largest;
    });
}

TEST_SUITE("networks.with_network_tap" * doctest::skip(std::getenv("WEFT_INSIDE") == nullptr)) {
TEST_CASE("addr: the address that the program has and the kernel sees") {
    for (const char* address : {"10.0.0.2", "10.0.0.77"}) {
        CAPTURE(address);
        const auto spec =
            network_spec::parse("tap:name=weft0,addr=" + std::string{address} + "/24");
        const std::string ours = run_one(spec, [](auto& on) -> task<std::string> {
            auto peer = co_await on.connect(near);
            REQUIRE(peer.has_value());
            co_return peer->local_endpoint().address.to_string();
        });
        CHECK(ours == address);
        CHECK_FALSE(reach(spec, near));
    }
}

TEST_CASE("name: the interface, which is made when it does not exist, and then goes with us") {
    REQUIRE(::if_nametoindex("wn7") == 0);
    const bool was_there = run_one(network_spec::parse("tap:name=wn7"), [](auto&) -> task<bool> {
        co_return ::if_nametoindex("wn7") != 0;
    });
    CHECK(was_there);
    CHECK(::if_nametoindex("wn7") == 0);
}

TEST_CASE("gw: other networks are behind it, and nowhere without it") {
    CHECK(reach(network_spec::parse("tap:"), far) == std::errc::network_unreachable);
    CHECK_FALSE(reach(network_spec::parse("tap:gw=10.0.0.1"), far));
}

TEST_CASE("mac: what the kernel has learned") {
    const auto spec = network_spec::parse("tap:mac=02:00:5e:10:00:07,addr=10.0.0.9/24");
    const std::string known = run_one(spec, [](auto& on) -> task<std::string> {
        CHECK_FALSE(co_await exchange(on, near, 100, 1));
        co_return contents_of("/proc/net/arp");
    });
    CAPTURE(known);
    const std::size_t line = known.find("10.0.0.9 ");
    REQUIRE(line != std::string::npos);
    CHECK(known.substr(line, 100).find("02:00:5e:10:00:07") < 60);
}

TEST_CASE("offload: whether the kernel hands over more than a segment at once") {
    CHECK(largest_received(network_spec::parse("tap:offload=off")) <= 1460);
    CHECK(largest_received(network_spec::parse("tap:offload=on")) > 1460);
}

TEST_CASE("a recording holds the frames; where it cannot be made, it is named first") {
    network_spec spec = network_spec::parse("tap:");
    spec.pcap = (std::filesystem::temp_directory_path() /
                 ("weft_with_network_" + std::to_string(::getpid()) + ".pcapng"))
                    .string();
    CHECK_FALSE(reach(spec, near, 50'000));
    const std::string recorded = contents_of(spec.pcap);
    std::filesystem::remove(spec.pcap);
    CHECK(recorded.starts_with("\x0a\x0d\x0d\x0a"));
    CHECK(recorded.size() > 2 * 50'000);
    CHECK(recorded.find(pattern(50'000, 1).substr(0, 500)) != std::string::npos);
    spec.pcap = "/no/such/folder/x.pcapng";
    bool is_named = false;
    try {
        (void)reach(spec, near);
    } catch (const std::system_error& thrown) {
        is_named = std::string{thrown.what()}.starts_with("/no/such/folder/x.pcapng: ");
    }
    CHECK(is_named);
}

TEST_CASE("what a program leaves closing is closed in order, also when it throws") {
    for (const bool throws : {false, true}) {
        CAPTURE(throws);
        std::string what;
        std::size_t sent = 0;
        try {
            sent = run_one(
                network_spec::parse("tap:"),
                [](auto& on, bool fails) -> task<std::size_t> {
                    auto peer = co_await on.connect(near);
                    REQUIRE(peer.has_value());
                    const std::string text = pattern(100'000);
                    const auto written = co_await peer->write_all(bytes_of(text));
                    CHECK(written.has_value());
                    if (fails) throw std::runtime_error{"on purpose"};
                    co_return text.size();
                },
                throws);
        } catch (const std::runtime_error& thrown) {
            what = thrown.what();
        }
        CHECK(what == (throws ? "on purpose" : ""));
        CHECK(sent == (throws ? 0 : 100'000));
    }
}

TEST_CASE("on several loops all shards have the address, and connect from ports of their own") {
    for (const char* more : {"", ",steer=software"}) {
        CAPTURE(more);
        const auto spec =
            network_spec::parse("tap:name=cores0,addr=10.1.0.2/24" + std::string{more});
        REQUIRE_MESSAGE(spec.problem().empty(), spec.problem());
        const auto program = [](auto& on, runtime* cores) -> task<std::size_t> {
            const runtime_loop& here = co_await cores->here();
            std::size_t right = 0;
            for (std::size_t i = 0; i < 40; ++i) {
                const std::error_code failed =
                    co_await exchange(on, on_cores, 20'000, here.index() * 100 + i);
                if (!failed) ++right;
            }
            co_return right;
        };
        runtime cores{{.threads = loops}};
        const auto values =
            cores.run([&](runtime& all) { return with_network(all, spec, program, &all); });
        REQUIRE(values.has_value());
        CHECK(*values == std::vector<std::size_t>(loops, 40));
    }
}

TEST_CASE("a TAP of one queue is none for several loops, and the error says what to do") {
    runtime cores{{.threads = loops}};
    std::string what;
    try {
        (void)cores.run([](runtime& all) {
            return with_network(all, network_spec::parse("tap:name=weft0"),
                                [](auto&) -> task<> { co_return; });
        });
    } catch (const std::system_error& thrown) {
        what = thrown.what();
    }
    CHECK(what.starts_with("weft0: "));
    CHECK(what.find("multi_queue") != std::string::npos);
}
}

}  // namespace
}  // namespace weft::networks::test
