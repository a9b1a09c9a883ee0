#include <weft/net/posix/epoll.hpp>
#include <weft/net/posix/socket.hpp>
#include <weft/net/posix/socket_address.hpp>
#include <weft/net/posix/sockets.hpp>

#include <fcntl.h>
#include <netinet/in.h>
#include <sys/ioctl.h>
#include <unistd.h>

namespace weft::net::posix {
namespace {

int to_int(answer a) noexcept { return static_cast<int>(to_caller(a)); }

}  // namespace

sockets::sockets(const network_options& options) : network_{options} {
    network_.on_signal([this](const tcp::connection& c) {
        // Few sockets, and only what edge-triggered epoll needs: no map is kept for it.
        table_.for_each([&](int, descriptor& each) {
            auto* s = dynamic_cast<posix::socket*>(&each);
            if (s != nullptr && s->connection() == &c) s->on_signal();
        });
    });
}

sockets::~sockets() {
    network_.stop();
    const network::lock held = network_.enter();
    table_.clear();
}

bool sockets::is_ours(int fd) {
    const network::lock held = network_.enter();
    return table_.find(fd) != nullptr;
}

std::shared_ptr<posix::socket> sockets::find_socket(int fd, answer& why) {
    const std::shared_ptr<descriptor> found = table_.find(fd);
    auto s = std::dynamic_pointer_cast<posix::socket>(found);
    if (s == nullptr) why = found != nullptr || ::fcntl(fd, F_GETFD) >= 0 ? -ENOTSOCK : -EBADF;
    return s;
}

int sockets::socket(int domain, int type, int protocol) {
    const int kind = type & ~(SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (domain != AF_INET) return to_int(-EAFNOSUPPORT);
    if (kind != SOCK_STREAM) return to_int(-ESOCKTNOSUPPORT);
    if (protocol != 0 && protocol != IPPROTO_TCP) return to_int(-EPROTONOSUPPORT);
    const network::lock held = network_.enter();
    auto made = std::make_shared<posix::socket>(network_);
    made->non_blocking = (type & SOCK_NONBLOCK) != 0;
    return to_int(table_.add(std::move(made), (type & SOCK_CLOEXEC) != 0));
}

// ---- bind and listen

/// Linux's rule: two sockets may hold a port when both allow it and neither listens. What is left
/// of an earlier connection, TIME-WAIT for instance, is in the way of those that do not.
bool sockets::is_taken(const posix::socket& s, const endpoint& local) {
    bool taken = false;
    table_.for_each([&](int, descriptor& each) {
        const auto* other = dynamic_cast<const posix::socket*>(&each);
        if (other == nullptr || other == &s || !other->is_bound()) return;
        const endpoint theirs = other->local();
        const bool meets = theirs.port == local.port &&
                           (theirs.address == local.address || theirs.address.is_unspecified() ||
                            local.address.is_unspecified());
        const bool may_share =
            s.may_share_port() && other->may_share_port() && !other->is_listening();
        taken = taken || (meets && !may_share);
    });
    if (taken || s.may_share_port()) return taken;
    network_.stack().tcp().for_each_connection([&](const tcp::connection& c) {
        taken = taken || (c.is_orphan() && c.local().port == local.port);
    });
    network_.stack().tcp().for_each_time_wait([&](const tcp::time_wait_record& r) {
        taken = taken || r.tuple().local_port == local.port;
    });
    return taken;
}

answer sockets::choose_port(const posix::socket& s, endpoint& local) {
    const tcp::config& c = network_.options().tcp;
    for (std::uint32_t port = c.ephemeral_port_first; port <= c.ephemeral_port_last; ++port) {
        local.port = static_cast<std::uint16_t>(port);
        if (!is_taken(s, local)) return 0;
    }
    return -EADDRINUSE;
}

int sockets::bind(int fd, const sockaddr* address, socklen_t bytes) {
    const network::lock held = network_.enter();
    answer why = 0;
    const auto s = find_socket(fd, why);
    if (s == nullptr) return to_int(why);
    endpoint local;
    if (const answer bad = read_address(address, bytes, local)) return to_int(bad);
    if (local.address == ip_address{ipv4_address{}}) local.address = ip_address{};
    const bool is_any = local.address.is_unspecified();
    if (!is_any && local.address != ip_address{network_.options().address}) {
        return to_int(-EADDRNOTAVAIL);
    }
    if (s->is_bound()) return to_int(-EINVAL);
    if (local.port == 0) {
        if (const answer none = choose_port(*s, local)) return to_int(none);
    } else if (is_taken(*s, local)) {
        return to_int(-EADDRINUSE);
    }
    return to_int(s->bind(local));
}

int sockets::listen(int fd, int backlog) {
    const network::lock held = network_.enter();
    answer why = 0;
    const auto s = find_socket(fd, why);
    if (s == nullptr) return to_int(why);
    return to_int(s->listen(backlog));
}

int sockets::accept(int fd, sockaddr* address, socklen_t* bytes, int flags) {
    if ((flags & ~(SOCK_NONBLOCK | SOCK_CLOEXEC)) != 0) return to_int(-EINVAL);
    network::lock held = network_.enter();
    answer why = 0;
    const auto s = find_socket(fd, why);
    if (s == nullptr) return to_int(why);
    std::shared_ptr<posix::socket> made;
    if (const answer failed = s->accept(held, made)) return to_int(failed);
    made->non_blocking = (flags & SOCK_NONBLOCK) != 0;
    if (const answer bad = write_address(made->remote(), address, bytes)) return to_int(bad);
    return to_int(table_.add(std::move(made), (flags & SOCK_CLOEXEC) != 0));
}

// ---- connect, and the ends

int sockets::connect(int fd, const sockaddr* address, socklen_t bytes) {
    network::lock held = network_.enter();
    answer why = 0;
    const auto s = find_socket(fd, why);
    if (s == nullptr) return to_int(why);
    if (address != nullptr && bytes >= sizeof(sa_family_t) && address->sa_family == AF_UNSPEC) {
        return to_int(s->disconnect());
    }
    endpoint remote;
    if (const answer bad = read_address(address, bytes, remote)) return to_int(bad);
    return to_int(s->connect(held, remote));
}

int sockets::shutdown(int fd, int how) {
    const network::lock held = network_.enter();
    answer why = 0;
    const auto s = find_socket(fd, why);
    if (s == nullptr) return to_int(why);
    return to_int(s->shutdown(how));
}

int sockets::close(int fd) {
    network::lock held = network_.enter();
    const std::shared_ptr<descriptor> gone = table_.remove(fd);
    if (gone == nullptr) {
        held.unlock();
        return ::close(fd);
    }
    table_.for_each([&](int, descriptor& each) {
        if (auto* watching = dynamic_cast<posix::epoll*>(&each)) watching->forget(fd, gone.get());
    });
    if (auto* s = dynamic_cast<posix::socket*>(gone.get())) s->close(held);
    return 0;
}

// ---- queries and options

int sockets::getsockname(int fd, sockaddr* address, socklen_t* bytes) {
    const network::lock held = network_.enter();
    answer why = 0;
    const auto s = find_socket(fd, why);
    if (s == nullptr) return to_int(why);
    if (address == nullptr) return to_int(-EFAULT);
    return to_int(write_address(s->local(), address, bytes));
}

int sockets::getpeername(int fd, sockaddr* address, socklen_t* bytes) {
    const network::lock held = network_.enter();
    answer why = 0;
    const auto s = find_socket(fd, why);
    if (s == nullptr) return to_int(why);
    if (!s->is_connected()) return to_int(-ENOTCONN);
    if (address == nullptr) return to_int(-EFAULT);
    return to_int(write_address(s->remote(), address, bytes));
}

int sockets::getsockopt(int fd, int level, int name, void* value, socklen_t* bytes) {
    const network::lock held = network_.enter();
    answer why = 0;
    const auto s = find_socket(fd, why);
    if (s == nullptr) return to_int(why);
    return to_int(s->get_option(level, name, value, bytes));
}

int sockets::setsockopt(int fd, int level, int name, const void* value, socklen_t bytes) {
    const network::lock held = network_.enter();
    answer why = 0;
    const auto s = find_socket(fd, why);
    if (s == nullptr) return to_int(why);
    return to_int(s->set_option(level, name, value, bytes));
}

int sockets::fcntl(int fd, int command, long argument) {
    const network::lock held = network_.enter();
    const std::shared_ptr<descriptor> ours = table_.find(fd);
    if (ours == nullptr) return ::fcntl(fd, command, argument);
    switch (command) {
        case F_GETFL: return O_RDWR | (ours->non_blocking ? O_NONBLOCK : 0);
        case F_SETFL: ours->non_blocking = (argument & O_NONBLOCK) != 0; return 0;
        case F_GETFD:
        case F_SETFD: return ::fcntl(fd, command, argument);  // the token has these
        default: return to_int(-EINVAL);
    }
}

int sockets::ioctl(int fd, unsigned long request, void* argument) {
    const network::lock held = network_.enter();
    if (table_.find(fd) == nullptr) return ::ioctl(fd, request, argument);
    answer why = 0;
    const auto s = find_socket(fd, why);
    if (s == nullptr) return to_int(-ENOTTY);
    return to_int(s->ioctl(request, argument));
}

}  // namespace weft::net::posix
