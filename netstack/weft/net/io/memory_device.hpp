#pragma once
// A device at one end of a wire in memory: for simulations and tests.
//
// Two of them are plugged into each other. Each direction of the wire has its own faults, all drawn
// from one seed, and its own delay and rate on the scheduler's clock (in steps of its tick). The
// wire copies: a frame that was submitted is independent of the sender's buffers. What is on the
// wire is bounded; frames beyond the bound are dropped and counted. Nothing is called from inside
// `submit()`. One thread.

#include <weft/base/ring_queue.hpp>
#include <weft/io/scheduler.hpp>
#include <weft/net/io/device.hpp>
#include <weft/net/io/random.hpp>

#include <cstdint>
#include <functional>
#include <span>
#include <type_traits>
#include <vector>

namespace weft::net {

/// One direction of a wire. Probabilities are for each frame.
struct link_options {
    double loss = 0;
    double duplicate = 0;  ///< arrives twice
    double corrupt = 0;    ///< one bit is flipped
    double reorder = 0;    ///< is held back, so that frames behind it overtake
    duration reorder_by = std::chrono::milliseconds{2};  ///< held back at most this long
    duration delay = duration::zero();
    duration jitter = duration::zero();  ///< added, from zero to this; keeps the order
    std::uint64_t bits_per_second = 0;   ///< 0: no limit. A full device has no slot: backpressure
    std::uint32_t max_frame_bytes = 0;   ///< longer ones vanish; 0: no limit
    std::uint32_t queue_frames = 8192;   ///< on the wire at once
};
static_assert(std::is_trivially_destructible_v<link_options>);

struct memory_device_options {
    device_capabilities::link_type link = device_capabilities::link_type::ethernet;
    std::uint32_t mtu = 1500;
    /// The stack leaves checksums and the cutting of large frames to the device. The wire then
    /// carries such a frame in one piece, and hands it on as a device that puts segments together.
    bool offloads = false;
    std::uint32_t slots = 64;
    std::uint64_t seed = 1;
};
static_assert(std::is_trivially_destructible_v<memory_device_options>);

class memory_device final : public device {
public:
    struct counters {
        std::uint64_t submitted = 0;
        std::uint64_t delivered = 0;  ///< to the other end
        std::uint64_t lost = 0;
        std::uint64_t duplicated = 0;
        std::uint64_t corrupted = 0;
        std::uint64_t reordered = 0;
        std::uint64_t filtered = 0;  ///< dropped by the filter
        std::uint64_t too_long = 0;
        std::uint64_t queue_full = 0;
        std::uint64_t nobody_there = 0;  ///< not plugged in, or the other end not started
        std::uint64_t no_memory = 0;     ///< the receiver's pool had no block
    };
    enum class fate : std::uint8_t { pass, drop };
    /// Decides on each frame before chance does; sees the whole frame.
    using filter = std::function<fate(std::span<const std::byte> frame, instant now)>;

    memory_device(scheduler& on, const memory_device_options& options);
    ~memory_device() override;

    /// Joins two devices, which must not be plugged in yet.
    static void plug(memory_device& a, memory_device& b, const link_options& a_to_b,
                     const link_options& b_to_a);
    void unplug() noexcept;

    /// Changes this device's outgoing direction from now on.
    void set_link(const link_options& options) noexcept { link_ = options; }
    [[nodiscard]] const link_options& link() const noexcept { return link_; }
    /// For frames that leave here; an empty one lets all pass.
    void set_filter(filter f) { filter_ = std::move(f); }
    /// Of frames that left here.
    [[nodiscard]] const counters& statistics() const noexcept { return counters_; }

    [[nodiscard]] const device_capabilities& capabilities() const noexcept override {
        return capabilities_;
    }
    void start(device_client& client, block_pool& pool) override;
    void stop() noexcept override;
    [[nodiscard]] tx_slot* acquire_slot() noexcept override;
    void submit(tx_slot& slot) noexcept override;
    void release(tx_slot& slot) noexcept override;

private:
    struct flying {
        instant at;
        std::uint64_t order;
        slice frame;
        rx_offload offload;
        friend bool operator>(const flying& a, const flying& b) noexcept {
            return a.at != b.at ? a.at > b.at : a.order > b.order;
        }
    };
    struct wire_timer : timer_node {
        explicit wire_timer(memory_device& self) noexcept;
        memory_device& self_;
    };

    void put_on_wire(slice frame, const rx_offload& offload, instant now) noexcept;
    void fly(slice frame, const rx_offload& offload, instant at) noexcept;
    [[nodiscard]] instant end_of_transmission(std::uint32_t bytes, instant now) noexcept;
    void corrupt(slice& frame, rx_offload& offload) noexcept;
    void on_timer(instant now) noexcept;
    void free_slots(instant now) noexcept;
    void arm() noexcept;
    /// A frame came to this end.
    void take(const flying& arrived, counters& of_sender, instant now) noexcept;

    scheduler& scheduler_;
    device_capabilities capabilities_;
    link_options link_;
    random_source random_;
    filter filter_;
    memory_device* other_ = nullptr;
    device_client* client_ = nullptr;
    block_pool* pool_ = nullptr;
    block_pool wire_pool_;
    std::vector<flying> flying_;  // a heap: the next to arrive first
    std::vector<tx_slot> slots_;
    std::vector<tx_slot*> free_;
    ring_queue<instant> departures_;  // of the slots that are still being transmitted
    ring_queue<tx_slot*> departing_;
    instant line_free_;
    instant last_arrival_;
    std::uint64_t order_ = 0;
    bool wants_slot_ = false;
    wire_timer timer_;
    counters counters_;
};

}  // namespace weft::net
