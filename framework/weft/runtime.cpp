#include <weft/debug.hpp>
#include <weft/log.hpp>
#include <weft/runtime.hpp>
#include <weft/sleep.hpp>

#include <pthread.h>
#include <sched.h>
#include <signal.h>

#include <algorithm>
#include <atomic>
#include <barrier>
#include <latch>
#include <mutex>
#include <string>
#include <system_error>
#include <thread>

namespace weft {
namespace {

std::vector<int> allowed_processors() {
    cpu_set_t allowed;
    CPU_ZERO(&allowed);
    std::vector<int> found;
    if (::sched_getaffinity(0, sizeof allowed, &allowed) != 0) return found;
    for (int i = 0; i < CPU_SETSIZE; ++i) {
        if (CPU_ISSET(static_cast<std::size_t>(i), &allowed)) found.push_back(i);
    }
    return found;
}

runtime_options with_thread_count(runtime_options wanted) {
    if (wanted.threads == 0) {
        wanted.threads = std::max<std::size_t>(allowed_processors().size(), 1);
    }
    return wanted;
}

std::vector<int> processors_for(const runtime_options& wanted) {
    if (!wanted.processors.empty()) return {wanted.processors.begin(), wanted.processors.end()};
    if (wanted.pin == runtime_options::pinning::one_each) return allowed_processors();
    return {};
}

/// Signals are for the thread that asks for them by a signalfd, and that is never one of these.
void block_signals() noexcept {
    sigset_t all{};
    ::sigfillset(&all);
    for (const int fault : {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGABRT}) {
        ::sigdelset(&all, fault);
    }
    ::pthread_sigmask(SIG_BLOCK, &all, nullptr);
}

}  // namespace

/// What the threads share besides messages: their beginning, their end, and the first exception.
struct runtime::shared {
    explicit shared(std::size_t loops)
        : started{static_cast<std::ptrdiff_t>(loops)}, ended{static_cast<std::ptrdiff_t>(loops)} {}

    void note(std::exception_ptr why) noexcept {
        const std::lock_guard guard{mutex};
        if (first == nullptr) first = std::move(why);
    }
    [[nodiscard]] std::exception_ptr take_first() noexcept {
        const std::lock_guard guard{mutex};
        return std::exchange(first, nullptr);
    }
    void note_start_failure(std::exception_ptr why) noexcept {
        note(std::move(why));
        start_failed = true;
    }

