#pragma once
// The system calls that kernel sockets make outside of the ring: those that never wait.

#include <weft/base/address.hpp>
#include <weft/base/instant.hpp>
#include <weft/base/result.hpp>
#include <weft/kernel/options.hpp>

#include <system_error>

namespace weft::kernel {

/// A socket in blocking mode (the ring waits for it), closed on exec.
[[nodiscard]] result<int> open_socket(int family, int type);
/// As `open_socket`, at `local`, ready for connections. An unspecified IPv6 address takes both
/// families.
[[nodiscard]] result<int> open_listener(const endpoint& local, const listen_options& options);
[[nodiscard]] result<int> open_datagram_socket(const endpoint& local, bool reuse_port);

[[nodiscard]] std::error_code apply(int fd, const connect_options& options) noexcept;
void set_no_delay(int fd, bool on) noexcept;
void set_keepalive(int fd, const keepalive_options& options) noexcept;
void set_user_timeout(int fd, duration timeout) noexcept;

[[nodiscard]] endpoint local_endpoint_of(int fd) noexcept;
[[nodiscard]] endpoint remote_endpoint_of(int fd) noexcept;

/// Our FIN, behind what was written.
[[nodiscard]] std::error_code close_sending(int fd) noexcept;
/// Bytes that the peer has not acknowledged; a FIN counts as one (SIOCOUTQ). -1: unknown.
[[nodiscard]] int unacknowledged(int fd) noexcept;
/// The kernel has forgotten the connection: it is in CLOSED, or in TIME-WAIT.
[[nodiscard]] bool is_over(int fd) noexcept;
/// What ended it, once: reading it clears it.
[[nodiscard]] std::error_code take_error(int fd) noexcept;
/// Ends a connection at once, with a RST in the states that send one.
void reset_connection(int fd) noexcept;

}  // namespace weft::kernel
