#include <weft/io/offload_pool.hpp>
#include <weft/io/ring.hpp>
#include <weft/io/scheduler.hpp>

#include <poll.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <cassert>
#include <cerrno>

namespace weft {

/// Where finished jobs of one loop wait for it. Bound to a ring while a call of that ring is out,
/// free for any other afterwards; so it asks nothing of the loop when nothing is to come.
class offload_pool::inbox : public ring_completion {
public:
    inbox(offload_pool& pool, int fd) noexcept
        : ring_completion{[](ring_completion& self, int, unsigned) noexcept {
              static_cast<inbox&>(self).deliver();
          }},
          pool_{pool},
          fd_{fd} {}
    ~inbox() { ::close(fd_); }

    [[nodiscard]] bool serves(const ring& on) const noexcept {
        return ring_ == nullptr || ring_ == &on;
    }
    [[nodiscard]] bool is_bound() const noexcept { return ring_ != nullptr; }

    // On the loop's thread.
    void expect_one(ring& on) {
        ring_ = &on;
        if (outstanding_++ == 0) watch();
    }
    /// One job less to come. True: that was the last, and the ring has to be left.
    [[nodiscard]] bool forget_one() noexcept { return --outstanding_ == 0; }
    /// Precondition: nothing is to come. Without the pool's mutex: until it returns, only calls of
    /// the same ring could use the inbox.
    void leave_ring() noexcept {
        ring_->withdraw(*this);
        const std::scoped_lock lock{pool_.mutex_};
        ring_ = nullptr;
    }
    [[nodiscard]] ring* bound_ring() const noexcept { return ring_; }

    // On any thread, with the pool's mutex.
    void put(offload_job& job) noexcept {
        finished_.push_back(job);
        const std::uint64_t one = 1;
        (void)!::write(fd_, &one, sizeof one);  // full means that it is readable already
    }

private:
    void watch() { ring_->poll(*this, fd_, POLLIN); }
    void deliver() noexcept;

