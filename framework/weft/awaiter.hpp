#pragma once
// The coroutine front end of an operation: what `co_await stream.read_some(…)` awaits.
//
// It may be awaited in any coroutine whose promise has `environment()`, once, and lives in the
// awaiting frame. The coroutine goes on at once if stop was requested (the operation reports
// `canceled`) or the operation is ready; otherwise it is resumed from the run queue, never inside
// the code that caused the event.

#include <weft/base/operation.hpp>
#include <weft/trace.hpp>

#include <concepts>
#include <coroutine>
#include <utility>

namespace weft {

/// A promise that hands its environment to what is awaited in it.
template <class Promise>
concept environment_promise = requires(const Promise& promise) {
    { promise.environment() } -> std::same_as<const environment&>;
};

/// An awaiter that can be told the environment to run in: every awaiter of Weft. `suspend` returns
/// whether the caller is to be suspended.
template <class Awaiter>
concept environment_awaiter =
    requires(Awaiter& awaiter, std::coroutine_handle<> caller, const environment& in) {
        { awaiter.suspend(caller, in) } -> std::same_as<bool>;
        awaiter.await_resume();
    };

/// An operation that has to finish whatever is requested declares `using ignores_stop = void`.
template <class Operation>
concept ignores_stop = requires { typename Operation::ignores_stop; };

template <class Operation>
class [[nodiscard]] awaiter : Operation, trace::wait_note {
public:
    template <class... Args>
    requires std::constructible_from<Operation, operation::completion, Args...>
    explicit awaiter(Args&&... args)
        : Operation{&resume, std::forward<Args>(args)...},
          trace::wait_note{trace::operation_kind<Operation>} {}

    [[nodiscard]] bool await_ready() const noexcept { return false; }

    template <environment_promise Promise>
    bool await_suspend(std::coroutine_handle<Promise> caller,
                       trace::location where = trace::location::current()) noexcept {
        note_wait(caller.promise(), *this, where);
        return suspend(caller, caller.promise().environment());
    }

    decltype(auto) await_resume() {
        this->resumed();
        return this->finish();
    }

    bool suspend(std::coroutine_handle<> caller, const environment& in) noexcept {
        if constexpr (!ignores_stop<Operation>) {
            if (in.stop.stop_requested()) {
                this->cancel_unstarted();
                return false;
            }
        }
        if (this->ready()) return false;
        caller_ = caller;
        this->start(in);
        if constexpr (async_trace) complete_note();
        return true;
    }

    /// What it waits for, as traces show it.
    [[nodiscard]] trace::wait_note& note() noexcept { return *this; }

private:
    void complete_note() noexcept {
        const Operation& op = *this;
        if constexpr (requires { op.deadline(); }) this->set_deadline(op.deadline());
        if constexpr (requires { op.trace_owner(); }) this->set_owner(op.trace_owner());
    }

    static void resume(operation& self) noexcept {
        static_cast<awaiter&>(static_cast<Operation&>(self)).caller_.resume();
    }

    std::coroutine_handle<> caller_;
};

}  // namespace weft