    std::atomic<bool> start_failed = false;  ///< settled when all have arrived at `started`
    std::latch started;
    std::barrier<> ended;
    std::mutex mutex;
    std::exception_ptr first;
    std::vector<std::thread> threads;
    cpu_set_t affinity_before{};
    bool is_pinned = false;
};

runtime::grace_timer::grace_timer(runtime& self) noexcept
    : timer_node{[](timer_node& node, instant) noexcept {
          static_cast<grace_timer&>(node).self_.stop_all();
      }},
      self_{self} {}

runtime::print_round::print_round(runtime& self) noexcept
    : message{[](message& sent, fate how) noexcept {
          auto& me = static_cast<print_round&>(sent);
          if (me.at_ == 0) {
              me.is_away_ = false;
              return;
          }
          if (how == fate::delivered) debug::print_tasks(me.self_.loop(me.at_).context());
          me.go_on();
      }},
      self_{self} {}

/// On loop 0, which has printed.
void runtime::print_round::begin() noexcept {
    if (!std::exchange(is_away_, true)) go_on();
}

/// To the next loop that still takes messages.
void runtime::print_round::go_on() noexcept {
    runtime_loop& here = self_.loop(at_);
    do {
        at_ = (at_ + 1) % self_.size();
    } while (!here.post(at_, *this, mailbox::admission::always) && at_ != 0);
}

runtime::interrupt::interrupt(runtime& self) noexcept
    : stop_callback{[](stop_callback& callback) noexcept {
          static_cast<interrupt&>(callback).self_.begin_stop();
      }},
      self_{self} {}

// ---- beginning

runtime::runtime(runtime_options wanted)
    : options_{with_thread_count(wanted)},
      processors_{processors_for(wanted)},
      shared_{std::make_unique<shared>(options_.threads)} {
    for (std::size_t i = 0; i < options_.threads; ++i) {
        loops_.push_back(std::make_unique<runtime_loop>(*this, i));
    }
    ::pthread_getaffinity_np(::pthread_self(), sizeof shared_->affinity_before,
                             &shared_->affinity_before);
    loop(0).set_up(options_);
    interrupts_.emplace(loop(0).context().ring());  // first: the threads inherit what is blocked
    interrupts_->token().attach(on_interrupt_);
    start_threads();
    if (shared_->start_failed) {
        for (std::thread& each : shared_->threads) each.join();
        interrupts_.reset();
        loop(0).tear_down();
        std::rethrow_exception(shared_->take_first());
    }
    loop(0).connect(loops_);
    if (options_.print_tasks_on_usr1) {
        task_prints_.emplace(loop(0).context(), [this] { print_round_.begin(); });
    }
}

void runtime::start_threads() {
    std::size_t begun = 1;
    try {
        for (; begun < size(); ++begun) {
            shared_->threads.emplace_back([this, begun] { live(begun); });
        }
        pin(0);
    } catch (...) {
        shared_->note_start_failure(std::current_exception());
        shared_->started.count_down(static_cast<std::ptrdiff_t>(size() - begun));
    }
    shared_->started.arrive_and_wait();
}

void runtime::pin(std::size_t index) const {
    if (processors_.empty()) return;
    const int processor = processors_[index % processors_.size()];
    cpu_set_t one;
    CPU_ZERO(&one);
    if (processor >= 0 && processor < CPU_SETSIZE) {
        CPU_SET(static_cast<std::size_t>(processor), &one);
    }
    const int error = ::pthread_setaffinity_np(::pthread_self(), sizeof one, &one);
    if (error != 0) {
        throw std::system_error{error, std::generic_category(),
                                "loop " + std::to_string(index) + " cannot run on processor " +
                                    std::to_string(processor)};
    }
    if (index == 0) shared_->is_pinned = true;
}

/// The life of a thread: all loops exist before one of them runs, and end together, so that none
/// sends to a ring that is gone.
void runtime::live(std::size_t index) noexcept {
    runtime_loop& mine = loop(index);
    block_signals();
    ::pthread_setname_np(::pthread_self(), ("weft-" + std::to_string(index)).c_str());
    try {
        pin(index);
        mine.set_up(options_);
    } catch (...) {
        shared_->note_start_failure(std::current_exception());
    }
    shared_->started.arrive_and_wait();
    if (!shared_->start_failed) {
        mine.connect(loops_);
        mine.context().run_until_done(mine.serve());
        mine.context().ring().enter(duration::zero());  // the last messages are told of
        shared_->ended.arrive_and_wait();
    }
    mine.tear_down();
}

// ---- the end

runtime::~runtime() {
    if (!is_joined_) run([](runtime&) -> task<void> { co_return; });
    task_prints_.reset();
    interrupts_.reset();
    loop(0).tear_down();
    if (shared_->is_pinned) {
        ::pthread_setaffinity_np(::pthread_self(), sizeof shared_->affinity_before,
                                 &shared_->affinity_before);
    }
}

void runtime::join() noexcept {
    if (std::exchange(is_joined_, true)) return;
    loop(0).context().ring().enter(duration::zero());
    shared_->ended.arrive_and_wait();
    for (std::thread& each : shared_->threads) each.join();
}

task<void> runtime::wind_down(task_group& own) {
    begin_stop();
    for (const auto& each : loops_) {
        (void)loop(0).post(each->index(), each->finish_letter_, mailbox::admission::always);
    }
    if (size() == 1) all_finished_.set();
    const environment unstoppable{&loop(0).context(), {}};
    // Others may bring tasks as long as one of them runs.
    while (!all_finished_.is_set() || !own.empty()) {
        (void)co_await task_in_environment<result<void>>{unstoppable,
                                                         [](event& awaited) -> task<result<void>> {
                                                             co_return co_await awaited.wait();
                                                         }(all_finished_)};
        (void)co_await own.join();
    }
    grace_.disarm();
    loop(0).close_mail();
    if (const std::exception_ptr failure = shared_->take_first()) std::rethrow_exception(failure);
}

void runtime::fail(std::exception_ptr why, runtime_loop& at) noexcept {
    shared_->note(std::move(why));
    want_stop(at);
}

void runtime::want_stop(runtime_loop& at) noexcept {
    if (std::exchange(at.has_wanted_stop_, true)) return;
    (void)at.post(0, at.stop_wanted_letter_, mailbox::admission::always);
}

void runtime::begin_stop() noexcept {
    if (std::exchange(is_stopping_, true)) return;
    for (const auto& each : loops_) {
        (void)loop(0).post(each->index(), each->drain_letter_, mailbox::admission::always);
    }
    if (options_.grace <= duration::zero()) {
        stop_all();
    } else {
        scheduler& on = loop(0).context();
        on.timers().arm(grace_, saturating_add(on.now(), options_.grace));
    }
}

void runtime::stop_all() noexcept {
    for (const auto& each : loops_) {
        (void)loop(0).post(each->index(), each->stop_letter_, mailbox::admission::always);
    }
}

void runtime::on_loop_finished() noexcept {
    if (++finished_ == size() - 1) all_finished_.set();
}

// ---- queries

runtime_loop* runtime::find_loop(const scheduler& of) noexcept {
    for (const auto& each : loops_) {
        if (each->context_.get() == &of) return each.get();
    }
    return nullptr;
}

loop_statistics& loop_statistics::operator+=(const loop_statistics& other) noexcept {
    tasks += other.tasks;
    mail.delivered += other.mail.delivered;
    mail.refused += other.mail.refused;
    ring.enters += other.ring.enters;
    ring.submitted += other.ring.submitted;
    ring.completed += other.ring.completed;
    ring.early_enters += other.ring.early_enters;
    ring.overflows += other.ring.overflows;
    frames.allocated += other.frames.allocated;
    frames.freed += other.frames.freed;
    frames.fresh += other.frames.fresh;
    return *this;
}

loop_statistics total(std::span<const loop_statistics> of) noexcept {
    loop_statistics sum;
    for (const loop_statistics& each : of) sum += each;
    return sum;
}

task<result<std::vector<loop_statistics>>> runtime::statistics() {
    std::vector<loop_statistics> found(size());
    const result<void> asked = co_await for_each_loop([this, &found](std::size_t i) -> task<void> {
        found[i] = {loop(i).tasks().size(), loop(i).mail().statistics(),
                    loop(i).context().ring().statistics(), frame_allocator::counters()};
        co_return;
    });
    if (!asked) co_return asked.error();
    co_return found;
}

}  // namespace weft
