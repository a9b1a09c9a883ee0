#pragma once
// `task<T>`: a coroutine that starts when it is awaited and hands its result to the awaiter.
//
// Lazy, move-only, awaited once and only as an rvalue. Exceptions pass through. Its environment
// (scheduler, stop token) is the awaiting coroutine's. A child that finishes without suspending
// costs no stack however often it is awaited: it is started from inside `await_suspend`, which then
// does not suspend, so nothing depends on tail calls (g++ makes them from -O2 on only).
//
// A task is not a thread and does not run by itself: see task_group for that.
//
// g++ 12 miscompiles a coroutine that awaits in the condition of an if or a loop and declares no
// name anywhere in its body: name the result, `const auto read = co_await …; if (!read) …`.

#include <weft/awaiter.hpp>
#include <weft/base/operation.hpp>
#include <weft/frame_allocator.hpp>
#include <weft/trace.hpp>

#include <cassert>
#include <concepts>
#include <coroutine>
#include <cstdint>
#include <exception>
#include <memory>
#include <type_traits>
#include <utility>

namespace weft {

template <class T>
class task;
template <class T>
class running_task;

/// Told that a task has finished, when that was not at once; returns what to resume next. The
/// finished frame must not be destroyed from within.
class task_listener {
public:
    using notification = std::coroutine_handle<> (*)(task_listener&) noexcept;
    /// Traces show the task below whoever waits for `starter`.
    explicit task_listener(notification on_finished, trace::owner starter = {}) noexcept
        : on_finished_{on_finished}, starter_{starter} {}

    std::coroutine_handle<> finished() noexcept { return on_finished_(*this); }

    [[nodiscard]] trace::owner starter() const noexcept { return starter_; }
    void set_starter(trace::owner starter) noexcept { starter_ = starter; }

private:
    notification on_finished_;
    [[no_unique_address]] trace::owner starter_;
};

/// What the promise of every task has, whatever its type.
class task_promise_base : public frame_allocated, trace::record {
    struct final_awaiter {
        [[nodiscard]] bool await_ready() const noexcept { return false; }
        template <class Promise>
        std::coroutine_handle<> await_suspend(std::coroutine_handle<Promise> self) const noexcept {
            task_promise_base& promise = self.promise();
            if (promise.starting_) return std::noop_coroutine();
            return promise.listener_->finished();
        }
        void await_resume() const noexcept {}
    };

public:
    [[nodiscard]] const weft::environment& environment() const noexcept { return *environment_; }
    [[nodiscard]] trace::record& trace_record() noexcept { return *this; }

    [[nodiscard]] std::suspend_always initial_suspend() const noexcept { return {}; }
    [[nodiscard]] final_awaiter final_suspend() const noexcept { return {}; }

protected:
    template <class>
    friend class running_task;

    enum class outcome : std::uint8_t { none, value, exception };

    const weft::environment* environment_ = nullptr;
    task_listener* listener_ = nullptr;
    bool starting_ = false;
    outcome outcome_ = outcome::none;
};

template <class T>
class task_promise : public task_promise_base {
    static constexpr bool is_reference = std::is_reference_v<T>;
    using stored = std::conditional_t<is_reference, std::remove_reference_t<T>*, T>;

public:
    task_promise() noexcept {}
    task_promise(const task_promise&) = delete;
    task_promise& operator=(const task_promise&) = delete;
    ~task_promise() { clear(); }

    task<T> get_return_object() noexcept;

    template <class U = T>
    requires std::convertible_to<U, T> void return_value(U&& value) {
        if constexpr (is_reference) {
            std::construct_at(&value_, std::addressof(static_cast<T>(std::forward<U>(value))));
        } else {
            std::construct_at(&value_, std::forward<U>(value));
        }
        outcome_ = outcome::value;
    }

    void unhandled_exception() noexcept {
        clear();  // a local's destructor may throw after the value was returned
        std::construct_at(&exception_, std::current_exception());
        outcome_ = outcome::exception;
    }

private:
    friend class running_task<T>;

    T take() {
        if constexpr (is_reference) {
            return static_cast<T>(*value_);
        } else {
            return std::move(value_);
        }
    }

    void clear() noexcept {
        if (outcome_ == outcome::value) std::destroy_at(&value_);
        if (outcome_ == outcome::exception) std::destroy_at(&exception_);
        outcome_ = outcome::none;
    }

    union {
        stored value_;
        std::exception_ptr exception_;
    };
};

template <>
class task_promise<void> : public task_promise_base {
public:
    task<void> get_return_object() noexcept;

    void return_void() noexcept { outcome_ = outcome::value; }
    void unhandled_exception() noexcept {
        exception_ = std::current_exception();
        outcome_ = outcome::exception;
    }

private:
    friend class running_task<void>;
    void take() const noexcept {}

