// An echo server on every core: a loop a thread, each with its own queue of one TAP and its own
// stack, all under one address. And the other way round: with --connect, connections from each
// core.
//
//     ip tuntap add weft0 mode tap multi_queue
//     sharded_echo --threads 4 --tap weft0 --address 10.0.0.2/24 --port 7
//
// Prints at the end what each shard did. Ctrl-C closes all connections in order. See docs/cores.md.

#include "common/command_line.hpp"

#include <weft/net/io/sharded_host.hpp>
#include <weft/runtime.hpp>
#include <weft/task_group.hpp>

#include <array>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <memory>
#include <string>
#include <vector>

namespace {

namespace net = weft::net;
using namespace std::chrono_literals;
using weft::result;
using weft::task;

struct settings {
    settings() = default;

    std::string tap = "weft0";
    std::string address = "10.0.0.2/24";
    std::string connect;
    std::uint16_t port = 7;
    std::uint32_t threads = 0;
    std::uint32_t connections = 64;
    std::uint32_t bytes = 100'000;
    bool pinned = false;
    bool software = false;
};

/// What one shard did: written on its loop, read when all have ended.
struct tally {
    std::uint64_t served = 0;
    std::uint64_t connected = 0;
    std::uint64_t failed = 0;
};

task<void> echo(net::tcp_stream peer, tally& done) {
    const auto bytes = std::make_unique<std::array<std::byte, 65536>>();
    for (;;) {
        const auto got = co_await peer.read_some(*bytes);
        if (!got || *got == 0) break;
        const auto sent = co_await peer.write_all(std::span{*bytes}.first(*got));
        if (!sent) break;
    }
    const auto ended = co_await peer.shutdown();
    ++(ended ? done.served : done.failed);
}

task<void> close_when_draining(weft::event& draining, net::tcp_listener& listener) {
    (void)co_await draining.wait();
    listener.close();
}

/// One shard's: accepts until the listener is closed, serves until the peers are done.
task<void> accept_all(weft::task_group& group, net::tcp_listener* listener, weft::event* draining,
                      tally* done) {
    group.spawn(close_when_draining(*draining, *listener));
    for (;;) {
        result<net::tcp_stream> peer = co_await listener->accept();
        if (!peer) break;
        group.spawn(echo(std::move(*peer), *done));
    }
}

/// Sends a pattern of its own and expects it back.
task<void> exchange(net::host& from, net::endpoint to, std::uint32_t count, std::uint32_t seed,
                    tally& done) {
    result<net::tcp_stream> peer = co_await from.connect(to);
    if (!peer) {
        ++done.failed;
        co_return;
    }
    std::vector<std::byte> sent(count);
    for (std::byte& each : sent) {
        seed = seed * 1'664'525 + 1'013'904'223;
        each = static_cast<std::byte>(seed >> 24);
    }
    std::vector<std::byte> back(count);
    const result<void> written = co_await peer->write_all(sent);
    const result<void> ended = co_await peer->shutdown();
    const auto read = co_await peer->read_exactly(back);
    const bool is_right = written && ended && read && back == sent;
    ++(is_right ? done.connected : done.failed);
}

task<void> connect_all(weft::task_group& group, net::host* from, net::endpoint to,
                       const settings* options, std::uint32_t shard, tally* done) {
    for (std::uint32_t i = 0; i < options->connections; ++i) {
        group.spawn(exchange(*from, to, options->bytes, shard * options->connections + i, *done));
    }
    co_return;
}

task<result<void>> serve(weft::runtime& cores, net::sharded_host& network, const settings& options,
                         std::vector<tally>& tallies) {
    const result<net::sharded_listener> listener =
        co_await network.listen({net::ip_address{net::ipv4_address{}}, options.port});
    if (!listener) co_return listener.error();
    std::fprintf(stderr, "listening on port %u, %zu shards, steered by %s\n",
                 unsigned{listener->local_endpoint().port}, network.size(),
                 network.is_steered_by_kernel() ? "the kernel" : "software");
    co_return co_await cores.for_each_loop(
        [&cores, &listener, &tallies](std::size_t i) -> task<result<void>> {
            return weft::with_task_group(&accept_all, &listener->on(i), &cores.loop(i).draining(),
                                         &tallies[i]);
        });
}

task<result<void>> connect(weft::runtime& cores, net::sharded_host& network,
                           const settings& options, std::vector<tally>& tallies) {
    const auto to = net::endpoint::parse(options.connect);
    co_return co_await cores.for_each_loop(
        [&network, &options, &tallies, to](std::size_t i) -> task<result<void>> {
            return weft::with_task_group(&connect_all, &network.shard(i), *to, &options,
                                         static_cast<std::uint32_t>(i), &tallies[i]);
        });
}

void print(const net::stack_counters& counters, const std::vector<tally>& tallies) {
    for (std::size_t i = 0; i < tallies.size(); ++i) {
        std::fprintf(stderr, "shard %zu: %llu served, %llu connected, %llu failed\n", i,
                     static_cast<unsigned long long>(tallies[i].served),
                     static_cast<unsigned long long>(tallies[i].connected),
                     static_cast<unsigned long long>(tallies[i].failed));
    }
    std::fprintf(stderr, "counters of all shards:\n");
    counters.for_each([](std::string_view name, std::uint64_t value) {
        if (value == 0) return;
        std::fprintf(stderr, "  %-28.*s %12llu\n", static_cast<int>(name.size()), name.data(),
                     static_cast<unsigned long long>(value));
    });
}

task<int> run_all(weft::runtime& cores, const settings& options) {
    net::sharded_options wanted;
    wanted.tap.name = options.tap;
    wanted.host.address = net::ip_prefix::parse(options.address).value();
    if (options.software) wanted.steer = net::sharded_options::steering::software;
    result<std::unique_ptr<net::sharded_host>> opened =
        co_await net::sharded_host::open(cores, wanted);
    if (!opened) throw examples::cannot_start{options.tap + ": " + opened.error().message()};
    net::sharded_host& network = **opened;
    std::vector<tally> tallies(cores.size());
    auto work = options.connect.empty() ? serve(cores, network, options, tallies)
                                        : connect(cores, network, options, tallies);
    const result<void> ended = co_await std::move(work);
    co_await network.close(5s);
    print(co_await network.counters(), tallies);
    if (ended || ended.error() == std::errc::operation_canceled) co_return 0;
    std::fprintf(stderr, "sharded_echo: %s\n", ended.error().message().c_str());
    co_return examples::exit_failed;
}

std::string check_prefix(const std::string& text) {
    const auto prefix = net::ip_prefix::parse(text);
    if (prefix && prefix->address().is_v4() && prefix->address().v4().is_unicast()) return {};
    return "'" + text + "' is no IPv4 address with a prefix length, as in 10.0.0.2/24";
}

std::string check_endpoint(const std::string& text) {
    if (net::endpoint::parse(text)) return {};
    return "'" + text + "' is no address with a port, as in 10.0.0.1:7";
}

}  // namespace

