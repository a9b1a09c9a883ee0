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
#include <weft/task.hpp>

#include <functional>
#include <type_traits>
#include <utility>

namespace weft {

template <class T>
T run(task<T> main) {
    io_context io;
    interrupt_watch interrupts{io.ring()};
    return io.run_until_done(std::move(main), interrupts.token());
}

/// `main` receives the io_context, for devices that need one before the task runs. It lives until
/// the task has ended.
template <class Main>
requires std::is_invocable_v<Main, io_context&> auto run(Main&& main) {
    io_context io;
    interrupt_watch interrupts{io.ring()};
    return io.run_until_done(std::invoke(main, io), interrupts.token());
}

}  // namespace weft
