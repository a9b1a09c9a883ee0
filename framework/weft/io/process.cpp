#include <weft/io/offload_pool.hpp>
#include <weft/io/process.hpp>
#include <weft/io/process_start.hpp>
#include <weft/io/scheduler.hpp>
#include <weft/sleep.hpp>

#include <poll.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>

namespace weft {

process_end_operation::process_end_operation(completion on_completion, process& child) noexcept
    : io_operation{on_completion, &make, &look, tolerates::interrupted}, child_{child} {}

bool process_end_operation::ready() const noexcept { return child_.status_.has_value(); }

void process_end_operation::make(io_operation& self, class ring& ring, ring_completion& done) {
    ring.poll(done, static_cast<process_end_operation&>(self).child_.handle_.get(), POLLIN);
}

auto process_end_operation::look(io_operation& self, int /*answer*/) noexcept -> next_step {
    auto& op = static_cast<process_end_operation&>(self);
    op.reap_error_ = op.child_.reap();
    return op.reap_error_ == EAGAIN ? next_step::again : next_step::finish;
}

result<exit_status> process_end_operation::finish() const noexcept {
    if (child_.status_) return *child_.status_;
    if (const std::error_code error = failure()) return error;
    return std::error_code{reap_error_, std::generic_category()};
}

process_termination::alarm::alarm(process_termination& self) noexcept
    : timer_node{[](timer_node& node, instant) noexcept {
          (void)static_cast<alarm&>(node).self_.child_.send_signal(SIGKILL);
      }},
      self_{self} {}

process_termination::process_termination(completion on_completion, process& child, duration grace,
                                         begins when) noexcept
    : process_end_operation{on_completion, child}, grace_{grace}, when_{when}, alarm_{*this} {}

void process_termination::start(const environment& env) {
    on_ = env.scheduler;
    if (when_ == begins::at_once) begin();
    start_request(env, &on_stop);
}

void process_termination::on_stop(operation& self) noexcept {
    static_cast<process_termination&>(self).begin();
}

/// A child that has ended already does not mind.
void process_termination::begin() noexcept {
    if (alarm_.is_armed()) return;
    (void)child_.send_signal(SIGTERM);
    on_->timers().arm(alarm_, saturating_add(on_->now(), grace_));
}

result<exit_status> process_termination::finish() noexcept {
    alarm_.disarm();
    return process_end_operation::finish();
}

process::process(process&& other) noexcept
    : id_{std::exchange(other.id_, -1)},
      handle_{std::move(other.handle_)},
      own_group_{other.own_group_},
      status_{std::exchange(other.status_, std::nullopt)},
      input_{std::move(other.input_)},
      output_{std::move(other.output_)},
      error_{std::move(other.error_)} {}

process& process::operator=(process&& other) noexcept {
    if (this == &other) return *this;
    end_on_the_spot();
    id_ = std::exchange(other.id_, -1);
    handle_ = std::move(other.handle_);
    own_group_ = other.own_group_;
    status_ = std::exchange(other.status_, std::nullopt);
    input_ = std::move(other.input_);
    output_ = std::move(other.output_);
    error_ = std::move(other.error_);
    return *this;
}

process::~process() { end_on_the_spot(); }

void process::end_on_the_spot() noexcept {
    if (!handle_ || status_) return;
    (void)send_signal(SIGKILL);
    siginfo_t info{};
    while (::waitid(P_PIDFD, static_cast<id_t>(handle_.get()), &info, WEXITED) != 0 &&
           errno == EINTR) {
    }
}

int process::reap() noexcept {
    siginfo_t info{};
    if (::waitid(P_PIDFD, static_cast<id_t>(handle_.get()), &info, WEXITED | WNOHANG) != 0) {
        return errno;
    }
    if (info.si_pid == 0) return EAGAIN;
    const bool exited = info.si_code == CLD_EXITED;
    status_ = exited ? exit_status{info.si_status, 0} : exit_status{0, info.si_status};
    return 0;
}

result<void> process::send_signal(int signal) const noexcept {
    if (!handle_) return std::errc::bad_file_descriptor;
    if (status_) return std::errc::no_such_process;  // its number may be another's by now
    const long sent = own_group_
                          ? ::kill(-id_, signal)
                          : ::syscall(SYS_pidfd_send_signal, handle_.get(), signal, nullptr, 0);
    if (sent == 0) return {};
    return std::error_code{errno, std::generic_category()};
}

task<result<process>> spawn(command wanted) {
    process_start start{std::move(wanted)};
    co_return co_await offload_pool::shared().run([&start] { return start(); });
}

}  // namespace weft
