#pragma once
// `co_await when_all_settled(a(), b(), …)`: waits for all of them, and keeps every outcome.
//
// As when_all, but no branch stops another: an exception is an outcome like a value, kept for the
// branch that threw it. For work where one failure says nothing about the rest, as closing many
// streams. Takes tasks by value and other awaitables by reference to the caller's temporaries, so
// it is awaited in the expression that makes it.

#include <weft/branches.hpp>

#include <cassert>
#include <coroutine>
#include <cstddef>
#include <exception>
#include <optional>
#include <tuple>
#include <utility>
#include <vector>

namespace weft {

/// How one branch ended: with a value (std::monostate for void) or an exception. A branch that
/// returned a result<U> ended with a value, whatever the result holds.
template <class T>
class [[nodiscard]] settled {
public:
    using value_type = value_or_monostate<T>;

    explicit settled(branch<T>& ended) : exception_{ended.exception()} {
        if (exception_ == nullptr) value_.emplace(ended.take());
    }

    [[nodiscard]] bool has_value() const noexcept { return value_.has_value(); }
    explicit operator bool() const noexcept { return has_value(); }
    /// What it threw, or null.
    [[nodiscard]] const std::exception_ptr& exception() const noexcept { return exception_; }

    /// The value, or what the branch threw, thrown.
    value_type& value() & {
        if (exception_ != nullptr) std::rethrow_exception(exception_);
        return *value_;
    }
    const value_type& value() const& {
        if (exception_ != nullptr) std::rethrow_exception(exception_);
        return *value_;
    }
    value_type&& value() && { return std::move(value()); }

    /// The value. Precondition: has_value().
    value_type& operator*() noexcept {
        assert(has_value());
        return *value_;
    }
    const value_type& operator*() const noexcept {
        assert(has_value());
        return *value_;
    }
    value_type* operator->() noexcept { return &**this; }
    const value_type* operator->() const noexcept { return &**this; }

private:
    std::optional<value_type> value_;
    std::exception_ptr exception_;
};

template <class... Ts>
class [[nodiscard]] when_all_settled_awaiter {
public:
    explicit when_all_settled_awaiter(task<Ts>&&... bodies) noexcept
        : branches_{std::move(bodies)...} {}

    [[nodiscard]] bool await_ready() const noexcept { return false; }
    template <environment_promise Promise>
    bool await_suspend(std::coroutine_handle<Promise> caller) noexcept {
        return suspend(caller, caller.promise().environment());
    }
    std::tuple<settled<Ts>...> await_resume() {
        return std::apply(
            [](auto&... each) { return std::tuple<settled<Ts>...>{settled<Ts>{each}...}; },
            branches_);
    }

    bool suspend(std::coroutine_handle<> caller, const environment& in) noexcept {
        join_.begin(caller, in, sizeof...(Ts));
        std::apply(
            [this](auto&... each) {
                std::size_t index = 0;
                (each.start(join_, index++), ...);
            },
            branches_);
        return join_.end();
    }

private:
    branch_join join_{branch_join::stops_others::on_nothing};
    std::tuple<branch<Ts>...> branches_;
};

template <class T>
class [[nodiscard]] when_all_settled_of_vector {
public:
    explicit when_all_settled_of_vector(std::vector<task<T>>&& bodies) {
        branches_.reserve(bodies.size());
        for (task<T>& body : bodies) branches_.emplace_back(std::move(body));
    }

    [[nodiscard]] bool await_ready() const noexcept { return branches_.empty(); }
    template <environment_promise Promise>
    bool await_suspend(std::coroutine_handle<Promise> caller) noexcept {
        return suspend(caller, caller.promise().environment());
    }
    std::vector<settled<T>> await_resume() {
        std::vector<settled<T>> outcomes;
        outcomes.reserve(branches_.size());
        for (branch<T>& each : branches_) outcomes.emplace_back(each);
        return outcomes;
    }

    bool suspend(std::coroutine_handle<> caller, const environment& in) noexcept {
        join_.begin(caller, in, branches_.size());
        std::size_t index = 0;
        for (branch<T>& each : branches_) each.start(join_, index++);
        return join_.end();
    }

private:
    branch_join join_{branch_join::stops_others::on_nothing};
    std::vector<branch<T>> branches_;
};

/// Completes when all have, with a tuple of settled<T>, in their order. Resumes where the last one
/// ended. A stop request reaches all of them.
template <class... Awaitables>
[[nodiscard]] auto when_all_settled(Awaitables&&... awaitables) {
    return when_all_settled_awaiter<task_value_t<Awaitables>...>{
        as_task(std::forward<Awaitables>(awaitables))...};
}

/// The same for any number of tasks of one type; completes with a vector in their order.
template <class T>
[[nodiscard]] when_all_settled_of_vector<T> when_all_settled(std::vector<task<T>> tasks) {
    return when_all_settled_of_vector<T>{std::move(tasks)};
}

}  // namespace weft
