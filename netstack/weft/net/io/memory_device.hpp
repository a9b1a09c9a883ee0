#pragma once
// A device at one end of a wire in memory: for simulations and tests.
//
// Two of them are plugged into each other. Each direction of the wire is a `memory_link` of its
// own: its faults, all drawn from one seed, its queue, delay and rate on the scheduler's clock (in
// steps of its tick). Middleboxes may stand between the device and its link. The wire copies: a
// frame that was submitted is independent of the sender's buffers. Nothing is called from inside
// `submit()`. One thread.

#include <weft/base/ring_queue.hpp>
#include <weft/io/scheduler.hpp>
#include <weft/net/io/device.hpp>
#include <weft/net/io/memory_link.hpp>
#include <weft/net/io/middlebox.hpp>

#include <cstdint>
#include <type_traits>
#include <utility>
#include <vector>

namespace weft::net {

struct memory_device_options {
    device_capabilities::link_type link = device_capabilities::link_type::ethernet;
    std::uint32_t mtu = 1500;
    /// The stack leaves checksums and the cutting of large frames to the device. The wire then
    /// carries such a frame in one piece, and hands it on as a device that puts segments together
    /// (but see link_options::cuts_large_frames).
    bool offloads = false;
    std::uint32_t slots = 64;
    std::uint64_t seed = 1;
};
static_assert(std::is_trivially_destructible_v<memory_device_options>);

class memory_device final : public device {
public:
    using counters = link_counters;
    using fate = memory_link::fate;
    /// Decides on each frame before chance does; sees the whole frame.
    using filter = memory_link::filter;

    memory_device(scheduler& on, const memory_device_options& options);
    ~memory_device() override;

    /// Joins two devices, which must not be plugged in yet.
    static void plug(memory_device& a, memory_device& b, const link_options& a_to_b,
                     const link_options& b_to_a);
    void unplug() noexcept;
    /// Puts a box between two devices that are plugged into each other, next to `b`. It must
    /// outlive them or their wire.
    static void insert(memory_device& a, memory_device& b, middlebox& box);

    /// Changes this device's outgoing direction from now on.
    void set_link(const link_options& options) noexcept { outgoing_.configure(options); }
    [[nodiscard]] const link_options& link() const noexcept { return outgoing_.options(); }
    /// Nothing leaves here from `from` until `until`.
    void add_outage(instant from, instant until) { outgoing_.add_outage(from, until); }
    /// For frames that leave here; an empty one lets all pass.
    void set_filter(filter f) { outgoing_.set_filter(std::move(f)); }
    /// Of frames that left here.
    [[nodiscard]] const counters& statistics() const noexcept { return outgoing_.counters(); }

    [[nodiscard]] const device_capabilities& capabilities() const noexcept override {
        return capabilities_;
    }
    void start(device_client& client, block_pool& pool) override;
    void stop() noexcept override;
    [[nodiscard]] tx_slot* acquire_slot() noexcept override;
    void submit(tx_slot& slot) noexcept override;
    void release(tx_slot& slot) noexcept override;

private:
    struct placed_box {
        middlebox* box;
        middlebox::direction way;
    };
    struct wire_timer : timer_node {
        explicit wire_timer(memory_device& self) noexcept;
        memory_device& self_;
    };

    [[nodiscard]] wire_frames pass_boxes(wire_frame frame, instant now);
    void put_on_wire(wire_frame frame, instant now) noexcept;
    void on_timer(instant now) noexcept;
    void free_slots(instant now) noexcept;
    void arm() noexcept;
    /// A frame came to this end.
    void take(const wire_frame& arrived, counters& of_sender, instant now) noexcept;

    scheduler& scheduler_;
    device_capabilities capabilities_;
    block_pool wire_pool_;  // of what we sent
    memory_link outgoing_;
    std::vector<placed_box> boxes_;  // in the order in which what we send meets them
    memory_device* other_ = nullptr;
    device_client* client_ = nullptr;
    block_pool* pool_ = nullptr;
    std::vector<tx_slot> slots_;
    std::vector<tx_slot*> free_;
    ring_queue<instant> departures_;  // of the slots that are still being transmitted
    ring_queue<tx_slot*> departing_;
    bool wants_slot_ = false;
    wire_timer timer_;
};

}  // namespace weft::net
