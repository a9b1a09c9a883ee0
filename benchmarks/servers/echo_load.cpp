// The load for echo: N connections, one message under way on each, for a bounded time. Prints one
// line of JSON: exchanges, seconds, and round trips' percentiles in microseconds.
//
//     echo_load ADDRESS PORT CONNECTIONS BYTES SECONDS

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

namespace {

using clock_type = std::chrono::steady_clock;

[[noreturn]] void give_up(const char* what) {
    std::fprintf(stderr, "echo_load: %s: %s\n", what, std::strerror(errno));
    std::exit(1);
}

struct connection {
    int fd = -1;
    std::size_t heard = 0;
    clock_type::time_point asked;
};

struct wish {
    sockaddr_in server{};
    std::size_t connections = 1;
    std::size_t bytes = 1;
    double seconds = 1;
};

class load {
public:
    explicit load(const wish& wanted) : wanted_{wanted}, message_(wanted.bytes, 'x') {
        poll_ = ::epoll_create1(0);
        all_.resize(wanted.connections);
        for (std::size_t i = 0; i < all_.size(); ++i) open(i);
        round_trips_.reserve(1 << 20);
    }

    void run() {
        const auto begin = clock_type::now();
        const auto end = begin + std::chrono::duration_cast<clock_type::duration>(
                                     std::chrono::duration<double>{wanted_.seconds});
        for (connection& each : all_) ask(each, begin);
        std::array<epoll_event, 256> events;
        auto now = begin;
        while (now < end) {
            const int count = ::epoll_wait(poll_, events.data(), events.size(), 1000);
            now = clock_type::now();
            for (int i = 0; i < count; ++i) {
                hear(all_[events[static_cast<std::size_t>(i)].data.u64], now);
            }
        }
        report(std::chrono::duration<double>{now - begin}.count());
    }

private:
    void open(std::size_t index) {
        const int fd = ::socket(AF_INET, SOCK_STREAM, 0);
        if (fd < 0) give_up("socket");
        if (::connect(fd, reinterpret_cast<const sockaddr*>(&wanted_.server),
                      sizeof wanted_.server) != 0) {
            give_up("connect");
        }
        const int on = 1;
        ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        epoll_event event{};
        event.events = EPOLLIN;
        event.data.u64 = index;
        ::epoll_ctl(poll_, EPOLL_CTL_ADD, fd, &event);
        all_[index].fd = fd;
    }

    void ask(connection& on, clock_type::time_point now) {
        on.asked = now;
        on.heard = 0;
        if (::send(on.fd, message_.data(), message_.size(), MSG_NOSIGNAL) !=
            static_cast<ssize_t>(message_.size())) {
            give_up("send");
        }
    }

    void hear(connection& on, clock_type::time_point now) {
        const ssize_t count = ::recv(on.fd, bytes_.data(), bytes_.size(), 0);
        if (count <= 0) give_up("the server closed");
        on.heard += static_cast<std::size_t>(count);
        if (on.heard < message_.size()) return;
        ++exchanges_;
        if (round_trips_.size() < round_trips_.capacity()) {
            round_trips_.push_back(
                std::chrono::duration<float, std::micro>{now - on.asked}.count());
        }
        ask(on, now);
    }

    void report(double seconds) {
        std::sort(round_trips_.begin(), round_trips_.end());
        const auto at = [&](double share) {
            if (round_trips_.empty()) return 0.0;
            const auto last = static_cast<double>(round_trips_.size() - 1);
            return static_cast<double>(round_trips_[static_cast<std::size_t>(last * share)]);
        };
        std::printf(
            R"({"exchanges": %llu, "seconds": %.3f, "p50": %.1f, "p99": %.1f, "p999": %.1f})"
            "\n",
            static_cast<unsigned long long>(exchanges_), seconds, at(0.5), at(0.99), at(0.999));
    }

    wish wanted_;
    std::string message_;
    int poll_ = -1;
    std::vector<connection> all_;
    std::array<char, 64 * 1024> bytes_;
    std::vector<float> round_trips_;
    std::uint64_t exchanges_ = 0;
};

}  // namespace

int main(int argc, char** argv) {
    wish wanted;
    if (argc == 6) {
        wanted.server.sin_family = AF_INET;
        wanted.server.sin_port = htons(static_cast<std::uint16_t>(std::atoi(argv[2])));
        wanted.connections = std::strtoull(argv[3], nullptr, 10);
        wanted.bytes = std::strtoull(argv[4], nullptr, 10);
        wanted.seconds = std::strtod(argv[5], nullptr);
    }
    const bool is_usable = argc == 6 &&
                           ::inet_pton(AF_INET, argv[1], &wanted.server.sin_addr) == 1 &&
                           wanted.server.sin_port != 0 && wanted.connections >= 1 &&
                           wanted.connections <= 100'000 && wanted.bytes >= 1 &&
                           wanted.bytes <= 64 * 1024 && wanted.seconds > 0 && wanted.seconds <= 600;
    if (!is_usable) {
        std::fprintf(stderr, "usage: %s ADDRESS PORT CONNECTIONS BYTES SECONDS\n", argv[0]);
        return 2;
    }
    load{wanted}.run();
}
