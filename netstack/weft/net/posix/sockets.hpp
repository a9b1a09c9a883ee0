#pragma once
// The socket calls, over Weft's own stack: same names, arguments, results and errno as on Linux.
//
// One network of its own a `sockets`; any thread may call. A call that has to wait sleeps in the
// kernel on a condition variable. Descriptors are real ones (see descriptor.hpp): read, write,
// fcntl, ioctl, close, poll and splice also take the kernel's and hand them on. TCP over IPv4 only.
// No signal is ever sent: a write to a broken pipe just fails with EPIPE. Signals do not interrupt.
// For programs that were written for the sockets interface, and for tools that judge a stack by it;
// new code has tcp_stream (net/io).

#include <weft/net/posix/descriptor_table.hpp>
#include <weft/net/posix/network.hpp>

#include <poll.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include <memory>
#include <span>

namespace weft::net::posix {

class epoll;
class socket;

class sockets {
public:
    explicit sockets(const network_options& options);
    sockets(const sockets&) = delete;
    sockets& operator=(const sockets&) = delete;
    /// Calls that still sleep return; connections end. Tokens that were not closed stay open: they
    /// are the caller's, whose number the kernel may have given to somebody else by now.
    ~sockets();

    /// The wire's side: packets in and out, and the clock.
    [[nodiscard]] network& wire() noexcept { return network_; }

    // ---- a socket's life (sockets.cpp)
    int socket(int domain, int type, int protocol);
    int bind(int fd, const sockaddr* address, socklen_t bytes);
    int listen(int fd, int backlog);
    int accept(int fd, sockaddr* address, socklen_t* bytes, int flags = 0);
    int connect(int fd, const sockaddr* address, socklen_t bytes);
    int shutdown(int fd, int how);
    int close(int fd);
    int getsockname(int fd, sockaddr* address, socklen_t* bytes);
    int getpeername(int fd, sockaddr* address, socklen_t* bytes);
    int getsockopt(int fd, int level, int name, void* value, socklen_t* bytes);
    int setsockopt(int fd, int level, int name, const void* value, socklen_t bytes);
    int fcntl(int fd, int command, long argument);
    int ioctl(int fd, unsigned long request, void* argument);

    // ---- transfer (sockets_transfer.cpp)
    ssize_t read(int fd, void* into, std::size_t bytes);
    ssize_t readv(int fd, const iovec* into, int parts);
    ssize_t recv(int fd, void* into, std::size_t bytes, int flags);
    ssize_t recvfrom(int fd, void* into, std::size_t bytes, int flags, sockaddr* from,
                     socklen_t* from_bytes);
    ssize_t recvmsg(int fd, msghdr* message, int flags);
    ssize_t write(int fd, const void* from, std::size_t bytes);
    ssize_t writev(int fd, const iovec* from, int parts);
    ssize_t send(int fd, const void* from, std::size_t bytes, int flags);
    ssize_t sendto(int fd, const void* from, std::size_t bytes, int flags, const sockaddr* to,
                   socklen_t to_bytes);
    ssize_t sendmsg(int fd, const msghdr* message, int flags);
    /// Between a socket of ours and a pipe of the kernel's.
    ssize_t splice(int from, off64_t* from_at, int to, off64_t* to_at, std::size_t bytes,
                   unsigned flags);

    // ---- waiting for several (sockets_poll.cpp)
    int poll(pollfd* wanted, nfds_t count, int timeout_ms);
    int epoll_create(int flags);
    int epoll_ctl(int epfd, int operation, int fd, epoll_event* event);
    int epoll_wait(int epfd, epoll_event* events, int most, int timeout_ms);

private:
    [[nodiscard]] bool is_ours(int fd);
    /// The socket behind a number, or -EBADF, -ENOTSOCK in `why`.
    std::shared_ptr<posix::socket> find_socket(int fd, answer& why);
    std::shared_ptr<posix::epoll> find_epoll(int fd, answer& why);
    answer choose_port(const posix::socket& s, endpoint& local);
    [[nodiscard]] bool is_taken(const posix::socket& s, const endpoint& local);
    answer receive(int fd, std::span<const iovec> into, int flags);
    answer transmit(int fd, std::span<const iovec> from, int flags, const void* to = nullptr,
                    socklen_t to_bytes = 0);
    int mark_ready(pollfd* wanted, nfds_t count);
    int poll_with_kernel(network::lock& held, pollfd* wanted, nfds_t count, int timeout_ms);

    network network_;
    descriptor_table table_;
};

}  // namespace weft::net::posix
