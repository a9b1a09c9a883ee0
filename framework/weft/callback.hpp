#pragma once
// Plain callbacks on the operations that coroutines and fibers await.
//
//     start(group, [&] { return stream.read_some(bytes); }, [](result<std::size_t> got) { … })
//
// The first function makes what is awaited, in its place, for an operation cannot be moved; it is
// anything that `co_await` takes from Weft, a task or with_timeout among it. The second is called
// with the result once it has finished (with nothing when that is void), from the run queue. Its
// object holds the operation and both functions, and nothing is allocated:
//
// - `start()` returns the object. Destroying it before the callback gives the operation up, as far
//   as the operation can be (a file's waits for the kernel), and nothing is called.
// - `callback_slot<bytes>` is room for one operation after the other, whatever they are: what a
//   connection that is written in callbacks has as a member. It is free again in the callback.
// - `start_detached()` takes the object from the frame allocator and frees it before it calls back.
//
// Cancelling is the group's (`group.cancel()`, its environment's stop token): the callback is
// called with `canceled`.

#include <weft/awaitable.hpp>
#include <weft/callback_group.hpp>
#include <weft/frame_allocator.hpp>

#include <cassert>
#include <concepts>
#include <cstddef>
#include <functional>
#include <memory>
#include <new>
#include <type_traits>
#include <utility>

namespace weft {

/// An operation and what is called with its result. `Release` is called once the result was taken,
/// and may destroy the object. Must not move.
template <class Make, class Callback, class Release>
class callback_operation : public callback_base {
    using awaitable = std::invoke_result_t<Make&>;
    static_assert(!std::is_reference_v<awaitable>, "make what is awaited, by value");

    using awaiter_type = decltype(make_environment_awaiter(std::declval<Make&>()));
    static_assert(!std::is_reference_v<awaiter_type> && environment_awaiter<awaiter_type>,
                  "what is not Weft's is awaited in a task: make that");

public:
    template <class MakeArgument, class CallbackArgument>
    callback_operation(callback_group& group, MakeArgument&& make, CallbackArgument&& callback,
                       Release release, trace::location where)
        : callback_base{group, &resumed},
          release_{release},
          callback_{std::forward<CallbackArgument>(callback)},
          make_{std::forward<MakeArgument>(make)},
          awaiter_{make_environment_awaiter(make_)} {
        begin(awaiter_, where);
    }
    ~callback_operation() {
        if (is_waiting()) abandon();
    }

    /// Whether the callback is still to come.
    using callback_base::is_waiting;

private:
    static void resumed(continuation& self) noexcept {
        auto& me = static_cast<callback_operation&>(self);
        me.call_back([&me] { finish(me); });
    }

    static void finish(callback_operation& me) {
        me.detach();
        Release release = me.release_;
        struct at_exit {
            explicit at_exit(callback_operation& op, Release& how) noexcept : op_{&op}, how_{how} {}
            at_exit(const at_exit&) = delete;
            at_exit& operator=(const at_exit&) = delete;
            ~at_exit() { leave(); }
            void leave() noexcept {
                if (op_ != nullptr) how_(*std::exchange(op_, nullptr));
            }
            callback_operation* op_;
            Release& how_;
        } guard{me, release};
        using value = decltype(me.awaiter_.await_resume());
        if constexpr (std::is_void_v<value>) {
            me.awaiter_.await_resume();
            Callback callback = std::move(me.callback_);
            guard.leave();
            std::invoke(callback);
        } else {
            value came = me.awaiter_.await_resume();
            Callback callback = std::move(me.callback_);
            guard.leave();
            std::invoke(callback, std::forward<value>(came));
        }
    }

    [[no_unique_address]] Release release_;
    [[no_unique_address]] Callback callback_;
    [[no_unique_address]] Make make_;  // what it makes may refer to it
    awaiter_type awaiter_;
};

namespace callback_release {

struct nothing {
    template <class Operation>
    void operator()(Operation&) const noexcept {}
};
struct memory {
    template <class Operation>
    void operator()(Operation& done) const noexcept {
        done.~Operation();
        frame_allocator::deallocate(&done, sizeof(Operation));
    }
};

}  // namespace callback_release

/// Starts what `make()` returns, in an object of the caller's, which lies where it is returned to.
/// Keep it until the callback; it may be destroyed there.
template <class Make, class Callback>
[[nodiscard]] auto start(callback_group& group, Make make, Callback callback,
                         trace::location where = trace::location::current()) {
    return callback_operation<Make, Callback, callback_release::nothing>{
        group, std::move(make), std::move(callback), callback_release::nothing{}, where};
}

/// Starts what `make()` returns in memory of its own, which is free again in the callback.
template <class Make, class Callback>
void start_detached(callback_group& group, Make make, Callback callback,
                    trace::location where = trace::location::current()) {
    using started = callback_operation<Make, Callback, callback_release::memory>;
    static_assert(alignof(started) <= __STDCPP_DEFAULT_NEW_ALIGNMENT__);
    void* const place = frame_allocator::allocate(sizeof(started));
    try {
        ::new (place)
            started{group, std::move(make), std::move(callback), callback_release::memory{}, where};
    } catch (...) {
        frame_allocator::deallocate(place, sizeof(started));
        throw;
    }
}

/// Room for one operation at a time, of any kind that fits (a compile-time check).
template <std::size_t Bytes>
class callback_slot {
    struct release {
        template <class Operation>
        void operator()(Operation& done) const noexcept {
            slot->destroy_ = nullptr;
            done.~Operation();
        }
        callback_slot* slot;
    };

public:
    callback_slot() noexcept = default;
    callback_slot(const callback_slot&) = delete;
    callback_slot& operator=(const callback_slot&) = delete;
    /// Gives up what waits here.
    ~callback_slot() {
        if (destroy_ != nullptr) destroy_(room_);
    }

    [[nodiscard]] bool is_busy() const noexcept { return destroy_ != nullptr; }

    /// Starts what `make()` returns. Precondition: nothing waits here.
    template <class Make, class Callback>
    void start(callback_group& group, Make make, Callback callback,
               trace::location where = trace::location::current()) {
        using started = callback_operation<Make, Callback, release>;
        static_assert(sizeof(started) <= room_bytes, "the slot is too small for this operation");
        static_assert(alignof(started) <= alignof(std::max_align_t));
        assert(!is_busy() && "one operation at a time in a slot");
        ::new (static_cast<void*>(room_))
            started{group, std::move(make), std::move(callback), release{this}, where};
        destroy_ = [](void* op) noexcept { static_cast<started*>(op)->~started(); };
    }

private:
    // What a wait is described with, where the build keeps account of it, is not the caller's.
    static constexpr std::size_t room_bytes =
        Bytes + (async_trace ? sizeof(trace::record) + 4 * sizeof(trace::wait_note) : 0);
    alignas(std::max_align_t) std::byte room_[room_bytes];
    void (*destroy_)(void*) noexcept = nullptr;
};

}  // namespace weft
