#pragma once
// One stream socket: what a descriptor of the calls in sockets.hpp stands for.
//
// Answers as Linux does, in values or negated errnos: which call fails in which state and with
// what, an error that is reported once, POLL* bits from the two shutdowns, the state and the
// buffers. The stack's connection below knows nothing of that. Every function is called with the
// network's lock held; those that take the lock may sleep, and the socket may be closed meanwhile.

#include <sys/socket.h>
#include <sys/uio.h>

#include <weft/net/posix/descriptor.hpp>
#include <weft/net/posix/network.hpp>
#include <weft/net/posix/urgent_mark.hpp>

#include <memory>
#include <optional>
#include <span>

namespace weft::net::posix {

class socket final : public descriptor {
public:
    explicit socket(network& on) : network_{on}, options_{on.options().connection} {}
    ~socket() override;

    // ---- opening
    /// Precondition: the port is chosen, and nobody else holds it.
    answer bind(const endpoint& local) noexcept;
    answer listen(int backlog);
    /// The next connection of a listening socket in `made`.
    answer accept(network::lock& held, std::shared_ptr<socket>& made);
    answer connect(network::lock& held, const endpoint& remote);
    /// connect() to no family: back to a fresh socket; a connection is aborted.
    answer disconnect();

    // ---- transfer (socket_transfer.cpp)
    answer receive(network::lock& held, std::span<const iovec> into, int flags);
    answer send(network::lock& held, std::span<const iovec> from, int flags);
    /// The same with MSG_FASTOPEN: opens the connection to `remote`, with a SYN that carries text.
    answer send_fast(network::lock& held, std::span<const iovec> from, int flags,
                     const std::optional<endpoint>& remote);

    // ---- ending
    answer shutdown(int how);
    /// The descriptor is gone. Sleeps only for a SO_LINGER time.
    void close(network::lock& held);

    // ---- options (socket_options.cpp)
    answer set_option(int level, int name, const void* value, socklen_t bytes);
    answer get_option(int level, int name, void* value, socklen_t* bytes);
    answer ioctl(unsigned long request, void* argument);

    // ---- queries
    [[nodiscard]] short poll_events() override;
    [[nodiscard]] std::uint64_t activity() const noexcept override;
    void on_signal() noexcept { ++activity_; }
    [[nodiscard]] bool is_bound() const noexcept { return bound_; }
    [[nodiscard]] bool is_listening() const noexcept { return listener_ != nullptr; }
    [[nodiscard]] bool is_connected() const noexcept;
    [[nodiscard]] bool may_share_port() const noexcept { return reuse_address_; }
    [[nodiscard]] const tcp::connection* connection() const noexcept { return connection_; }
    [[nodiscard]] endpoint local() const noexcept;
    [[nodiscard]] endpoint remote() const noexcept;

private:
    static constexpr int most_backlog = 4096;  ///< as net.core.somaxconn of Linux

    struct lingering {
        bool enabled = false;
        int seconds = 0;
    };

    /// A connection that is on its way to ESTABLISHED.
    [[nodiscard]] bool is_connecting() const noexcept;
    /// It had a connection, and both directions of it are finished.
    [[nodiscard]] bool is_over() const noexcept;
    [[nodiscard]] bool has_peers_fin() const noexcept;
    [[nodiscard]] bool is_read_shut() const noexcept;
    [[nodiscard]] bool is_write_shut() const noexcept;
    /// Room enough that a writer is woken. Precondition: it has a connection.
    [[nodiscard]] bool has_room() const noexcept;
    /// The error that waits to be reported (SO_ERROR); 0: none. take_error() reports it.
    [[nodiscard]] int pending_error() const noexcept;
    int take_error() noexcept;
    void adopt(tcp::connection& c) noexcept;
    void let_go();
    void end_listening();
    answer finish_connecting(network::lock& held);
    /// Our SYN is due. `is_fast`: with Fast Open.
    answer open(const endpoint& remote, bool is_fast);
    /// A connect() whose SYN waits for the first text (TCP_FASTOPEN_CONNECT).
    [[nodiscard]] bool is_deferred() const noexcept {
        return connection_ != nullptr && connection_->is_syn_held();
    }
    answer send_with_syn(network::lock& held, std::span<const iovec> from, int flags);
    answer send_rest(network::lock& held, std::span<const iovec> from, std::size_t sent, int flags);
    // socket_fast_open.cpp
    [[nodiscard]] std::uint32_t fast_open_limit() const noexcept;
    [[nodiscard]] bool needs_no_cookie() const noexcept;
    [[nodiscard]] std::optional<tcp::fast_open_keys> fast_open_keys() const noexcept;
    answer set_fast_open_number(int name, int value);
    [[nodiscard]] std::optional<int> fast_open_number(int name) const;
    answer set_fast_open_key(const void* value, socklen_t bytes);
    answer get_fast_open_key(void* value, socklen_t* bytes) const;
    [[nodiscard]] instant deadline(duration limit, int flags) const noexcept;

    answer receive_urgent(std::span<const iovec> into, int flags);
    std::size_t take_text(std::span<const iovec> into, std::size_t skip, int flags);
    [[nodiscard]] bool is_before_urgent_byte() const noexcept;
    /// What one read can have now: up to the mark, if there is one.
    [[nodiscard]] std::uint32_t next_read_bytes() const noexcept;
    /// Everything but text that ends a receive(): 0 at the end, a negated errno, or nothing.
    std::optional<answer> end_of_receiving();
    answer wait_connected(network::lock& held, instant until);

    answer set_socket_option(int name, const void* value, socklen_t bytes);
    answer set_tcp_option(int name, const void* value, socklen_t bytes);
    answer set_tcp_number(int name, int value);
    answer set_ip_option(int name, const void* value, socklen_t bytes);
    answer set_time_limit(duration& limit, const void* value, socklen_t bytes);
    answer set_lingering(const void* value, socklen_t bytes);
    answer set_congestion(const void* value, socklen_t bytes);
    [[nodiscard]] std::optional<int> socket_number(int name);
    [[nodiscard]] std::optional<int> tcp_number(int name) const;
    [[nodiscard]] std::optional<int> ip_number(int name) const;
    void apply_options();
    void apply_keepalive();

    network& network_;
    tcp::connection_options options_;
    endpoint local_;
    tcp::listener* listener_ = nullptr;
    tcp::connection* connection_ = nullptr;
    duration receive_limit_ = duration::zero();  ///< SO_RCVTIMEO; zero: none
    duration send_limit_ = duration::zero();     ///< SO_SNDTIMEO
    std::uint64_t activity_ = 0;
    std::uint64_t accepted_ = 0;
    lingering linger_;
    urgent_mark urgent_;
    std::optional<tcp::fast_open_keys> fast_open_keys_;  ///< TCP_FASTOPEN_KEY
    std::optional<int> fast_open_queue_;                 ///< TCP_FASTOPEN
    int backlog_ = 0;
    int error_ = 0;  ///< to be reported, of this socket itself
    int low_water_ = 1;
    bool bound_ = false;
    bool reuse_address_ = false;
    bool urgent_inline_ = false;
    bool fast_open_connect_ = false;     ///< TCP_FASTOPEN_CONNECT
    bool fast_open_cookieless_ = false;  ///< TCP_FASTOPEN_NO_COOKIE
    bool corked_ = false;
    bool connect_unfinished_ = false;  ///< connect() has not yet said how it went
    bool error_taken_ = false;         ///< the connection's error was reported
    bool read_shut_ = false;
    bool write_shut_ = false;
    bool closed_ = false;
};

}  // namespace weft::net::posix
