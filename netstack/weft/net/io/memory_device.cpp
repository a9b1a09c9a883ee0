#include <weft/net/io/memory_device.hpp>

#include <algorithm>
#include <cassert>
#include <functional>
#include <utility>

namespace weft::net {

memory_device::wire_timer::wire_timer(memory_device& self) noexcept
    : timer_node{[](timer_node& node, instant now) noexcept {
          static_cast<wire_timer&>(node).self_.on_timer(now);
      }},
      self_{self} {}

memory_device::memory_device(scheduler& on, const memory_device_options& options)
    : scheduler_{on},
      capabilities_{.link = options.link,
                    .mtu = options.mtu,
                    .checksum_offload = options.offloads,
                    .segmentation_offload = options.offloads},
      random_{options.seed},
      slots_(std::max(options.slots, 1U)),
      timer_{*this} {
    free_.reserve(slots_.size());
    for (tx_slot& slot : slots_) free_.push_back(&slot);
}

memory_device::~memory_device() {
    unplug();
    stop();
}

void memory_device::plug(memory_device& a, memory_device& b, const link_options& a_to_b,
                         const link_options& b_to_a) {
    assert(a.other_ == nullptr && b.other_ == nullptr);
    a.other_ = &b;
    b.other_ = &a;
    a.link_ = a_to_b;
    b.link_ = b_to_a;
}

void memory_device::unplug() noexcept {
    if (other_ == nullptr) return;
    other_->other_ = nullptr;
    other_->flying_.clear();
    other_ = nullptr;
    flying_.clear();
}

void memory_device::start(device_client& client, block_pool& pool) {
    client_ = &client;
    pool_ = &pool;
}

void memory_device::stop() noexcept {
    client_ = nullptr;
    pool_ = nullptr;
}

// ---- sending

tx_slot* memory_device::acquire_slot() noexcept {
    free_slots(scheduler_.now());
    if (free_.empty()) {
        wants_slot_ = true;
        arm();
        return nullptr;
    }
    tx_slot* slot = free_.back();
    free_.pop_back();
    return slot;
}

void memory_device::release(tx_slot& slot) noexcept {
    slot.clear();
    free_.push_back(&slot);
}

void memory_device::submit(tx_slot& slot) noexcept {
    const instant now = scheduler_.now();
    ++counters_.submitted;
    const rx_offload offload{.checksum_verified = slot.offload.needs_checksum,
                             .segment_bytes = slot.offload.segment_bytes};
    slice frame = wire_pool_.allocate_for(slot.frame_bytes());
    frame.extend(slot.frame_bytes());
    slot.copy_to(frame.data());
    put_on_wire(std::move(frame), offload, now);

    // The payload was copied, but the slot is taken as long as the line is: that is backpressure.
    slot.clear();
    if (line_free_ <= now) {
        free_.push_back(&slot);
    } else {
        departures_.push_back(line_free_);
        departing_.push_back(&slot);
    }
}

void memory_device::free_slots(instant now) noexcept {
    while (!departures_.empty() && departures_.front() <= now) {
        free_.push_back(departing_.front());
        departing_.pop_front();
        departures_.pop_front();
    }
}

/// Occupies the line for as long as the frame takes.
instant memory_device::end_of_transmission(std::uint32_t bytes, instant now) noexcept {
    if (link_.bits_per_second == 0) return now;
    constexpr std::uint64_t second = std::chrono::nanoseconds{std::chrono::seconds{1}}.count();
    const std::uint64_t took = std::uint64_t{bytes} * 8 * second / link_.bits_per_second;
    line_free_ = std::max(line_free_, now) + duration{static_cast<duration::rep>(took)};
    return line_free_;
}

void memory_device::put_on_wire(slice frame, const rx_offload& offload, instant now) noexcept {
    const instant sent = end_of_transmission(frame.size(), now);
    if (other_ == nullptr || other_->client_ == nullptr) {
        ++counters_.nobody_there;
        return;
    }
    if (link_.max_frame_bytes != 0 && frame.size() > link_.max_frame_bytes) {
        ++counters_.too_long;
        return;
    }
    if (filter_ && filter_(frame.bytes(), now) == fate::drop) {
        ++counters_.filtered;
        return;
    }
    if (random_.chance(link_.loss)) {
        ++counters_.lost;
        return;
    }
    rx_offload vouched = offload;
    if (random_.chance(link_.corrupt)) corrupt(frame, vouched);

    instant at = sent + link_.delay + random_.up_to(link_.jitter);
    if (random_.chance(link_.reorder)) {
        ++counters_.reordered;
        at += random_.up_to(link_.reorder_by);
    } else {
        at = last_arrival_ = std::max(at, last_arrival_);
    }
    if (random_.chance(link_.duplicate)) {
        ++counters_.duplicated;
        fly(frame, vouched, at);
    }
    fly(std::move(frame), vouched, at);
    arm();
}

void memory_device::corrupt(slice& frame, rx_offload& offload) noexcept {
    ++counters_.corrupted;
    offload.checksum_verified = false;
    std::byte& hit = frame.data()[random_.below(frame.size())];
    hit ^= static_cast<std::byte>(1U << random_.below(8));
}

void memory_device::fly(slice frame, const rx_offload& offload, instant at) noexcept {
    if (flying_.size() >= link_.queue_frames) {
        ++counters_.queue_full;
        return;
    }
    flying_.push_back({at, order_++, std::move(frame), offload});
    std::ranges::push_heap(flying_, std::greater<>{});
}

// ---- arriving

void memory_device::arm() noexcept {
    instant next = flying_.empty() ? never : flying_.front().at;
    if (wants_slot_ && !departures_.empty()) next = std::min(next, departures_.front());
    scheduler_.timers().arm(timer_, next);
}

void memory_device::on_timer(instant now) noexcept {
    while (!flying_.empty() && flying_.front().at <= now) {
        std::ranges::pop_heap(flying_, std::greater<>{});
        const flying arrived = std::move(flying_.back());
        flying_.pop_back();
        if (other_ == nullptr) continue;
        other_->take(arrived, counters_, now);
    }
    free_slots(now);
    if (wants_slot_ && !free_.empty()) {
        wants_slot_ = false;
        if (client_ != nullptr) client_->on_slot_available();
    }
    arm();
}

void memory_device::take(const flying& arrived, counters& of_sender, instant now) noexcept {
    if (client_ == nullptr) {
        ++of_sender.nobody_there;
        return;
    }
    slice received = pool_->allocate_for(arrived.frame.size());
    if (!received) {
        ++of_sender.no_memory;
        return;
    }
    ++of_sender.delivered;
    received.extend(arrived.frame.size());
    std::ranges::copy(arrived.frame.bytes(), received.data());
    client_->on_frame(std::move(received), arrived.offload, now);
}

}  // namespace weft::net
