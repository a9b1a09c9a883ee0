// What tests of kernel sockets share: a loop with a network, a connected pair over the loopback,
// and a way to run a task on them that ends, whatever happens.
#pragma once

#include <doctest/doctest.h>
#include <weft/io/io_context.hpp>
#include <weft/kernel/network.hpp>
#include <weft/task.hpp>
#include <weft/when_all.hpp>
#include <weft/with_timeout.hpp>

#include <chrono>
#include <cstddef>
#include <optional>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

namespace weft::kernel_test {

using namespace std::chrono_literals;

inline constexpr ipv4_address here{127, 0, 0, 1};

inline std::span<const std::byte> bytes_of(std::string_view text) {
    return std::as_bytes(std::span{text});
}

inline std::string_view text_of(std::span<const std::byte> bytes) {
    return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

/// Bytes that tell where in a long transfer they belong.
inline std::vector<std::byte> pattern(std::size_t count) {
    std::vector<std::byte> all(count);
    for (std::size_t i = 0; i < count; ++i) all[i] = std::byte((i * 31 + (i >> 11)) & 0xff);
    return all;
}

struct connected_pair {
    kernel::tcp_stream client;
    kernel::tcp_stream server;
};

/// Two ends of one connection. Fails the test when there is none.
inline task<connected_pair> connect_pair(kernel::network& network,
                                         kernel::connect_options options = {}) {
    kernel::listen_options accepting;
    accepting.connection = options;
    result<kernel::tcp_listener> listening = network.listen(endpoint{here, 0}, accepting);
    REQUIRE(listening);
    connected_pair made;
    made.client = (co_await network.connect(listening->local_endpoint(), options)).value();
    made.server = (co_await listening->accept()).value();
    co_return made;
}

struct fixture {
    explicit fixture(kernel::network_options options = {}, io_context::options ring = {})
        : io{ring}, network{io, options} {}

    /// Runs `body(network, arguments…)`, a task, to its end.
    template <class Body, class... Arguments>
    void run(Body body, Arguments&&... arguments) {
        io.run_until_done(body(network, std::forward<Arguments>(arguments)...));
    }

    io_context io;
    kernel::network network;
};

}  // namespace weft::kernel_test
