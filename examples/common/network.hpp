#pragma once
// A host of Weft's own stack on a TAP, as the programs here take it from their command lines:
// `--tap`, `--address`, `--gateway`, `--congestion`, `--buffer`, `--pcap`, `--stats`,
// `--ladder`, `--log`.
//
// The other end of the TAP is the kernel's; it needs an address and has to be up (`ip addr add`,
// `ip link set up`). Used by echo_server, echo_client, http_server and http_get.

#include "common/command_line.hpp"

#include <weft/io/io_context.hpp>
#include <weft/net/io/host.hpp>
#include <weft/net/io/pcap_writer.hpp>
#include <weft/net/io/tap_device.hpp>
#include <weft/net/ladder.hpp>
#include <weft/task.hpp>

#include <cstdint>
#include <memory>
#include <string>

namespace examples {

struct network_options {
    network_options() = default;

    std::string tap = "weft0";
    std::string address = "10.0.0.2/24";
    std::string gateway;
    std::string pcap;
    std::string log;
    weft::net::tcp::congestion_algorithm congestion = {};
    std::uint32_t buffer_kib = 0;
    std::uint32_t ladders = 0;
    bool stats = false;
    bool plain = false;
};

/// Adds the options that all programs on a TAP have.
void add_network_options(CLI::App& app, network_options& options);

class network {
public:
    /// Opens the TAP and puts a host on it. Throws cannot_start.
    network(weft::io_context& io, const network_options& options);
    network(const network&) = delete;
    network& operator=(const network&) = delete;
    /// Prints the ladders and counters that were asked for.
    ~network();

    [[nodiscard]] weft::net::host& host() noexcept { return *host_; }

    /// Listens, on any of our addresses; connections get the congestion control and the buffers
    /// asked for. Throws cannot_start when the port is taken.
    weft::net::tcp_listener listen(std::uint16_t port, weft::net::tcp::listen_options options = {});

    /// host().connect() with the congestion control and the buffers asked for.
    [[nodiscard]] auto connect(const weft::net::endpoint& remote) {
        return host_->connect(remote, with_wishes({}));
    }

    /// Closes what is open, in order, and aborts what is left after five seconds. No stream may be
    /// in use any more.
    weft::task<> stop();

    /// Prints the counters that are not zero to stderr, by name.
    void print_counters() const;
    /// Prints them whenever SIGUSR1 comes, until it is asked to stop.
    weft::task<void> print_counters_on_signal();

private:
    [[nodiscard]] weft::net::tcp::connection_options with_wishes(
        weft::net::tcp::connection_options connection) const noexcept;

    network_options options_;
    std::unique_ptr<weft::net::tap_device> tap_;
    std::unique_ptr<weft::net::pcap_writer> pcap_;
    std::unique_ptr<weft::net::ladder> ladder_;
    std::unique_ptr<weft::net::host> host_;
};

}  // namespace examples
