// What Linux offers without any library: epoll, level-triggered, one thread, no coroutine. The
// floor that a framework is measured against.

#include "exchange.hpp"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <memory>
#include <vector>

namespace {

struct session {
    explicit session(bench::protocol speaks) : exchange{speaks} {}
    bench::exchange exchange;
    std::string unsent;  ///< what the socket did not take yet
};

class server {
public:
    server(int listener, bench::protocol speaks)
        : listener_{listener}, poll_{::epoll_create1(0)}, speaks_{speaks} {
        watch(EPOLL_CTL_ADD, listener_, EPOLLIN);
    }

    [[noreturn]] void run() {
        std::array<epoll_event, 256> events;
        for (;;) {
            const int count = ::epoll_wait(poll_, events.data(), events.size(), -1);
            for (int i = 0; i < count; ++i) {
                const int fd = events[static_cast<std::size_t>(i)].data.fd;
                if (fd == listener_) {
                    accept_all();
                } else if (!serve(fd)) {
                    sessions_[static_cast<std::size_t>(fd)].reset();
                    ::close(fd);
                }
            }
        }
    }

private:
    void watch(int how, int fd, std::uint32_t events) const {
        epoll_event event{};
        event.events = events;
        event.data.fd = fd;
        ::epoll_ctl(poll_, how, fd, &event);
    }

    void accept_all() {
        for (;;) {
            const int fd = ::accept4(listener_, nullptr, nullptr, SOCK_NONBLOCK);
            if (fd < 0) return;
            const int on = 1;
            ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
            const auto index = static_cast<std::size_t>(fd);
            if (sessions_.size() <= index) sessions_.resize(index + 1);
            sessions_[index] = std::make_unique<session>(speaks_);
            watch(EPOLL_CTL_ADD, fd, EPOLLIN);
        }
    }

    /// False when the connection is over.
    bool serve(int fd) {
        session& at = *sessions_[static_cast<std::size_t>(fd)];
        if (!at.unsent.empty()) {
            const ssize_t sent = ::send(fd, at.unsent.data(), at.unsent.size(), MSG_NOSIGNAL);
            if (sent < 0) return errno == EAGAIN;
            at.unsent.erase(0, static_cast<std::size_t>(sent));
            if (at.unsent.empty()) watch(EPOLL_CTL_MOD, fd, EPOLLIN);
            return true;
        }
        const ssize_t count = ::recv(fd, bytes_.data(), bytes_.size(), 0);
        if (count <= 0) return count < 0 && errno == EAGAIN;
        const std::string_view text =
            at.exchange.answer({bytes_.data(), static_cast<std::size_t>(count)});
        if (text.empty()) return true;
        const ssize_t sent = ::send(fd, text.data(), text.size(), MSG_NOSIGNAL);
        if (sent < 0 && errno != EAGAIN) return false;
        const std::size_t done = sent > 0 ? static_cast<std::size_t>(sent) : 0;
        if (done == text.size()) return true;
        at.unsent = text.substr(done);
        watch(EPOLL_CTL_MOD, fd, EPOLLOUT);
        return true;
    }

    int listener_;
    int poll_;
    bench::protocol speaks_;
    std::vector<std::unique_ptr<session>> sessions_;
    std::array<char, bench::buffer_bytes> bytes_;
};

int listen_on(std::uint16_t port) {
    const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    const int on = 1;
    ::setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    sockaddr_in at{};
    at.sin_family = AF_INET;
    at.sin_port = htons(port);
    if (::bind(fd, reinterpret_cast<const sockaddr*>(&at), sizeof at) != 0 ||
        ::listen(fd, 4096) != 0) {
        std::fprintf(stderr, "epoll_server: port %u: %s\n", port, std::strerror(errno));
        std::exit(1);
    }
    return fd;
}

}  // namespace

int main(int argc, char** argv) {
    const auto options =
        bench::parse_server_options({argv, static_cast<std::size_t>(argc)}, {"callback"});
    if (!options) return 2;
    server{listen_on(options->port), options->speaks}.run();
}
