#pragma once
// A hierarchical timer wheel on whatever clock the caller has: time comes in as an argument.
//
// Nine levels of 64 slots; a level-0 slot is one tick of 64 µs, and a deadline is rounded up to a
// tick, so a timer never fires early. Arming and disarming are O(1) and allocate nothing: the node
// is the caller's and leaves the wheel when it is destroyed. Called by a scheduler and by the
// network stack (one node a connection). One thread.

#include <weft/base/instant.hpp>
#include <weft/base/intrusive_list.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>

namespace weft {

/// One timer. It keeps its exact deadline; the wheel may visit it earlier and puts it back.
class timer_node : public list_hook<timer_node> {
public:
    using expiry = void (*)(timer_node&, instant now) noexcept;

    explicit timer_node(expiry on_expiry) noexcept : on_expiry_{on_expiry} {}

    /// The deadline it was last armed with; `never` before that and after disarming or firing.
    [[nodiscard]] instant deadline() const noexcept { return is_armed() ? deadline_ : never; }
    [[nodiscard]] bool is_armed() const noexcept { return is_linked(); }
    void disarm() noexcept { unlink(); }

private:
    friend class timer_wheel;
    expiry on_expiry_;
    instant deadline_ = never;
};

class timer_wheel {
public:
    static constexpr duration tick = std::chrono::microseconds{64};

    /// A wheel for times from any origin. Knowing the `start` of the clock saves the first cascade.
    timer_wheel() noexcept = default;
    explicit timer_wheel(instant start) noexcept : current_{ticks_at(start)} {}

    /// Arms `node`, or moves it when it is armed. `never` disarms it. Moving a deadline later does
    /// not touch the wheel. Allowed within an expiry, for the firing node too; a deadline that has
    /// passed fires at the next `advance`.
    void arm(timer_node& node, instant deadline) noexcept;
    void cancel(timer_node& node) noexcept { node.disarm(); }

    /// Fires what is due at `now`, in the order of deadlines as far as ticks tell them apart;
    /// within a tick, in the order of arming. Returns how many fired. `now` must not go backwards.
    std::size_t advance(instant now) noexcept;

    /// When to call `advance` next: `never` if nothing is armed, otherwise not later than the
    /// earliest deadline rounded up to its tick. It may be earlier (a cascade, or a timer that was
    /// moved later or disarmed), and lies in the past when something is due already.
    [[nodiscard]] instant next_deadline() const noexcept;

    [[nodiscard]] bool empty() const noexcept { return due_.empty() && !first_slot(); }

private:
    using ticks = std::uint64_t;
    using node_list = intrusive_list<timer_node, timer_node>;

    static constexpr unsigned bits_per_level = 6;
    static constexpr unsigned slots_per_level = 1U << bits_per_level;
    static constexpr unsigned levels = 9;  // 54 bits: every instant is within reach

    struct level {
        std::uint64_t occupied = 0;  // a set bit may stand for a slot whose nodes have all left
        std::array<node_list, slots_per_level> slots;
    };
    struct slot_position {
        unsigned level;
        unsigned slot;
        ticks begin;
    };

    static ticks ticks_at(instant time) noexcept;
    static ticks ticks_not_before(instant time) noexcept;
    static instant time_of(ticks at) noexcept;

    void place(timer_node& node) noexcept;
    std::size_t fire(node_list& visited, instant now) noexcept;
    std::optional<slot_position> first_slot() const noexcept;

    ticks current_ = 0;  // every slot that begins at or before it has been visited
    node_list due_;      // armed with a deadline that had passed
    mutable std::array<level, levels> levels_;  // mutable: stale `occupied` bits go when seen
};

}  // namespace weft
