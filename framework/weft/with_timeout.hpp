#pragma once
// `co_await with_timeout(30s, stream.read_some(bytes))`: asks an operation to stop at a deadline.
//
// The operation is always joined. If it completed although the deadline had passed, its value is
// what comes back; `errc::timed_out` means that it ended with `canceled` because of the deadline
// and moved nothing. `canceled` means that somebody else asked to stop. Costs no allocation and,
// for an operation that is ready, no timer. Awaited in the expression that makes it: an awaitable
// that is not a task is kept by reference.

#include <weft/awaitable.hpp>
#include <weft/base/result.hpp>
#include <weft/errc.hpp>
#include <weft/io/scheduler.hpp>
#include <weft/sleep.hpp>

#include <coroutine>
#include <type_traits>
#include <utility>

namespace weft {

template <class T>
inline constexpr bool is_result = false;
template <class T>
inline constexpr bool is_result<result<T>> = true;

/// Whether the caller's stop request reaches what has a deadline.
enum class outer_stop { followed, ignored };

/// `Inner` is an awaiter or a reference to one.
template <class Inner, outer_stop Outer = outer_stop::followed>
class [[nodiscard]] timeout_awaiter {
    using outcome = std::remove_cvref_t<decltype(std::declval<Inner&>().await_resume())>;
    static_assert(is_result<outcome>, "what may time out returns a result<T>");

public:
    template <class Awaitable>
    timeout_awaiter(duration limit, Awaitable&& awaitable)
        : inner_{get_environment_awaiter(std::forward<Awaitable>(awaitable))},
          limit_{limit},
          alarm_{*this} {}
    template <class Awaitable>
    timeout_awaiter(instant deadline, Awaitable&& awaitable)
        : inner_{get_environment_awaiter(std::forward<Awaitable>(awaitable))},
          deadline_{deadline},
          alarm_{*this} {}
    /// Of what `make()` returns.
    template <class Make>
    timeout_awaiter(std::in_place_t, duration limit, Make& make)
        : inner_{make_environment_awaiter(make)}, limit_{limit}, alarm_{*this} {}
    template <class Make>
    timeout_awaiter(std::in_place_t, instant deadline, Make& make)
        : inner_{make_environment_awaiter(make)}, deadline_{deadline}, alarm_{*this} {}

    [[nodiscard]] bool await_ready() const noexcept { return false; }
    template <environment_promise Promise>
    bool await_suspend(std::coroutine_handle<Promise> caller,
                       trace::location where = trace::location::current()) noexcept {
        note_wait(caller.promise(), note_, where);
        return suspend(caller, caller.promise().environment());
    }
    outcome await_resume() {
        note_.resumed();
        alarm_.disarm();
        outcome came = inner_.await_resume();
        if (expired_ && came.error() == errc::canceled) return outcome{errc::timed_out};
        return came;
    }

    bool suspend(std::coroutine_handle<> caller, const environment& in) noexcept {
        if constexpr (Outer == outer_stop::followed) stop_.follow(in.stop);
        in_ = environment{in.scheduler, stop_.token()};
        if constexpr (requires { inner_.note(); }) note_.set_inner(inner_.note());
        if (!inner_.suspend(caller, in_)) return false;
        weft::scheduler& on = *in.scheduler;
        if (deadline_ == never) deadline_ = saturating_add(on.now(), limit_);
        on.timers().arm(alarm_, deadline_);
        note_.set_deadline(deadline_);
        return true;
    }

    [[nodiscard]] trace::wait_note& note() noexcept { return note_; }

private:
    struct alarm : timer_node {
        explicit alarm(timeout_awaiter& self) noexcept
            : timer_node{[](timer_node& node, instant) noexcept {
                  static_cast<alarm&>(node).self_.expire();
              }},
              self_{self} {}
        timeout_awaiter& self_;
    };

    void expire() noexcept {
        expired_ = stop_.request_stop();  // not if a stop request came first
    }

    Inner inner_;
    duration limit_ = duration::max();
    instant deadline_ = never;
    alarm alarm_;
    stop_source stop_;
    environment in_;
    [[no_unique_address]] trace::wait_note note_{
        Outer == outer_stop::followed ? trace::timeout_kind : trace::shielded_kind};
    bool expired_ = false;
};

/// Awaits `awaitable`, whose result is a `result<T>`, and asks it to stop after `limit`. Completes
/// when it has completed; resumes where it ended.
template <class Awaitable>
requires(!std::is_invocable_v<Awaitable&>)
[[nodiscard]] auto with_timeout(duration limit, Awaitable&& awaitable) {
    using inner = decltype(get_environment_awaiter(std::forward<Awaitable>(awaitable)));
    return timeout_awaiter<inner>{limit, std::forward<Awaitable>(awaitable)};
}

/// The same of what `make()` returns, made in place and owned: may be awaited later, or where no
/// expression lasts (weft::start). `make` is called in here and not kept.
template <class Make>
requires std::is_invocable_v<Make&> [[nodiscard]] auto with_timeout(duration limit, Make make) {
    using inner = decltype(make_environment_awaiter(make));
    return timeout_awaiter<inner>{std::in_place, limit, make};
}

/// The same at `deadline`. An operation that is ready completes even if the deadline has passed.
template <class Awaitable>
requires(!std::is_invocable_v<Awaitable&>)
[[nodiscard]] auto with_deadline(instant deadline, Awaitable&& awaitable) {
    using inner = decltype(get_environment_awaiter(std::forward<Awaitable>(awaitable)));
    return timeout_awaiter<inner>{deadline, std::forward<Awaitable>(awaitable)};
}

/// The same of what `make()` returns.
template <class Make>
requires std::is_invocable_v<Make&> [[nodiscard]] auto with_deadline(instant deadline, Make make) {
    using inner = decltype(make_environment_awaiter(make));
    return timeout_awaiter<inner>{std::in_place, deadline, make};
}

}  // namespace weft
