#pragma once
// `co_await when_all(a(), b(), …)`: runs awaitables side by side and waits for all of them.
//
// Takes tasks by value and other awaitables by reference to the caller's temporaries, so it is
// awaited in the expression that makes it. A result that holds an error stops nobody; an exception
// stops the others, and is thrown when all have finished (the first one wins).

#include <weft/branches.hpp>

#include <utility>
#include <vector>

namespace weft {

struct when_all_rule {
    static constexpr auto stops = branch_join::stops_others::on_exception;
    static constexpr const auto& kind = trace::when_all_kind;
    template <class Branches>
    static auto outcome(Branches& branches, const branch_join& join) {
        return values_of(branches, join);
    }
};

/// Completes when all have, with a tuple of what they returned (std::monostate for void). Resumes
/// where the last one ended. A stop request reaches all of them.
template <class... Awaitables>
[[nodiscard]] auto when_all(Awaitables&&... awaitables) {
    return branches_awaiter<when_all_rule, branch_tuple<task_value_t<Awaitables>...>>{
        as_task(std::forward<Awaitables>(awaitables))...};
}

/// The same for any number of tasks of one type; completes with a vector in their order.
template <class T>
[[nodiscard]] auto when_all(std::vector<task<T>> tasks) {
    return branches_awaiter<when_all_rule, branch_vector<T>>{std::move(tasks)};
}

}  // namespace weft
