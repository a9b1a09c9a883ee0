#include <weft/io/scheduler.hpp>

#include <algorithm>
#include <cassert>
#include <chrono>
#include <stdexcept>
#include <thread>

namespace weft {

namespace {

instant steady_now() noexcept {
    return instant{
        std::chrono::duration_cast<duration>(std::chrono::steady_clock::now().time_since_epoch())};
}

}  // namespace

scheduler::scheduler(clock kind) noexcept
    : kind_{kind}, now_{kind == clock::steady ? steady_now() : instant{}}, timers_{now_} {}

void scheduler::settle_later(turn_participant& participant) noexcept {
    participant.unlink();
    marked_.push_back(participant);
}

void scheduler::turn() noexcept {
    assert(!runs_ && "a loop does not run within itself");
    runs_ = true;
    refresh();
    feed();
    timers_.advance(now_);
    std::size_t budget = turn_budget;
    while (budget > 0 && !is_idle()) {
        deliver_marked();
        const std::size_t completed = complete_posted(budget);
        budget -= std::min(budget, completed + 1);  // a pass that only delivers counts too
    }
    settle_marked();
    runs_ = false;
}

std::size_t scheduler::complete_posted(std::size_t budget) noexcept {
    return slow_limit_ > duration{} ? complete_watched(budget) : run_queue::run(budget);
}

void scheduler::deliver_marked() noexcept {
    participants batch;
    batch.splice_back(marked_);
    while (!batch.empty()) {
        turn_participant& next = batch.pop_front();
        delivered_.push_back(next);
        next.deliver(now_);
    }
}

void scheduler::settle_marked() noexcept {
    participants batch;
    batch.splice_back(delivered_);
    participants undelivered;  // the budget was spent: they emit now and deliver next turn
    undelivered.splice_back(marked_);
    while (!batch.empty()) batch.pop_front().settle(now_);
    while (!undelivered.empty()) {
        turn_participant& next = undelivered.pop_front();
        marked_.push_back(next);
        next.settle(now_);
    }
}

bool scheduler::step() noexcept {
    assert(!runs_ && "a loop does not run within itself");
    const bool idle = is_idle();
    const instant until = idle ? next_deadline() : now_;
    if (idle && until == never && !expects_input()) return false;
    wait(until);
    turn();
    return true;
}

void scheduler::run() noexcept {
    while (step()) {
    }
}

void scheduler::run_until(instant end) noexcept {
    while (now_ < end) {
        wait(is_idle() ? std::min(next_deadline(), end) : now_);
        turn();
    }
    while (!is_idle()) turn();  // what falls due at `end` itself
}

void scheduler::step_until(const bool& done, stop_source& stop) {
    while (!done && step()) {
    }
    if (done) return;
    stop.request_stop();
    while (!done && step()) {
    }
    throw std::logic_error{"the main task waits for something that cannot happen any more"};
}

void scheduler::wait(instant until) noexcept {
    if (kind_ == clock::virtual_time) {
        if (until != never) now_ = std::max(now_, until);
        return;
    }
    if (until <= now_) return;
    std::this_thread::sleep_until(std::chrono::steady_clock::time_point{
        std::chrono::duration_cast<std::chrono::steady_clock::duration>(until.time_since_epoch())});
}

void scheduler::refresh() noexcept {
    if (kind_ == clock::steady) now_ = steady_now();
}

}  // namespace weft
