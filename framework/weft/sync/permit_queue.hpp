#pragma once
// What `mutex`, `shared_mutex` and `semaphore` share: a count of permits, and those who wait for
// some of them, first come first served.
//
// Nobody overtakes: while somebody waits, a later request waits behind, however small it is, so a
// request for many (or for all, a writer's) is not starved. Permits given back go to the first in
// line before it runs, so nobody can snatch them. A waiter that is asked to stop leaves the line,
// and whoever it held up moves on; one that was granted already keeps its permits and completes
// with success; one whose frame is destroyed after the grant passes the permits on. One thread.
// Waiting allocates nothing.

#include <weft/awaiter.hpp>
#include <weft/base/result.hpp>
#include <weft/errc.hpp>
#include <weft/io/scheduler.hpp>

#include <cassert>
#include <cstddef>
#include <string_view>
#include <utility>

namespace weft {

class permit_queue;

/// An operation that waits for permits. They are its own from the grant until `take_over()`.
class permit_waiter : public operation {
protected:
    permit_waiter(completion on_completion, permit_queue& from, std::size_t wanted) noexcept
        : operation{on_completion}, from_{&from}, wanted_{wanted} {}
    ~permit_waiter();

    /// Gets in line. `on_stop` is the caller's answer to a stop request.
    void join_line(permit_queue& line, run_queue& queue, stop_token stop,
                   stop_hook on_stop) noexcept;
    /// Gets in line behind a wait for something else, still parked.
    void move_to_line(permit_queue& line) noexcept;
    /// A stop request while in line: leaves it, as canceled.
    void leave_line() noexcept;

    [[nodiscard]] bool is_granted() const noexcept { return is_granted_; }
    /// The permits are now somebody else's to give back.
    void take_over() noexcept { is_granted_ = false; }

    permit_queue* from_;
    std::size_t wanted_;

private:
    friend class permit_queue;
    bool is_granted_ = false;
};

class permit_queue {
public:
    explicit permit_queue(std::size_t available) noexcept : available_{available} {}
    permit_queue(const permit_queue&) = delete;
    permit_queue& operator=(const permit_queue&) = delete;

    [[nodiscard]] std::size_t available() const noexcept { return available_; }
    /// Permits that are somebody's, granted ones included.
    [[nodiscard]] std::size_t taken() const noexcept { return taken_; }
    [[nodiscard]] bool has_waiters() const noexcept { return !waiters_.empty(); }

    [[nodiscard]] bool can_take(std::size_t count) const noexcept {
        return waiters_.empty() && count <= available_;
    }
    /// Precondition: can_take(count).
    void take(std::size_t count) noexcept {
        assert(count <= available_);
        available_ -= count;
        taken_ += count;
    }
    void give_back(std::size_t count) noexcept {
        assert(count <= taken_);
        taken_ -= count;
        add(count);
    }
    /// `count` of those taken will not come back from their owner.
    void forget(std::size_t count) noexcept {
        assert(count <= taken_);
        taken_ -= count;
    }
    /// There are `count` more than before.
    void add(std::size_t count) noexcept {
        assert(available_ + count >= available_);
        available_ += count;
        admit();
    }

private:
    friend class permit_waiter;

    /// Grants the first in line what they want, as far as the permits reach.
    void admit() noexcept {
        while (!waiters_.empty()) {
            permit_waiter& first = static_cast<permit_waiter&>(waiters_.front());
            if (first.wanted_ > available_) return;
            take(first.wanted_);
            first.is_granted_ = true;
            first.post();
        }
    }

    std::size_t available_;
    std::size_t taken_ = 0;
    intrusive_list<operation> waiters_;
};

inline permit_waiter::~permit_waiter() {
    if (is_granted_) {
        from_->give_back(wanted_);
    } else if (current_phase() == phase::parked) {
        unlink();
        from_->admit();
    }
}

inline void permit_waiter::join_line(permit_queue& line, run_queue& queue, stop_token stop,
                                     stop_hook on_stop) noexcept {
    line.waiters_.push_back(*this);
    park(queue, stop, on_stop);
}

inline void permit_waiter::move_to_line(permit_queue& line) noexcept {
    unlink();
    line.waiters_.push_back(*this);
    line.admit();
}

inline void permit_waiter::leave_line() noexcept {
    mark_canceled();
    post();
    from_->admit();
}

/// Permits that are held, and given back at the end of the scope. Empty after a move.
template <class Owner>
class [[nodiscard]] held_permits {
public:
    held_permits() noexcept = default;
    held_permits(held_permits&& other) noexcept
        : from_{std::exchange(other.from_, nullptr)}, count_{std::exchange(other.count_, 0)} {}
    held_permits& operator=(held_permits&& other) noexcept {
        held_permits discarded{std::move(*this)};
        from_ = std::exchange(other.from_, nullptr);
        count_ = std::exchange(other.count_, 0);
        return *this;
    }
    ~held_permits() { release(); }

    [[nodiscard]] explicit operator bool() const noexcept { return from_ != nullptr; }
    /// Gives them back now. The first in line is granted what it waits for, and resumes later.
    void release() noexcept {
        if (from_ == nullptr) return;
        std::exchange(from_, nullptr)->give_back(std::exchange(count_, 0));
    }

protected:
    held_permits(permit_queue& from, std::size_t count) noexcept : from_{&from}, count_{count} {}

    permit_queue* from_ = nullptr;
    std::size_t count_ = 0;
};

/// Waits for `wanted` permits; completes with a `Held`, made of them.
template <class Held>
class acquire_operation : public permit_waiter {
public:
    static constexpr std::string_view trace_name = Held::acquire_name;
    acquire_operation(completion on_completion, permit_queue& from, std::size_t wanted) noexcept
        : permit_waiter{on_completion, from, wanted} {}

    [[nodiscard]] bool ready() const noexcept { return from_->can_take(wanted_); }
    void start(const environment& in) noexcept {
        join_line(*from_, *in.scheduler, in.stop, [](operation& self) noexcept {
            static_cast<acquire_operation&>(self).leave_line();
        });
    }
    result<Held> finish() noexcept {
        if (is_canceled()) return errc::canceled;
        if (!is_granted()) from_->take(wanted_);  // it was ready
        take_over();
        return Held{*from_, wanted_};
    }
};

}  // namespace weft
