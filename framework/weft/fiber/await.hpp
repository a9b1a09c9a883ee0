#pragma once
// `fiber::await(x)`: in a fiber what `co_await x` is in a coroutine, for the same `x`.
//
// An operation of Weft's is waited for without a coroutine frame anywhere; a task runs on the
// fiber's stack to its first suspension and from then on where it is resumed; anything else that
// can be awaited is wrapped into a task. The fiber stands still meanwhile and goes on where it was,
// on its own stack and thread. To be called in the fiber's own code, and in functions that it
// calls; not in a coroutine that the fiber awaits, which has `co_await`.

#include <weft/awaitable.hpp>
#include <weft/base/operation.hpp>
#include <weft/fiber/running_fiber.hpp>

#include <cassert>
#include <utility>

namespace weft::fiber {

/// Waits for `awaitable` and returns its result, or throws its exception. Goes on at once if it is
/// ready. Precondition: this is a fiber.
template <class Awaitable>
decltype(auto) await(Awaitable&& awaitable, trace::location where = trace::location::current()) {
    running_fiber* const self = running_fiber::current();
    assert(self != nullptr && "fiber::await is called in a fiber");
    auto&& awaiter = get_environment_awaiter(std::forward<Awaitable>(awaitable));
    self->wait_for(awaiter, where);
    return awaiter.await_resume();
}

/// Whether this code runs in a fiber.
[[nodiscard]] inline bool is_running() noexcept { return running_fiber::current() != nullptr; }

// What the running fiber was given. Precondition: this is a fiber.

[[nodiscard]] inline const weft::environment& current_environment() noexcept {
    assert(is_running());
    return running_fiber::current()->environment();
}
[[nodiscard]] inline stop_token current_stop_token() noexcept { return current_environment().stop; }
[[nodiscard]] inline scheduler& current_scheduler() noexcept {
    return *current_environment().scheduler;
}

/// What traces call the running fiber from now on. Precondition: this is a fiber.
inline void set_name(trace::task_name name) noexcept {
    assert(is_running());
    running_fiber::current()->set_name(name);
}

}  // namespace weft::fiber
