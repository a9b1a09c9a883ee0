#pragma once
// The fixture of most simulations: a client and a server on a wire, and the small tasks that tests
// put together. Tasks take what they need as parameters, never by capture.

#include <weft/io/scheduler.hpp>
#include <weft/net/io/host.hpp>
#include <weft/net/observer.hpp>
#include <weft/net/wire/ethernet.hpp>
#include <weft/net/wire/ipv4.hpp>
#include <weft/net/wire/tcp.hpp>
#include <weft/sim/world.hpp>
#include <weft/sleep.hpp>
#include <weft/task.hpp>
#include <weft/task_group.hpp>
#include <weft/test/streams.hpp>
#include <weft/when_all.hpp>
#include <weft/with_timeout.hpp>

#include <doctest/doctest.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace weft::sim::test {

using namespace std::chrono_literals;
using net::tcp_listener;
using net::tcp_stream;
using state = net::tcp::state;
using weft::test::pattern;
using weft::test::read_to_end;
using weft::test::write_and_shut_down;

inline constexpr std::uint16_t port = 80;

inline std::span<const std::byte> bytes_of(std::string_view text) {
    return std::as_bytes(std::span{text});
}
inline std::span<std::byte> bytes_of(std::string& text) {
    return std::as_writable_bytes(std::span{text});
}

/// Two hosts on one wire.
struct two_hosts {
    explicit two_hosts(std::uint64_t seed = 1, const net::link_options& wire = {.delay = 10ms},
                       const host_settings& settings = {})
        : two_hosts{seed, wire, settings, settings} {}
    two_hosts(std::uint64_t seed, const net::link_options& wire, const host_settings& of_client,
              const host_settings& of_server)
        : world{seed},
          client{world.add_host("10.0.0.1/24", of_client)},
          server{world.add_host("10.0.0.2/24", of_server)} {
        world.connect(client, server, wire);
    }

    [[nodiscard]] net::endpoint server_at(std::uint16_t at_port = port) const {
        return {server.address(), at_port};
    }
    /// Both ends know each other's link address from now on, whatever the wire does to ARP.
    void get_acquainted() {
        net::memory_device& a = world.device_of(client);
        net::memory_device& b = world.device_of(server);
        const net::link_options was[] = {a.link(), b.link()};
        a.set_link({});
        b.set_link({});
        world.run(refused_connect(*this));
        world.run_for(1s);
        a.set_link(was[0]);
        b.set_link(was[1]);
    }

    /// Lets TIME-WAIT and whatever else is left pass.
    void settle() { world.run_for(10min); }
    /// After settle(): neither a connection nor a handle nor memory is left.
    void check_nothing_left() { CHECK(world.leftovers() == ""); }

    sim::world world;
    net::host& client;
    net::host& server;

private:
    static task<> refused_connect(two_hosts& on) {
        auto none = co_await on.client.connect(on.server_at(9));
        REQUIRE(none.error() == std::errc::connection_refused);
    }
};

/// What a host has counted, for messages: the names and values that are not zero.
inline std::string counters_of(const net::host& of) {
    std::string text;
    of.counters().for_each([&text](std::string_view name, std::uint64_t value) {
        if (value != 0) text += std::string{name} + " " + std::to_string(value) + ", ";
    });
    return text;
}

/// Both ends of an established connection.
struct stream_pair {
    stream_pair() = default;
    tcp_stream client;
    tcp_stream server;
};

inline task<> connect_into(net::host& from, net::endpoint to, tcp_stream& into,
                           net::tcp::connection_options options = {}) {
    auto opened = co_await from.connect(to, options);
    REQUIRE_MESSAGE(opened.has_value(), opened.error().message());
    into = std::move(*opened);
}

inline task<> accept_into(tcp_listener& from, tcp_stream& into) {
    auto accepted = co_await from.accept();
    REQUIRE_MESSAGE(accepted.has_value(), accepted.error().message());
    into = std::move(*accepted);
}

/// Opens a connection from client to server.
inline task<> open_pair(two_hosts& on, stream_pair& into,
                        net::tcp::connection_options options = {}) {
    auto listening = on.server.listen(port, {.connection = options});
    REQUIRE(listening.has_value());
    co_await when_all(connect_into(on.client, on.server_at(), into.client, options),
                      accept_into(*listening, into.server));
}

/// The TCP header of an Ethernet frame, if it has one.
inline std::optional<net::wire::tcp_header> tcp_header_of(std::span<const std::byte> frame) {
    if (frame.size() < 54 || frame[12] != std::byte{8} || frame[13] != std::byte{0}) return {};
    if (frame[23] != std::byte{6}) return {};
    const std::size_t header_bytes = (std::to_integer<std::size_t>(frame[14]) & 15U) * 4;
    const std::size_t total =
        std::to_integer<std::size_t>(frame[16]) << 8 | std::to_integer<std::size_t>(frame[17]);
    const auto parsed =
        net::wire::parse_tcp(frame.subspan(14 + header_bytes, total - header_bytes));
    if (!parsed) return {};
    return parsed->header;
}

using net::wire::tcp_flags;

/// Drops the first `count` segments that carry exactly these flags (PSH apart).
class drop_flags {
public:
    drop_flags(tcp_flags flags, int count) noexcept : flags_{flags}, left_{count} {}

    net::memory_device::fate operator()(std::span<const std::byte> frame, instant) {
        const auto header = tcp_header_of(frame);
        if (header && (header->flags & ~tcp_flags::psh) == flags_ && left_ > 0) {
            --left_;
            return net::memory_device::fate::drop;
        }
        return net::memory_device::fate::pass;
    }

private:
    tcp_flags flags_;
    int left_;
};

/// Drops everything.
inline net::memory_device::fate nothing_passes(std::span<const std::byte>, instant) {
    return net::memory_device::fate::drop;
}

}  // namespace weft::sim::test
