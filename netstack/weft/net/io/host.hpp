#pragma once
// A host: one protocol stack on one device and one loop. The only place where the sans-IO core
// meets coroutines, timers and frames.
//
// Input (frames, the stack's timer, calls of streams) goes into the stack at once and marks the
// host; at its fixed points of the turn the host posts the operations whose event came (`deliver`)
// and moves frames to the device until there is nothing to say or no slot (`settle`). Nothing is
// emitted in between, so an acknowledgment rides on the response (RFC 9293 MUST-58). A coroutine is
// never resumed inside protocol code. One thread.

#include <weft/awaiter.hpp>
#include <weft/base/timer_wheel.hpp>
#include <weft/io/scheduler.hpp>
#include <weft/net/io/connect_operation.hpp>
#include <weft/net/io/device.hpp>
#include <weft/net/io/drain_operation.hpp>
#include <weft/net/io/tcp_listener.hpp>
#include <weft/net/io/tcp_stream.hpp>
#include <weft/net/io/udp_socket.hpp>
#include <weft/net/stack.hpp>
#include <weft/network.hpp>
#include <weft/task.hpp>

#include <cstddef>
#include <optional>
#include <span>
#include <type_traits>

namespace weft::net {

struct host_options {
    ip_prefix address;                  ///< ours, with the network's prefix
    std::optional<ip_address> gateway;  ///< for everything outside the prefix
    mac_address mac;                    ///< unspecified: one is made up (locally administered)
    tcp::config tcp;
    /// Keys sequence numbers and ports. Absent: the system's random bits. A simulation passes it.
    std::optional<tcp::hash_secret> secret;
    std::size_t pool_limit_bytes = std::size_t{1} << 30;  ///< of frames and buffers together
    tcp::shard shard = {};  ///< when several hosts share the address: see sharded_host
};
static_assert(std::is_trivially_destructible_v<host_options>);

/// 128 random bits of the system. Throws std::system_error when it has none.
[[nodiscard]] tcp::hash_secret random_secret();

/// A model of `weft::network`.
class host final : private turn_participant, private device_client {
public:
    using stream = tcp_stream;
    using listener = tcp_listener;
    using datagram_socket = udp_socket;
    using connect_options = tcp::connection_options;
    using listen_options = tcp::listen_options;

    /// Starts `underneath`, which must outlive the host. Throws std::system_error when the system
    /// has no random bits.
    host(weft::scheduler& on, device& underneath, const host_options& options);
    host(const host&) = delete;
    host& operator=(const host&) = delete;
    /// Precondition: no stream, listener or socket of this host is left. What remains in TIME-WAIT,
    /// or was not drained by stop(), is forgotten without a word to the peer.
    ~host();

    /// Opens a connection to `remote`: our SYN (RFC 9293 §3.10.1).
    ///
    /// Completes when the peer has answered it and our ACK is due: ESTABLISHED (or when SYNs
    /// crossed, §3.5). Resumes on the host's loop. Any number may be under way. Cancelling aborts
    /// the attempt. Errors: `errc::connection_refused`, `timed_out`, `host_unreachable`,
    /// `network_unreachable`, `invalid_endpoint`, `address_not_available`, `address_in_use`,
    /// `no_buffers`, `stack_stopped`.
    ///
    /// `first` is the stream's first text. It is copied when the awaiter is awaited, whole or not
    /// at all (`no_buffers`). With `options.fast_open`, as much of it as fits leaves in our SYN
    /// once the server has given us a cookie (RFC 7413), and its answer may be here a round trip
    /// earlier; else, and what the server did not take of it, it follows the handshake. When
    /// connecting fails nothing tells whether the server has read it.
    [[nodiscard]] awaiter<connect_operation> connect(const endpoint& remote,
                                                     tcp::connection_options options = {},
                                                     std::span<const std::byte> first = {}) {
        return awaiter<connect_operation>{*this, remote, endpoint{}, options, first};
    }
    /// The same without text, from a local endpoint of the caller's choice; port 0: any.
    [[nodiscard]] awaiter<connect_operation> connect_from(const endpoint& local,
                                                          const endpoint& remote,
                                                          tcp::connection_options options = {}) {
        return awaiter<connect_operation>{*this, remote, local, options};
    }

