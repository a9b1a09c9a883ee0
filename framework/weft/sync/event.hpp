#pragma once
// A manual-reset event: set once, every waiter goes on, and so does who comes later until `reset`.
//
// One thread. Waiters are resumed from the run queue in the order they came, never inside `set()`,
// and what a `set()` released stays released whatever `reset()` does afterwards. The event must
// outlive its waiters.

#include <weft/awaiter.hpp>
#include <weft/base/result.hpp>
#include <weft/errc.hpp>
#include <weft/io/scheduler.hpp>

#include <cassert>
#include <string_view>

namespace weft {

class event {
    class wait_operation : public operation {
    public:
        wait_operation(completion on_completion, event& awaited) noexcept
            : operation{on_completion}, awaited_{awaited} {}
        static constexpr std::string_view trace_name = "event::wait";

        [[nodiscard]] bool ready() const noexcept { return awaited_.is_set_; }
        void start(const environment& in) noexcept {
            park(*in.scheduler, in.stop, awaited_.waiters_);
        }
        [[nodiscard]] result<void> finish() const noexcept {
            if (is_canceled()) return errc::canceled;
            return {};
        }

    private:
        event& awaited_;
    };

public:
    explicit event(bool is_set = false) noexcept : is_set_{is_set} {}
    event(const event&) = delete;
    event& operator=(const event&) = delete;
    ~event() { assert(waiters_.empty() && "an event outlives its waiters"); }

    [[nodiscard]] bool is_set() const noexcept { return is_set_; }
    [[nodiscard]] bool has_waiters() const noexcept { return !waiters_.empty(); }

    /// Sets the event and releases its waiters.
    void set() noexcept {
        is_set_ = true;
        release();
    }
    /// Releases those who wait now, and nobody who comes later.
    void release() noexcept {
        while (!waiters_.empty()) waiters_.front().post();
    }
    void reset() noexcept { is_set_ = false; }

    /// Completes with success when the event is set, at once if it is; with `errc::canceled` when
    /// asked to stop before. Any number may wait.
    [[nodiscard]] awaiter<wait_operation> wait() noexcept { return awaiter<wait_operation>{*this}; }

private:
    intrusive_list<operation> waiters_;
    bool is_set_;
};

}  // namespace weft
