#pragma once
// An Ethernet switch in a simulated world: joins more than two hosts, and other switches.
//
// Each port is a device that a wire is plugged into. A frame goes out where its destination was
// last seen as a source, and everywhere but where it came from when it was not (IEEE 802.1D's
// learning, without its spanning tree: do not build loops). A bottleneck is a wire between two
// switches, or from a switch to a host, with a rate and a queue.

#include <weft/io/scheduler.hpp>
#include <weft/net/address.hpp>
#include <weft/net/io/memory_device.hpp>

#include <cstdint>
#include <memory>
#include <vector>

namespace weft::sim {

class network_switch {
public:
    explicit network_switch(weft::scheduler& on) noexcept : scheduler_{on} {}
    network_switch(const network_switch&) = delete;
    network_switch& operator=(const network_switch&) = delete;
    ~network_switch();

    /// A new port's device, to be plugged into another one. It lives as long as the switch.
    net::memory_device& add_port(const net::memory_device_options& options);

    [[nodiscard]] std::size_t port_count() const noexcept { return ports_.size(); }
    /// Frames for which a port had no slot or the switch no memory.
    [[nodiscard]] std::uint64_t dropped() const noexcept { return dropped_; }

private:
    struct port final : net::device_client {
        port(network_switch& owner, const net::memory_device_options& options)
            : self{owner}, device{owner.scheduler_, options} {}

        void on_frame(net::slice frame, const net::rx_offload& offload, instant) noexcept override {
            self.forward(*this, frame, offload);
        }
        void on_slot_available() noexcept override {}
        void on_frame_refused() noexcept override {}

        network_switch& self;
        net::memory_device device;
    };
    /// Addresses that are remembered; above that the oldest is forgotten.
    static constexpr std::size_t max_known = 1024;

    struct known_address {
        net::mac_address address;
        port* at;
    };

    void forward(port& from, const net::slice& frame, const net::rx_offload& offload) noexcept;
    void learn(const net::mac_address& source, port& at);
    [[nodiscard]] port* find(const net::mac_address& destination) const noexcept;
    void send(port& out, const net::slice& frame, const net::rx_offload& offload) noexcept;

    weft::scheduler& scheduler_;
    net::block_pool pool_;
    std::vector<std::unique_ptr<port>> ports_;
    std::vector<known_address> known_;
    std::uint64_t dropped_ = 0;
};

}  // namespace weft::sim
