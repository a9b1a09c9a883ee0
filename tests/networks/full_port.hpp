#pragma once
// A port of the kernel on the loopback that leaves SYNs unanswered: a connect to it waits.

#include <doctest/doctest.h>

#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cstdint>

namespace weft::networks::test {

/// A port whose queue of connections is full, so that the kernel leaves SYNs unanswered.
class full_port {
public:
    full_port() {
        listening_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        sockaddr_in at{};
        at.sin_family = AF_INET;
        at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        socklen_t size = sizeof at;
        REQUIRE(::bind(listening_, reinterpret_cast<sockaddr*>(&at), size) == 0);
        REQUIRE(::listen(listening_, 0) == 0);
        REQUIRE(::getsockname(listening_, reinterpret_cast<sockaddr*>(&at), &size) == 0);
        port_ = ntohs(at.sin_port);
        for (int& each : queued_) {
            each = ::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
            (void)::connect(each, reinterpret_cast<sockaddr*>(&at), size);
        }
    }
    full_port(const full_port&) = delete;
    full_port& operator=(const full_port&) = delete;
    ~full_port() {
        for (const int each : queued_) ::close(each);
        ::close(listening_);
    }

    [[nodiscard]] std::uint16_t port() const noexcept { return port_; }

private:
    int listening_ = -1;
    std::array<int, 3> queued_{};
    std::uint16_t port_ = 0;
};

}  // namespace weft::networks::test
