#include <weft/kernel/socket_address.hpp>
#include <weft/kernel/system_calls.hpp>

#include <linux/sockios.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <limits>

namespace weft::kernel {
namespace {

std::error_code last_error() noexcept { return {errno, std::generic_category()}; }

std::error_code set(int fd, int level, int name, int value) noexcept {
    if (::setsockopt(fd, level, name, &value, sizeof value) == 0) return {};
    return last_error();
}

int whole_seconds(duration length) noexcept {
    const auto seconds = std::chrono::ceil<std::chrono::seconds>(length).count();
    return static_cast<int>(std::clamp<std::int64_t>(seconds, 1, 32767));
}

int as_int(std::uint32_t value) noexcept {
    return static_cast<int>(std::min<std::uint32_t>(value, std::numeric_limits<int>::max()));
}

/// Takes `fd` down with an error.
result<int> failed(int fd, std::error_code why) noexcept {
    ::close(fd);
    return why;
}

/// For one endpoint, or with an unspecified IPv6 address for both families.
result<int> open_bound(const endpoint& local, int type, bool reuse_address, bool reuse_port) {
    const int family = socket_address::family_of(local);
    const result<int> opened = open_socket(family, type);
    if (!opened) return opened;
    const int fd = *opened;
    if (family == AF_INET6) {
        const int only = local.address.is_unspecified() ? 0 : 1;
        if (const auto why = set(fd, IPPROTO_IPV6, IPV6_V6ONLY, only)) return failed(fd, why);
    }
    if (reuse_address) {
        if (const auto why = set(fd, SOL_SOCKET, SO_REUSEADDR, 1)) return failed(fd, why);
    }
    if (reuse_port) {
        if (const auto why = set(fd, SOL_SOCKET, SO_REUSEPORT, 1)) return failed(fd, why);
    }
    const socket_address at{local, family};
    if (::bind(fd, &at.get(), at.length()) != 0) return failed(fd, last_error());
    return fd;
}

using endpoint_call = int (*)(int, sockaddr*, socklen_t*);

endpoint ask(int fd, endpoint_call call) noexcept {
    socket_address answer;
    socklen_t length = socket_address::capacity();
    if (fd < 0 || call(fd, &answer.get(), &length) != 0) return {};
    return answer.to_endpoint();
}

}  // namespace

result<int> open_socket(int family, int type) {
    const int fd = ::socket(family, type | SOCK_CLOEXEC, 0);
    if (fd < 0) return last_error();
    return fd;
}

result<int> open_listener(const endpoint& local, const listen_options& options) {
    // A port whose last connections are in TIME-WAIT is free again, as on the own stack.
    const result<int> bound = open_bound(local, SOCK_STREAM, true, options.reuse_port);
    if (!bound) return bound;
    if (const auto why = apply(*bound, options.connection)) return failed(*bound, why);
    if (::listen(*bound, as_int(options.backlog)) != 0) return failed(*bound, last_error());
    return bound;
}

result<int> open_datagram_socket(const endpoint& local, bool reuse_port) {
    return open_bound(local, SOCK_DGRAM, false, reuse_port);
}

std::error_code apply(int fd, const connect_options& options) noexcept {
    if (options.send_buffer_bytes != 0) {
        const int bytes = as_int(options.send_buffer_bytes);
        if (const auto why = set(fd, SOL_SOCKET, SO_SNDBUF, bytes)) return why;
    }
    if (options.receive_buffer_bytes != 0) {
        const int bytes = as_int(options.receive_buffer_bytes);
        if (const auto why = set(fd, SOL_SOCKET, SO_RCVBUF, bytes)) return why;
    }
    if (options.no_delay) set_no_delay(fd, true);
    if (options.keepalive.enabled) set_keepalive(fd, options.keepalive);
    if (options.user_timeout > duration::zero()) set_user_timeout(fd, options.user_timeout);
    return {};
}

void set_no_delay(int fd, bool on) noexcept { (void)set(fd, IPPROTO_TCP, TCP_NODELAY, on ? 1 : 0); }

void set_keepalive(int fd, const keepalive_options& options) noexcept {
    (void)set(fd, IPPROTO_TCP, TCP_KEEPIDLE, whole_seconds(options.idle));
    (void)set(fd, IPPROTO_TCP, TCP_KEEPINTVL, whole_seconds(options.interval));
    (void)set(fd, IPPROTO_TCP, TCP_KEEPCNT, std::max<int>(options.probes, 1));
    (void)set(fd, SOL_SOCKET, SO_KEEPALIVE, options.enabled ? 1 : 0);
}

void set_user_timeout(int fd, duration timeout) noexcept {
    const auto milliseconds = std::chrono::ceil<std::chrono::milliseconds>(timeout).count();
    (void)set(fd, IPPROTO_TCP, TCP_USER_TIMEOUT,
              static_cast<int>(
                  std::clamp<std::int64_t>(milliseconds, 0, std::numeric_limits<int>::max())));
}

endpoint local_endpoint_of(int fd) noexcept { return ask(fd, &::getsockname); }
endpoint remote_endpoint_of(int fd) noexcept { return ask(fd, &::getpeername); }

std::error_code close_sending(int fd) noexcept {
    if (::shutdown(fd, SHUT_WR) == 0) return {};
    return last_error();
}

int unacknowledged(int fd) noexcept {
    int bytes = 0;
    return ::ioctl(fd, SIOCOUTQ, &bytes) == 0 ? bytes : -1;
}

bool is_over(int fd) noexcept {
    tcp_info info{};
    socklen_t length = sizeof info;
    if (::getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &length) != 0) return true;
    return info.tcpi_state == TCP_CLOSE || info.tcpi_state == TCP_TIME_WAIT;
}

std::error_code take_error(int fd) noexcept {
    int error = 0;
    socklen_t length = sizeof error;
    if (::getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &length) != 0) return last_error();
    return {error, std::generic_category()};
}

/// A connect to nowhere dissolves the connection on the spot, with a RST; a close with SO_LINGER 0
/// would do it only once every request in flight had let go of the descriptor.
void reset_connection(int fd) noexcept {
    sockaddr nowhere{};
    nowhere.sa_family = AF_UNSPEC;
    if (::connect(fd, &nowhere, sizeof nowhere) == 0) return;
    const linger at_once{1, 0};
    (void)::setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
}

}  // namespace weft::kernel
