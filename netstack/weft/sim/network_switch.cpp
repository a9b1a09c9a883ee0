#include <weft/sim/network_switch.hpp>

#include <weft/net/wire/ethernet.hpp>

#include <algorithm>

namespace weft::sim {

network_switch::~network_switch() {
    for (const std::unique_ptr<port>& each : ports_) each->device.stop();
}

net::memory_device& network_switch::add_port(const net::memory_device_options& options) {
    ports_.push_back(std::make_unique<port>(*this, options));
    ports_.back()->device.start(*ports_.back(), pool_);
    return ports_.back()->device;
}

void network_switch::learn(const net::mac_address& source, port& at) {
    const auto entry = std::ranges::find(known_, source, &known_address::address);
    if (entry != known_.end()) {
        entry->at = &at;
        return;
    }
    if (known_.size() == max_known) known_.erase(known_.begin());
    known_.push_back({source, &at});
}

network_switch::port* network_switch::find(const net::mac_address& destination) const noexcept {
    const auto entry = std::ranges::find(known_, destination, &known_address::address);
    return entry == known_.end() ? nullptr : entry->at;
}

void network_switch::forward(port& from, const net::slice& frame,
                             const net::rx_offload& offload) noexcept {
    const auto header = net::wire::parse_ethernet(frame.bytes());
    if (!header) return;
    learn(header->source, from);
    if (port* const out = find(header->destination)) {
        if (out != &from) send(*out, frame, offload);
        return;
    }
    for (const std::unique_ptr<port>& each : ports_) {
        if (each.get() != &from) send(*each, frame, offload);
    }
}

void network_switch::send(port& out, const net::slice& frame,
                          const net::rx_offload& offload) noexcept {
    net::tx_slot* const slot = out.device.acquire_slot();
    if (slot == nullptr) {
        ++dropped_;
        return;
    }
    slot->append(frame);
    slot->offload = {.needs_checksum = offload.checksum_verified,
                     .segment_bytes = offload.segment_bytes};
    out.device.submit(*slot);
}

}  // namespace weft::sim