int main(int argc, char** argv) {
    settings options;
    CLI::App app{"Echoes on every core, over Weft's own TCP on a TAP of several queues.",
                 "sharded_echo"};
    app.add_option("--threads", options.threads, "loops; 0: one for each processor")
        ->capture_default_str()
        ->check(CLI::Range(0U, 128U));
    app.add_flag("--pin", options.pinned, "each loop on a processor of its own");
    app.add_option("--tap", options.tap, "the TAP interface; made when it does not exist")
        ->capture_default_str();
    app.add_option("--address", options.address, "our IPv4 address and its network")
        ->capture_default_str()
        ->check(check_prefix);
    app.add_option("--port", options.port, "the port to listen on")->capture_default_str();
    app.add_flag("--software-steering", options.software,
                 "do without the program in the kernel that finds a segment's shard");
    app.add_option("--connect", options.connect,
                   "instead of serving: connect to an echo server there, from each shard")
        ->type_name("ADDRESS:PORT")
        ->check(check_endpoint);
    app.add_option("--connections", options.connections, "of each shard, at once")
        ->capture_default_str();
    app.add_option("--bytes", options.bytes, "on each of them")->capture_default_str();
    if (const auto status = examples::parse_command_line(app, argc, argv)) return *status;
    return examples::run_program("sharded_echo", [&options] {
        weft::runtime cores{{.threads = options.threads,
                             .pin = options.pinned ? weft::runtime_options::pinning::one_each
                                                   : weft::runtime_options::pinning::none,
                             .grace = 2s}};
        return cores.run([&options](weft::runtime& all) { return run_all(all, options); });
    });
}
