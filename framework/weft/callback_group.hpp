#pragma once
// `callback_group`: what operations that end in a callback run in. It gives them their scheduler
// and stop token, counts them, calls back, and can be joined: task_group for callbacks.
//
// A callback is called from the run queue, never inside `start()` and never inside the code that
// caused the event, so callbacks that start the next operation do not nest. One that throws, or an
// operation that throws instead of having a result, stops the group, and `join()` throws the first
// exception. An operation's error goes to its callback and is no failure of the group. Who owns a
// group joins it before it dies; a callback must not destroy its group.

#include <weft/awaitable.hpp>
#include <weft/base/operation.hpp>
#include <weft/continuation.hpp>
#include <weft/join_scope.hpp>

#include <exception>
#include <utility>

namespace weft {

class callback_group;

/// An operation with a callback behind it. See callback.hpp for the ones to use.
class callback_base : continuation, public list_hook<callback_base> {
    friend class callback_group;

public:
    callback_base(const callback_base&) = delete;
    callback_base& operator=(const callback_base&) = delete;

protected:
    /// Takes the result and calls back.
    using invocation = void (*)(callback_base&);

    callback_base(callback_group& group, invocation finish) noexcept
        : continuation{&resumed}, group_{&group}, finish_{finish} {}
    ~callback_base() = default;

    /// Lets `awaiter` wait, or has it finished from the run queue when it is ready.
    template <class Awaiter>
    void begin(Awaiter& awaiter);

    /// It does not wait any more, and was never called back.
    void abandon() noexcept;

    /// From here on the group does without it: it may be destroyed, or wait again.
    callback_group& detach() noexcept { return *std::exchange(group_, nullptr); }
    [[nodiscard]] bool is_waiting() const noexcept { return group_ != nullptr; }

private:
    static void resumed(continuation& self) noexcept;

    callback_group* group_;
    invocation finish_;
};

class callback_group : public join_scope {
public:
    /// A group whose operations wait on `in.scheduler` and stop when `in.stop` says so.
    explicit callback_group(const weft::environment& in) noexcept : join_scope{in}, turn_{*this} {}
    /// Precondition: no operation is left. A debug build aborts otherwise.
    ~callback_group();

private:
    friend class callback_base;

    /// Posted while some operation was ready when it began.
    class turn : public operation {
    public:
        explicit turn(callback_group& of) noexcept
            : operation{[](operation& self) noexcept { static_cast<turn&>(self).of_.next(); }},
              of_{of} {}
        void post(scheduler& on) noexcept {
            if (current_phase() != phase::posted) post_now(on);
        }

    private:
        callback_group& of_;
    };

    void later(callback_base& ready) noexcept;
    void next() noexcept;
    void call(callback_base& each) noexcept;

    intrusive_list<callback_base, callback_base> ready_;
    turn turn_;
};

template <class Awaiter>
void callback_base::begin(Awaiter& awaiter) {
    static_assert(environment_awaiter<Awaiter&>);
    group_->child_began();
    if (!awaiter.suspend(handle(), group_->environment())) group_->later(*this);
}

}  // namespace weft
