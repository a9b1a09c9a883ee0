#pragma once
// Weft's own stack at one end of a real TAP, the kernel's sockets at the other, in one process and
// on one loop: which of them is the client is the argument.
//
// The TAP is the one that tap_test.py has made, in a network namespace of its own; without it these
// suites are skipped.

#include "behaviours.hpp"

#include <weft/io/io_context.hpp>
#include <weft/kernel/network.hpp>
#include <weft/net/io/with_network.hpp>

#include <cstdlib>

namespace weft::networks::test {

inline bool has_tap() { return std::getenv("WEFT_INSIDE") != nullptr; }

enum class stack_is : std::uint8_t { client, server };

template <stack_is Role>
class tap_setup {
    static constexpr bool is_client = Role == stack_is::client;

public:
    tap_setup() = default;

    [[nodiscard]] auto& client() noexcept {
        if constexpr (is_client) {
            return stack_.host();
        } else {
            return kernel_;
        }
    }
    [[nodiscard]] auto& server() noexcept {
        if constexpr (is_client) {
            return kernel_;
        } else {
            return stack_.host();
        }
    }
    [[nodiscard]] endpoint server_at(std::uint16_t port) const {
        return {ipv4_address{10, 0, 0, is_client ? std::uint8_t{1} : std::uint8_t{2}}, port};
    }
    [[nodiscard]] endpoint silent() const { return {ipv4_address{10, 0, 0, 99}, 80}; }

    void run(task<> main) { io_.run_until_done(run_and_stop(*this, std::move(main))); }

private:
    static task<> run_and_stop(tap_setup& self, task<> main) {
        co_await std::move(main);
        co_await self.stack_.host().stop(self.io_.now() + 1s);
    }

    io_context io_;
    net::tap_network stack_{io_, net::network_spec::parse("tap:name=weft0,addr=10.0.0.2/24")};
    kernel::network kernel_{io_};
};

}  // namespace weft::networks::test
