#pragma once
// The templates of `runtime`: included by runtime.hpp, by nobody else.

#include <weft/awaitable.hpp>
#include <weft/runtime.hpp>

#include <coroutine>
#include <exception>
#include <new>
#include <system_error>

namespace weft {

struct [[nodiscard]] runtime::here_awaiter {
    explicit here_awaiter(runtime& of) noexcept : self{of} {}
    [[nodiscard]] bool await_ready() const noexcept { return false; }
    template <environment_promise Promise>
    bool await_suspend(std::coroutine_handle<Promise> caller) noexcept {
        return suspend(caller, caller.promise().environment());
    }
    bool suspend(std::coroutine_handle<>, const environment& in) noexcept {
        found = self.find_loop(*in.scheduler);
        assert(found != nullptr && "here() is for tasks that run on a loop of this runtime");
        return false;
    }
    runtime_loop& await_resume() const noexcept { return *found; }

    runtime& self;
    runtime_loop* found = nullptr;
};

struct [[nodiscard]] runtime::stop_awaiter : runtime::here_awaiter {
    using here_awaiter::here_awaiter;
    void await_resume() const noexcept { self.want_stop(*found); }
};

inline runtime::here_awaiter runtime::here() noexcept { return here_awaiter{*this}; }
inline runtime::stop_awaiter runtime::stop() noexcept { return stop_awaiter{*this}; }

/// On its way as a message, then the owner of what its task needs.
template <class Make>
class runtime::started_task : public message, public frame_allocated {
public:
    started_task(runtime& owner, std::size_t target, Make make)
        : message{&on_arrival}, owner_{owner}, target_{target}, make_{std::move(make)} {}

private:
    static void on_arrival(message& sent, fate how) noexcept {
        std::unique_ptr<started_task> self{static_cast<started_task*>(&sent)};
        if (how == fate::dropped) return;
        runtime_loop& there = self->owner_.loop(self->target_);
        try {
            there.tasks().spawn(run(std::move(self)));
        } catch (const std::bad_alloc&) {
            there.owner_.fail(std::current_exception(), there);
        }
    }

    static task<void> run(std::unique_ptr<started_task> self) {
        std::exception_ptr failure;
        try {
            using value = typename std::invoke_result_t<Make&>::value_type;
            if constexpr (std::is_void_v<value>) {
                co_await self->make_();
            } else {
                const value ended = co_await self->make_();
                if (!ended && ended.error() != std::errc::operation_canceled) {
                    throw std::system_error{ended.error(), "a task that start_on began"};
                }
            }
        } catch (...) {
            failure = std::current_exception();
        }
        if (failure) self->owner_.fail(failure, self->owner_.loop(self->target_));
    }

    runtime& owner_;
    const std::size_t target_;
    Make make_;
};

template <class Make>
class [[nodiscard]] runtime::start_awaiter {
public:
    start_awaiter(runtime& owner, std::size_t target, Make make)
        : owner_{owner}, target_{target}, make_{std::move(make)} {}

    [[nodiscard]] bool await_ready() const noexcept { return false; }
    template <environment_promise Promise>
    bool await_suspend(std::coroutine_handle<Promise> caller) noexcept {
        return suspend(caller, caller.promise().environment());
    }
    bool suspend(std::coroutine_handle<>, const environment& in) noexcept {
        error_ = send(*in.scheduler);
        return false;
    }
    result<void> await_resume() const noexcept {
        if (error_) return error_;
        return {};
    }

private:
    std::error_code send(const scheduler& from) noexcept {
        runtime_loop* const here = owner_.find_loop(from);
        if (here == nullptr) return make_error_code(std::errc::operation_not_permitted);
        try {
            auto sent = std::make_unique<started_task<Make>>(owner_, target_, std::move(make_));
            const result<void> posted = here->post(target_, *sent);
            if (!posted) return posted.error();
            (void)sent.release();
            return {};
        } catch (const std::bad_alloc&) {
            return make_error_code(std::errc::not_enough_memory);
        }
    }

    runtime& owner_;
    std::size_t target_;
    Make make_;
    std::error_code error_;
};

/// Loop 0's own: the main task, then the end of all.
template <class T, class Main>
task<T> runtime::conduct(Main& main) {
    environment in = co_await current_environment();
    in.stop = loop(0).stop_.token();
    task_group group{in};
    loop(0).tasks_ = &group;
    std::optional<value_or_monostate<T>> value;
    std::exception_ptr failure;
    try {
        if constexpr (std::is_void_v<T>) {
            co_await task_in_environment<T>{in, std::invoke(main, *this)};
            value.emplace();
        } else {
            value.emplace(co_await task_in_environment<T>{in, std::invoke(main, *this)});
        }
    } catch (...) {
        failure = std::current_exception();
    }
    if (failure) fail(failure, loop(0));
    co_await wind_down(group);
    if constexpr (!std::is_void_v<T>) co_return *std::move(value);
}

}  // namespace weft
