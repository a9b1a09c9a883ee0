#pragma once
// `fiber::group`: fibers that run beside their parent and never outlive it. task_group's rules.
//
// A fiber is freed as soon as it has ended, its stack goes back to the pool. The first that throws
// or returns an error stops its siblings, and `join()` reports it, to a coroutine
// (`co_await group.join()`) or to a fiber of another group (`fiber::await(group.join())`). Whoever
// owns a group joins it before it dies; `with_group` sees to that whatever happens. A fiber and
// what it was made of lie on its stack: nothing else is allocated.

#include <weft/base/result.hpp>
#include <weft/fiber/await.hpp>
#include <weft/fiber/running_fiber.hpp>
#include <weft/fiber/stack.hpp>
#include <weft/join_scope.hpp>
#include <weft/stop.hpp>
#include <weft/task.hpp>

#include <cassert>
#include <cstddef>
#include <exception>
#include <functional>
#include <new>
#include <optional>
#include <span>
#include <system_error>
#include <tuple>
#include <type_traits>
#include <utility>

namespace weft::fiber {

class group : public join_scope {
    template <class Body>
    class child;

public:
    /// A group whose fibers run on `in.scheduler`, on stacks of `stacks`, which outlives it, and
    /// stop when `in.stop` says so.
    explicit group(const weft::environment& in, stack_pool& stacks = stack_pool::of_this_thread())
        : join_scope{in}, stacks_{stacks} {}
    /// Precondition: no fiber is left. What stands on a stack cannot be given up in the middle, so
    /// the program ends otherwise, in every build.
    ~group();

    /// Has `body()`, of void or result<void>, run on a stack of its own. It starts from the run
    /// queue, not in here, and it starts even if the group was asked to stop: its own waits tell
    /// it. `body` is moved to the stack and destroyed there. Errors: `not_enough_memory`: there is
    /// no stack, nothing was spawned. Traces show it by `name`.
    template <class Body>
    result<void> spawn(Body body, trace::task_name name = {});

private:
    void left(stack&& used, std::exception_ptr exception, std::error_code error) noexcept;

    stack_pool& stacks_;
};

/// Lies at the upper end of its fiber's stack. Posted once, to start.
template <class Body>
class group::child final : public running_fiber, public operation {
    using value = std::invoke_result_t<Body&>;
    static_assert(std::is_void_v<value> || std::is_same_v<value, result<void>>,
                  "what is spawned returns void or result<void>");

public:
    child(group& member_of, Body&& body, stack&& on)
        : running_fiber{&run, &ended},
          operation{&on_turn},
          group_{member_of},
          body_{std::move(body)},
          on_{std::move(on)} {}

    void post_to_group() noexcept { post_now(*group_.environment().scheduler); }

private:
    static void on_turn(operation& self) noexcept {
        child& me = static_cast<child&>(self);
        if (me.start(me.group_.environment(), std::move(me.on_), reserved_bytes, &me.group_)) {
            ended(me);
        }
    }

    static void run(running_fiber& self) noexcept {
        child& me = static_cast<child&>(self);
        try {
            if constexpr (std::is_void_v<value>) {
                std::invoke(*me.body_);
            } else {
                me.error_ = std::invoke(*me.body_).error();
            }
            me.body_.reset();
        } catch (...) {
            me.exception_ = std::current_exception();
        }
        me.body_.reset();
    }

    static void ended(running_fiber& self) noexcept {
        child& me = static_cast<child&>(self);
        group& member_of = me.group_;
        const std::exception_ptr exception = std::move(me.exception_);
        const std::error_code error = me.error_;
        stack used = me.take_stack();
        me.~child();
        member_of.left(std::move(used), exception, error);
    }

    friend class group;
    static const std::size_t reserved_bytes;

    group& group_;
    std::optional<Body> body_;  // made before `on_`: it may throw, and the stack stays the caller's
    stack on_;                  // until it starts
    std::exception_ptr exception_;
    std::error_code error_;
};

template <class Body>
const std::size_t group::child<Body>::reserved_bytes = (sizeof(child) + 63) / 64 * 64;

template <class Body>
result<void> group::spawn(Body body, trace::task_name name) {
    static_assert(alignof(child<Body>) <= 64);
    result<stack> on = stacks_.take();
    if (!on) return on.error();
    const std::span<std::byte> memory = on->memory();
    // Frames of calls need room too.
    if (memory.size() < child<Body>::reserved_bytes + 4096) {
        stacks_.give_back(std::move(*on));
        return std::errc::not_enough_memory;
    }
    void* const place = memory.data() + memory.size() - child<Body>::reserved_bytes;
    child<Body>* made = nullptr;
    try {
        made = ::new (place) child<Body>{*this, std::move(body), std::move(*on)};
    } catch (...) {
        stacks_.give_back(std::move(*on));
        throw;
    }
    child_began();
    made->set_name(name);
    made->post_to_group();
    return {};
}

/// Spawns `body` beside the running fiber, in its group. Precondition: this fiber was spawned in
/// one.
template <class Body>
result<void> spawn(Body body, trace::task_name name = {}) {
    running_fiber* const self = running_fiber::current();
    assert(self != nullptr && self->owner() != nullptr && "fiber::spawn is called in a group");
    return self->owner()->spawn(std::move(body), name);
}

/// For coroutines: runs `body(group, arguments…)`, of void or result<void>, as the first fiber of a
/// new group and joins the group, whatever body and fibers do. `body` itself does not join.
///
/// Completes when all have ended; throws or returns the first failure among them. The arguments
/// live on the first fiber's stack.
template <class Body, class... Arguments>
task<result<void>> with_group(Body body, Arguments... arguments) {
    static_assert(std::is_trivially_destructible_v<Body>,
                  "pass what the body owns as further arguments");
    group all{co_await weft::current_environment()};
    const result<void> begun =
        all.spawn([body, &all, held = std::make_tuple(std::move(arguments)...)]() mutable {
            return std::apply(
                [&](Arguments&... each) { return std::invoke(body, all, std::move(each)...); },
                held);
        });
    if (!begun) co_return begun.error();
    co_return co_await all.join();
}

}  // namespace weft::fiber
