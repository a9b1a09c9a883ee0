#pragma once
// `co_await when_all_settled(a(), b(), …)`: waits for all of them, and keeps every outcome.
//
// As when_all, but no branch stops another: an exception is an outcome like a value, kept for the
// branch that threw it. For work where one failure says nothing about the rest, as closing many
// streams. Takes tasks by value and other awaitables by reference to the caller's temporaries, so
// it is awaited in the expression that makes it.

#include <weft/branches.hpp>

#include <cassert>
#include <exception>
#include <optional>
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

struct when_all_settled_rule {
    static constexpr auto stops = branch_join::stops_others::on_nothing;
    static constexpr const auto& kind = trace::when_all_settled_kind;
    template <class Branches>
    static auto outcome(Branches& branches, const branch_join& /*join*/) {
        return branches.collect([]<class T>(branch<T>& each) { return settled<T>{each}; });
    }
};

/// Completes when all have, with a tuple of settled<T>, in their order. Resumes where the last one
/// ended. A stop request reaches all of them.
template <class... Awaitables>
[[nodiscard]] auto when_all_settled(Awaitables&&... awaitables) {
    return branches_awaiter<when_all_settled_rule, branch_tuple<task_value_t<Awaitables>...>>{
        as_task(std::forward<Awaitables>(awaitables))...};
}

/// The same for any number of tasks of one type; completes with a vector in their order.
template <class T>
[[nodiscard]] auto when_all_settled(std::vector<task<T>> tasks) {
    return branches_awaiter<when_all_settled_rule, branch_vector<T>>{std::move(tasks)};
}

}  // namespace weft
