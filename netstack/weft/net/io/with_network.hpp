#pragma once
// One program, any network: runs a program that is a template over `weft::network` on the network
// that a spec names, on one loop or on every core.
//
//     auto main_task = [](auto& network) -> task<int> { … co_await network.connect(to) … };
//     return weft::run([&](io_context& io) { return net::with_network(io, spec, main_task); });
//
// It branches once: what the program calls from then on is the network's own, without a virtual
// call or a test in between.

#include <weft/io/io_context.hpp>
#include <weft/kernel/network.hpp>
#include <weft/net/io/host.hpp>
#include <weft/net/io/network_spec.hpp>
#include <weft/net/io/pcap_writer.hpp>
#include <weft/net/io/sharded_host.hpp>
#include <weft/net/io/tap_device.hpp>
#include <weft/runtime.hpp>
#include <weft/task.hpp>

#include <chrono>
#include <cstddef>
#include <exception>
#include <functional>
#include <memory>
#include <optional>
#include <stdexcept>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

namespace weft::net {

/// Weft's own stack on a TAP, as a spec asks for it.
class tap_network {
public:
    /// Opens the TAP and puts a host on it. Throws std::system_error, whose text begins with the
    /// part of the spec that cannot be had; std::invalid_argument when the spec has a problem(), or
    /// is of another kind.
    tap_network(io_context& io, const network_spec& spec);

    [[nodiscard]] net::host& host() noexcept { return host_; }

private:
    std::unique_ptr<tap_device> tap_;
    std::unique_ptr<pcap_writer> pcap_;
    net::host host_;
};

/// The same on each loop of `cores`. Throws as tap_network does, and std::invalid_argument for a
/// `pcap`. Error: `operation_canceled`.
[[nodiscard]] task<result<std::unique_ptr<sharded_host>>> open_sharded(runtime& cores,
                                                                       network_spec spec);

/// How long connections of a TAP have to close when the program has ended.
inline constexpr std::chrono::seconds closing_patience{5};

/// Where a program's value is kept while its network ends.
template <class T>
using kept_value = std::conditional_t<std::is_void_v<T>, std::monostate, T>;

template <class T>
task<kept_value<T>> keep(task<T> body) {
    if constexpr (std::is_void_v<T>) {
        co_await std::move(body);
        co_return std::monostate{};
    } else {
        co_return co_await std::move(body);
    }
}

/// Runs `program(network, arguments…)`, a task, where `network` is a kernel::network or, on a TAP,
/// a net::host. Streams, listeners and sockets end with the program. When it has returned or
/// thrown, connections of a TAP that are still closing have five seconds to do so.
///
/// Completes with the program's value, or throws what it has thrown. Throws before it has started
/// what tap_network throws, or std::system_error when the kernel's network cannot be had. `program`
/// may be a lambda without captures that own something.
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
    std::optional<kept_value<typename outcome::value_type>> value;
    std::exception_ptr thrown;
    try {
        value.emplace(co_await keep(std::invoke(program, tap.host(), std::move(arguments)...)));
    } catch (...) {
        thrown = std::current_exception();
    }
    co_await tap.host().stop(tap.host().now() + closing_patience);
    if (thrown) std::rethrow_exception(thrown);
    if constexpr (!std::is_void_v<typename outcome::value_type>) co_return *std::move(value);
}

/// One loop's part of the following.
template <class Kept, class Program, class... Arguments>
task<void> run_on_kernel(runtime& cores, std::size_t index, std::vector<std::optional<Kept>>& into,
                         Program& program, const Arguments&... arguments) {
    kernel::network network{cores.loop(index).context(), {.share_ports = cores.size() > 1}};
    into[index].emplace(co_await keep(std::invoke(program, network, Arguments{arguments}...)));
}
template <class Kept, class Program, class... Arguments>
task<void> run_on_shard(sharded_host& shards, std::size_t index,
                        std::vector<std::optional<Kept>>& into, Program& program,
                        const Arguments&... arguments) {
    into[index].emplace(
        co_await keep(std::invoke(program, shards.shard(index), Arguments{arguments}...)));
}

/// The same program on each loop of `cores` at once, each time with that loop's own network and its
/// own copies of the arguments: kernel::networks that share their ports (SO_REUSEPORT), or the
/// shards of a sharded_host, which have one address. `program` is called from several threads. A
/// runtime of one loop is like an io_context.
///
/// Completes when it has ended on all, with what it gave on each, by index. An exception stops the
/// program on the other loops and is thrown. Error: what kept it from running on some loop, such as
/// `operation_canceled`. Throws before it has started as above.
template <class Program, class... Arguments>
auto with_network(runtime& cores, network_spec spec, Program program, Arguments... arguments)
    -> task<result<std::vector<
        kept_value<typename std::invoke_result_t<Program&, host&, Arguments...>::value_type>>>> {
    using outcome = std::invoke_result_t<Program&, host&, Arguments...>;
    using kept = kept_value<typename outcome::value_type>;
    static_assert(
        std::is_same_v<outcome, std::invoke_result_t<Program&, kernel::network&, Arguments...>>,
        "the program gives the same on each network");
    static_assert(std::is_trivially_destructible_v<Program>,
                  "pass what the program owns as further arguments");
    std::vector<std::optional<kept>> values(cores.size());  // each one written on its loop
    result<void> ended;
    if (spec.on == network_spec::kind::kernel) {
        if (!spec.problem().empty()) throw std::invalid_argument{spec.problem()};
        const auto run = [&](std::size_t i) {
            return run_on_kernel(cores, i, values, program, arguments...);
        };
        ended = co_await cores.for_each_loop(run);
    } else if (cores.size() == 1) {
        values[0].emplace(co_await keep(
            with_network(cores.loop(0).context(), std::move(spec), program, arguments...)));
    } else {
        const auto opened = co_await open_sharded(cores, std::move(spec));
        if (!opened) co_return opened.error();
        sharded_host& shards = **opened;
        std::exception_ptr thrown;
        try {
            const auto run = [&](std::size_t i) {
                return run_on_shard(shards, i, values, program, arguments...);
            };
            ended = co_await cores.for_each_loop(run);
        } catch (...) {
            thrown = std::current_exception();
        }
        co_await shards.close(closing_patience);
        if (thrown) std::rethrow_exception(thrown);
    }
    std::vector<kept> all;
    for (std::optional<kept>& each : values) {
        if (!each)
            co_return ended ? std::make_error_code(std::errc::operation_canceled) : ended.error();
        all.push_back(*std::move(each));
    }
    co_return all;
}

}  // namespace weft::net
