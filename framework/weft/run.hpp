#pragma once
// `weft::run`: a program's main task on a loop of its own.
//
//     int main() { return weft::run(serve(8080)); }
//
// Makes an io_context, runs the task to its end and returns what it returned, or throws what it
// threw. The first SIGINT or SIGTERM requests stop of the task's environment, the second exits with
// status 130. One run a thread at a time; signals reach the thread that called it.

#include <weft/io/io_context.hpp>
#include <weft/io/signals.hpp>
#include <weft/io/task_print_watch.hpp>
#include <weft/task.hpp>
#include <weft/trace.hpp>

#include <chrono>
#include <functional>
#include <optional>
#include <type_traits>
#include <utility>

namespace weft {

struct run_options {
    /// SIGUSR1 prints what every task of the loop awaits (weft::debug::print_tasks) to stderr.
    bool print_tasks_on_usr1 = false;
    /// A coroutine that keeps the loop for this long is logged; zero: none, and no clock is read.
    duration slow_resume = default_slow_resume;
};
static_assert(std::is_trivially_destructible_v<run_options>);

/// What run() does about the options, as long as it lives.
class run_watch {
public:
    run_watch(io_context& io, run_options options) {
        io.warn_of_slow_resumes(options.slow_resume);
        if (options.print_tasks_on_usr1) task_prints_.emplace(io);
    }

private:
    std::optional<task_print_watch> task_prints_;
};

template <class T>
T run(task<T> main, run_options options = {}) {
    io_context io;
    const run_watch watch{io, options};
    interrupt_watch interrupts{io.ring()};
    return io.run_until_done(std::move(main), interrupts.token());
}

/// `main` receives the io_context, for devices that need one before the task runs. It lives until
/// the task has ended.
template <class Main>
requires std::is_invocable_v<Main, io_context&> auto run(Main&& main, run_options options = {}) {
    io_context io;
    const run_watch watch{io, options};
    interrupt_watch interrupts{io.ring()};
    return io.run_until_done(std::invoke(main, io), interrupts.token());
}

}  // namespace weft
