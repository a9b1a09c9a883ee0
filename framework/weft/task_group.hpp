#pragma once
// `task_group`: children that run beside their parent and never outlive it.
//
// A child is freed as soon as it has finished, so a group may serve an accept loop for years. The
// first child that throws or returns an error stops its siblings, and `join()` reports it. The
// parent has to join before the group dies: `with_task_group` sees to that whatever happens,
// a group of one's own (`task_group group{co_await current_environment()}`) is for those who can
// promise it. Stopping the parent stops the children.

#include <weft/base/intrusive_list.hpp>
#include <weft/base/result.hpp>
#include <weft/join_scope.hpp>
#include <weft/stop.hpp>
#include <weft/task.hpp>

#include <functional>
#include <type_traits>
#include <utility>

namespace weft {

class task_group : public join_scope {
    class child;
    template <class T>
    class child_of;

public:
    /// A group whose children run on `in.scheduler` and stop when `in.stop` says so.
    explicit task_group(const weft::environment& in) noexcept;
    /// Precondition: no child is left. A debug build aborts otherwise; a release build destroys the
    /// children where they are suspended.
    ~task_group();

    /// Hands `body` to the group. It starts from the run queue, not in here, and it starts even if
    /// the group was asked to stop: its own awaits tell it. Traces show it by `name`.
    void spawn(task<void> body, trace::task_name name = {});
    /// The same; an error is a failure like an exception.
    void spawn(task<result<void>> body, trace::task_name name = {});
    /// Nobody would look at a value: send it through a channel, or to where the parent finds it.
    template <class T>
    void spawn(task<T>, trace::task_name = {}) {
        static_assert(std::is_void_v<T>, "a child of a group returns void or result<void>");
    }
    /// What is no task is no child; for an awaitable, write a task that awaits it.
    template <class NoTask>
    void spawn(const NoTask&, trace::task_name = {}) {
        static_assert(std::is_void_v<NoTask>, "spawn takes a task, by value: move it");
    }

private:
    void adopt(child& made) noexcept;

    intrusive_list<child, child> children_;
};

/// Runs `body(group, arguments…)`, a task of void or result<void>, as the first child of a new
/// group and joins the group, whatever body and children do. `body` itself does not join.
///
/// Completes when all have finished; throws or returns the first failure among them. The arguments
/// live in this task; `body` may be a lambda without captures that own something (pass arguments
/// instead).
template <class Body, class... Arguments>
task<result<void>> with_task_group(Body body, Arguments... arguments) {
    static_assert(std::is_trivially_destructible_v<Body>,
                  "pass what the body owns as further arguments");
    task_group group{co_await current_environment()};
    group.spawn(std::invoke(body, group, std::move(arguments)...));
    co_return co_await group.join();
}

}  // namespace weft
