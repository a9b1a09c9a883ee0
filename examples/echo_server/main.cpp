// A TCP server on Weft's own stack that says back what it hears, or only listens, or only talks.
//
//     echo_server --tap weft0 --address 10.0.0.2/24 --port 7
//
// What happens on a connection is written over any stream, three times: in coroutine.hpp, fiber.hpp
// and callback.hpp (`--front-end`). Ctrl-C closes the connections in order.

#include "common/command_line.hpp"
#include "common/front_end.hpp"
#include "common/network.hpp"
#include "echo_server/callback.hpp"
#include "echo_server/coroutine.hpp"
#include "echo_server/fiber.hpp"
#include "echo_server/service.hpp"

#include <weft/run.hpp>
#include <weft/task_group.hpp>

#include <cstdio>
#include <map>
#include <string>

namespace {

using examples::network;
using namespace examples::echo_server;

struct settings {
    settings() = default;

    examples::network_options network;
    std::uint16_t port = 7;
    std::uint32_t backlog = 1024;
    service_options service;
    examples::front_end front_end = examples::front_end::coroutine;
};

template <class Listener>
weft::task<weft::result<void>> serve_all(examples::front_end how, Listener& listener,
                                         service& shared) {
    switch (how) {
        case examples::front_end::coroutine: break;
        case examples::front_end::fiber: return fiber::serve_all(listener, shared);
        case examples::front_end::callback: return callback::serve_all(listener, shared);
    }
    return coroutine::serve_all(listener, shared);
}

template <class Listener>
weft::task<void> serve(weft::task_group& group, network& on, Listener& listener, service& shared,
                       examples::front_end how) {
    group.spawn(on.print_counters_on_signal());
    (void)co_await serve_all(how, listener, shared);
}

weft::task<int> serve_port(weft::io_context& io, const settings& options) {
    network on{io, options.network};
    {
        service shared{options.service};
        weft::net::tcp_listener listener = on.listen(options.port, {.backlog = options.backlog});
        std::fprintf(stderr, "listening on %s\n",
                     weft::net::endpoint{on.host().address(), options.port}.to_string().c_str());
        (void)co_await weft::with_task_group(
            [](weft::task_group& group, network* network, weft::net::tcp_listener* from,
               service* with,
               examples::front_end how) { return serve(group, *network, *from, *with, how); },
            &on, &listener, &shared, options.front_end);
    }
    co_await on.stop();
    co_return 0;
}

}  // namespace

int main(int argc, char** argv) {
    settings options;
    CLI::App app{"Echoes what it receives over Weft's own TCP, on a TAP.", "echo_server"};
    examples::add_network_options(app, options.network);
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
        return weft::run([&options](weft::io_context& io) { return serve_port(io, options); });
    });
}
