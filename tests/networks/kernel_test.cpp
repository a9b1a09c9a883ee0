#include "behaviours.hpp"

#include <weft/io/io_context.hpp>
#include <weft/kernel/network.hpp>

#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

// The kernel's sockets, client and server on one network, over loopback.

namespace weft::networks::test::on_kernel {

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

class setup {
public:
    setup() = default;

    [[nodiscard]] kernel::network& client() noexcept { return network_; }
    [[nodiscard]] kernel::network& server() noexcept { return network_; }
    [[nodiscard]] endpoint server_at(std::uint16_t port) const {
        return {ipv4_address{127, 0, 0, 1}, port};
    }
    [[nodiscard]] endpoint silent() const { return server_at(full_.port()); }
    void run(task<> main) { io_.run_until_done(std::move(main)); }

private:
    full_port full_;
    io_context io_;
    kernel::network network_{io_};
};

TEST_SUITE("networks.kernel") {
#include "../networks/behaviours.inc"
}

}  // namespace weft::networks::test::on_kernel
