#pragma once
// A point that a task of each loop of a runtime reaches before any of them goes on: all listeners
// are open before the first says so, all caches are warm before the first serves.
//
// Made and destroyed while no loop uses it, by whoever starts the tasks. Meets once. What it keeps
// is touched on loop 0 only, where those of the other loops call.

#include <weft/runtime.hpp>
#include <weft/sync/event.hpp>
#include <weft/task.hpp>

#include <cstddef>

namespace weft {

class rendezvous {
public:
    explicit rendezvous(runtime& of) noexcept : cores_{of}, missing_{of.size()} {}
    rendezvous(const rendezvous&) = delete;
    rendezvous& operator=(const rendezvous&) = delete;

    /// Completes when it was awaited as often as the runtime has loops; awaited once on each.
    /// Resumes on the caller's loop. Cancelling gives the waiting up: the others still count on
    /// this task, so cancel them too. Errors: `operation_canceled`, and those of spawn_on.
    [[nodiscard]] task<result<void>> arrive() {
        const auto wait = [this] { return wait_for_all(); };
        co_return co_await cores_.spawn_on(0, wait);
    }

private:
    task<result<void>> wait_for_all() {
        if (--missing_ == 0) all_here_.set();
        co_return co_await all_here_.wait();
    }

    runtime& cores_;
    std::size_t missing_;  // these two: on loop 0
    event all_here_;
};

}  // namespace weft
