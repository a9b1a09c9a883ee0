#pragma once
// The loop's turn, without a ring: run queue + timer wheel + clock.
//
// A turn: (1) input is taken in, (2) due timers fire, (3) participants hand their flags to waiting
// operations and the run queue is worked off, (4) participants emit; between turns (5) the thread
// waits. Nothing is emitted between 2 and 4, so an acknowledgment rides on the response.
// `io_context` derives from it and adds the ring (steps 1 and 5); on a virtual clock the scheduler
// alone drives a simulation and jumps to the next deadline when it is idle. One thread.

#include <weft/base/instant.hpp>
#include <weft/base/intrusive_list.hpp>
#include <weft/base/operation.hpp>
#include <weft/base/timer_wheel.hpp>
#include <weft/task.hpp>
#include <weft/trace.hpp>

#include <cassert>
#include <chrono>
#include <cstddef>

namespace weft {

/// Somebody with work at fixed points of the turn: a host of the network stack, above all. It must
/// outlive its mark, which its destruction takes away.
class turn_participant : public list_hook<turn_participant> {
public:
    /// Step 3: moves what happened to the operations that wait for it (posts them).
    virtual void deliver(instant now) noexcept = 0;
    /// Step 4: emits what there is to say. Runs once a turn, after the run queue.
    virtual void settle(instant now) noexcept = 0;

protected:
    ~turn_participant() = default;
};

/// What run() and runtime take for a coroutine that blocks its loop, where a trace can say which.
inline constexpr duration default_slow_resume =
    async_trace ? std::chrono::milliseconds{100} : duration{};

class scheduler : public run_queue {
public:
    enum class clock { steady, virtual_time };

    /// A virtual clock starts at `instant{}` and moves only when the scheduler waits.
    explicit scheduler(clock kind = clock::steady) noexcept;
    virtual ~scheduler() = default;

    /// The time of this turn: the clock is read once a turn.
    [[nodiscard]] instant now() const noexcept { return now_; }
    [[nodiscard]] clock clock_kind() const noexcept { return kind_; }
    [[nodiscard]] timer_wheel& timers() noexcept { return timers_; }
    /// The coroutines that run here, where the build keeps account of them.
    [[nodiscard]] trace::registry& traces() noexcept { return traces_; }
    /// The ring that feeds this loop; a simulation has none.
    [[nodiscard]] virtual class ring* attached_ring() noexcept { return nullptr; }

    /// Has `deliver` and then `settle` called in this turn, or in the next one when it is called
    /// while participants settle. Calling it again before `deliver` changes nothing.
    void settle_later(turn_participant& participant) noexcept;

    /// Nothing is posted and nobody is marked: until input or a deadline there is nothing to do.
    [[nodiscard]] bool is_idle() const noexcept { return empty() && marked_.empty(); }
    /// When a timer wants the loop next (see timer_wheel::next_deadline).
    [[nodiscard]] instant next_deadline() const noexcept { return timers_.next_deadline(); }

    /// Has a warning logged ("loop") when a completion keeps the loop for `limit` or longer: a
    /// coroutine that computes or blocks. Zero: never, and no clock is read; that is the default.
    void warn_of_slow_resumes(duration limit) noexcept { slow_limit_ = limit; }

    /// Steps 1 to 4, without waiting. Precondition, of whatever runs a loop: nothing that this loop
    /// runs calls it.
    void turn() noexcept;
    /// Waits for something to do (step 5; not at all if there is) and makes a turn. False, and
    /// nothing done, when nothing can happen any more.
    bool step() noexcept;

    /// Steps until nothing can happen any more.
    void run() noexcept;
    /// Steps until the clock has reached `end`, and leaves a virtual clock exactly there.
    void run_until(instant end) noexcept;
    void run_for(duration length) noexcept { run_until(now_ + length); }

    /// Runs `main` to its end and returns what it returned. Work of others goes on meanwhile, and
    /// is left where it is afterwards. Throws what `main` throws, and std::logic_error when `main`
    /// waits for something that cannot happen (it is asked to stop first).
    template <class T>
    T run_until_done(task<T> main, stop_token stop = {});

protected:
    /// Step 1, at the start of a turn, with a fresh `now()`: take in what has arrived.
    virtual void feed() noexcept {}
    /// Step 5: return when input is there, at `until` at the latest, at once if that has passed.
    /// Called once before each turn of `step`.
    virtual void wait(instant until) noexcept;
    /// Whether `wait` may end without a deadline: some input is outstanding.
    [[nodiscard]] virtual bool expects_input() const noexcept { return false; }

    /// Reads the steady clock; a virtual one stays.
    void refresh() noexcept;

private:
    /// Completions and deliveries a turn makes before it lets participants emit.
    static constexpr std::size_t turn_budget = 1024;

    struct main_listener : task_listener {
        main_listener() noexcept
            : task_listener{[](task_listener& self) noexcept -> std::coroutine_handle<> {
                  static_cast<main_listener&>(self).done = true;
                  return std::noop_coroutine();
              }} {}
        bool done = false;
    };

    void deliver_marked() noexcept;
    void settle_marked() noexcept;
    std::size_t complete_posted(std::size_t budget) noexcept;
    std::size_t complete_watched(std::size_t budget) noexcept;
    void report_slow_resume(duration taken) noexcept;
    void step_until(const bool& done, stop_source& stop);

    using participants = intrusive_list<turn_participant, turn_participant>;

    const clock kind_;
    instant now_;
    duration slow_limit_{};
    bool runs_ = false;  // within a turn, or the first part of a main task
    timer_wheel timers_;
    participants marked_;     // to deliver
    participants delivered_;  // to settle
    [[no_unique_address]] trace::registry traces_;
};

template <class T>
T scheduler::run_until_done(task<T> main, stop_token stop) {
    stop_source last_resort{stop};
    const environment in{this, last_resort.token()};
    main_listener listener;
    running_task<T> running{std::move(main)};
    assert(!runs_ && "a loop does not run within itself");
    runs_ = true;
    const bool is_done = running.start(in, listener);
    runs_ = false;
    if (!is_done) step_until(listener.done, last_resort);
    return running.take();
}

}  // namespace weft
