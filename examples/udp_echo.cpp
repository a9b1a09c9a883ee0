// Sends every datagram back to whom it came from, on Weft's own UDP or on the kernel's.
//
//     udp_echo --net tap:name=weft0,addr=10.0.0.2/24 --port 7
//     udp_echo --net kernel: --port 7777
//
// With `--threads` a socket on each of several loops has the port. Ctrl-C ends it.

#include "common/command_line.hpp"
#include "common/network.hpp"

#include <weft/runtime.hpp>
#include <weft/task_group.hpp>

#include <array>
#include <cstdio>
#include <memory>

namespace {

struct settings {
    settings() = default;

    examples::network_options network;
    examples::core_options cores;
    std::uint16_t port = 7;
};

template <class Socket>
weft::task<void> echo(Socket& socket, std::uint64_t& echoed) {
    const auto bytes = std::make_unique<std::array<std::byte, 65536>>();
    for (;;) {
        const auto got = co_await socket.receive_from(*bytes);
        if (got.error() == std::errc::operation_canceled) co_return;
        if (!got) continue;  // about one that was sent before
        if (got->from.port == 0) continue;
        const auto sent = co_await socket.send_to(std::span{*bytes}.first(got->bytes), got->from);
        if (sent.error() == std::errc::operation_canceled) co_return;
        if (sent) ++echoed;
    }
}

template <class Network, class Socket>
weft::task<void> serve(weft::task_group& group, Network& on, Socket& socket,
                       std::uint64_t& echoed) {
    on.watch(group);
    co_await echo(socket, echoed);
}

template <class Network>
weft::task<int> serve_port(Network& on, const settings& options) {
    auto socket = on.bind(options.port);
    if (const auto ready = co_await on.all_ready(); !ready) co_return 0;
    if (on.is_first()) std::fprintf(stderr, "listening on %s\n", on.name_of(socket).c_str());
    std::uint64_t echoed = 0;
    (void)co_await weft::with_task_group(
        [](weft::task_group& group, Network* network, decltype(socket)* from,
           std::uint64_t* count) { return serve(group, *network, *from, *count); },
        &on, &socket, &echoed);
    if (options.network.stats) {
        std::fprintf(stderr, "shard %zu: echoed %llu datagrams\n", on.index(),
                     static_cast<unsigned long long>(echoed));
    }
    co_return 0;
}

}  // namespace

int main(int argc, char** argv) {
    settings options;
    CLI::App app{"Sends every datagram back, over Weft's own UDP or the kernel's.", "udp_echo"};
    examples::add_network_options(app, options.network);
    examples::add_core_options(app, options.cores);
    app.add_option("--port", options.port, "the port to receive on")->capture_default_str();
    if (const auto status = examples::parse_command_line(app, argc, argv)) return *status;
    return examples::run_program("udp_echo", [&options] {
        weft::runtime cores{options.cores.runtime()};
        return cores.run([&options](weft::runtime& all) {
            return examples::run_on_cores(
                all, options.network,
                [](auto& on, const settings* asked) { return serve_port(on, *asked); }, &options);
        });
    });
}
