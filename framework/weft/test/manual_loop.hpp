#pragma once
// A loop that a test drives by hand, on a virtual clock: nothing happens but what the test asks
// for, and an hour of sleep takes no time.
//
//     weft::test::manual_loop loop;
//     weft::test::started waiting = loop.start(session(requests));
//     loop.run_until_idle();         // as far as it goes without time passing
//     loop.advance(30s);             // its timers fire in order, each at its own time
//     CHECK(waiting.is_done());
//
// It has no ring: what asks the kernel answers operation_not_supported. The loop of a sim::world is
// on a virtual clock too: `started` and `run_until_idle` work on it. A guide: docs/testing.md.

#include <weft/base/stop_token.hpp>
#include <weft/io/scheduler.hpp>
#include <weft/task.hpp>

#include <coroutine>
#include <cstddef>
#include <stdexcept>
#include <utility>

namespace weft::test {

/// A task that runs while the test looks on: begun at once, it goes on whenever its loop does. One
/// that has not ended when this object goes is destroyed where it is suspended, as by a loop that
/// ends.
template <class T>
class started {
public:
    /// Runs `body` to its first suspension. Any scheduler will do, an io_context too.
    started(scheduler& on, task<T> body) : in_{&on, stop_.token()}, running_{std::move(body)} {
        running_.start(in_, listener_);
    }
    started(const started&) = delete;
    started& operator=(const started&) = delete;

    [[nodiscard]] bool is_done() const noexcept { return running_ && running_.is_done(); }
    /// What the task returned; throws what it threw, and std::logic_error when it has not ended.
    /// Once.
    T take() {
        if (!is_done()) throw std::logic_error{"the task has not ended"};
        running_task<T> ended{std::move(running_)};
        return ended.take();
    }
    /// Asks the task to stop, as its caller would.
    void request_stop() noexcept { stop_.request_stop(); }
    /// Destroys the task where it is suspended.
    void abandon() noexcept { running_task<T> gone{std::move(running_)}; }

private:
    stop_source stop_;
    environment in_;
    task_listener listener_{
        [](task_listener&) noexcept -> std::coroutine_handle<> { return std::noop_coroutine(); }};
    running_task<T> running_;
};

/// Turns until nothing is left to do at this instant of a virtual clock, which stands still.
/// Returns the number of turns. Throws std::logic_error after `most`: something there is never
/// idle.
std::size_t run_until_idle(scheduler& on, std::size_t most = 1'000'000);

class manual_loop final : public scheduler {
public:
    manual_loop() noexcept : scheduler{clock::virtual_time} {}

    template <class T>
    [[nodiscard]] started<T> start(task<T> body) {
        return started<T>{*this, std::move(body)};
    }
    /// Runs `main` to its end; whenever nothing is left to do the clock jumps to the next deadline.
    /// See scheduler::run_until_done; `run()` and `step()` move the clock in the same way.
    template <class T>
    T run(task<T> main) {
        return run_until_done(std::move(main));
    }
    using scheduler::run;

    std::size_t run_until_idle(std::size_t most = 1'000'000) {
        return test::run_until_idle(*this, most);
    }
    /// Lets time pass: what falls due meanwhile happens at its own time.
    void advance(duration by) noexcept { run_for(by); }
};

/// Runs `main` on a manual_loop of its own.
template <class T>
T run(task<T> main) {
    manual_loop loop;
    return loop.run(std::move(main));
}

}  // namespace weft::test
