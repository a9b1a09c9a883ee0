#include <weft/net/udp/socket.hpp>

#include <algorithm>

namespace weft::net::udp {

received_datagram socket::receive() noexcept {
    received_datagram oldest = std::move(received_.front());
    received_.pop_front();
    received_bytes_ -= oldest.charge_bytes;
    if (received_.empty()) chunk_.reset();
    return oldest;
}

socket::taken socket::take(const endpoint& from, const ip_address& to, slice payload,
                           block_pool& pool) {
    const bool is_copied = payload.size() * 2 < payload.capacity();
    const std::uint32_t charge = overhead_bytes + (is_copied ? payload.size() : payload.capacity());
    if (!received_.empty() && received_bytes_ + charge > options_.receive_buffer_bytes) {
        return taken::no_room;
    }
    if (is_copied && !payload.empty()) {
        payload = copy_together(payload, pool);
        if (!payload) return taken::no_memory;
    }
    if (payload.empty()) payload.reset();  // holds no block
    received_bytes_ += charge;
    received_.push_back({from, to, std::move(payload), charge});
    return taken::yes;
}

slice socket::copy_together(const slice& payload, block_pool& pool) noexcept {
    const std::uint32_t size = payload.size();
    if (chunk_.room_behind() < size) {
        constexpr auto small = static_cast<std::uint32_t>(block_size::small);
        constexpr auto medium = static_cast<std::uint32_t>(block_size::medium);
        // The first one of a while may be the only one.
        chunk_ = received_.empty() && size <= small ? pool.allocate(block_size::small)
                                                    : pool.allocate_for(std::max(size, medium));
        if (!chunk_) return {};
    }
    const std::uint32_t at = chunk_.size();
    chunk_.extend(size);
    slice copy = chunk_.sub(at, size);
    std::ranges::copy(payload.bytes(), copy.data());
    return copy;
}

}  // namespace weft::net::udp
