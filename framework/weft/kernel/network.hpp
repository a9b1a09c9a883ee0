#pragma once
// The kernel's network on one loop: the concept weft::network on Linux sockets, through io_uring.
//
//     return weft::run([](weft::io_context& io) { return serve(io); });
//     ...  kernel::network network{io};  co_await network.connect(to, {.no_delay = true});
//
// Owns the memory in which received bytes arrive and knows every socket that it made; streams,
// listeners and sockets must not outlive it. Its destruction ends the requests of those that are
// gone already, without waiting for peers. Several networks on one loop are fine; one thread.

#include <weft/awaiter.hpp>
#include <weft/base/address.hpp>
#include <weft/base/intrusive_list.hpp>
#include <weft/base/result.hpp>
#include <weft/io/scheduler.hpp>
#include <weft/kernel/connect_operation.hpp>
#include <weft/kernel/options.hpp>
#include <weft/kernel/receive_pool.hpp>
#include <weft/kernel/resolver.hpp>
#include <weft/kernel/tcp_listener.hpp>
#include <weft/kernel/tcp_stream.hpp>
#include <weft/kernel/udp_socket.hpp>

#include <cstdint>
#include <string>
#include <utility>

namespace weft::kernel {

struct network_counters {
    std::uint64_t accepted = 0;
    std::uint64_t connected = 0;
    std::uint64_t accept_pauses = 0;  ///< a listener rested, out of descriptors or memory
    std::uint64_t starvations = 0;    ///< bytes came and no provided buffer was left
    std::uint64_t copied = 0;         ///< received pieces that were moved out of their buffer
};

class network {
public:
    using stream = tcp_stream;
    using listener = tcp_listener;
    using datagram_socket = udp_socket;
    using connect_options = kernel::connect_options;
    using listen_options = kernel::listen_options;

    /// On the loop's ring. Throws std::system_error when the scheduler has none (a simulation), or
    /// there is no memory for receiving.
    explicit network(weft::scheduler& on, const network_options& options = {});
    network(const network&) = delete;
    network& operator=(const network&) = delete;
    /// Precondition: no stream, listener or socket of it is left.
    ~network();

    /// Opens a connection. Completes when it is established. Any number may be under way.
    /// Cancelling gives the attempt up. Errors: `connection_refused`, `timed_out`,
    /// `host_unreachable`, `network_unreachable`, `address_not_available`, `invalid_argument` (not
    /// the address of one host), `too_many_files_open`, `operation_canceled`.
    [[nodiscard]] awaiter<connect_operation> connect(const endpoint& remote,
                                                     const connect_options& options = {}) {
        return awaiter<connect_operation>{*this, remote, options};
    }

    /// Accepts connections at `local`. Unspecified address: any of ours, of both families with
    /// `::`; port 0: one is chosen. Errors: `address_in_use`, `address_not_available`,
    /// `permission_denied`, `too_many_files_open`.
    result<tcp_listener> listen(const endpoint& local, const listen_options& options = {});
    /// At any IPv4 address of ours.
    result<tcp_listener> listen(std::uint16_t port, const listen_options& options = {}) {
        return listen(endpoint{ip_address{ipv4_address{}}, port}, options);
    }

    /// A UDP port, chosen like a listener's.
    result<udp_socket> bind(const endpoint& local);

    /// The endpoints of `service` (a name or a port) on `host`, as the system knows it: /etc/hosts,
    /// its name servers. See kernel::resolver, whose contract this is.
    [[nodiscard]] auto resolve(std::string host, std::string service,
                               const resolve_options& wanted = {}) const {
        return resolver{}.resolve(std::move(host), std::move(service), wanted);
    }

    [[nodiscard]] weft::scheduler& scheduler() const noexcept { return scheduler_; }
    [[nodiscard]] class ring& ring() const noexcept { return ring_; }
    [[nodiscard]] const network_options& options() const noexcept { return options_; }
    [[nodiscard]] receive_pool& pool() noexcept { return pool_; }
    [[nodiscard]] network_counters counters() const noexcept;

private:
    friend class connect_operation;
    friend class kernel_socket;
    friend class listening;

    void add(kernel_socket& made) noexcept { sockets_.push_back(made); }

    weft::scheduler& scheduler_;
    class ring& ring_;
    network_options options_;
    receive_pool pool_;
    network_counters statistics_;
    intrusive_list<kernel_socket> sockets_;
};

}  // namespace weft::kernel