    offload_pool& pool_;
    const int fd_;
    ring* ring_ = nullptr;
    std::size_t outstanding_ = 0;
    intrusive_list<offload_job> finished_;
};

void offload_pool::inbox::deliver() noexcept {
    const std::scoped_lock lock{pool_.mutex_};
    std::uint64_t count = 0;
    (void)!::read(fd_, &count, sizeof count);
    while (!finished_.empty()) {
        finished_.pop_front().owner_->post();
        --outstanding_;
    }
    if (outstanding_ != 0) {
        watch();
    } else {
        ring_ = nullptr;
    }
}

/// Threads of the pool must not take signals that a loop waits for.
class offload_pool::signals_blocked {
public:
    signals_blocked() noexcept {
        sigset_t all{};
        ::sigfillset(&all);
        ::pthread_sigmask(SIG_BLOCK, &all, &before_);
    }
    signals_blocked(const signals_blocked&) = delete;
    signals_blocked& operator=(const signals_blocked&) = delete;
    ~signals_blocked() { ::pthread_sigmask(SIG_SETMASK, &before_, nullptr); }

private:
    sigset_t before_{};
};

offload_pool::offload_pool(options wanted)
    : options_{std::max(wanted.threads, 1U), wanted.waiting, wanted.stack_bytes} {
    threads_.reserve(options_.threads);
}

offload_pool::~offload_pool() {
    {
        const std::scoped_lock lock{mutex_};
        assert(std::ranges::none_of(inboxes_, [](const auto& one) { return one->is_bound(); }) &&
               "a pool outlives its calls");
        ending_ = true;
    }
    wanted_.notify_all();
    for (const pthread_t thread : threads_) ::pthread_join(thread, nullptr);
}

offload_pool& offload_pool::shared() {
    static auto* const pool = new offload_pool;
    return *pool;
}

offload_pool::counters offload_pool::statistics() const {
    const std::scoped_lock lock{mutex_};
    return counters_;
}

int offload_pool::start_thread() noexcept {
    pthread_attr_t attributes{};
    if (const int error = ::pthread_attr_init(&attributes)) return error;
    int error = 0;
    if (options_.stack_bytes != 0) {
        error = ::pthread_attr_setstacksize(&attributes, options_.stack_bytes);
    }
    pthread_t thread{};
    if (error == 0) {
        const signals_blocked blocked;
        error = ::pthread_create(&thread, &attributes, &thread_main, this);
    }
    ::pthread_attr_destroy(&attributes);
    if (error != 0) return error;
    ::pthread_setname_np(thread, "weft-offload");
    threads_.push_back(thread);
    ++counters_.threads;
    return 0;
}

/// A thread for one more job, if all are busy. That no other can be started is an error only when
/// there is none at all.
std::error_code offload_pool::start_thread_for_next() {
    if (free_threads() > counters_.waiting || threads_.size() >= options_.threads) return {};
    const int error = start_thread();
    if (error == 0 || !threads_.empty()) return {};
    return {error, std::generic_category()};
}

std::error_code offload_pool::prepare(ring& on, inbox*& into) {
    if (const std::error_code error = start_thread_for_next()) return error;
    if (counters_.waiting >= options_.waiting + free_threads()) {
        return std::make_error_code(std::errc::resource_unavailable_try_again);
    }
    const auto bound =
        std::ranges::find_if(inboxes_, [&](const auto& one) { return one->bound_ring() == &on; });
    const auto found =
        bound != inboxes_.end()
            ? bound
            : std::ranges::find_if(inboxes_, [&](const auto& one) { return one->serves(on); });
    if (found != inboxes_.end()) {
        into = found->get();
        return {};
    }
    const int fd = ::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (fd < 0) return {errno, std::generic_category()};
    into = inboxes_.emplace_back(std::make_unique<inbox>(*this, fd)).get();
    return {};
}

void* offload_pool::thread_main(void* self) noexcept {
    static_cast<offload_pool*>(self)->work();
    return nullptr;
}

void offload_pool::work() noexcept {
    std::unique_lock lock{mutex_};
    for (;;) {
        wanted_.wait(lock, [this] { return ending_ || !jobs_.empty(); });
        if (jobs_.empty()) return;
        offload_job& job = jobs_.pop_front();
        job.stage_ = offload_job::stage::running;
        --counters_.waiting;
        ++counters_.running;
        lock.unlock();
        job.run();
        lock.lock();
        --counters_.running;
        finish(lock, job);
    }
}

void offload_pool::finish(std::unique_lock<std::mutex>& lock, offload_job& job) noexcept {
    if (job.stage_ == offload_job::stage::abandoned) {
        lock.unlock();
        delete &job;
        lock.lock();
        return;
    }
    job.stage_ = offload_job::stage::finished;
    static_cast<inbox*>(job.inbox_)->put(job);
    finished_.notify_all();
}

void offload_operation_base::start(const environment& in) {
    ring* on = in.scheduler->attached_ring();
    if (on == nullptr) {
        error_ = std::make_error_code(std::errc::operation_not_supported);
        post_now(*in.scheduler);
        return;
    }
    {
        const std::scoped_lock lock{pool_.mutex_};
        offload_pool::inbox* into = nullptr;
        error_ = pool_.prepare(*on, into);
        if (!error_) {
            job_->owner_ = this;
            job_->inbox_ = into;
            job_->stage_ = offload_job::stage::waiting;
            into->expect_one(*on);
            pool_.jobs_.push_back(*job_);
            ++pool_.counters_.waiting;
        } else {
            ++pool_.counters_.refused;
        }
    }
    if (error_) {
        post_now(*in.scheduler);
        return;
    }
    pool_.wanted_.notify_one();
    park(*in.scheduler, in.stop, &on_stop);
}

/// Takes the job off the pool if that needs no waiting; the operation has no outcome then.
void offload_operation_base::leave_waiting() noexcept {
    offload_pool::inbox* to_leave = nullptr;
    {
        const std::scoped_lock lock{pool_.mutex_};
        auto& inbox = *static_cast<offload_pool::inbox*>(job_->inbox_);
        if (job_->stage_ == offload_job::stage::waiting) {
            job_->unlink();
            job_->stage_ = offload_job::stage::idle;
            --pool_.counters_.waiting;
        } else if (job_->stage_ == offload_job::stage::running &&
                   on_stop_ == offload_stop::abandons) {
            job_->stage_ = offload_job::stage::abandoned;
            ++pool_.counters_.abandoned;
            (void)job_.release();  // the thread deletes it
        } else {
            return;
        }
        if (inbox.forget_one()) to_leave = &inbox;
    }
    mark_canceled();
    if (to_leave != nullptr) to_leave->leave_ring();
}

void offload_operation_base::on_stop(operation& self) noexcept {
    auto& op = static_cast<offload_operation_base&>(self);
    op.leave_waiting();
    if (op.is_canceled()) op.post();
}

offload_operation_base::~offload_operation_base() {
    if (current_phase() != phase::parked) return;
    leave_waiting();
    if (is_canceled()) return;
    offload_pool::inbox* to_leave = nullptr;
    {
        std::unique_lock lock{pool_.mutex_};
        pool_.finished_.wait(lock, [this] { return job_->stage_ == offload_job::stage::finished; });
        job_->unlink();
        auto& inbox = *static_cast<offload_pool::inbox*>(job_->inbox_);
        if (inbox.forget_one()) to_leave = &inbox;
    }
    if (to_leave != nullptr) to_leave->leave_ring();
}

}  // namespace weft