    std::exception_ptr exception_;
};

/// Starts a task outside of a coroutine, and owns its frame: for whoever implements a way to wait.
/// A frame that is destroyed while it is suspended takes its operations off everything they wait
/// on.
template <class T>
class running_task {
public:
    explicit running_task(task<T>&& unstarted) noexcept : frame_{unstarted.release()} {}
    running_task(running_task&& other) noexcept : frame_{std::exchange(other.frame_, nullptr)} {}
    running_task& operator=(running_task&&) = delete;
    ~running_task() {
        if (frame_) frame_.destroy();
    }

    /// False once it has been moved from.
    explicit operator bool() const noexcept { return bool(frame_); }

    /// Runs the task to its first suspension. True: it has finished, and `listener` is not told.
    /// Both arguments must outlive the run.
    bool start(const environment& in, task_listener& listener) noexcept {
        assert(frame_ && !frame_.promise().starting_ && "a task is awaited once");
        task_promise<T>& promise = frame_.promise();
        promise.environment_ = &in;
        promise.listener_ = &listener;
        promise.trace_record().begin(in.scheduler, listener.starter());
        promise.starting_ = true;
        frame_.resume();
        promise.starting_ = false;
        return frame_.done();
    }

    /// What traces call it.
    void set_name(trace::task_name name) noexcept {
        frame_.promise().trace_record().set_name(name);
    }

    [[nodiscard]] bool is_done() const noexcept { return frame_.done(); }
    [[nodiscard]] bool has_exception() const noexcept { return exception() != nullptr; }

    /// The exception that ended it, or null.
    [[nodiscard]] std::exception_ptr exception() const noexcept {
        const task_promise<T>& promise = frame_.promise();
        if (promise.outcome_ != task_promise_base::outcome::exception) return nullptr;
        return promise.exception_;
    }

    /// The value, moved out, or its exception thrown. Precondition: it has finished.
    T take() {
        task_promise<T>& promise = frame_.promise();
        assert(promise.outcome_ != task_promise_base::outcome::none);
        if (promise.outcome_ == task_promise_base::outcome::exception) {
            std::rethrow_exception(promise.exception_);
        }
        return promise.take();
    }

private:
    std::coroutine_handle<task_promise<T>> frame_;
};

template <class T>
class [[nodiscard]] task_awaiter : task_listener, trace::wait_note {
public:
    explicit task_awaiter(task<T>&& child) noexcept
        : task_listener{&resume_caller, trace::owner{this}},
          trace::wait_note{trace::call_kind, trace::owner{this}},
          child_{std::move(child)} {}

    [[nodiscard]] bool await_ready() const noexcept { return false; }

    template <environment_promise Promise>
    bool await_suspend(std::coroutine_handle<Promise> caller,
                       trace::location where = trace::location::current()) noexcept {
        note_wait(caller.promise(), *this, where);
        return suspend(caller, caller.promise().environment());
    }

    T await_resume() {
        this->resumed();
        return child_.take();
    }

    bool suspend(std::coroutine_handle<> caller, const environment& in) noexcept {
        caller_ = caller;
        return !child_.start(in, *this);
    }

    [[nodiscard]] trace::wait_note& note() noexcept { return *this; }

private:
    static std::coroutine_handle<> resume_caller(task_listener& self) noexcept {
        return static_cast<task_awaiter&>(self).caller_;
    }

    running_task<T> child_;
    std::coroutine_handle<> caller_;
};

template <class T = void>
class [[nodiscard]] task {
public:
    using promise_type = task_promise<T>;
    using value_type = T;

    task(task&& other) noexcept : frame_{other.release()} {}
    task& operator=(task&& other) noexcept {
        task discarded{std::move(*this)};
        frame_ = other.release();
        return *this;
    }
    ~task() {
        if (frame_) frame_.destroy();
    }

    /// Starts the task. The awaiter completes when it returns or throws; the awaiting coroutine
    /// goes on where the task ended. A stop request reaches what the task awaits, not this wait.
    task_awaiter<T> operator co_await() && noexcept { return task_awaiter<T>{std::move(*this)}; }
    void operator co_await() & = delete;  // a task is awaited once: co_await std::move(it)

private:
    friend task_promise<T>;
    friend running_task<T>;

    explicit task(std::coroutine_handle<promise_type> frame) noexcept : frame_{frame} {}
    std::coroutine_handle<promise_type> release() noexcept {
        return std::exchange(frame_, nullptr);
    }

    std::coroutine_handle<promise_type> frame_;
};

template <class T>
task<T> task_promise<T>::get_return_object() noexcept {
    return task<T>{std::coroutine_handle<task_promise>::from_promise(*this)};
}

inline task<void> task_promise<void>::get_return_object() noexcept {
    return task<void>{std::coroutine_handle<task_promise>::from_promise(*this)};
}

}  // namespace weft
