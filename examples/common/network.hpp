#pragma once
// The network that a program here runs on, from its command line: `--net kernel:` or `--net
// tap:name=…,addr=…`, with `--tap`, `--address`, `--gateway` and `--no-offload` as shorthands for
// the parts of the latter; and what is wished of it: `--congestion`, `--buffer`, `--pcap`,
// `--stats`, `--ladder`, `--log`.
//
// A program is a template over `network<Network>`; run_on_network() and run_on_cores() branch once.
// The other end of a TAP is the kernel's; it needs an address and has to be up (`ip addr add`,
// `ip link set up`).

#include "common/command_line.hpp"
#include "common/shard_board.hpp"

#include <weft/io/io_context.hpp>
#include <weft/net/io/with_network.hpp>
#include <weft/net/ladder.hpp>
#include <weft/network.hpp>
#include <weft/task.hpp>

#include <algorithm>
#include <chrono>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <memory>
#include <string>
#include <utility>

namespace examples {

struct network_options {
    network_options() = default;

    std::string net;
    std::string tap = "weft0";
    std::string address = "10.0.0.2/24";
    std::string gateway;
    std::string pcap;
    std::string log;
    weft::net::tcp::congestion_algorithm congestion = {};
    bool congestion_is_asked_for = false;
    std::uint32_t buffer_kib = 0;
    std::uint32_t ladders = 0;
    bool stats = false;
    bool plain = false;

    /// The spec they come to. Throws cannot_start when the network cannot do what is wished.
    [[nodiscard]] weft::net::network_spec spec() const;
};

/// Adds the options that all programs have.
void add_network_options(CLI::App& app, network_options& options);

[[nodiscard]] inline bool is_ours(const weft::net::network_spec& spec) noexcept {
    return spec.on == weft::net::network_spec::kind::tap;
}
/// Throws cannot_start when several loops cannot do what is wished.
void check_for_cores(const network_options& options);
/// Prints the last `count` connections to stdout.
void print_ladders(const weft::net::ladder& of, std::uint32_t count);
/// Says how to give the kernel's end of a TAP an address.
void tell_of_new_tap(const std::string& name);
[[nodiscard]] bool is_interface(const std::string& name);

/// A network with what was wished of it: the only one, or a shard of a server on several cores.
template <weft::network Network>
class network {
    static constexpr bool is_host = std::same_as<Network, weft::net::host>;

public:
    using listen_options = typename Network::listen_options;

    /// `board`, which outlives it, knows of it from then on as the shard `index`.
    network(Network& on, const network_options& options, shard_board& board, std::size_t index)
        : on_{on}, options_{options}, board_{board}, index_{index} {
        if constexpr (is_host) {
            if (options.ladders > 0) {
                ladder_ = std::make_unique<weft::net::ladder>(
                    weft::net::ladder_options{.max_conversations = options.ladders});
                on_.observe(ladder_.get());
            }
        }
        board_.open(index, [this] { return report_of(on_); });
    }
    network(const network&) = delete;
    network& operator=(const network&) = delete;
    /// Prints the ladders that were asked for.
    ~network() {
        board_.close(index_);
        if constexpr (is_host) on_.observe(nullptr);
        if (ladder_ != nullptr) print_ladders(*ladder_, options_.ladders);
    }

    [[nodiscard]] std::size_t index() const noexcept { return index_; }
    /// The first of the shards, which speaks for all.
    [[nodiscard]] bool is_first() const noexcept { return index_ == 0; }
    /// Completes when all shards have come so far. An error: asked to stop.
    [[nodiscard]] weft::task<weft::result<void>> all_ready() { return board_.all_ready(); }

    [[nodiscard]] weft::instant now() const { return on_.scheduler().now(); }

