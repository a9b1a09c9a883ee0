#pragma once
// What the coroutines of a loop are doing: who awaits whom, where, for what, and until when.
//
// For people, on stderr or as text; docs/debugging.md reads an example. Needs a build with
// WEFT_ASYNC_TRACE (Debug builds have it): otherwise there are frame counts and a line that says
// so. To be called on the loop's own thread, from a coroutine, a timer or between turns; a running
// coroutine is shown as such. The gdb command `weft bt` prints the same from outside.

#include <weft/io/scheduler.hpp>
#include <weft/trace.hpp>

#include <coroutine>
#include <cstdio>
#include <string>

namespace weft {

namespace debug {

/// The text of `print_tasks`: each task that nobody awaits, and below it what it awaits.
[[nodiscard]] std::string describe_tasks(scheduler& loop);
/// Writes it to `out`.
void print_tasks(scheduler& loop, std::FILE* out = stderr);

/// Tasks that have started and not ended; 0 in a build that keeps no account.
[[nodiscard]] std::size_t task_count(scheduler& loop) noexcept;

/// `echo::serve` from what compilers call the function around a `co_await`: no return type, no
/// parameters, no frame of g++.
[[nodiscard]] std::string function_name(std::string_view as_compiled);

}  // namespace debug

/// `co_await set_task_name("session of " + user)`: what traces call the awaiting task from now on.
/// Longer names than 39 bytes are cut. Does nothing in a build that keeps no account of tasks.
class [[nodiscard]] set_task_name {
public:
    explicit set_task_name(trace::task_name name) noexcept : name_{name} {}

    [[nodiscard]] bool await_ready() const noexcept { return false; }
    template <class Promise>
    bool await_suspend(std::coroutine_handle<Promise> caller) const noexcept {
        if constexpr (requires { caller.promise().trace_record(); }) {
            caller.promise().trace_record().set_name(name_);
        }
        return false;
    }
    void await_resume() const noexcept {}

private:
    trace::task_name name_;
};

}  // namespace weft
