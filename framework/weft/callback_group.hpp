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
#include <weft/trace.hpp>

#include <exception>
#include <utility>

namespace weft {

class callback_group;

/// An operation with a callback behind it. See callback.hpp for the ones to use.
class callback_base : protected continuation, public list_hook<callback_base>, trace::record {
    friend class callback_group;

public:
    callback_base(const callback_base&) = delete;
    callback_base& operator=(const callback_base&) = delete;

protected:
    /// `on_resume` leads to call_back().
    callback_base(callback_group& group, invocation on_resume) noexcept
        : continuation{on_resume}, group_{&group} {}
    ~callback_base() = default;

    /// Lets `awaiter` wait, or has it finished from the run queue when it is ready.
    template <class Awaiter>
    void begin(Awaiter& awaiter, trace::location where);

    /// `finish()` takes the result and calls back. This may be gone afterwards.
    template <class Finish>
    void call_back(Finish finish) noexcept;

    /// It does not wait any more, and was never called back.
    void abandon() noexcept;

    /// From here on the group does without it: it may be destroyed, or wait again.
    callback_group& detach() noexcept {
        record::end();
        return *std::exchange(group_, nullptr);
    }
    [[nodiscard]] bool is_waiting() const noexcept { return group_ != nullptr; }

private:
    callback_group* group_;
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

    intrusive_list<callback_base, callback_base> ready_;
    turn turn_;
};

template <class Awaiter>
void callback_base::begin(Awaiter& awaiter, [[maybe_unused]] trace::location where) {
    static_assert(environment_awaiter<Awaiter&>);
    group_->child_began();
    record::begin(group_->environment().scheduler, trace::owner{static_cast<join_scope*>(group_)},
                  trace::record_type::callback);
    if constexpr (requires { awaiter.note(); }) waits_for(awaiter.note(), where);
    if (!awaiter.suspend(handle(), group_->environment())) group_->later(*this);
}

template <class Finish>
void callback_base::call_back(Finish finish) noexcept {
    callback_group& group = *group_;
    goes_on();
    try {
        finish();
    } catch (...) {
        group.child_ended(std::current_exception(), {});
        return;
    }
    group.child_ended();
}

}  // namespace weft
