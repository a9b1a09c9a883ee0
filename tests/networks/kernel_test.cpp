#include "behaviours.hpp"
#include "full_port.hpp"

#include <weft/io/io_context.hpp>
#include <weft/kernel/network.hpp>

// The kernel's sockets, client and server on one network, over loopback.

namespace weft::networks::test::on_kernel {

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
