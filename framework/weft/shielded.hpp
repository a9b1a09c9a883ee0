#pragma once
// `co_await shielded(clean_up())`: what has to finish although the caller was asked to stop.
//
// A stop request to the caller does not reach what is shielded; the caller waits for its end as for
// anything else it awaits, so a shield delays a stop for as long as the work inside takes. Give it
// a limit of its own wherever a peer may keep it waiting: `shielded(2s, stream.shutdown())`.
// Awaited in the expression that makes it: an awaitable that is no task is kept by reference.

#include <weft/awaitable.hpp>
#include <weft/with_timeout.hpp>

#include <coroutine>
#include <utility>

namespace weft {

/// `Inner` is an awaiter or a reference to one.
template <class Inner>
class [[nodiscard]] shielded_awaiter {
public:
    template <class Awaitable>
    explicit shielded_awaiter(Awaitable&& awaitable)
        : inner_{get_environment_awaiter(std::forward<Awaitable>(awaitable))} {}
    shielded_awaiter(const shielded_awaiter&) = delete;
    shielded_awaiter& operator=(const shielded_awaiter&) = delete;

    [[nodiscard]] bool await_ready() const noexcept { return false; }
    template <environment_promise Promise>
    bool await_suspend(std::coroutine_handle<Promise> caller,
                       trace::location where = trace::location::current()) noexcept {
        note_wait(caller.promise(), note_, where);
        return suspend(caller, caller.promise().environment());
    }
    decltype(auto) await_resume() {
        note_.resumed();
        return inner_.await_resume();
    }

    bool suspend(std::coroutine_handle<> caller, const environment& in) noexcept {
        in_ = environment{in.scheduler, stop_token{}};
        if constexpr (requires { inner_.note(); }) note_.set_inner(inner_.note());
        return inner_.suspend(caller, in_);
    }

    [[nodiscard]] trace::wait_note& note() noexcept { return note_; }

private:
    Inner inner_;
    environment in_;
    [[no_unique_address]] trace::wait_note note_{trace::shielded_kind};
};

/// Awaits `awaitable` under no stop token at all. Completes when it has, with what it returns or
/// throws; resumes where it ended.
template <class Awaitable>
[[nodiscard]] auto shielded(Awaitable&& awaitable) {
    using inner = decltype(get_environment_awaiter(std::forward<Awaitable>(awaitable)));
    return shielded_awaiter<inner>{std::forward<Awaitable>(awaitable)};
}

/// Awaits `awaitable`, whose result is a `result<T>`, and asks it to stop after `limit` only; it is
/// joined all the same. `errc::timed_out` as with_timeout has it.
template <class Awaitable>
[[nodiscard]] auto shielded(duration limit, Awaitable&& awaitable) {
    using inner = decltype(get_environment_awaiter(std::forward<Awaitable>(awaitable)));
    return timeout_awaiter<inner, outer_stop::ignored>{limit, std::forward<Awaitable>(awaitable)};
}

/// The same until `deadline`.
template <class Awaitable>
[[nodiscard]] auto shielded(instant deadline, Awaitable&& awaitable) {
    using inner = decltype(get_environment_awaiter(std::forward<Awaitable>(awaitable)));
    return timeout_awaiter<inner, outer_stop::ignored>{deadline,
                                                       std::forward<Awaitable>(awaitable)};
}

}  // namespace weft
