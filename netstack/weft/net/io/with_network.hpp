#pragma once
// One program, any network: runs a program that is a template over
// `weft::network` on the network that a spec names.
//
//     auto main_task = [](auto& network) -> task<int> { … co_await
//     network.connect(to) … }; return weft::run([&](io_context& io) { return
//     net::with_network(io, spec, main_task); });
//
// It branches once: what the program calls from then on is the network's own,
// without a virtual call or a test in between.

#include <weft/io/io_context.hpp>
#include <weft/kernel/network.hpp>
#include <weft/net/io/host.hpp>
#include <weft/net/io/network_spec.hpp>
#include <weft/net/io/pcap_writer.hpp>
#include <weft/net/io/tap_device.hpp>
#include <weft/task.hpp>

#include <chrono>
#include <exception>
#include <functional>
#include <memory>
#include <optional>
#include <stdexcept>
#include <type_traits>
#include <utility>

namespace weft::net {

/// Weft's own stack on a TAP, as a spec asks for it.
class tap_network {
public:
    /// Opens the TAP and puts a host on it. Throws std::system_error, whose text
    /// begins with the part of the spec that cannot be had; std::invalid_argument
    /// when the spec has a problem().
    tap_network(io_context& io, const network_spec& spec);

    [[nodiscard]] net::host& host() noexcept { return host_; }

private:
    std::unique_ptr<tap_device> tap_;
    std::unique_ptr<pcap_writer> pcap_;
    net::host host_;
};

/// Runs `program(network, arguments…)`, a task, where `network` is a
/// kernel::network or, on a TAP, a net::host. Streams, listeners and sockets
/// end with the program. When it has returned or thrown, connections of a TAP
/// that are still closing have five seconds to do so.
///
/// Completes with the program's value, or throws what it has thrown. Throws
/// before it has started what tap_network throws, or std::system_error when the
/// kernel's network cannot be had. `program` may be a lambda without captures
/// that own something.
template <class Program, class... Arguments>
auto with_network(io_context& io, network_spec spec, Program program, Arguments... arguments)
    -> std::invoke_result_t<Program&, host&, Arguments...> {
    using outcome = std::invoke_result_t<Program&, host&, Arguments...>;
    static_assert(
        std::is_same_v<outcome, std::invoke_result_t<Program&, kernel::network&, Arguments...>>,
        "the program gives the same on each network");
    static_assert(std::is_trivially_destructible_v<Program>,
                  "pass what the program owns as further arguments");
    if (spec.on == network_spec::kind::kernel) {
        if (!spec.problem().empty()) throw std::invalid_argument{spec.problem()};
        kernel::network network{io};
        co_return co_await std::invoke(program, network, std::move(arguments)...);
    }
    tap_network tap{io, spec};
    constexpr std::chrono::seconds patience{5};
    std::exception_ptr thrown;
    if constexpr (std::is_void_v<typename outcome::value_type>) {
        try {
            co_await std::invoke(program, tap.host(), std::move(arguments)...);
        } catch (...) {
            thrown = std::current_exception();
        }
        co_await tap.host().stop(tap.host().now() + patience);
        if (thrown) std::rethrow_exception(thrown);
    } else {
        std::optional<typename outcome::value_type> value;
        try {
            value.emplace(co_await std::invoke(program, tap.host(), std::move(arguments)...));
        } catch (...) {
            thrown = std::current_exception();
        }
        co_await tap.host().stop(tap.host().now() + patience);
        if (thrown) std::rethrow_exception(thrown);
        co_return std::move(*value);
    }
}

}  // namespace weft::net
