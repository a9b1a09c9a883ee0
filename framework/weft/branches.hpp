#pragma once
// What `when_all`, `when_all_settled` and `when_any` share: tasks that run side by side within one
// `co_await`.
//
// All branches are started, each one is waited for, the caller goes on after the last. The frames
// of the branches live until the awaiter dies, so nothing is moved before it is asked for.

#include <weft/awaitable.hpp>
#include <weft/base/operation.hpp>
#include <weft/task.hpp>

#include <coroutine>
#include <cstddef>
#include <exception>
#include <optional>
#include <tuple>
#include <utility>
#include <vector>

namespace weft {

/// Counts the branches in and remembers who was first.
class branch_join {
public:
    enum class stops_others { on_exception, on_any_end, on_nothing };

    explicit branch_join(stops_others rule) noexcept : rule_{rule} {}
    branch_join(const branch_join&) = delete;
    branch_join& operator=(const branch_join&) = delete;

    void begin(std::coroutine_handle<> caller, const weft::environment& in,
               std::size_t branches) noexcept {
        caller_ = caller;
        stop_.follow(in.stop);
        in_ = weft::environment{in.scheduler, stop_.token()};
        left_ = branches + 1;  // one for `end`
    }

    /// All branches were started. True: some still run, the caller is to be suspended.
    bool end() noexcept { return --left_ != 0; }

    void on_end(std::size_t index, bool threw) noexcept {
        --left_;
        if (!first_ended_) first_ended_ = index;
        if (threw && !first_thrown_) first_thrown_ = index;
        const bool stops =
            rule_ == stops_others::on_any_end || (rule_ == stops_others::on_exception && threw);
        if (stops) stop_.request_stop();
    }

    std::coroutine_handle<> next() const noexcept {
        return left_ == 0 ? caller_ : std::noop_coroutine();
    }

    [[nodiscard]] const weft::environment& environment() const noexcept { return in_; }
    [[nodiscard]] std::size_t first_ended() const noexcept { return first_ended_.value_or(0); }
    /// The branch whose exception came first.
    [[nodiscard]] std::optional<std::size_t> first_thrown() const noexcept { return first_thrown_; }

private:
    const stops_others rule_;
    stop_source stop_;
    weft::environment in_;
    std::coroutine_handle<> caller_;
    std::size_t left_ = 0;
    std::optional<std::size_t> first_ended_;
    std::optional<std::size_t> first_thrown_;
};

/// One of them. Must not move once it is started.
template <class T>
class branch : task_listener {
public:
    explicit branch(task<T>&& body) noexcept
        : task_listener{&on_finished}, running_{std::move(body)} {}

    void start(branch_join& join, std::size_t index) noexcept {
        join_ = &join;
        index_ = index;
        set_starter(trace::owner{&join});
        if (running_.start(join.environment(), *this)) {
            join.on_end(index_, running_.has_exception());
        }
    }

    value_or_monostate<T> take() {
        if constexpr (std::is_void_v<T>) {
            running_.take();
            return {};
        } else {
            return running_.take();
        }
    }

    [[nodiscard]] std::exception_ptr exception() const noexcept { return running_.exception(); }

    void rethrow_if(std::optional<std::size_t> index) const {
        if (index == index_) std::rethrow_exception(running_.exception());
    }

private:
    static std::coroutine_handle<> on_finished(task_listener& self) noexcept {
        branch& me = static_cast<branch&>(self);
        me.join_->on_end(me.index_, me.running_.has_exception());
        return me.join_->next();
    }

    branch_join* join_ = nullptr;
    std::size_t index_ = 0;
    running_task<T> running_;
};

/// Branches of a type each: `collect` makes a tuple.
template <class... Ts>
class branch_tuple {
public:
    explicit branch_tuple(task<Ts>&&... bodies) noexcept : branches_{std::move(bodies)...} {}

    [[nodiscard]] static constexpr std::size_t size() noexcept { return sizeof...(Ts); }

    template <class Function>
    void for_each(Function function) {
        std::apply([&](auto&... each) { (function(each), ...); }, branches_);
    }
    /// What `function` gives for each of them, in their order.
    template <class Function>
    auto collect(Function function) {
        return std::apply(
            [&](auto&... each) {
                return std::tuple<decltype(function(each))...>{function(each)...};
            },
            branches_);
    }

private:
    std::tuple<branch<Ts>...> branches_;
};

/// Any number of branches of one type: `collect` makes a vector.
template <class T>
class branch_vector {
public:
    explicit branch_vector(std::vector<task<T>>&& bodies) {
        branches_.reserve(bodies.size());
        for (task<T>& body : bodies) branches_.emplace_back(std::move(body));
    }

    [[nodiscard]] std::size_t size() const noexcept { return branches_.size(); }

    template <class Function>
    void for_each(Function function) {
        for (branch<T>& each : branches_) function(each);
    }
    template <class Function>
    auto collect(Function function) {
        std::vector<decltype(function(branches_.front()))> all;
        all.reserve(branches_.size());
        for (branch<T>& each : branches_) all.push_back(function(each));
        return all;
    }

private:
    std::vector<branch<T>> branches_;
};

/// Runs branches side by side and waits for all. `Rule` says what stops the others
/// (`Rule::stops`), what traces call it (`Rule::kind`), and makes what the caller gets
/// (`Rule::outcome`).
template <class Rule, class Branches>
class [[nodiscard]] branches_awaiter {
public:
    template <class... Bodies>
    explicit branches_awaiter(Bodies&&... bodies) : branches_{std::forward<Bodies>(bodies)...} {}

    [[nodiscard]] bool await_ready() const noexcept { return branches_.size() == 0; }
    template <environment_promise Promise>
    bool await_suspend(std::coroutine_handle<Promise> caller,
                       trace::location where = trace::location::current()) noexcept {
        note_wait(caller.promise(), note_, where);
        return suspend(caller, caller.promise().environment());
    }
    auto await_resume() {
        note_.resumed();
        return Rule::outcome(branches_, join_);
    }

    bool suspend(std::coroutine_handle<> caller, const environment& in) noexcept {
        join_.begin(caller, in, branches_.size());
        std::size_t index = 0;
        branches_.for_each([&](auto& each) { each.start(join_, index++); });
        return join_.end();
    }

    [[nodiscard]] trace::wait_note& note() noexcept { return note_; }

private:
    branch_join join_{Rule::stops};
    [[no_unique_address]] trace::wait_note note_{Rule::kind, trace::owner{&join_}};
    Branches branches_;
};

/// The values of all, or what the first of them threw that did.
template <class Branches>
[[nodiscard]] auto values_of(Branches& branches, const branch_join& join) {
    branches.for_each([&](auto& each) { each.rethrow_if(join.first_thrown()); });
    return branches.collect([](auto& each) { return each.take(); });
}

}  // namespace weft
