#pragma once
// `co_await when_all(a(), b(), …)`: runs awaitables side by side and waits for all of them.
//
// Takes tasks by value and other awaitables by reference to the caller's temporaries, so it is
// awaited in the expression that makes it. A result that holds an error stops nobody; an exception
// stops the others, and is thrown when all have finished (the first one wins).

#include <weft/branches.hpp>

#include <coroutine>
#include <cstddef>
#include <tuple>
#include <utility>
#include <vector>

namespace weft {

template <class... Ts>
class [[nodiscard]] when_all_awaiter {
public:
    explicit when_all_awaiter(task<Ts>&&... bodies) noexcept : branches_{std::move(bodies)...} {}

    [[nodiscard]] bool await_ready() const noexcept { return false; }
    template <environment_promise Promise>
    bool await_suspend(std::coroutine_handle<Promise> caller,
                       trace::location where = trace::location::current()) noexcept {
        note_wait(caller.promise(), note_, where);
        return suspend(caller, caller.promise().environment());
    }
    std::tuple<value_or_monostate<Ts>...> await_resume() {
        note_.resumed();
        return std::apply(
            [this](auto&... each) {
                (each.rethrow_if(join_.first_thrown()), ...);
                return std::tuple<value_or_monostate<Ts>...>{each.take()...};
            },
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

    [[nodiscard]] trace::wait_note& note() noexcept { return note_; }

private:
    branch_join join_{branch_join::stops_others::on_exception};
    [[no_unique_address]] trace::wait_note note_{trace::when_all_kind, trace::owner{&join_}};
    std::tuple<branch<Ts>...> branches_;
};

template <class T>
class [[nodiscard]] when_all_of_vector {
public:
    explicit when_all_of_vector(std::vector<task<T>>&& bodies) {
        branches_.reserve(bodies.size());
        for (task<T>& body : bodies) branches_.emplace_back(std::move(body));
    }

    [[nodiscard]] bool await_ready() const noexcept { return branches_.empty(); }
    template <environment_promise Promise>
    bool await_suspend(std::coroutine_handle<Promise> caller,
                       trace::location where = trace::location::current()) noexcept {
        note_wait(caller.promise(), note_, where);
        return suspend(caller, caller.promise().environment());
    }
    std::vector<value_or_monostate<T>> await_resume() {
        note_.resumed();
        std::vector<value_or_monostate<T>> values;
        values.reserve(branches_.size());
        for (branch<T>& each : branches_) each.rethrow_if(join_.first_thrown());
        for (branch<T>& each : branches_) values.push_back(each.take());
        return values;
    }

    bool suspend(std::coroutine_handle<> caller, const environment& in) noexcept {
        join_.begin(caller, in, branches_.size());
        std::size_t index = 0;
        for (branch<T>& each : branches_) each.start(join_, index++);
        return join_.end();
    }

    [[nodiscard]] trace::wait_note& note() noexcept { return note_; }

private:
    branch_join join_{branch_join::stops_others::on_exception};
    [[no_unique_address]] trace::wait_note note_{trace::when_all_kind, trace::owner{&join_}};
    std::vector<branch<T>> branches_;
};

/// Completes when all have, with a tuple of what they returned (std::monostate for void). Resumes
/// where the last one ended. A stop request reaches all of them.
template <class... Awaitables>
[[nodiscard]] auto when_all(Awaitables&&... awaitables) {
    return when_all_awaiter<task_value_t<Awaitables>...>{
        as_task(std::forward<Awaitables>(awaitables))...};
}

/// The same for any number of tasks of one type; completes with a vector in their order.
template <class T>
[[nodiscard]] when_all_of_vector<T> when_all(std::vector<task<T>> tasks) {
    return when_all_of_vector<T>{std::move(tasks)};
}

}  // namespace weft
