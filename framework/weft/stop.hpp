#pragma once
// What the running coroutine was given: `co_await current_stop_token()`, `current_scheduler()`,
// `current_environment()`. They never suspend.

#include <weft/awaiter.hpp>
#include <weft/base/stop_token.hpp>

#include <coroutine>

namespace weft {

/// Answers with `Read`, applied to the awaiting coroutine's environment.
template <auto Read>
class [[nodiscard]] environment_query {
public:
    environment_query() noexcept {}

    [[nodiscard]] bool await_ready() const noexcept { return false; }
    template <environment_promise Promise>
    bool await_suspend(std::coroutine_handle<Promise> caller) noexcept {
        return suspend(caller, caller.promise().environment());
    }
    decltype(auto) await_resume() const noexcept { return Read(*found_); }

    bool suspend(std::coroutine_handle<>, const environment& in) noexcept {
        found_ = &in;
        return false;
    }

private:
    const environment* found_ = nullptr;
};

/// The environment itself, by value: valid as long as the coroutine that asked.
[[nodiscard]] inline auto current_environment() noexcept {
    return environment_query<[](const environment& in) noexcept { return in; }>{};
}

[[nodiscard]] inline auto current_stop_token() noexcept {
    return environment_query<[](const environment& in) noexcept { return in.stop; }>{};
}

/// A reference to the scheduler that resumes the coroutine.
[[nodiscard]] inline auto current_scheduler() noexcept {
    return environment_query<[](const environment& in) noexcept -> scheduler& {
        return *in.scheduler;
    }>{};
}

}  // namespace weft
