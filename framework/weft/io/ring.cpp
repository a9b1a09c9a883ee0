#include <weft/io/ring.hpp>
#include <weft/io/ring_state.hpp>
#include <weft/log.hpp>

#include <liburing.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <cassert>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <stdexcept>
#include <system_error>

namespace weft {
namespace {

constexpr unsigned setup_flags = IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN |
                                 IORING_SETUP_SUBMIT_ALL | IORING_SETUP_CQSIZE | IORING_SETUP_CLAMP;

/// The kernel refuses a whole batch: without a ring there is no way on.
[[noreturn]] void give_up(int error) {
    log::get("io").error("io_uring_enter: {}", std::strerror(error));
    std::abort();
}

unsigned length_of(std::size_t bytes) noexcept {
    constexpr std::size_t largest = 0x7fff'f000;  // what Linux moves in one call
    return static_cast<unsigned>(bytes < largest ? bytes : largest);
}

}  // namespace

ring_completion::~ring_completion() {
    assert(!in_flight_ && "the kernel would write into freed memory: withdraw() first");
}

ring::ring(options wanted) : state_{std::make_unique<state>()} {
    if (wanted.submissions == 0 || wanted.completions < wanted.submissions) {
        throw std::invalid_argument{"a ring has submissions, and completions for all of them"};
    }
    io_uring_params params{};
    params.flags = setup_flags;
    params.cq_entries = wanted.completions;
    const int error = -io_uring_queue_init_params(wanted.submissions, &state_->kernel, &params);
    if (error != 0) {
        utsname system{};
        ::uname(&system);
        throw std::system_error{error, std::generic_category(), why_no_ring(error, system.release)};
    }
    abilities_ = common(probe(), wanted.abilities);
    if (wanted.busy_poll > duration::zero()) (void)poll_busily(wanted.busy_poll);
    (void)io_uring_register_ring_fd(&state_->kernel);  // only makes enter cheaper
}

ring::~ring() {
    assert(in_flight_ == 0);
    io_uring_queue_exit(&state_->kernel);
}

io_uring_sqe& ring::next_entry() {
    io_uring& kernel = state_->kernel;
    for (;;) {
        if (io_uring_sqe* entry = io_uring_get_sqe(&kernel)) return *entry;
        ++counters_.early_enters;
        ++counters_.enters;
        if (state_->faults != nullptr) state_->faults->look_at(kernel.sq);
        const int submitted = io_uring_submit(&kernel);
        collect(submitted);
        if (submitted == -EBUSY || submitted == -EAGAIN) set_aside_completions();
    }
}

io_uring_sqe& ring::request(ring_completion& done) {
    assert(!done.in_flight_ && "one request in flight a ring_completion");
    io_uring_sqe& entry = next_entry();
    done.in_flight_ = true;
    ++in_flight_;
    ++counters_.submitted;
    return entry;
}

// Every prep function clears user_data, so it is set last.
void ring::read(ring_completion& done, int fd, std::span<std::byte> into, std::uint64_t offset) {
    io_uring_sqe& entry = request(done);
    io_uring_prep_read(&entry, fd, into.data(), length_of(into.size()), offset);
    io_uring_sqe_set_data(&entry, &done);
}

void ring::write(ring_completion& done, int fd, std::span<const std::byte> from,
                 std::uint64_t offset) {
    io_uring_sqe& entry = request(done);
    io_uring_prep_write(&entry, fd, from.data(), length_of(from.size()), offset);
    io_uring_sqe_set_data(&entry, &done);
}

void ring::write_vectored(ring_completion& done, int fd, std::span<const iovec> from,
                          std::uint64_t offset) {
    io_uring_sqe& entry = request(done);
    io_uring_prep_writev(&entry, fd, from.data(), static_cast<unsigned>(from.size()), offset);
    io_uring_sqe_set_data(&entry, &done);
}

void ring::poll(ring_completion& done, int fd, unsigned events) {
    io_uring_sqe& entry = request(done);
    io_uring_prep_poll_add(&entry, fd, events);
    io_uring_sqe_set_data(&entry, &done);
}

void ring::open(ring_completion& done, int directory, const char* path, open_how& how) {
    io_uring_sqe& entry = request(done);
    io_uring_prep_openat2(&entry, directory, path, &how);
    io_uring_sqe_set_data(&entry, &done);
}

void ring::status(ring_completion& done, int fd, unsigned mask, struct statx& into) {
    io_uring_sqe& entry = request(done);
    io_uring_prep_statx(&entry, fd, "", AT_EMPTY_PATH, mask, &into);
    io_uring_sqe_set_data(&entry, &done);
}

void ring::close(ring_completion& done, int fd) {
    io_uring_sqe& entry = request(done);
    io_uring_prep_close(&entry, fd);
    io_uring_sqe_set_data(&entry, &done);
}

void ring::sync(ring_completion& done, int fd) {
    io_uring_sqe& entry = request(done);
    io_uring_prep_fsync(&entry, fd, 0);
    io_uring_sqe_set_data(&entry, &done);
}

void ring::no_operation(ring_completion& done) {
    io_uring_sqe& entry = request(done);
    io_uring_prep_nop(&entry);
    io_uring_sqe_set_data(&entry, &done);
}

void ring::cancel(ring_completion& target) {
    if (!target.in_flight_) return;
    io_uring_sqe& entry = next_entry();
    io_uring_prep_cancel(&entry, &target, 0);
    io_uring_sqe_set_data(&entry, nullptr);  // its own completion tells nothing
}

void ring::withdraw(ring_completion& target, answers that) noexcept {
    if (!target.in_flight_) return;
    cancel(target);
    for (;;) {
        set_aside_completions();
        if (state_->faults != nullptr) {
            state_->faults->hand_over(target, state_->set_aside_completions);
        }
        if (take_set_aside(target, that)) break;
        ++counters_.enters;
        collect(io_uring_submit_and_wait(&state_->kernel, 1));
    }
    target.in_flight_ = false;
    --in_flight_;
}

/// Drops what was set aside for `target`; true when its last completion was among it.
bool ring::take_set_aside(const ring_completion& target, answers that) {
    bool ended = false;
    std::erase_if(state_->set_aside_completions, [&](const state::set_aside& entry) {
        if (entry.told != &target) return false;
        if (that == answers::close_unwanted && entry.result >= 0) ::close(entry.result);
        ended = ended || (entry.flags & IORING_CQE_F_MORE) == 0;
        return true;
    });
    return ended;
}

void ring::set_aside_completions() {
    io_uring& kernel = state_->kernel;
    for (;;) {
        unsigned head = 0;
        unsigned count = 0;
        io_uring_cqe* entry = nullptr;
        io_uring_for_each_cqe(&kernel, head, entry) {
            ++count;
            void* told = io_uring_cqe_get_data(entry);
            if (told == nullptr) continue;
            state::set_aside answer{told, entry->res, entry->flags};
            if (state_->faults != nullptr && state_->faults->keep_back(answer)) continue;
            state_->set_aside_completions.push_back(answer);
        }
        io_uring_cq_advance(&kernel, count);
        if (!io_uring_cq_has_overflow(&kernel)) return;
        ++counters_.overflows;
        collect(io_uring_get_events(&kernel));
    }
}

void ring::dispatch(void* told, int result, unsigned flags) noexcept {
    if (ring_notice* notice = state::notice_of(told)) {
        notice->on_notice_(*notice, result);
        return;
    }
    auto& done = *static_cast<ring_completion*>(told);
    if ((flags & IORING_CQE_F_MORE) == 0) {
        done.in_flight_ = false;
        --in_flight_;
    }
    ++counters_.completed;
    done.on_completion_(done, result, flags);
}

// One at a time, and off the queue before its handler runs: a handler may withdraw any other.
std::size_t ring::reap(std::size_t budget) noexcept {
    io_uring& kernel = state_->kernel;
    auto& earlier = state_->set_aside_completions;
    const bool has_faults = state_->faults != nullptr;
    if (has_faults) state_->faults->release(earlier);
    std::size_t dispatched = 0;
    while (dispatched < budget) {
        if (!earlier.empty()) {
            const state::set_aside next = earlier.front();
            earlier.pop_front();
            dispatch(next.told, next.result, next.flags);
            ++dispatched;
            continue;
        }
        if (has_faults) {
            set_aside_completions();
            if (earlier.empty()) break;
            continue;
        }
        unsigned head = 0;
        io_uring_cqe* entry = nullptr;
        io_uring_for_each_cqe(&kernel, head, entry) { break; }
        if (entry == nullptr) {
            if (!io_uring_cq_has_overflow(&kernel)) break;
            ++counters_.overflows;
            collect(io_uring_get_events(&kernel));  // moves the kernel's backlog into the queue
            continue;
        }
        void* told = io_uring_cqe_get_data(entry);
        const int result = entry->res;
        const unsigned flags = entry->flags;
        io_uring_cq_advance(&kernel, 1);
        if (told == nullptr) continue;
        dispatch(told, result, flags);
        ++dispatched;
    }
    return dispatched;
}

bool ring::has_completions() const noexcept {
    return !state_->set_aside_completions.empty() || io_uring_cq_ready(&state_->kernel) != 0 ||
           io_uring_cq_has_overflow(&state_->kernel) ||
           (state_->faults != nullptr && !state_->faults->kept_back.empty());
}

void ring::enter(std::optional<duration> timeout) noexcept {
    io_uring& kernel = state_->kernel;
    if (state_->faults != nullptr && !state_->faults->before_enter(kernel)) return;
    ++counters_.enters;
    if (has_completions() || (timeout && *timeout <= duration::zero())) {
        collect(io_uring_submit_and_get_events(&kernel));
        return;
    }
    if (!timeout) {
        collect(io_uring_submit_and_wait(&kernel, 1));
        return;
    }
    const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(*timeout);
    __kernel_timespec limit{};
    limit.tv_sec = seconds.count();
    limit.tv_nsec = (*timeout - seconds).count();
    io_uring_cqe* first = nullptr;
    collect(io_uring_submit_and_wait_timeout(&kernel, &first, 1, &limit, nullptr));
}

void ring::collect(int entered) noexcept {
    if (entered >= 0) return;
    switch (-entered) {
        case ETIME:   // the wait timed out
        case EINTR:   // a signal without a signalfd
        case EBUSY:   // the completion queue has to be emptied first
        case EAGAIN:  // no memory just now: the requests stay queued
            return;
        default: give_up(-entered);
    }
}

}  // namespace weft
