#pragma once
// Waits, with a mutex given up meanwhile, until another coroutine says that something has changed.
//
//     auto lock = co_await mutex.lock();
//     if (!lock) co_return lock.error();
//     const auto woken = co_await changed.wait(*lock, [&] { return !queue.empty(); });
//
// The mutex is held again when the wait is over, however it ended. One thread; no spurious wake-up.
// Those who are notified get in line for the mutex in the order they waited. For a state that is
// changed without holding a lock across `co_await`, an event says it more simply. The variable
// must outlive its waiters, and a guard stays where it is while it is waited with.

#include <weft/awaiter.hpp>
#include <weft/sync/mutex.hpp>

#include <cassert>
#include <exception>
#include <string_view>
#include <type_traits>
#include <utility>

namespace weft {

class condition_variable {
    /// Is in the variable's list first, then in the mutex's line.
    class wait_operation : public permit_waiter {
    public:
        static constexpr std::string_view trace_name = "condition_variable::wait";
        wait_operation(completion on_completion, condition_variable& variable,
                       mutex::guard& lock) noexcept
            : permit_waiter{on_completion, *lock.from_, 1}, variable_{variable}, lock_{lock} {
            assert(lock && "a condition variable is waited for with the mutex held");
        }

        [[nodiscard]] bool ready() const noexcept { return false; }
        void start(const environment& in) noexcept {
            is_notified_ = false;
            variable_.waiters_.push_back(*this);
            lock_.from_ = nullptr;
            from_->give_back(1);
            park(*in.scheduler, in.stop, [](operation& self) noexcept {
                wait_operation& me = static_cast<wait_operation&>(self);
                if (me.is_notified_) return;  // the notification came first
                me.mark_canceled();
                me.notify();
            });
        }
        result<void> finish() noexcept {
            hold();
            if (is_canceled()) return errc::canceled;
            return {};
        }

        /// On from the variable's list to the mutex's line.
        void notify() noexcept {
            is_notified_ = true;
            move_to_line(*from_);
        }

    protected:
        /// The permit that was granted is the guard's.
        void hold() noexcept {
            if (!is_granted()) return;  // it never waited: the guard has it still
            take_over();
            lock_.from_ = from_;
            lock_.count_ = 1;
        }

    private:
        condition_variable& variable_;
        mutex::guard& lock_;
        bool is_notified_ = false;
    };

    /// Waits again while `holds` says no.
    template <class Predicate>
    class wait_until_operation : public wait_operation {
    public:
        wait_until_operation(completion on_completion, condition_variable& variable,
                             mutex::guard& lock, Predicate holds) noexcept
            : wait_operation{&on_turn, variable, lock},
              on_completion_{on_completion},
              holds_{std::move(holds)} {}

        [[nodiscard]] bool ready() const noexcept { return is_over(); }
        void start(const environment& in) noexcept {
            in_ = in;
            wait_operation::start(in_);
        }
        result<void> finish() {
            const result<void> ended = wait_operation::finish();
            if (thrown_ != nullptr) std::rethrow_exception(thrown_);
            return ended;
        }

    private:
        /// The mutex is held.
        static void on_turn(operation& self) noexcept {
            wait_until_operation& me = static_cast<wait_until_operation&>(self);
            if (!me.is_canceled() && !me.is_over()) {
                me.hold();
                me.reset();
                me.wait_operation::start(me.in_);
                return;
            }
            me.on_completion_(self);
        }

        [[nodiscard]] bool is_over() const noexcept {
            try {
                return holds_();
            } catch (...) {
                thrown_ = std::current_exception();
                return true;
            }
        }

        completion on_completion_;
        Predicate holds_;
        environment in_;
        mutable std::exception_ptr thrown_;
    };

public:
    condition_variable() noexcept = default;
    condition_variable(const condition_variable&) = delete;
    condition_variable& operator=(const condition_variable&) = delete;
    ~condition_variable() {
        assert(waiters_.empty() && "a condition variable outlives its waiters");
    }

    /// Gives `lock`'s mutex up and waits for a notification. Completes, with the mutex held again,
    /// with success, or with `errc::canceled` when asked to stop before it was notified.
    /// Precondition: `lock` holds its mutex.
    [[nodiscard]] awaiter<wait_operation> wait(mutex::guard& lock) noexcept {
        return awaiter<wait_operation>{*this, lock};
    }
    /// Waits until `holds()`, which is called with the mutex held: at once, and after each
    /// notification. What it throws is thrown here, with the mutex held.
    template <class Predicate>
    [[nodiscard]] awaiter<wait_until_operation<Predicate>> wait(mutex::guard& lock,
                                                                Predicate holds) noexcept {
        static_assert(std::is_trivially_destructible_v<Predicate>,
                      "the predicate refers to what it looks at: capture by reference");
        return awaiter<wait_until_operation<Predicate>>{*this, lock, std::move(holds)};
    }

    /// Wakes who has waited longest. The caller may hold the mutex or not.
    void notify_one() noexcept {
        if (!waiters_.empty()) static_cast<wait_operation&>(waiters_.front()).notify();
    }
    /// Wakes everybody who waits now.
    void notify_all() noexcept {
        while (!waiters_.empty()) notify_one();
    }
    [[nodiscard]] bool has_waiters() const noexcept { return !waiters_.empty(); }

private:
    intrusive_list<operation> waiters_;
};

}  // namespace weft