    /// Listens, on any of our addresses; connections get the congestion control and the buffers
    /// asked for. Throws cannot_start when the port is taken.
    typename Network::listener listen(std::uint16_t port, listen_options options = {}) {
        if (port == 0 && board_.cores().size() > 1) {
            throw cannot_start{"a port that the system chooses needs --threads 1"};
        }
        options.connection = with_wishes(options.connection);
        auto opened = on_.listen(port, options);
        if (!opened) {
            throw cannot_start{"cannot listen on port " + std::to_string(port) + ": " +
                               opened.error().message()};
        }
        return std::move(*opened);
    }
    /// Opens a UDP port, on any of our addresses. Throws cannot_start when it is taken.
    typename Network::datagram_socket bind(std::uint16_t port) {
        auto opened = on_.bind({weft::ipv4_address{}, port});
        if (!opened) {
            throw cannot_start{"cannot receive on port " + std::to_string(port) + ": " +
                               opened.error().message()};
        }
        return std::move(*opened);
    }
    /// What to tell people of a port that was opened with listen() or bind().
    template <class Opened>
    [[nodiscard]] std::string name_of(const Opened& opened) const {
        weft::endpoint at = opened.local_endpoint();
        if constexpr (is_host) at.address = on_.address();
        return at.to_string();
    }

    /// Opens a connection with the congestion control and the buffers asked for.
    [[nodiscard]] auto connect(const weft::endpoint& remote) {
        return on_.connect(remote, with_wishes(typename Network::connect_options{}));
    }

    /// Closes what is open, in order, and aborts what is left after five seconds. No stream may be
    /// in use any more.
    weft::task<> stop() {
        if constexpr (is_host) co_await on_.stop(now() + std::chrono::seconds{5});
        co_return;
    }

    /// Sees to what a server heeds besides its peers, until it is asked to stop: SIGUSR1 prints
    /// counters, and a runtime that drains closes the listener.
    void watch(weft::task_group& group, typename Network::listener& listener) {
        group.spawn(close_when_draining(board_.cores().loop(index_).draining(), listener));
        watch(group);
    }
    void watch(weft::task_group& group) {
        if (is_first()) group.spawn(board_.print_on_signal());
    }

private:
    static weft::task<void> close_when_draining(weft::event& draining,
                                                typename Network::listener& listener) {
        const weft::result<void> is_draining = co_await draining.wait();
        if (is_draining) listener.close();
    }

    template <class Options>
    [[nodiscard]] Options with_wishes(Options connection) const noexcept {
        if constexpr (is_host) connection.congestion = options_.congestion;
        if (options_.buffer_kib != 0) {
            connection.send_buffer_bytes = connection.receive_buffer_bytes =
                options_.buffer_kib * 1024;
        }
        return connection;
    }

    Network& on_;
    const network_options& options_;
    shard_board& board_;
    const std::size_t index_;
    std::unique_ptr<weft::net::ladder> ladder_;
};

/// Runs `program(network<…>&, arguments…)` on what was asked for, on each loop of `cores`; gives
/// its exit status, the largest, or throws what it has thrown, after everything has ended in order
/// and the counters that were asked for are printed. `options` outlives it.
template <class Program, class... Arguments>
weft::task<int> run_on_cores(weft::runtime& cores, const network_options& options, Program program,
                             Arguments... arguments) {
    const weft::net::network_spec spec = options.spec();
    if (cores.size() > 1) check_for_cores(options);
    const bool is_new = is_ours(spec) && !is_interface(spec.name);
    shard_board board{cores, is_ours(spec) ? spec.address.to_string() : "kernel", options.stats};
    const auto body = [](auto& on, shard_board* shared, const network_options* asked,
                         const std::string* made, Program run,
                         Arguments... with) -> weft::task<int> {
        const weft::runtime_loop& loop = co_await shared->cores().here();
        if (made != nullptr && loop.index() == 0) tell_of_new_tap(*made);
        network here{on, *asked, *shared, loop.index()};
        int status = exit_failed;
        std::exception_ptr thrown;
        try {
            status = co_await run(here, with...);
        } catch (...) {
            thrown = std::current_exception();
        }
        co_await here.stop();
        if (thrown) std::rethrow_exception(thrown);
        co_return status;
    };
    const auto ended = co_await weft::net::with_network(
        cores, spec, body, &board, &options, is_new ? &spec.name : nullptr, program, arguments...);
    if (!ended) co_return ended.error() == std::errc::operation_canceled ? 0 : exit_failed;
    co_return std::ranges::max(*ended);
}

/// The same on one loop, the calling thread's.
template <class Program, class... Arguments>
int run_on_network(const network_options& options, Program program, Arguments... arguments) {
    weft::runtime one{{.threads = 1}};
    return one.run(
        [&](weft::runtime& cores) { return run_on_cores(cores, options, program, arguments...); });
}

}  // namespace examples
