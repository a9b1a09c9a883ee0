#pragma once
// What coroutines, fibers and callbacks share: an operation that waits for one event.
//
// An operation is an intrusive node with one completion function. It waits (`parked`) in a waiter
// slot or on a wait list, is moved to a run queue when its event came (`posted`), and is completed
// from there (`done`): never inside the code that caused the event, so protocol code is not
// re-entered. The operation is owned by the front end that waits and must outlive the wait; its
// destructor takes it off everything it is on.
//
// A concrete operation adds: `bool ready() const` (would finish at once), `void start(const
// environment&)` (parks it), `finish()` (the result; called once, after completion).

#include <weft/base/intrusive_list.hpp>
#include <weft/base/stop_token.hpp>

#include <cassert>
#include <cstddef>
#include <cstdint>
#include <system_error>

namespace weft {

class scheduler;
class operation;

/// What travels forward from caller to callee: where to resume, and whether to stop.
struct environment {
    weft::scheduler* scheduler = nullptr;
    stop_token stop;
};

/// Operations whose event has come, in order.
class run_queue {
public:
    run_queue() noexcept = default;
    run_queue(const run_queue&) = delete;
    run_queue& operator=(const run_queue&) = delete;

    [[nodiscard]] bool empty() const noexcept { return posted_.empty(); }

    /// Completes posted operations, those posted meanwhile too, until none is left or `budget`
    /// were completed. Returns how many were.
    std::size_t run(std::size_t budget) noexcept;

private:
    friend class operation;
    intrusive_list<operation> posted_;
};

class operation : public list_hook<> {
public:
    enum class phase : std::uint8_t { idle, parked, posted, done };
    using completion = void (*)(operation&) noexcept;

    explicit operation(completion on_completion) noexcept
        : complete_{on_completion}, on_stop_{*this} {}
    operation(const operation&) = delete;
    operation& operator=(const operation&) = delete;
    ~operation() { leave(); }

    [[nodiscard]] phase current_phase() const noexcept { return phase_; }

    /// The stop token ended the wait: `finish()` reports `canceled` and has moved nothing.
    [[nodiscard]] bool is_canceled() const noexcept { return canceled_; }
    /// Why the wait ended without its event: `std::errc::operation_canceled`, or
    /// `std::errc::device_or_resource_busy` when another operation held the slot; otherwise none.
    /// `finish()` of an operation in a slot begins with it.
    [[nodiscard]] std::error_code wait_error() const noexcept {
        if (canceled_) return std::make_error_code(std::errc::operation_canceled);
        if (refused_) return std::make_error_code(std::errc::device_or_resource_busy);
        return {};
    }
    /// Ends the operation before it started, because stop was already requested.
    void cancel_unstarted() noexcept { canceled_ = true; }

    /// The event came: off the slot or list, onto the run queue. Does nothing unless parked.
    void post() noexcept {
        if (phase_ != phase::parked) return;
        leave();
        enqueue();
    }

    /// Waits again, after a completion that turned out not to be the awaited event.
    void reset() noexcept {
        leave();
        phase_ = phase::idle;
        refused_ = false;
    }

    /// Called by the run queue.
    void complete() noexcept {
        phase_ = phase::done;
        complete_(*this);
    }

protected:
    using stop_hook = void (*)(operation&) noexcept;

    /// Parks in a slot that holds one operation. Precondition: the slot is empty. Where assertions
    /// are off, an occupied slot ends the operation as busy.
    void park(run_queue& queue, stop_token stop, operation*& slot) noexcept {
        assert(slot == nullptr && "one operation at a time on this slot");
        if (slot != nullptr) {
            refused_ = true;
            post_now(queue);
            return;
        }
        slot = this;
        slot_ = &slot;
        wait(queue, stop);
    }

    /// Parks at the end of a wait list, first come first served.
    void park(run_queue& queue, stop_token stop, intrusive_list<operation>& waiters) noexcept {
        waiters.push_back(*this);
        wait(queue, stop);
    }

    /// Parks nowhere: the event's owner keeps a pointer of its own. With `on_stop`, a stop calls it
    /// instead of ending the wait: for an operation that has to be cancelled at its source first.
    void park(run_queue& queue, stop_token stop, stop_hook on_stop = nullptr) noexcept {
        stop_hook_ = on_stop;
        wait(queue, stop);
    }

    /// Posts an operation that never waited (for instance an error found in `start`).
    void post_now(run_queue& queue) noexcept {
        queue_ = &queue;
        enqueue();
    }

    void mark_canceled() noexcept { canceled_ = true; }

private:
    struct stop_link : stop_callback {
        explicit stop_link(operation& self) noexcept
            : stop_callback{[](stop_callback& callback) noexcept {
                  static_cast<stop_link&>(callback).self_.stop();
              }},
              self_{self} {}
        operation& self_;
    };

    void wait(run_queue& queue, stop_token stop) noexcept {
        assert(phase_ == phase::idle);
        queue_ = &queue;
        phase_ = phase::parked;
        if (stop.stop_requested()) {
            this->stop();
        } else {
            stop.attach(on_stop_);
        }
    }

    void stop() noexcept {
        if (phase_ != phase::parked) return;
        if (stop_hook_ != nullptr) {
            stop_hook_(*this);
            return;
        }
        canceled_ = true;
        leave();
        enqueue();
    }

    void enqueue() noexcept {
        phase_ = phase::posted;
        queue_->posted_.push_back(*this);
    }

    void leave() noexcept {
        unlink();
        on_stop_.unlink();
        if (slot_ != nullptr) {
            *slot_ = nullptr;
            slot_ = nullptr;
        }
    }

    completion complete_;
    stop_hook stop_hook_ = nullptr;
    run_queue* queue_ = nullptr;
    operation** slot_ = nullptr;
    stop_link on_stop_;
    phase phase_ = phase::idle;
    bool canceled_ = false;
    bool refused_ = false;
};

inline std::size_t run_queue::run(std::size_t budget) noexcept {
    std::size_t completed = 0;
    while (completed < budget && !posted_.empty()) {
        posted_.pop_front().complete();
        ++completed;
    }
    return completed;
}

}  // namespace weft
