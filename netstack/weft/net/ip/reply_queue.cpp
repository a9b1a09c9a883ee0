#include <weft/net/ip/reply_queue.hpp>

#include <algorithm>
#include <cassert>

namespace weft::net::ip {

reply_queue::reply_queue(stack_counters& counters) : counters_{counters} {
    for (std::size_t i = 0; i < max_packets; ++i) {
        order_[i] = static_cast<std::uint8_t>(i);
    }
}

bool reply_queue::has_room(std::size_t packets, std::size_t bytes) const noexcept {
    return size_ + packets <= max_packets && bytes_ + bytes <= max_bytes;
}

std::span<std::byte> reply_queue::push(const ip_address& next_hop, std::size_t packet_bytes) {
    release_lent();
    if (!has_room(1, packet_bytes)) {
        ++counters_.reply_queue_dropped;
        return {};
    }
    slot& added = at(size_);
    added.next_hop = next_hop;
    added.is_waiting = false;
    added.bytes.resize(packet_bytes);
    ++size_;
    bytes_ += packet_bytes;
    has_news_ = true;
    return added.bytes;
}

std::optional<ready_reply> reply_queue::poll(neighbor_cache* neighbors, instant now) {
    release_lent();
    if (neighbors != nullptr && neighbors->generation() != seen_generation_) {
        seen_generation_ = neighbors->generation();
        has_news_ = true;
        for (std::size_t i = 0; i < size_; ++i) {
            at(i).is_waiting = false;
        }
    }
    if (!has_news_) {
        return std::nullopt;  // all wait for neighbours of whom nothing was heard since
    }
    std::size_t position = 0;
    while (position < size_) {
        slot& oldest = at(position);
        if (oldest.is_waiting) {
            ++position;
            continue;
        }
        const neighbor_answer answer = neighbors == nullptr
                                           ? neighbor_answer{resolution::resolved, {}}
                                           : neighbors->lookup(oldest.next_hop, now);
        switch (answer.status) {
            case resolution::resolved: return lend(position, answer.mac);
            case resolution::failed: drop(position); break;
            case resolution::waiting:
                if (waiting_for(oldest.next_hop) == max_waiting_per_neighbor) {
                    drop(first_waiting_for(oldest.next_hop));  // RFC 1122 keeps the latest
                    --position;
                }
                oldest.is_waiting = true;
                ++position;
                break;
        }
    }
    has_news_ = false;
    return std::nullopt;
}

ready_reply reply_queue::lend(std::size_t position, const mac_address& mac) {
    slot& sent = at(position);
    lent_ = order_[position];
    take_out(position);
    return {sent.bytes, sent.next_hop, mac};
}

void reply_queue::drop(std::size_t position) {
    ++counters_.neighbor_queue_dropped;
    slot& dropped = at(position);
    take_out(position);
    trim(dropped);
}

/// Moves a slot behind those in use; the others keep their order.
void reply_queue::take_out(std::size_t position) {
    assert(position < size_);
    bytes_ -= at(position).bytes.size();
    const auto from = order_.begin() + static_cast<std::ptrdiff_t>(position);
    std::rotate(from, from + 1, order_.begin() + static_cast<std::ptrdiff_t>(size_));
    --size_;
}

void reply_queue::release_lent() noexcept {
    if (lent_) {
        trim(slots_[*lent_]);
        lent_.reset();
    }
}

/// Gives back what a large packet took; small buffers stay for the next packet.
void reply_queue::trim(slot& unused) noexcept {
    unused.bytes.clear();
    if (unused.bytes.capacity() > kept_capacity) {
        std::vector<std::byte>{}.swap(unused.bytes);
    }
}

std::size_t reply_queue::waiting_for(const ip_address& next_hop) const noexcept {
    std::size_t count = 0;
    for (std::size_t i = 0; i < size_; ++i) {
        const slot& other = slots_[order_[i]];
        count += other.is_waiting && other.next_hop == next_hop ? 1U : 0U;
    }
    return count;
}

/// Precondition: there is one.
std::size_t reply_queue::first_waiting_for(const ip_address& next_hop) noexcept {
    std::size_t position = 0;
    while (!at(position).is_waiting || at(position).next_hop != next_hop) {
        ++position;
    }
    return position;
}

}  // namespace weft::net::ip
