#pragma once
// Signals as something to await, through a signalfd; and how Ctrl-C stops a program.
//
// While a signal_set exists its signals are blocked in this thread, so make it before other threads
// start: those inherit that. Sets may overlap and end in any order, on the thread that made them; a
// signal that two sets want goes to the one that asks first, and is unblocked, unless it was
// blocked before, when the last of them goes. Signals that are pending then are swallowed: they
// were asked to be handled here. `interrupt_watch` is what weft::run() installs; nothing else needs
// it.

#include <weft/awaiter.hpp>
#include <weft/base/stop_token.hpp>
#include <weft/io/io_operation.hpp>

#include <signal.h>

#include <initializer_list>
#include <optional>

namespace weft {

class signal_set;

class next_signal_operation : public io_operation {
public:
    next_signal_operation(completion on_completion, signal_set& from) noexcept
        : io_operation{on_completion, &make, &look, tolerates::interrupted}, from_{from} {}
    void start(const environment& env) { start_request(env); }
    [[nodiscard]] result<int> finish() noexcept;

private:
    static void make(io_operation& self, class ring& ring, ring_completion& done);
    static next_step look(io_operation& self, int answer) noexcept;

    signal_set& from_;
    int signal_ = 0;
};

class signal_set {
public:
    /// Throws std::system_error when the kernel has no signalfd to give, or a number is no signal.
    signal_set(std::initializer_list<int> signals);
    signal_set(const signal_set&) = delete;
    signal_set& operator=(const signal_set&) = delete;
    ~signal_set();

    /// The next signal that came, at once or when it comes. One at a time a set.
    [[nodiscard]] auto next() { return awaiter<next_signal_operation>{*this}; }
    /// A signal that has come already.
    [[nodiscard]] std::optional<int> take() noexcept;

    [[nodiscard]] int descriptor() const noexcept { return fd_; }

private:
    sigset_t wanted_{};
    int fd_ = -1;
};

/// The first SIGINT or SIGTERM requests stop, so that a program closes its connections in order;
/// the second ends the process at once, with status 130, even when its loop does not turn any more.
class interrupt_watch : ring_completion {
public:
    explicit interrupt_watch(class ring& ring);
    ~interrupt_watch();

    [[nodiscard]] stop_token token() noexcept { return stop_.token(); }

private:
    void on_signals() noexcept;
    void exit_on_next() noexcept;

    class ring& ring_;
    signal_set signals_{SIGINT, SIGTERM};
    stop_source stop_;
    struct sigaction before_int_{};
    struct sigaction before_term_{};
};

}  // namespace weft
