// A TCP server on Weft's own stack that says back what it hears, or only listens, or only talks.
//
//     echo_server --tap weft0 --address 10.0.0.2/24 --port 7
//
// Each connection is one coroutine, written over any stream. Ctrl-C closes them all in order.

#include "common/command_line.hpp"
#include "common/connection_limit.hpp"
#include "common/network.hpp"
#include "common/pattern.hpp"

#include <weft/run.hpp>
#include <weft/task_group.hpp>
#include <weft/with_timeout.hpp>

#include <boost/crc.hpp>

#include <array>
#include <chrono>
#include <cstdio>
#include <map>
#include <memory>
#include <string>

namespace {

using examples::network;

enum class mode { echo, discard, chargen, hash };

struct settings {
    settings() = default;

    examples::network_options network;
    std::uint16_t port = 7;
    mode what = mode::echo;
    std::uint64_t bytes = 0;
    double idle_seconds = 60;
    std::uint32_t max_connections = 4096;
    std::uint32_t backlog = 1024;
};

/// What every connection needs to know. Outlives them.
struct service {
    explicit service(const settings& asked) : options{asked}, connections{asked.max_connections} {}

    [[nodiscard]] weft::duration patience() const {
        return std::chrono::duration_cast<weft::duration>(
            std::chrono::duration<double>{options.idle_seconds});
    }

    const settings& options;
    examples::pattern pattern;
    examples::connection_limit connections;
};

using buffer = std::array<std::byte, 64 * 1024>;

/// Sends everything back, until the peer closes; then closes too.
template <class Stream>
weft::task<weft::result<void>> echo(Stream& peer, service& shared, buffer& bytes) {
    for (;;) {
        const auto got = co_await weft::with_timeout(shared.patience(), peer.read_some(bytes));
        if (!got) co_return got.error();
        if (*got == 0) break;
        const auto sent = co_await weft::with_timeout(shared.patience(),
                                                      peer.write_all(std::span{bytes}.first(*got)));
        if (!sent) co_return sent.error();
    }
    co_return co_await weft::with_timeout(shared.patience(), peer.shutdown());
}

/// Reads to the end; with `hash`, answers with count and CRC-32 of what it read.
template <class Stream>
weft::task<weft::result<void>> discard(Stream& peer, service& shared, buffer& bytes) {
    boost::crc_32_type sum;
    std::uint64_t count = 0;
    for (;;) {
        const auto got = co_await weft::with_timeout(shared.patience(), peer.read_some(bytes));
        if (!got) co_return got.error();
        if (*got == 0) break;
        count += *got;
        if (shared.options.what == mode::hash) sum.process_bytes(bytes.data(), *got);
    }
    if (shared.options.what == mode::hash) {
        std::array<char, 64> line;
        const int length = std::snprintf(line.data(), line.size(), "%llu %08x\n",
                                         static_cast<unsigned long long>(count), sum.checksum());
        const std::span text{line.data(), static_cast<std::size_t>(length)};
        const auto sent =
            co_await weft::with_timeout(shared.patience(), peer.write_all(std::as_bytes(text)));
        if (!sent) co_return sent.error();
    }
    co_return co_await weft::with_timeout(shared.patience(), peer.shutdown());
}

/// Sends the pattern, `--bytes` of it or until the peer goes; then waits for the peer to close.
template <class Stream>
weft::task<weft::result<void>> generate(Stream& peer, service& shared, buffer& bytes) {
    const std::uint64_t total = shared.options.bytes == 0 ? UINT64_MAX : shared.options.bytes;
    for (std::uint64_t sent = 0; sent < total;) {
        const auto piece =
            shared.pattern.at(sent, std::min<std::uint64_t>(total - sent, bytes.size()));
        const auto taken = co_await weft::with_timeout(shared.patience(), peer.write_all(piece));
        if (!taken) co_return taken.error();
        sent += piece.size();
    }
    const auto closed = co_await weft::with_timeout(shared.patience(), peer.shutdown());
    if (!closed) co_return closed.error();
    for (;;) {
        const auto got = co_await weft::with_timeout(shared.patience(), peer.read_some(bytes));
        if (!got) co_return got.error();
        if (*got == 0) co_return weft::result<void>{};
    }
}

template <class Stream>
weft::task<weft::result<void>> talk(Stream& peer, service& shared, buffer& bytes) {
    switch (shared.options.what) {
        case mode::echo: return echo(peer, shared, bytes);
        case mode::discard:
        case mode::hash: return discard(peer, shared, bytes);
        case mode::chargen: return generate(peer, shared, bytes);
    }
    return echo(peer, shared, bytes);
}

template <class Stream>
weft::task<void> serve(Stream peer, service& shared) {
    weft::result<void> outcome;
    if (shared.options.what != mode::chargen) {  // a peer that says nothing costs no buffer
        outcome = co_await weft::with_timeout(shared.patience(), peer.readable());
    }
    if (outcome) {
        const auto bytes = std::make_unique<buffer>();
        outcome = co_await talk(peer, shared, *bytes);
    }
    if (outcome.error() == weft::errc::timed_out) peer.abort();
    shared.connections.closed();
}

weft::task<void> accept_all(weft::task_group& group, network& on, weft::net::tcp_listener& listener,
                            service& shared) {
    group.spawn(on.print_counters_on_signal());
    for (;;) {
        if (!co_await shared.connections.has_room()) break;
        weft::result<weft::net::tcp_stream> peer = co_await listener.accept();
        if (!peer) break;
        shared.connections.opened();
        group.spawn(serve(std::move(*peer), shared));
    }
}

weft::task<int> serve_port(weft::io_context& io, const settings& options) {
    network on{io, options.network};
    {
        service shared{options};
        weft::net::tcp_listener listener = on.listen(options.port, {.backlog = options.backlog});
        std::fprintf(stderr, "listening on %s\n",
                     weft::net::endpoint{on.host().address(), options.port}.to_string().c_str());
        (void)co_await weft::with_task_group(
            [](weft::task_group& group, network* network, weft::net::tcp_listener* from,
               service* with) { return accept_all(group, *network, *from, *with); },
            &on, &listener, &shared);
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
    app.add_option("--mode", options.what,
                   "echo; discard: read only; hash: read, then tell count and CRC-32; "
                   "chargen: write only")
        ->transform(CLI::CheckedTransformer(std::map<std::string, mode>{{"echo", mode::echo},
                                                                        {"discard", mode::discard},
                                                                        {"hash", mode::hash},
                                                                        {"chargen", mode::chargen}},
                                            CLI::ignore_case))
        ->type_name("MODE");
    app.add_option("--bytes", options.bytes, "chargen: bytes for each connection; 0: no end")
        ->capture_default_str();
    app.add_option("--idle", options.idle_seconds, "seconds without progress before a reset")
        ->capture_default_str()
        ->check(CLI::PositiveNumber);
    app.add_option("--max-connections", options.max_connections, "more wait to be accepted")
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
