#include "behaviours.hpp"

#include <weft/net/io/host.hpp>
#include <weft/sim/world.hpp>

// Two hosts of Weft's own stack, on a simulated wire and a virtual clock.

namespace weft::networks::test::simulated {

class setup {
public:
    setup() { world_.connect(client_, server_, {.delay = 1ms}); }

    [[nodiscard]] net::host& client() noexcept { return client_; }
    [[nodiscard]] net::host& server() noexcept { return server_; }
    [[nodiscard]] endpoint server_at(std::uint16_t port) const { return {server_.address(), port}; }
    [[nodiscard]] endpoint silent() const { return {ipv4_address{10, 0, 0, 99}, 80}; }
    void run(task<> main) { world_.run(std::move(main)); }

private:
    sim::world world_{1};
    net::host& client_ = world_.add_host("10.0.0.1/24");
    net::host& server_ = world_.add_host("10.0.0.2/24");
};

TEST_SUITE("networks.sim") {
#include "behaviours.inc"
}

}  // namespace weft::networks::test::simulated
