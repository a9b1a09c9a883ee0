#pragma once
// SIGUSR1 as a question: what does every task of this loop await?
//
// What weft::run() and runtime install when they are asked to. As long as it lives the signal is
// blocked in this thread and prints weft::debug::describe_tasks() to stderr, between two coroutines
// of the loop. A loop that does not turn does not answer: gdb's `weft bt` does.

#include <weft/io/io_context.hpp>
#include <weft/io/ring.hpp>
#include <weft/io/signals.hpp>

#include <functional>

namespace weft {

class task_print_watch : ring_completion {
public:
    /// `next` is called after each print.
    explicit task_print_watch(io_context& io, std::function<void()> next = {});
    ~task_print_watch();

private:
    void on_signal() noexcept;

    io_context& io_;
    const std::function<void()> next_;
    signal_set signals_{SIGUSR1};
};

}  // namespace weft
