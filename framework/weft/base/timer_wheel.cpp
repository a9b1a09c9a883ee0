#include <weft/base/timer_wheel.hpp>

#include <bit>
#include <limits>

namespace weft {

namespace {

constexpr std::uint64_t tick_length = static_cast<std::uint64_t>(timer_wheel::tick.count());

// Ticks are counted from the earliest instant that is a whole number of ticks away from the clock's
// origin, so that they are never negative and a clock that starts at zero starts on a tick.
constexpr std::uint64_t offset = (std::uint64_t{1} << 63) / tick_length * tick_length;

std::uint64_t since_first_tick(instant time) noexcept {
    const std::int64_t count = time.time_since_epoch().count();
    if (count < -static_cast<std::int64_t>(offset)) return 0;
    return static_cast<std::uint64_t>(count) + offset;
}

}  // namespace

timer_wheel::ticks timer_wheel::ticks_at(instant time) noexcept {
    return since_first_tick(time) / tick_length;
}

timer_wheel::ticks timer_wheel::ticks_not_before(instant time) noexcept {
    const std::uint64_t elapsed = since_first_tick(time);
    return elapsed / tick_length + (elapsed % tick_length == 0 ? 0 : 1);
}

instant timer_wheel::time_of(ticks at) noexcept {
    constexpr std::uint64_t last =
        (offset + std::uint64_t{std::numeric_limits<std::int64_t>::max()}) / tick_length;
    if (at > last) return never;
    return instant{duration{static_cast<std::int64_t>(at * tick_length - offset)}};
}

void timer_wheel::arm(timer_node& node, instant deadline) noexcept {
    if (deadline == never) {
        node.disarm();
        return;
    }
    const bool stays = node.is_armed() && deadline >= node.deadline_;
    node.deadline_ = deadline;
    if (stays) return;  // visited at its old deadline, and put where it belongs then
    node.disarm();
    place(node);
}

// A node goes to the level of the highest digit (base 64) in which its tick differs from the
// current one. So the slots of a level that are in use lie ahead of the current digit, and all of a
// lower level come before all of a higher one.
void timer_wheel::place(timer_node& node) noexcept {
    const ticks at = ticks_not_before(node.deadline_);
    if (at <= current_) {
        due_.push_back(node);
        return;
    }
    const auto highest_bit = static_cast<unsigned>(std::bit_width(at ^ current_)) - 1;
    const unsigned index = highest_bit / bits_per_level;
    const auto slot = static_cast<unsigned>(at >> (index * bits_per_level)) & (slots_per_level - 1);
    levels_[index].slots[slot].push_back(node);
    levels_[index].occupied |= std::uint64_t{1} << slot;
}

std::size_t timer_wheel::advance(instant now) noexcept {
    const ticks target = ticks_at(now);
    std::size_t fired = 0;
    node_list visited;
    visited.splice_back(due_);
    fired += fire(visited, now);
    while (const auto position = first_slot()) {
        if (position->begin > target) break;
        current_ = position->begin;
        level& found = levels_[position->level];
        found.occupied &= ~(std::uint64_t{1} << position->slot);
        visited.splice_back(found.slots[position->slot]);
        fired += fire(visited, now);
    }
    if (target > current_) current_ = target;
    return fired;
}

// An expiry may disarm, move or destroy any node, those still in `visited` too.
std::size_t timer_wheel::fire(node_list& visited, instant now) noexcept {
    std::size_t fired = 0;
    while (!visited.empty()) {
        timer_node& node = visited.pop_front();
        if (ticks_not_before(node.deadline_) > current_) {
            place(node);
            continue;
        }
        ++fired;
        node.on_expiry_(node, now);
    }
    return fired;
}

instant timer_wheel::next_deadline() const noexcept {
    if (!due_.empty()) return time_of(current_);
    const auto position = first_slot();
    return position ? time_of(position->begin) : never;
}

std::optional<timer_wheel::slot_position> timer_wheel::first_slot() const noexcept {
    for (unsigned index = 0; index < levels; ++index) {
        level& candidate = levels_[index];
        while (candidate.occupied != 0) {
            const auto slot = static_cast<unsigned>(std::countr_zero(candidate.occupied));
            if (candidate.slots[slot].empty()) {
                candidate.occupied &= candidate.occupied - 1;
                continue;
            }
            const unsigned shift = index * bits_per_level;
            const ticks above = current_ >> shift >> bits_per_level;
            return slot_position{index, slot, ((above << bits_per_level) | slot) << shift};
        }
    }
    return std::nullopt;
}

}  // namespace weft
