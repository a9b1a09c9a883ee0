#pragma once
// `co_await sleep_for(20ms)`, `co_await sleep_until(deadline)`, on the scheduler's clock.

#include <weft/awaiter.hpp>
#include <weft/base/result.hpp>
#include <weft/errc.hpp>
#include <weft/io/scheduler.hpp>

#include <string_view>

namespace weft {

/// `now + length`, and `never` where that is beyond the time line.
[[nodiscard]] inline instant saturating_add(instant now, duration length) noexcept {
    return length >= never - now ? never : now + length;
}

class sleep_operation : public operation {
public:
    sleep_operation(completion on_completion, duration length) noexcept
        : operation{on_completion}, length_{length}, alarm_{*this} {}
    sleep_operation(completion on_completion, instant deadline) noexcept
        : operation{on_completion}, deadline_{deadline}, alarm_{*this} {}

    static constexpr std::string_view trace_name = "sleep";

    [[nodiscard]] instant deadline() const noexcept { return deadline_; }
    [[nodiscard]] bool ready() const noexcept { return false; }
    void start(const environment& in) noexcept {
        weft::scheduler& on = *in.scheduler;
        if (deadline_ == never) deadline_ = saturating_add(on.now(), length_);
        park(on, in.stop);
        on.timers().arm(alarm_, deadline_);
    }
    result<void> finish() noexcept {
        alarm_.disarm();
        if (is_canceled()) return errc::canceled;
        return {};
    }

private:
    struct alarm : timer_node {
        explicit alarm(sleep_operation& self) noexcept
            : timer_node{[](timer_node& node, instant) noexcept {
                  static_cast<alarm&>(node).self_.post();
              }},
              self_{self} {}
        sleep_operation& self_;
    };

    duration length_ = duration::max();
    instant deadline_ = never;
    alarm alarm_;
};

/// Completes with success `length` from now, rounded up to 64 µs (never early), or with
/// `errc::canceled` when it is asked to stop. Resumes on the awaiting coroutine's scheduler, after
/// at least one turn even when `length` is zero or less.
[[nodiscard]] inline awaiter<sleep_operation> sleep_for(duration length) noexcept {
    return awaiter<sleep_operation>{length};
}

/// The same at `deadline`; `never` sleeps until it is asked to stop.
[[nodiscard]] inline awaiter<sleep_operation> sleep_until(instant deadline) noexcept {
    return awaiter<sleep_operation>{deadline};
}

}  // namespace weft
