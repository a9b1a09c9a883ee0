#include <weft/sim/world.hpp>

#include <optional>
#include <stdexcept>
#include <system_error>

namespace weft::sim {
namespace {

[[noreturn]] void reject(std::string_view text) {
    throw std::invalid_argument{"not an address: " + std::string{text}};
}

net::mac_address numbered_mac(std::size_t n) {
    return net::mac_address{
        {0x02, 0, 0, 0, static_cast<std::uint8_t>(n >> 8), static_cast<std::uint8_t>(n)}};
}

}  // namespace

/// A host, its device, and what records it.
struct world::machine {
    machine(weft::scheduler& on, const net::memory_device_options& options) : device{on, options} {}

    net::memory_device device;
    std::unique_ptr<net::pcap_writer> recorder;
    std::optional<net::host> host;
};

world::world(std::uint64_t seed)
    : seed_{seed}, random_{seed}, scheduler_{weft::scheduler::clock::virtual_time} {}

world::~world() = default;

net::host& world::add_host(std::string_view prefix, const host_settings& settings) {
    return *make(prefix, settings, nullptr).host;
}

net::host& world::add_recorded_host(std::string_view prefix, const std::string& pcap_path,
                                    const host_settings& settings) {
    return *make(prefix, settings, &pcap_path).host;
}

world::machine& world::make(std::string_view prefix, const host_settings& settings,
                            const std::string* pcap_path) {
    const std::optional<net::ip_prefix> address = net::ip_prefix::parse(prefix);
    if (!address) reject(prefix);
    std::optional<net::ip_address> gateway;
    if (!settings.gateway.empty()) {
        gateway = net::ip_address::parse(settings.gateway);
        if (!gateway) reject(settings.gateway);
    }
    auto made = std::make_unique<machine>(scheduler_,
                                          net::memory_device_options{.link = settings.link,
                                                                     .mtu = settings.mtu,
                                                                     .offloads = settings.offloads,
                                                                     .slots = settings.slots,
                                                                     .seed = random_.next()});
    net::device* device = &made->device;
    if (pcap_path != nullptr) {
        auto created = net::pcap_writer::create(*pcap_path, scheduler_, made->device);
        if (!created) throw std::system_error{created.error(), *pcap_path};
        made->recorder = std::move(*created);
        device = made->recorder.get();
    }
    const net::tcp::hash_secret secret{random_.next(), random_.next()};
    made->host.emplace(scheduler_, *device,
                       net::host_options{.address = *address,
                                         .gateway = gateway,
                                         .mac = numbered_mac(machines_.size() + 1),
                                         .tcp = settings.tcp,
                                         .secret = secret,
                                         .pool_limit_bytes = settings.pool_limit_bytes});
    machines_.push_back(std::move(made));
    return *machines_.back();
}

network_switch& world::add_switch() {
    switches_.push_back(std::make_unique<network_switch>(scheduler_));
    return *switches_.back();
}

net::memory_device& world::add_port(network_switch& to) {
    // An offloading host's large frames pass through, and jumbo frames too.
    constexpr std::uint32_t largest = 65'535;
    return to.add_port({.mtu = largest, .offloads = true, .seed = random_.next()});
}

wire_ends world::connect(net::host& a, net::host& b, const net::link_options& both_ways) {
    return connect(a, b, both_ways, both_ways);
}

wire_ends world::connect(net::host& a, net::host& b, const net::link_options& a_to_b,
                         const net::link_options& b_to_a) {
    net::memory_device::plug(device_of(a), device_of(b), a_to_b, b_to_a);
    return {device_of(a), device_of(b)};
}

wire_ends world::connect(net::host& a, network_switch& b, const net::link_options& a_to_b,
                         const net::link_options& b_to_a) {
    net::memory_device& port = add_port(b);
    net::memory_device::plug(device_of(a), port, a_to_b, b_to_a);
    return {device_of(a), port};
}

wire_ends world::connect(network_switch& a, network_switch& b, const net::link_options& a_to_b,
                         const net::link_options& b_to_a) {
    net::memory_device& port_a = add_port(a);
    net::memory_device& port_b = add_port(b);
    net::memory_device::plug(port_a, port_b, a_to_b, b_to_a);
    return {port_a, port_b};
}

void world::partition(wire_ends on, instant from, instant until) {
    on.a.add_outage(from, until);
    on.b.add_outage(from, until);
}

net::memory_device& world::device_of(const net::host& of) {
    for (const std::unique_ptr<machine>& each : machines_) {
        if (&*each->host == &of) return each->device;
    }
    throw std::invalid_argument{"not a host of this world"};
}

std::size_t world::bytes_in_use() const noexcept {
    std::size_t bytes = 0;
    for (const std::unique_ptr<machine>& each : machines_) bytes += each->host->pool().bytes_out();
    return bytes;
}

std::string world::leftovers() const {
    std::string text;
    for (const std::unique_ptr<machine>& each : machines_) {
        net::host& host = *each->host;
        const std::size_t connections = host.stack().tcp().connection_count();
        const std::size_t bytes = host.pool().bytes_out();
        if (connections == 0 && host.handle_count() == 0 && bytes == 0) continue;
        text += host.address().to_string() + ": " + std::to_string(connections) + " connections, " +
                std::to_string(host.handle_count()) + " handles, " + std::to_string(bytes) +
                " bytes\n";
    }
    return text;
}

}  // namespace weft::sim
