#include <weft/net/posix/socket.hpp>
#include <weft/net/posix/socket_address.hpp>
#include <weft/net/posix/sockets.hpp>

#include <fcntl.h>
#include <limits.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <vector>

namespace weft::net::posix {
namespace {

/// What is wrong with these parts; 0: nothing.
answer check(std::span<const iovec> parts) noexcept {
    std::size_t bytes = 0;
    for (const iovec& part : parts) {
        if (part.iov_base == nullptr && part.iov_len != 0) return -EFAULT;
        bytes += part.iov_len;
        if (part.iov_len > SSIZE_MAX || bytes > SSIZE_MAX) return -EINVAL;
    }
    return 0;
}

/// Of the arguments of readv() or writev().
answer check(const iovec* parts, int count) noexcept {
    if (count < 0 || count > IOV_MAX) return -EINVAL;
    return parts == nullptr && count != 0 ? -EFAULT : 0;
}

/// Of those of recvmsg() or sendmsg().
answer check(const msghdr* message) noexcept {
    if (message == nullptr) return -EFAULT;
    return message->msg_iovlen > IOV_MAX ? -EMSGSIZE : 0;
}

iovec whole(const void* from, std::size_t bytes) noexcept {
    return {const_cast<void*>(from), bytes};
}

std::span<const iovec> parts_of(const iovec* parts, std::size_t count) noexcept {
    return {parts, count};
}

}  // namespace

answer sockets::receive(int fd, std::span<const iovec> into, int flags) {
    network::lock held = network_.enter();
    answer why = 0;
    const auto s = find_socket(fd, why);
    if (s == nullptr) return why;
    if (const answer bad = check(into)) return bad;
    return s->receive(held, into, flags);
}

answer sockets::transmit(int fd, std::span<const iovec> from, int flags, const void* to,
                         socklen_t to_bytes) {
    network::lock held = network_.enter();
    answer why = 0;
    const auto s = find_socket(fd, why);
    if (s == nullptr) return why;
    if (const answer bad = check(from)) return bad;
    if ((flags & MSG_FASTOPEN) == 0) return s->send(held, from, flags);
    const auto* const address = static_cast<const sockaddr*>(to);
    std::optional<endpoint> remote;
    if (address != nullptr) {
        if (to_bytes >= sizeof(sa_family_t) && address->sa_family == AF_UNSPEC) return -EOPNOTSUPP;
        if (const answer bad = read_address(address, to_bytes, remote.emplace())) return bad;
    }
    return s->send_fast(held, from, flags, remote);
}

// ---- receiving

ssize_t sockets::read(int fd, void* into, std::size_t bytes) {
    if (!is_ours(fd)) return ::read(fd, into, bytes);
    return recv(fd, into, bytes, 0);
}

ssize_t sockets::readv(int fd, const iovec* into, int parts) {
    if (!is_ours(fd)) return ::readv(fd, into, parts);
    if (const answer bad = check(into, parts)) return to_caller(bad);
    return to_caller(receive(fd, parts_of(into, static_cast<std::size_t>(parts)), 0));
}

ssize_t sockets::recv(int fd, void* into, std::size_t bytes, int flags) {
    const iovec part = whole(into, bytes);
    return to_caller(receive(fd, {&part, 1}, flags));
}

ssize_t sockets::recvfrom(int fd, void* into, std::size_t bytes, int flags, sockaddr* from,
                          socklen_t* from_bytes) {
    const ssize_t received = recv(fd, into, bytes, flags);
    // A stream tells nobody where its bytes are from.
    if (received >= 0 && from != nullptr && from_bytes != nullptr) *from_bytes = 0;
    return received;
}

ssize_t sockets::recvmsg(int fd, msghdr* message, int flags) {
    if (const answer bad = check(message)) return to_caller(bad);
    const answer received = receive(fd, parts_of(message->msg_iov, message->msg_iovlen), flags);
    if (received >= 0) {
        message->msg_namelen = 0;
        message->msg_controllen = 0;
        message->msg_flags = flags & MSG_OOB;
    }
    return to_caller(received);
}

// ---- sending

ssize_t sockets::write(int fd, const void* from, std::size_t bytes) {
    if (!is_ours(fd)) return ::write(fd, from, bytes);
    return send(fd, from, bytes, 0);
}

ssize_t sockets::writev(int fd, const iovec* from, int parts) {
    if (!is_ours(fd)) return ::writev(fd, from, parts);
    if (const answer bad = check(from, parts)) return to_caller(bad);
    return to_caller(transmit(fd, parts_of(from, static_cast<std::size_t>(parts)), 0));
}

ssize_t sockets::send(int fd, const void* from, std::size_t bytes, int flags) {
    const iovec part = whole(from, bytes);
    return to_caller(transmit(fd, {&part, 1}, flags));
}

/// Where to is settled, for a stream, unless it is to be opened.
ssize_t sockets::sendto(int fd, const void* from, std::size_t bytes, int flags, const sockaddr* to,
                        socklen_t to_bytes) {
    const iovec part = whole(from, bytes);
    return to_caller(transmit(fd, {&part, 1}, flags, to, to_bytes));
}

ssize_t sockets::sendmsg(int fd, const msghdr* message, int flags) {
    if (const answer bad = check(message)) return to_caller(bad);
    return to_caller(transmit(fd, parts_of(message->msg_iov, message->msg_iovlen), flags,
                              message->msg_name, message->msg_namelen));
}

// ---- splice

ssize_t sockets::splice(int from, off64_t* from_at, int to, off64_t* to_at, std::size_t bytes,
                        unsigned flags) {
    const bool receives = is_ours(from);
    if (!receives && !is_ours(to)) return ::splice(from, from_at, to, to_at, bytes, flags);
    if ((receives && from_at != nullptr) || (!receives && to_at != nullptr)) {
        return to_caller(-ESPIPE);
    }
    const int capacity = ::fcntl(receives ? to : from, F_GETPIPE_SZ);
    int held_bytes = 0;
    if (capacity < 0 || ::ioctl(receives ? to : from, FIONREAD, &held_bytes) < 0) {
        return to_caller(-EINVAL);  // the other one is no pipe
    }
    const int wait = (flags & SPLICE_F_NONBLOCK) != 0 ? MSG_DONTWAIT : 0;
    const int room = receives ? capacity - held_bytes : capacity;
    if (bytes == 0 || (receives && room <= 0)) return to_caller(bytes == 0 ? 0 : -EAGAIN);
    std::vector<std::byte> between(std::min(bytes, static_cast<std::size_t>(room)));
    if (receives) {
        const ssize_t count = recv(from, between.data(), between.size(), wait);
        return count <= 0 ? count : ::write(to, between.data(), static_cast<std::size_t>(count));
    }
    if (held_bytes == 0 && wait != 0) return to_caller(-EAGAIN);
    const ssize_t count = ::read(from, between.data(), between.size());
    if (count <= 0) return count;
    const int more = (flags & SPLICE_F_MORE) != 0 ? MSG_MORE : 0;
    return send(to, between.data(), static_cast<std::size_t>(count), more);
}

}  // namespace weft::net::posix
