#pragma once
// The largest value of a sliding window, in constant space.
//
// A queue of values that descend, oldest and largest first; a new value pushes out those that it
// reaches. There is room for three: when a fourth comes, the second gives way until it is a third
// of the window younger than the first, then the last does. So when the largest leaves, what takes
// its place may be a little low but is never too old. Time is any unsigned count (rounds,
// milliseconds) and may wrap.

#include <array>
#include <cstdint>

namespace weft::net::tcp {

template <class Value>
class windowed_max {
public:
    /// The default value when there is none.
    [[nodiscard]] Value best() const noexcept { return count_ == 0 ? Value{} : entries_[0].value; }
    [[nodiscard]] bool empty() const noexcept { return count_ == 0; }
    void clear() noexcept { count_ = 0; }

    /// `now` and `window` in the same unit; `now` never goes back.
    void update(Value value, std::uint32_t now, std::uint32_t window) noexcept {
        expire(now, window);
        while (count_ > 0 && entries_[count_ - 1].value <= value) --count_;
        if (count_ == entries_.size()) {
            const bool is_second_too_old = entries_[1].at - entries_[0].at < window / 3;
            if (is_second_too_old) entries_[1] = entries_[2];
            --count_;
        }
        entries_[count_++] = {value, now};
    }
    /// What is older than `window` leaves, without anything new.
    void expire(std::uint32_t now, std::uint32_t window) noexcept {
        while (count_ > 0 && now - entries_[0].at > window) {
            entries_[0] = entries_[1];
            entries_[1] = entries_[2];
            --count_;
        }
    }

private:
    struct entry {
        Value value{};
        std::uint32_t at = 0;
    };

    std::array<entry, 3> entries_{};
    std::uint32_t count_ = 0;
};

}  // namespace weft::net::tcp
