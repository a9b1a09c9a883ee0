#pragma once
// `co_await when_any(a(), b(), …)`: the first to finish stops the others; all are joined.
//
// Nothing is dropped: the losers' values come back beside the winner's. Usually they hold
// `errc::canceled`, but a loser that had completed before the stop reached it moved bytes, and they
// are there. Takes tasks by value and other awaitables by reference to the caller's temporaries, so
// it is awaited in the expression that makes it.

#include <weft/branches.hpp>

#include <coroutine>
#include <cstddef>
#include <stdexcept>
#include <tuple>
#include <utility>
#include <vector>

namespace weft {

/// Who finished first, and what everybody returned. For `auto [index, values] = co_await …`.
template <class Values>
struct any_result {
    any_result(std::size_t first, Values&& all) : index{first}, values{std::move(all)} {}

    std::size_t index;
    Values values;
};

template <class... Ts>
class [[nodiscard]] when_any_awaiter {
    using values = std::tuple<value_or_monostate<Ts>...>;

public:
    explicit when_any_awaiter(task<Ts>&&... bodies) noexcept : branches_{std::move(bodies)...} {}

    [[nodiscard]] bool await_ready() const noexcept { return false; }
    template <environment_promise Promise>
    bool await_suspend(std::coroutine_handle<Promise> caller,
                       trace::location where = trace::location::current()) noexcept {
        note_wait(caller.promise(), note_, where);
        return suspend(caller, caller.promise().environment());
    }
    any_result<values> await_resume() {
        note_.resumed();
        return std::apply(
            [this](auto&... each) {
                (each.rethrow_if(join_.first_thrown()), ...);
                return any_result<values>{join_.first_ended(), values{each.take()...}};
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
    branch_join join_{branch_join::stops_others::on_any_end};
    [[no_unique_address]] trace::wait_note note_{trace::when_any_kind, trace::owner{&join_}};
    std::tuple<branch<Ts>...> branches_;
};

template <class T>
class [[nodiscard]] when_any_of_vector {
    using values = std::vector<value_or_monostate<T>>;

public:
    explicit when_any_of_vector(std::vector<task<T>>&& bodies) {
        if (bodies.empty()) throw std::invalid_argument{"when_any of nothing never completes"};
        branches_.reserve(bodies.size());
        for (task<T>& body : bodies) branches_.emplace_back(std::move(body));
    }

    [[nodiscard]] bool await_ready() const noexcept { return false; }
    template <environment_promise Promise>
    bool await_suspend(std::coroutine_handle<Promise> caller,
                       trace::location where = trace::location::current()) noexcept {
        note_wait(caller.promise(), note_, where);
        return suspend(caller, caller.promise().environment());
    }
    any_result<values> await_resume() {
        note_.resumed();
        values all;
        all.reserve(branches_.size());
        for (branch<T>& each : branches_) each.rethrow_if(join_.first_thrown());
        for (branch<T>& each : branches_) all.push_back(each.take());
        return any_result<values>{join_.first_ended(), std::move(all)};
    }

    bool suspend(std::coroutine_handle<> caller, const environment& in) noexcept {
        join_.begin(caller, in, branches_.size());
        std::size_t index = 0;
        for (branch<T>& each : branches_) each.start(join_, index++);
        return join_.end();
    }

    [[nodiscard]] trace::wait_note& note() noexcept { return note_; }

private:
    branch_join join_{branch_join::stops_others::on_any_end};
    [[no_unique_address]] trace::wait_note note_{trace::when_any_kind, trace::owner{&join_}};
    std::vector<branch<T>> branches_;
};

/// Completes when the first has finished and the others, asked to stop, have too. An exception of
/// any of them is thrown (the first one wins). Every branch is started, even if an earlier one
/// finishes at once.
template <class... Awaitables>
requires(sizeof...(Awaitables) > 0) [[nodiscard]] auto when_any(Awaitables&&... awaitables) {
    return when_any_awaiter<task_value_t<Awaitables>...>{
        as_task(std::forward<Awaitables>(awaitables))...};
}

/// The same for tasks of one type. Throws std::invalid_argument when there is none.
template <class T>
[[nodiscard]] when_any_of_vector<T> when_any(std::vector<task<T>> tasks) {
    return when_any_of_vector<T>{std::move(tasks)};
}

}  // namespace weft
