#include "behaviours.hpp"
#include "full_port.hpp"

#include <weft/io/io_context.hpp>
#include <weft/kernel/network.hpp>

// The kernel's sockets as on the oldest kernel that will do: the same behaviours, in the ways that
// are taken where a ring lacks what came after Linux 6.1.

namespace weft::networks::test::on_kernel_6_1 {

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
    io_context io_{{.abilities = linux_6_1_abilities}};
    kernel::network network_{io_, {.unread_bytes = 32U << 10}};
};

TEST_SUITE("networks.kernel_6_1") {
#include "../../tests/../tests/networks/behaviours.inc"
}

}  // namespace weft::networks::test::on_kernel_6_1
