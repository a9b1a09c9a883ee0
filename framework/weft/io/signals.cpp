#include <weft/io/signals.hpp>
#include <weft/log.hpp>

#include <poll.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <ctime>
#include <system_error>

namespace weft {

namespace {

/// What the sets of this thread want of its signal mask, which is the thread's own.
struct claim {
    unsigned sets = 0;
    bool was_blocked = false;
};
thread_local std::array<claim, NSIG> claims;

sigset_t set_of(int signal) noexcept {
    sigset_t one{};
    ::sigemptyset(&one);
    ::sigaddset(&one, signal);
    return one;
}

void take_claim(int signal) noexcept {
    claim& mine = claims[static_cast<std::size_t>(signal)];
    if (mine.sets++ != 0) return;
    const sigset_t one = set_of(signal);
    sigset_t before{};
    ::pthread_sigmask(SIG_BLOCK, &one, &before);
    mine.was_blocked = ::sigismember(&before, signal) == 1;
}

void drop_claim(int signal) noexcept {
    claim& mine = claims[static_cast<std::size_t>(signal)];
    if (--mine.sets != 0) return;
    const sigset_t one = set_of(signal);
    const timespec at_once{};
    while (::sigtimedwait(&one, nullptr, &at_once) == signal) {
    }
    if (!mine.was_blocked) ::pthread_sigmask(SIG_UNBLOCK, &one, nullptr);
}

}  // namespace

signal_set::signal_set(std::initializer_list<int> signals) {
    ::sigemptyset(&wanted_);
    for (const int signal : signals) {
        if (::sigaddset(&wanted_, signal) != 0) {
            throw std::system_error{errno, std::generic_category(), "signal_set"};
        }
    }
    fd_ = ::signalfd(-1, &wanted_, SFD_NONBLOCK | SFD_CLOEXEC);
    if (fd_ < 0) throw std::system_error{errno, std::generic_category(), "signalfd"};
    for (int signal = 1; signal < NSIG; ++signal) {
        if (::sigismember(&wanted_, signal) == 1) take_claim(signal);
    }
}

signal_set::~signal_set() {
    ::close(fd_);
    for (int signal = 1; signal < NSIG; ++signal) {
        if (::sigismember(&wanted_, signal) == 1) drop_claim(signal);
    }
}

std::optional<int> signal_set::take() noexcept {
    signalfd_siginfo info{};
    if (::read(fd_, &info, sizeof info) != sizeof info) return std::nullopt;
    return static_cast<int>(info.ssi_signo);
}

// Polled, then read: a signalfd has to be read by the thread that the signal was sent to.
void next_signal_operation::make(io_operation& self, class ring& ring, ring_completion& done) {
    ring.poll(done, static_cast<next_signal_operation&>(self).from_.descriptor(), POLLIN);
}

auto next_signal_operation::look(io_operation& self, int /*answer*/) noexcept -> next_step {
    auto& op = static_cast<next_signal_operation&>(self);
    op.signal_ = op.from_.take().value_or(0);
    return op.signal_ == 0 ? next_step::again : next_step::finish;
}

result<int> next_signal_operation::finish() noexcept {
    if (const std::error_code error = failure()) return error;
    return signal_;
}

interrupt_watch::interrupt_watch(class ring& ring)
    : ring_completion{[](ring_completion& self, int, unsigned) noexcept {
          static_cast<interrupt_watch&>(self).on_signals();
      }},
      ring_{ring} {
    ring_.poll(*this, signals_.descriptor(), POLLIN);
}

interrupt_watch::~interrupt_watch() {
    ring_.withdraw(*this);
    if (!stop_.stop_requested()) return;
    ::sigaction(SIGINT, &before_int_, nullptr);
    ::sigaction(SIGTERM, &before_term_, nullptr);
}

void interrupt_watch::on_signals() noexcept {
    if (!signals_.take()) {
        ring_.poll(*this, signals_.descriptor(), POLLIN);
        return;
    }
    log::get("io").info("stopping; interrupt again to quit at once");
    exit_on_next();
    stop_.request_stop();
}

/// A handler, not the loop: what hangs in a coroutine that heeds no stop can still be ended.
void interrupt_watch::exit_on_next() noexcept {
    struct sigaction exit_now{};
    exit_now.sa_handler = [](int) { ::_exit(130); };
    ::sigaction(SIGINT, &exit_now, &before_int_);
    ::sigaction(SIGTERM, &exit_now, &before_term_);
    sigset_t both{};
    ::sigemptyset(&both);
    ::sigaddset(&both, SIGINT);
    ::sigaddset(&both, SIGTERM);
    ::pthread_sigmask(SIG_UNBLOCK, &both, nullptr);  // one that waits already ends us here
}

}  // namespace weft
