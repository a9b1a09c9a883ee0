#pragma once
// One direction of a wire in memory: takes frames at one end and says which come out at the other,
// and when.
//
// A value machine: time comes in, it sets no timer and calls nobody. A frame's fate is decided when
// it is put in (see link_options for the order), all chance from one seed. What is on the wire is
// bounded. Called by memory_device, which owns one for what it sends.

#include <weft/base/instant.hpp>
#include <weft/net/block_pool.hpp>
#include <weft/net/io/link_options.hpp>
#include <weft/net/io/link_queue.hpp>
#include <weft/net/io/random.hpp>
#include <weft/net/io/wire_frame.hpp>

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

namespace weft::net {

class memory_link {
public:
    enum class fate : std::uint8_t { pass, drop };
    using filter = std::function<fate(std::span<const std::byte> frame, instant now)>;

    explicit memory_link(std::uint64_t seed) noexcept : random_{seed} {}

    /// From now on; what is under way stays as it is.
    void configure(const link_options& options) noexcept { options_ = options; }
    [[nodiscard]] const link_options& options() const noexcept { return options_; }
    void set_filter(filter f) { filter_ = std::move(f); }
    /// Nothing gets in from `from` until `until`. Any number, in any order.
    void add_outage(instant from, instant until) { outages_.push_back({from, until}); }
    [[nodiscard]] bool is_down(instant now) const noexcept;

    /// Puts in a frame. Appends to `back` what a router at this end answers to the sender.
    void put(wire_frame frame, block_pool& pool, instant now, wire_frames& back);

    /// When the line has sent what it was given.
    [[nodiscard]] instant line_free() const noexcept { return line_free_; }
    /// When the next frame comes out; `never` when nothing is under way.
    [[nodiscard]] instant next_arrival() const noexcept {
        return flying_.empty() ? never : flying_.front().at;
    }
    /// The frame that comes out next. Precondition: there is one.
    [[nodiscard]] wire_frame take_arrival() noexcept;
    /// What is under way is gone.
    void clear() noexcept;

    [[nodiscard]] link_counters& counters() noexcept { return counters_; }
    [[nodiscard]] const link_counters& counters() const noexcept { return counters_; }
    [[nodiscard]] const link_queue& queue() const noexcept { return queue_; }

private:
    struct flying {
        instant at;
        std::uint64_t order;
        wire_frame frame;
        friend bool operator>(const flying& a, const flying& b) noexcept {
            return a.at != b.at ? a.at > b.at : a.order > b.order;
        }
    };
    struct outage {
        instant from;
        instant until;
    };

    void put_whole(wire_frame frame, block_pool& pool, instant now, wire_frames& back);
    /// True when the frame is short enough, or was dealt with.
    [[nodiscard]] fate check_length(const wire_frame& frame, block_pool& pool, instant now,
                                    wire_frames& back);
    [[nodiscard]] fate pass_queue(wire_frame& frame, instant now);
    [[nodiscard]] fate pass_chance() noexcept;
    /// Queue, line, chance, delay: for a frame that fits.
    void send(wire_frame frame, instant now);
    [[nodiscard]] instant end_of_transmission(std::uint32_t bytes, instant now) noexcept;
    void corrupt(wire_frame& frame) noexcept;
    void fly(wire_frame frame, instant at);

    link_options options_;
    random_source random_;
    filter filter_;
    link_queue queue_;
    std::vector<outage> outages_;
    std::vector<flying> flying_;  // a heap: the next to arrive first
    instant line_free_;
    instant last_arrival_;
    std::uint64_t order_ = 0;
    bool is_bad_ = false;  // of burst_loss_options
    link_counters counters_;
};

}  // namespace weft::net
