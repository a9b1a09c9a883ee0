#pragma once
// What the tests of coroutines share: a run on a virtual clock, and a look at how a program dies.

#include <weft/io/scheduler.hpp>
#include <weft/task.hpp>

#include <coroutine>
#include <optional>
#include <string>
#include <utility>

namespace weft::test {

/// Runs `main` on a loop of its own, on a virtual clock.
template <class T>
T run(task<T> main) {
    scheduler loop{scheduler::clock::virtual_time};
    return loop.run_until_done(std::move(main));
}

/// A task that is destroyed where it is suspended, as a loop that ends does it.
class abandoned {
public:
    abandoned(scheduler& loop, task<> body) : in_{&loop, {}}, running_{std::move(body)} {
        running_->start(in_, listener_);
    }
    void abandon() { running_.reset(); }

private:
    environment in_;
    task_listener listener_{
        [](task_listener&) noexcept -> std::coroutine_handle<> { return std::noop_coroutine(); }};
    std::optional<running_task<void>> running_;
};

/// Whether assertions are on: only then can misuse be seen to die of one.
inline constexpr bool has_assertions =
#ifdef NDEBUG
    false;
#else
    true;
#endif

/// Runs `body` in a child process: what it wrote to standard error when it died of SIGABRT, and
/// nothing if it ended otherwise.
std::string last_words(void (*body)());

}  // namespace weft::test