    /// Accepts connections at `local`. Unspecified address: any of ours; port 0: one is chosen.
    /// Errors: `errc::address_in_use`, `address_not_available`, `stack_stopped`.
    result<tcp_listener> listen(const endpoint& local, const tcp::listen_options& options = {});
    /// At any address of ours.
    result<tcp_listener> listen(std::uint16_t port, const tcp::listen_options& options = {}) {
        return listen(endpoint{ip_address{ipv4_address{}}, port}, options);
    }

    /// Opens a UDP port at `local`. Unspecified address: any of ours; port 0: one is chosen.
    /// Of several shards each may open the ports below the ephemeral ones, and gets those datagrams
    /// that are its own (tcp/shard.hpp); of the others each may open some. Errors:
    /// `errc::address_in_use`, `address_not_available`, `stack_stopped`.
    result<udp_socket> bind(const endpoint& local, const udp::socket_options& options = {});

    /// Ends everything in order: listeners and UDP sockets are closed, every connection sends its
    /// FIN behind what was written, and those that are not finished at `deadline` are aborted.
    ///
    /// Completes when all connections are in TIME-WAIT or CLOSED and what there was to say was
    /// given to the device. Streams stay valid, and fail. One stop at a time; a stop request does
    /// not cut it short.
    task<> stop(instant deadline);

    /// Takes in what another shard has received for us (see shard_forwarder).
    void on_forwarded(shard_cargo what, std::span<const std::byte> bytes,
                      const rx_offload& offload) noexcept;

    /// Names who watches transitions and segments (it must outlive the host or be replaced);
    /// nullptr: nobody.
    void observe(observer* watcher) noexcept { stack_.observe(watcher); }

    [[nodiscard]] const stack_counters& counters() const noexcept { return stack_.counters(); }
    [[nodiscard]] net::stack& stack() noexcept { return stack_; }
    [[nodiscard]] const net::stack& stack() const noexcept { return stack_; }
    [[nodiscard]] weft::scheduler& scheduler() noexcept { return scheduler_; }
    [[nodiscard]] instant now() const noexcept { return scheduler_.now(); }
    [[nodiscard]] const ip_address& address() const noexcept {
        return stack_.options().address.address();
    }
    [[nodiscard]] const block_pool& pool() const noexcept { return pool_; }
    /// Streams, listeners and sockets that programs hold.
    [[nodiscard]] std::size_t handle_count() const noexcept { return handles_; }
    [[nodiscard]] bool is_stopped() const noexcept { return stopped_; }

private:
    friend class accept_operation;
    friend class bound_socket;
    friend class connect_operation;
    friend class drain_operation;
    friend class listening;
    friend class send_operation;
    friend class stream_operation;
    friend class tcp_stream;

    struct stack_timer : timer_node {
        explicit stack_timer(host& self) noexcept;
        host& self_;
    };

    // turn_participant
    void deliver(instant now) noexcept override;
    void settle(instant now) noexcept override;
    // device_client
    void on_frame(slice frame, const rx_offload& offload, instant now) noexcept override;
    void on_slot_available() noexcept override { settle_later(); }
    void on_frame_refused() noexcept override { stack_.on_frame_refused(); }

    void settle_later() noexcept { scheduler_.settle_later(*this); }
    void on_timeout(instant now) noexcept;
    void emit_frames(instant now) noexcept;
    void count_handle(int change) noexcept { handles_ += static_cast<std::size_t>(change); }
    [[nodiscard]] bool is_drained() noexcept;
    /// Calls `end` for each connection that is not finished.
    void end_connections(void (*end)(tcp::connection&, instant));

    weft::scheduler& scheduler_;
    device& device_;
    block_pool pool_;
    net::stack stack_;
    stack_timer timer_;
    intrusive_list<listening> listeners_;
    intrusive_list<bound_socket> sockets_;
    operation* draining_ = nullptr;
    std::size_t handles_ = 0;
    bool stopped_ = false;
};

static_assert(weft::network<host>);

}  // namespace weft::net
