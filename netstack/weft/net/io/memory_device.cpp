#include <weft/net/io/memory_device.hpp>

#include <algorithm>
#include <cassert>
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
      outgoing_{options.seed},
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
    a.set_link(a_to_b);
    b.set_link(b_to_a);
}

void memory_device::insert(memory_device& a, memory_device& b, middlebox& box) {
    assert(a.other_ == &b && b.other_ == &a);
    a.boxes_.push_back({&box, middlebox::direction::forward});
    b.boxes_.insert(b.boxes_.begin(), {&box, middlebox::direction::back});
}

void memory_device::unplug() noexcept {
    if (other_ == nullptr) return;
    for (memory_device* const each : {this, other_}) {
        each->outgoing_.clear();
        each->boxes_.clear();
    }
    std::exchange(other_, nullptr)->other_ = nullptr;
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
    ++outgoing_.counters().submitted;
    wire_frame frame{.bytes = wire_pool_.allocate_for(slot.frame_bytes()),
                     .offload = {.checksum_verified = slot.offload.needs_checksum,
                                 .segment_bytes = slot.offload.segment_bytes},
                     .link = capabilities_.link};
    if (frame.bytes) {
        frame.bytes.extend(slot.frame_bytes());
        slot.copy_to(frame.bytes.data());
        put_on_wire(std::move(frame), now);
    } else {
        ++outgoing_.counters().no_memory;
    }

    // The payload was copied, but without a queue to wait in the slot is taken as long as the line
    // is: that is backpressure.
    slot.clear();
    if (link().queue.is_bounded() || outgoing_.line_free() <= now) {
        free_.push_back(&slot);
    } else {
        departures_.push_back(outgoing_.line_free());
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

wire_frames memory_device::pass_boxes(wire_frame frame, instant now) {
    wire_frames passing;
    passing.push_back(std::move(frame));
    for (const placed_box& each : boxes_) {
        wire_frames behind;
        for (wire_frame& one : passing) each.box->on_frame(std::move(one), each.way, now, behind);
        passing = std::move(behind);
    }
    return passing;
}

void memory_device::put_on_wire(wire_frame frame, instant now) noexcept {
    if (other_ == nullptr || other_->client_ == nullptr) {
        ++outgoing_.counters().nobody_there;
        return;
    }
    wire_frames back;
    if (boxes_.empty()) {
        outgoing_.put(std::move(frame), wire_pool_, now, back);
    } else {
        for (wire_frame& one : pass_boxes(std::move(frame), now)) {
            outgoing_.put(std::move(one), wire_pool_, now, back);
        }
    }
    arm();
    // What a router at the near end of the link answers comes back as the other end's frames do. It
    // is not answered in turn: no error is sent about an error.
    for (wire_frame& answer : back) other_->put_on_wire(std::move(answer), now);
}

// ---- arriving

void memory_device::arm() noexcept {
    instant next = outgoing_.next_arrival();
    if (wants_slot_ && !departures_.empty()) next = std::min(next, departures_.front());
    scheduler_.timers().arm(timer_, next);
}

void memory_device::on_timer(instant now) noexcept {
    while (outgoing_.next_arrival() <= now) {
        const wire_frame arrived = outgoing_.take_arrival();
        if (other_ == nullptr) continue;
        other_->take(arrived, outgoing_.counters(), now);
    }
    free_slots(now);
    if (wants_slot_ && !free_.empty()) {
        wants_slot_ = false;
        if (client_ != nullptr) client_->on_slot_available();
    }
    arm();
}

void memory_device::take(const wire_frame& arrived, counters& of_sender, instant now) noexcept {
    if (client_ == nullptr) {
        ++of_sender.nobody_there;
        return;
    }
    slice received = pool_->allocate_for(arrived.bytes.size());
    if (!received) {
        ++of_sender.no_memory;
        return;
    }
    ++of_sender.delivered;
    received.extend(arrived.bytes.size());
    std::ranges::copy(arrived.bytes.bytes(), received.data());
    client_->on_frame(std::move(received), arrived.offload, now);
}

}  // namespace weft::net
