#pragma once
// `fiber::run(f, arguments…)`: a call of `f` on a fiber, as something to await; the way from
// coroutines to code that waits in the middle of plain functions.
//
// Lazy like a task: the fiber starts when it is awaited (`co_await` or fiber::await) and its value
// or exception is handed to the awaiter. Its environment is the awaiting coroutine's or fiber's. A
// stop request reaches what the fiber awaits, not this wait.

#include <weft/awaiter.hpp>
#include <weft/fiber/await.hpp>
#include <weft/fiber/running_fiber.hpp>
#include <weft/fiber/stack.hpp>
#include <weft/with_timeout.hpp>

#include <coroutine>
#include <exception>
#include <functional>
#include <optional>
#include <system_error>
#include <tuple>
#include <type_traits>
#include <utility>
#include <variant>

namespace weft::fiber {

template <class Body, class... Arguments>
class [[nodiscard]] run_awaiter : running_fiber {
    using value = std::invoke_result_t<Body&, Arguments...>;
    static_assert(!std::is_reference_v<value>, "return a pointer");

public:
    run_awaiter(stack_pool& stacks, Body body, Arguments... arguments)
        : running_fiber{&call, &ended},
          stacks_{stacks},
          body_{std::move(body)},
          arguments_{std::in_place, std::move(arguments)...} {}

    [[nodiscard]] bool await_ready() const noexcept { return false; }

    template <environment_promise Promise>
    bool await_suspend(std::coroutine_handle<Promise> caller,
                       trace::location where = trace::location::current()) noexcept {
        note_wait(caller.promise(), note_, where);
        return suspend(caller, caller.promise().environment());
    }

    /// Without a stack to run on: `not_enough_memory`, as a result or thrown as a system_error.
    value await_resume() {
        note_.resumed();
        if (exception_ != nullptr) std::rethrow_exception(exception_);
        if (no_stack_) {
            if constexpr (is_result<value>) {
                return no_stack_;
            } else {
                throw std::system_error{no_stack_, "fiber::run"};
            }
        }
        if constexpr (!std::is_void_v<value>) return std::move(*value_);
    }

    bool suspend(std::coroutine_handle<> caller, const weft::environment& in) noexcept {
        result<stack> on = stacks_.take();
        if (!on) {
            no_stack_ = on.error();
            return false;
        }
        caller_ = caller;
        if (!start(in, std::move(*on))) return true;
        stacks_.give_back(take_stack());
        return false;
    }

    [[nodiscard]] trace::wait_note& note() noexcept { return note_; }

private:
    static void call(running_fiber& self) noexcept {
        run_awaiter& me = static_cast<run_awaiter&>(self);
        try {
            me.call_body();
        } catch (...) {
            me.exception_ = std::current_exception();
        }
    }

    void call_body() {
        const auto invoke = [this](Arguments&... each) -> value {
            return std::invoke(body_, std::move(each)...);
        };
        if constexpr (std::is_void_v<value>) {
            std::apply(invoke, *arguments_);
        } else {
            value_.emplace(std::apply(invoke, *arguments_));
        }
        arguments_.reset();  // on the fiber, where a destructor may wait
    }

    static void ended(running_fiber& self) noexcept {
        run_awaiter& me = static_cast<run_awaiter&>(self);
        me.stacks_.give_back(me.take_stack());
        me.caller_.resume();
    }

    stack_pool& stacks_;
    Body body_;
    std::optional<std::tuple<Arguments...>> arguments_;
    std::optional<value_or_monostate<value>> value_;
    std::exception_ptr exception_;
    std::error_code no_stack_;
    std::coroutine_handle<> caller_;
    [[no_unique_address]] trace::wait_note note_{trace::fiber_kind,
                                                 trace::owner{static_cast<running_fiber*>(this)}};
};

/// Awaited in the expression that makes it. `body` may be a lambda without captures that own
/// something (pass arguments instead).
template <class Body, class... Arguments>
requires std::is_invocable_v<Body&, Arguments...>
[[nodiscard]] auto run(Body body, Arguments... arguments) {
    static_assert(std::is_trivially_destructible_v<Body>,
                  "pass what the body owns as further arguments");
    return run_awaiter<Body, Arguments...>{stack_pool::of_this_thread(), std::move(body),
                                           std::move(arguments)...};
}

/// The same on a stack of `stacks`, which outlives the call.
template <class Body, class... Arguments>
[[nodiscard]] auto run(stack_pool& stacks, Body body, Arguments... arguments) {
    static_assert(std::is_trivially_destructible_v<Body>,
                  "pass what the body owns as further arguments");
    return run_awaiter<Body, Arguments...>{stacks, std::move(body), std::move(arguments)...};
}

}  // namespace weft::fiber
