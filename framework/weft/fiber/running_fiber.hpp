#pragma once
// A function that runs on a stack of its own and may wait anywhere in it: what fiber::group and
// fiber::run make. For whoever implements another way to start a fiber.
//
// It is resumed like a coroutine, through a handle, by whatever it waits for, and runs on the stack
// of nobody else. When it has ended, its owner is told on the stack of whoever resumed it last, and
// frees the stack there. It is destroyed only after it has ended: a stack cannot be given up in the
// middle, whatever stands on it would stay. It never leaves its thread.

#include <weft/base/operation.hpp>
#include <weft/continuation.hpp>
#include <weft/fiber/context.hpp>
#include <weft/fiber/stack.hpp>
#include <weft/trace.hpp>

#include <coroutine>
#include <cstddef>
#include <utility>

namespace weft::fiber {

class group;

class running_fiber : continuation, trace::record {
public:
    /// What runs on the fiber's stack.
    using function = void (*)(running_fiber&) noexcept;
    /// Told when it has ended; may destroy it.
    using notification = void (*)(running_fiber&) noexcept;

    running_fiber(function run, notification on_ended) noexcept
        : continuation{&resumed}, run_{run}, on_ended_{on_ended} {}

    /// The fiber whose code this is; null outside of any.
    [[nodiscard]] static running_fiber* current() noexcept { return current_; }

    /// Runs it on `on` to where it first waits. True: it has ended, and the owner is not told.
    /// `in` must outlive it. The last `reserved_bytes` of the stack are the owner's.
    bool start(const weft::environment& in, stack&& on, std::size_t reserved_bytes = 0,
               group* member_of = nullptr) noexcept;

    /// What traces call it.
    void set_name(trace::task_name name) noexcept { trace::record::set_name(name); }

    [[nodiscard]] const weft::environment& environment() const noexcept { return *in_; }
    /// The group it was spawned in, or null.
    [[nodiscard]] group* owner() const noexcept { return owner_; }

    /// Lets `awaiter` wait, and the fiber with it; called on the fiber's stack.
    template <class Awaiter>
    void wait_for(Awaiter& awaiter, [[maybe_unused]] trace::location where) noexcept {
        if constexpr (requires { awaiter.note(); }) waits_for(awaiter.note(), where);
        if (awaiter.suspend(handle(), *in_)) machine_.suspend();
    }

protected:
    ~running_fiber() = default;

    /// The stack it ran on, once it has ended.
    [[nodiscard]] stack take_stack() noexcept { return std::move(stack_); }

private:
    static void resumed(continuation& self) noexcept;
    void enter() noexcept;

    static constinit thread_local running_fiber* current_;

    context machine_;
    stack stack_;
    function run_;
    notification on_ended_;
    const weft::environment* in_ = nullptr;
    group* owner_ = nullptr;
};

inline constinit thread_local running_fiber* running_fiber::current_ = nullptr;

}  // namespace weft::fiber
