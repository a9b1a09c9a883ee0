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
// The types of net::, there is no sim::tcp_stream. One thread.

#include <weft/io/scheduler.hpp>
#include <weft/net/io/host.hpp>
#include <weft/net/io/memory_device.hpp>
#include <weft/net/io/pcap_writer.hpp>
#include <weft/task.hpp>

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <type_traits>
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

    /// Joins two hosts of this world by a wire with the same faults both ways.
    void connect(net::host& a, net::host& b, const net::link_options& both_ways = {});
    void connect(net::host& a, net::host& b, const net::link_options& a_to_b,
                 const net::link_options& b_to_a);

    /// The device of a host of this world: its outgoing direction's faults, filter and counters.
    [[nodiscard]] net::memory_device& device_of(const net::host& of);
    /// Bytes of all hosts' pools that are in use.
    [[nodiscard]] std::size_t bytes_in_use() const noexcept;

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

    machine& make(std::string_view prefix, const host_settings& settings,
                  const std::string* pcap_path);

    const std::uint64_t seed_;
    net::random_source random_;
    weft::scheduler scheduler_;
    std::vector<std::unique_ptr<machine>> machines_;
};

}  // namespace weft::sim
