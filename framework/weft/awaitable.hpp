#pragma once
// Any awaitable as a task or as an awaiter that accepts an environment: glue for the combinators.

#include <weft/awaiter.hpp>
#include <weft/task.hpp>

#include <concepts>
#include <coroutine>
#include <type_traits>
#include <utility>
#include <variant>

namespace weft {

/// What `co_await` makes of an awaitable: its `operator co_await`, or itself.
template <class Awaitable>
decltype(auto) get_awaiter(Awaitable&& awaitable) {
    if constexpr (requires { std::forward<Awaitable>(awaitable).operator co_await(); }) {
        return std::forward<Awaitable>(awaitable).operator co_await();
    } else if constexpr (requires { operator co_await(std::forward<Awaitable>(awaitable)); }) {
        return operator co_await(std::forward<Awaitable>(awaitable));
    } else {
        return std::forward<Awaitable>(awaitable);
    }
}

template <class Awaitable>
using await_result_t = decltype(get_awaiter(std::declval<Awaitable>()).await_resume());

/// What can be awaited and gives exactly `Result`.
template <class Awaitable, class Result>
concept awaitable_of = requires {
    requires std::same_as<std::remove_cvref_t<await_result_t<Awaitable>>, Result>;
};

template <class T>
inline constexpr bool is_task = false;
template <class T>
inline constexpr bool is_task<task<T>> = true;

/// Awaits without saying where: traces leave out the coroutine that does.
template <class Awaiter>
class unlocated {
public:
    explicit unlocated(Awaiter& awaited) noexcept : awaited_{awaited} {}

    [[nodiscard]] bool await_ready() { return awaited_.await_ready(); }
    template <class Promise>
    decltype(auto) await_suspend(std::coroutine_handle<Promise> caller) {
        if constexpr (requires { awaited_.await_suspend(caller, trace::location{}); }) {
            return awaited_.await_suspend(caller, trace::location{});
        } else {
            return awaited_.await_suspend(caller);
        }
    }
    decltype(auto) await_resume() { return awaited_.await_resume(); }

private:
    Awaiter& awaited_;
};

template <class Awaitable>
task<std::remove_cvref_t<await_result_t<Awaitable>>> await_in_task(Awaitable& awaitable) {
    auto&& awaited = get_awaiter(std::forward<Awaitable>(awaitable));
    if constexpr (async_trace) {
        co_return co_await unlocated{awaited};
    } else {
        co_return co_await awaited;  // an lvalue: g++ 12 would move an xvalue into the frame
    }
}

/// A task moved through, or a task that awaits `awaitable`, which must outlive it.
template <class Awaitable>
auto as_task(Awaitable&& awaitable) {
    static_assert(
        !std::is_lvalue_reference_v<Awaitable> || !is_task<std::remove_cvref_t<Awaitable>>,
        "a task is awaited once: move it");
    if constexpr (is_task<std::remove_cvref_t<Awaitable>>) {
        return std::remove_cvref_t<Awaitable>{std::move(awaitable)};
    } else {
        return await_in_task<Awaitable>(awaitable);
    }
}

template <class Awaitable>
using task_value_t = typename decltype(as_task(std::declval<Awaitable>()))::value_type;

/// An awaiter that can be told its environment; by reference to `awaitable` if that is one.
template <class Awaitable>
decltype(auto) get_environment_awaiter(Awaitable&& awaitable) {
    if constexpr (environment_awaiter<decltype(get_awaiter(std::declval<Awaitable>()))>) {
        return get_awaiter(std::forward<Awaitable>(awaitable));
    } else {
        return get_awaiter(as_task(std::forward<Awaitable>(awaitable)));
    }
}

/// An awaiter of what `make()` returns by value, in its place: for whoever keeps it beyond the
/// expression that makes it. `make()` makes an awaiter of Weft's, or a task.
template <class Make>
decltype(auto) make_environment_awaiter(Make& make) {
    using awaitable = std::invoke_result_t<Make&>;
    static_assert(!std::is_reference_v<awaitable>, "make what is awaited, by value");
    if constexpr (environment_awaiter<awaitable>) {
        return make();
    } else {
        static_assert(is_task<awaitable>, "what is not Weft's is awaited in a task: make that");
        return get_awaiter(make());
    }
}

/// `T`, or std::monostate where a value is needed and `T` is void.
template <class T>
using value_or_monostate = std::conditional_t<std::is_void_v<T>, std::monostate, T>;

}  // namespace weft
