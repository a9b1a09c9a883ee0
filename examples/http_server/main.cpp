// Serves a folder over HTTP/1.1, on Weft's own TCP or on the kernel's.
//
//     http_server --net tap:name=weft0,addr=10.0.0.2/24 --port 80 public/
//     http_server --net kernel: --port 8080 public/
//
// What happens on a connection is written over any stream, three times: in coroutine.hpp, fiber.hpp
// and callback.hpp (`--front-end`); what is answered is in answer.cpp. With `--threads` the same
// program runs on each of several loops, under one port. Ctrl-C closes the connections in order.

#include "common/accept_all.hpp"
#include "common/command_line.hpp"
#include "common/front_end.hpp"
#include "common/network.hpp"
#include "http_server/front_ends.hpp"
#include "http_server/service.hpp"
#include "http_server/site.hpp"

#include <weft/runtime.hpp>
#include <weft/task.hpp>

#include <cstdio>
#include <map>
#include <string>
#include <utility>
#include <vector>

namespace {

using namespace examples::http_server;

struct settings {
    settings() = default;

    examples::network_options network;
    examples::core_options cores;
    std::uint16_t port = 80;
    std::string folder;
    std::vector<std::string> redirects;
    std::uint32_t max_connections = 4096;
    std::uint32_t backlog = 1024;
    double header_seconds = 10;
    double idle_seconds = 30;
    double write_seconds = 30;
    std::uint64_t max_body_bytes = 1 << 20;
    examples::front_end front_end = examples::front_end::coroutine;
};

weft::duration seconds(double count) {
    return std::chrono::duration_cast<weft::duration>(std::chrono::duration<double>{count});
}

/// FROM=TO, where FROM is a path; empty when the text is good.
std::string check_redirect(const std::string& text) {
    const std::size_t equals = text.find('=');
    if (text.starts_with('/') && equals != std::string::npos && equals + 1 < text.size() &&
        text.find_first_of("\r\n") == std::string::npos) {
        return {};
    }
    return "'" + text + "' is not FROM=TO with a FROM that begins with a slash";
}

std::map<std::string, std::string, std::less<>> redirects_of(const settings& options) {
    std::map<std::string, std::string, std::less<>> made;
    for (const std::string& text : options.redirects) {
        const std::size_t equals = text.find('=');
        made.insert_or_assign(text.substr(1, equals - 1), text.substr(equals + 1));
    }
    return made;
}

examples::serve_limits limits_of(const settings& options) {
    examples::serve_limits made;
    made.idle_timeout = seconds(options.idle_seconds);
    made.exchange.head_timeout = seconds(options.header_seconds);
    made.exchange.body_timeout = seconds(options.idle_seconds);
    made.exchange.write_timeout = seconds(options.write_seconds);
    made.exchange.max_body_bytes = options.max_body_bytes;
    return made;
}

template <class Network>
weft::task<int> serve_folder(Network& on, const settings& options) {
    weft::result<weft::file> folder = co_await examples::site::open_folder(options.folder);
    if (!folder) throw examples::cannot_start{options.folder + ": " + folder.error().message()};
    service shared{std::move(*folder), redirects_of(options), limits_of(options),
                   options.max_connections};
    typename Network::listen_options wanted;
    wanted.backlog = options.backlog;
    wanted.connection.no_delay = true;
    wanted.connection.send_buffer_bytes = wanted.connection.receive_buffer_bytes = 256 * 1024;
    auto listener = on.listen(options.port, wanted);
    if (const auto ready = co_await on.all_ready(); !ready) co_return 0;
    if (on.is_first()) {
        std::fprintf(stderr, "serving %s at http://%s/\n", options.folder.c_str(),
                     on.name_of(listener).c_str());
    }
    (void)co_await examples::serve_all<front_ends>(options.front_end, on, listener, shared);
    co_return 0;
}

}  // namespace

int main(int argc, char** argv) {
    settings options;
    CLI::App app{"Serves a folder over HTTP, on Weft's own TCP or the kernel's.", "http_server"};
    app.add_option("folder", options.folder, "what to serve")->required()->type_name("FOLDER");
    examples::add_network_options(app, options.network);
    examples::add_core_options(app, options.cores);
    examples::add_front_end_option(app, options.front_end);
    app.add_option("--port", options.port, "the port to listen on")->capture_default_str();
    app.add_option("--redirect", options.redirects, "answer the path FROM with 302 and Location TO")
        ->type_name("FROM=TO")
        ->check(check_redirect)
        ->take_all();
    app.add_option("--max-connections", options.max_connections, "more wait to be accepted")
        ->capture_default_str()
        ->check(CLI::Range(1, 1000000));
    app.add_option("--backlog", options.backlog, "connections that may wait to be accepted")
        ->capture_default_str()
        ->check(CLI::PositiveNumber);
    app.add_option("--header-timeout", options.header_seconds, "seconds for a request to come")
        ->capture_default_str()
        ->check(CLI::PositiveNumber);
    app.add_option("--idle-timeout", options.idle_seconds, "seconds between requests")
        ->capture_default_str()
        ->check(CLI::PositiveNumber);
    app.add_option("--write-timeout", options.write_seconds,
                   "seconds for a peer to make room for the next piece of a response")
        ->capture_default_str()
        ->check(CLI::PositiveNumber);
    app.add_option("--max-body", options.max_body_bytes, "bytes of a request's body")
        ->capture_default_str();
    if (const auto status = examples::parse_command_line(app, argc, argv)) return *status;
    return examples::run_program("http_server", [&options] {
        weft::runtime cores{options.cores.runtime()};
        return cores.run([&options](weft::runtime& all) {
            return examples::run_on_cores(
                all, options.network,
                [](auto& on, const settings* asked) { return serve_folder(on, *asked); }, &options);
        });
    });
}
