#pragma once
// `co_await when_any(a(), b(), …)`: the first to finish stops the others; all are joined.
//
// Nothing is dropped: the losers' values come back beside the winner's. Usually they hold
// `errc::canceled`, but a loser that had completed before the stop reached it moved bytes, and they
// are there. Takes tasks by value and other awaitables by reference to the caller's temporaries, so
// it is awaited in the expression that makes it.

#include <weft/branches.hpp>

#include <cstddef>
#include <stdexcept>
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

struct when_any_rule {
    static constexpr auto stops = branch_join::stops_others::on_any_end;
    static constexpr const auto& kind = trace::when_any_kind;
    template <class Branches>
    static auto outcome(Branches& branches, const branch_join& join) {
        return any_result{join.first_ended(), values_of(branches, join)};
    }
};

/// Completes when the first has finished and the others, asked to stop, have too. An exception of
/// any of them is thrown (the first one wins). Every branch is started, even if an earlier one
/// finishes at once.
template <class... Awaitables>
requires(sizeof...(Awaitables) > 0) [[nodiscard]] auto when_any(Awaitables&&... awaitables) {
    return branches_awaiter<when_any_rule, branch_tuple<task_value_t<Awaitables>...>>{
        as_task(std::forward<Awaitables>(awaitables))...};
}

/// The same for tasks of one type. Throws std::invalid_argument when there is none.
template <class T>
[[nodiscard]] auto when_any(std::vector<task<T>> tasks) {
    if (tasks.empty()) throw std::invalid_argument{"when_any of nothing never completes"};
    return branches_awaiter<when_any_rule, branch_vector<T>>{std::move(tasks)};
}

}  // namespace weft
