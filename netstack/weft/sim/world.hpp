#pragma once
// A world to try network programs in: hosts with the real stack on simulated wires and a virtual
// clock. No root, no sockets, no waiting, and one seed drives everything (initial sequence numbers,
// ports, faults of the wires): the same seed gives the same run to the bit.
//
//     sim::world world{seed};
//     net::host& client = world.add_host("10.0.0.1/24");
//     net::host& server = world.add_host("10.0.0.2/24");
//     world.connect(client, server, {.loss = 0.1, .delay = 20ms});
//     world.run(conversation(client, server));
//
// What a wire can do is in net/io/link_options.hpp; boxes that change frames are put on it with
// `insert`, and a `network_switch` joins more than two hosts. A guide: docs/simulation.md.
//
// The types of net::, there is no sim::tcp_stream. One thread.

#include <weft/io/scheduler.hpp>
#include <weft/net/io/host.hpp>
#include <weft/net/io/memory_device.hpp>
#include <weft/net/io/middlebox.hpp>
#include <weft/net/io/pcap_writer.hpp>
#include <weft/sim/network_switch.hpp>
#include <weft/task.hpp>

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

namespace weft::sim {

/// Of one host and its device.
struct host_settings {
    std::string_view gateway = {};  ///< none: only its own network can be reached
    net::tcp::config tcp = {};
    net::device_capabilities::link_type link = net::device_capabilities::link_type::ethernet;
    std::uint32_t mtu = 1500;
    bool offloads = false;  ///< see net::memory_device_options
    std::uint32_t slots = 64;
    std::size_t pool_limit_bytes = std::size_t{1} << 28;
};
static_assert(std::is_trivially_destructible_v<host_settings>);

/// A wire: the devices at its ends, each with what it sends.
struct wire_ends {
    net::memory_device& a;
    net::memory_device& b;
};

class world {
public:
    explicit world(std::uint64_t seed = 1);
    world(const world&) = delete;
    world& operator=(const world&) = delete;
    /// Precondition: no stream or listener of its hosts is left.
    ~world();

    /// A host with an address, as "10.0.0.1/24", on a device that is not plugged in. It lives as
    /// long as the world. Throws std::invalid_argument for what is no address.
    net::host& add_host(std::string_view prefix, const host_settings& settings = {});

    /// As add_host; what passes through its device is recorded to a pcapng file. Throws
    /// std::system_error when the file cannot be created.
    net::host& add_recorded_host(std::string_view prefix, const std::string& pcap_path,
                                 const host_settings& settings = {});

    /// A switch with no ports yet. It lives as long as the world.
    network_switch& add_switch();

    /// Joins two hosts of this world by a wire with the same faults both ways.
    wire_ends connect(net::host& a, net::host& b, const net::link_options& both_ways = {});
    wire_ends connect(net::host& a, net::host& b, const net::link_options& a_to_b,
                      const net::link_options& b_to_a);
    /// A wire from a host to a new port of a switch. Precondition: the host's link is Ethernet.
    wire_ends connect(net::host& a, network_switch& b, const net::link_options& a_to_b = {},
                      const net::link_options& b_to_a = {});
    /// A wire between new ports of two switches.
    wire_ends connect(network_switch& a, network_switch& b, const net::link_options& a_to_b = {},
                      const net::link_options& b_to_a = {});

    /// Makes a middlebox and puts it on a wire, next to its end `b`. It lives as long as the world.
    template <class Box, class... Args>
    Box& insert(wire_ends on, Args&&... args) {
        auto made = std::make_unique<Box>(std::forward<Args>(args)...);
        Box& box = *made;
        boxes_.push_back(std::move(made));
        net::memory_device::insert(on.a, on.b, box);
        return box;
    }
    /// Nothing enters a wire, either way, from `from` until `until`.
    static void partition(wire_ends on, instant from, instant until);

    /// The device of a host of this world: its outgoing direction's faults, filter and counters.
    [[nodiscard]] net::memory_device& device_of(const net::host& of);
    /// The wire between two hosts that were joined.
    [[nodiscard]] wire_ends wire_between(const net::host& a, const net::host& b) {
        return {device_of(a), device_of(b)};
    }
    /// Bytes of all hosts' pools that are in use.
    [[nodiscard]] std::size_t bytes_in_use() const noexcept;
    /// What hosts still have: connections, handles (streams, listeners, sockets) and memory, a line
    /// for each host that has any. Empty is what a test wants after its programs have ended and
    /// TIME-WAIT has passed: `world.run_for(10min); CHECK(world.leftovers() == "");`.
    [[nodiscard]] std::string leftovers() const;

    /// Runs `main` to its end, as fast as the machine can, and returns what it returned. Throws
    /// what it throws, and std::logic_error when it waits for something that cannot happen.
    template <class T>
    T run(task<T> main) {
        return scheduler_.run_until_done(std::move(main));
    }
    /// Lets the world go on for a while.
    void run_for(duration length) noexcept { scheduler_.run_for(length); }

    [[nodiscard]] instant now() const noexcept { return scheduler_.now(); }
    [[nodiscard]] weft::scheduler& scheduler() noexcept { return scheduler_; }
    [[nodiscard]] std::uint64_t seed() const noexcept { return seed_; }

private:
    struct machine;

    [[nodiscard]] net::memory_device& add_port(network_switch& to);
    machine& make(std::string_view prefix, const host_settings& settings,
                  const std::string* pcap_path);

    const std::uint64_t seed_;
    net::random_source random_;
    weft::scheduler scheduler_;
    std::vector<std::unique_ptr<net::middlebox>> boxes_;
    std::vector<std::unique_ptr<network_switch>> switches_;
    std::vector<std::unique_ptr<machine>> machines_;
};

}  // namespace weft::sim
