#pragma once
// A count that goes down to zero once, and those who wait for that.
//
// For a fixed number of things that have to have happened; for children, join a task_group. Not
// reusable. One thread. Waiters resume from the run queue in the order they came. The latch must
// outlive its waiters.

#include <weft/sync/event.hpp>

#include <cassert>
#include <cstddef>

namespace weft {

class latch {
public:
    explicit latch(std::size_t count) noexcept : left_{count}, reached_{count == 0} {}
    latch(const latch&) = delete;
    latch& operator=(const latch&) = delete;
    ~latch() { assert(!reached_.has_waiters() && "a latch outlives its waiters"); }

    /// Precondition: `count` is not more than what is left.
    void count_down(std::size_t count = 1) noexcept {
        assert(count <= left_ && "a latch is not counted down below zero");
        left_ = count < left_ ? left_ - count : 0;
        if (left_ == 0) reached_.set();
    }
    [[nodiscard]] bool try_wait() const noexcept { return reached_.is_set(); }
    [[nodiscard]] std::size_t left() const noexcept { return left_; }

    /// Completes with success when the count is zero, at once if it is; with `errc::canceled` when
    /// asked to stop before. Any number may wait.
    [[nodiscard]] auto wait() noexcept { return reached_.wait(); }
    /// Counts down in the call, and waits for the others. A stop request does not undo the count.
    [[nodiscard]] auto arrive_and_wait(std::size_t count = 1) noexcept {
        count_down(count);
        return reached_.wait();
    }

private:
    std::size_t left_;
    event reached_;
};

}  // namespace weft
