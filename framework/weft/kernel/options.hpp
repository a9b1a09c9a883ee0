#pragma once
// What a program may set on kernel sockets: plain values. The names that net::connection_options
// and net::listen_options have too mean the same there.

#include <weft/base/instant.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <type_traits>

namespace weft::kernel {

/// Probes an idle connection. Off by default. The kernel counts in seconds: parts count as one.
struct keepalive_options {
    bool enabled = false;
    duration idle = std::chrono::hours{2};         ///< before the first probe
    duration interval = std::chrono::seconds{75};  ///< between unanswered probes
    std::uint8_t probes = 9;                       ///< unanswered, until timed_out
};

/// Of one connection; of a listener, for the connections it accepts.
struct connect_options {
    bool no_delay = false;  ///< turns Nagle's algorithm off
    keepalive_options keepalive = {};
    /// How long what was sent, or our SYN, may stay unacknowledged; zero: the system's figures.
    duration user_timeout = duration::zero();
    std::uint32_t send_buffer_bytes = 0;     ///< 0: the system's, which follow the path
    std::uint32_t receive_buffer_bytes = 0;  ///< likewise
    bool linger_abort = false;               ///< destroying the stream aborts instead of closing
    /// Writes of at least so many bytes leave from the caller's memory, without a copy, and
    /// complete only when the kernel has let go of it, which for TCP means that the peer has
    /// acknowledged them. 0: none. Where the kernel says that it copied after all (loopback), the
    /// connection goes back to copying.
    std::uint32_t zero_copy_from_bytes = 0;
};
static_assert(std::is_trivially_destructible_v<connect_options>);

struct listen_options {
    /// Connections that wait to be accepted; the system has a limit of its own
    /// (net.core.somaxconn).
    std::uint32_t backlog = 1024;
    /// Several listeners on one port, on one loop each: the kernel spreads connections
    /// (SO_REUSEPORT). All of them have to ask for it.
    bool reuse_port = false;
    connect_options connection = {};
};
static_assert(std::is_trivially_destructible_v<listen_options>);

struct network_options {
    /// Every port of this network may be that of networks on other loops too, which ask for the
    /// same: the kernel spreads connections, and datagrams by their sender (SO_REUSEPORT). A port
    /// that the system chooses is this network's only.
    bool share_ports = false;
    /// Of the memory in which received bytes arrive: shared by all connections, none of which holds
    /// any while it waits. A power of two.
    std::uint32_t receive_buffers = 256;
    std::uint32_t receive_buffer_bytes = 16U << 10;
    /// How much one connection may have received that nobody reads, before the kernel is asked to
    /// keep the rest, whose buffer and then the peer's window fill up. Until it has heard of it the
    /// kernel goes on, by some 33 buffers at a time.
    std::uint32_t unread_bytes = 128U << 10;
    /// Accepted descriptors that nobody has taken yet, of one listener.
    std::uint32_t accept_ahead = 64;
    /// How long a listener leaves connections to the kernel after it ran out of descriptors.
    duration accept_pause = std::chrono::milliseconds{50};
};
static_assert(std::is_trivially_destructible_v<network_options>);

}  // namespace weft::kernel
