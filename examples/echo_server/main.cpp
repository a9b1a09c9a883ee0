// A TCP server that says back what it hears, or only listens, or only talks: on Weft's own stack,
// or on the kernel's.
//
//     echo_server --net tap:name=weft0,addr=10.0.0.2/24 --port 7
//     echo_server --net kernel: --port 7777
//
// What happens on a connection is written over any stream, three times: in coroutine.hpp, fiber.hpp
// and callback.hpp (`--front-end`). With `--threads` the same program runs on each of several
// loops, under one port. Ctrl-C closes the connections in order.

#include "common/accept_all.hpp"
#include "common/command_line.hpp"
#include "common/front_end.hpp"
#include "common/network.hpp"
#include "echo_server/front_ends.hpp"
#include "echo_server/service.hpp"

#include <weft/runtime.hpp>
#include <weft/task.hpp>

#include <cstdio>
#include <map>
#include <string>

namespace {

using namespace examples::echo_server;

struct settings {
    settings() = default;

    examples::network_options network;
    examples::core_options cores;
    std::uint16_t port = 7;
    std::uint32_t backlog = 1024;
    service_options service;
    examples::front_end front_end = examples::front_end::coroutine;
};

template <class Network>
weft::task<int> serve_port(Network& on, const settings& options) {
    service shared{options.service};
    auto listener = on.listen(options.port, {.backlog = options.backlog});
    if (const auto ready = co_await on.all_ready(); !ready) co_return 0;
    if (on.is_first()) {
        std::fprintf(stderr, "listening on %s\n", on.name_of(listener).c_str());
    }
    (void)co_await examples::serve_all<front_ends>(options.front_end, on, listener, shared);
    co_return 0;
}

}  // namespace

int main(int argc, char** argv) {
    settings options;
    CLI::App app{"Echoes what it receives, over Weft's own TCP or the kernel's.", "echo_server"};
    examples::add_network_options(app, options.network);
    examples::add_core_options(app, options.cores);
    app.add_option("--port", options.port, "the port to listen on")->capture_default_str();
    app.add_option("--mode", options.service.what,
                   "echo; discard: read only; hash: read, then tell count and CRC-32; "
                   "chargen: write only")
        ->transform(CLI::CheckedTransformer(std::map<std::string, mode>{{"echo", mode::echo},
                                                                        {"discard", mode::discard},
                                                                        {"hash", mode::hash},
                                                                        {"chargen", mode::chargen}},
                                            CLI::ignore_case))
        ->type_name("MODE");
    examples::add_front_end_option(app, options.front_end);
    app.add_option("--bytes", options.service.bytes,
                   "chargen: bytes for each connection; 0: no end")
        ->capture_default_str();
    app.add_option("--idle", options.service.idle_seconds,
                   "seconds without progress before a reset")
        ->capture_default_str()
        ->check(CLI::PositiveNumber);
    app.add_option("--max-connections", options.service.max_connections, "more wait to be accepted")
        ->capture_default_str()
        ->check(CLI::PositiveNumber);
    app.add_option("--backlog", options.backlog, "connections that may wait to be accepted")
        ->capture_default_str()
        ->check(CLI::PositiveNumber);
    if (const auto status = examples::parse_command_line(app, argc, argv)) return *status;
    return examples::run_program("echo_server", [&options] {
        weft::runtime cores{options.cores.runtime()};
        return cores.run([&options](weft::runtime& all) {
            return examples::run_on_cores(
                all, options.network,
                [](auto& on, const settings* asked) { return serve_port(on, *asked); }, &options);
        });
    });
}
