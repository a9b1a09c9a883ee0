#include <weft/kernel/listening.hpp>
#include <weft/kernel/network.hpp>
#include <weft/kernel/system_calls.hpp>
#include <weft/sleep.hpp>

#include <sys/socket.h>
#include <unistd.h>

#include <cassert>
#include <cerrno>
#include <new>
#include <utility>

namespace weft::kernel {
namespace {

void reject(int fd) noexcept {
    reset_connection(fd);
    ::close(fd);
}

}  // namespace

listening::pause_end::pause_end(listening& self) noexcept
    : timer_node{[](timer_node& node, instant) noexcept {
          static_cast<pause_end&>(node).self_.want_connections();
      }},
      self_{self} {}

listening::listening(network& owner, int fd, const listen_options& options) noexcept
    : kernel_socket{owner, fd},
      ring_completion{&answered},
      connection_options_{options.connection},
      local_{local_endpoint_of(fd)},
      pause_end_{*this} {}

ring& listening::owner_ring() const noexcept { return owner_.ring(); }

void listening::want_connections() noexcept {
    if (is_closed_ || error_ || is_in_flight() || pause_end_.is_armed()) return;
    if (waiters_.empty() && come_.size() >= owner_.options().accept_ahead) return;
    is_paused_ = false;
    owner_ring().accept_all(*this, fd_, SOCK_CLOEXEC);
}

void listening::answered(ring_completion& done, int answer, unsigned flags) noexcept {
    auto& self = static_cast<listening&>(done);
    if (answer >= 0) {
        self.on_connection(answer);
    } else {
        self.on_failure(-answer);
    }
    if (!ring::goes_on(flags) && !self.waiters_.empty()) self.want_connections();
    self.end_if_unused();
}

/// Also after close(): a request that was cancelled may have brought one more.
void listening::on_connection(int fd) noexcept {
    if (is_closed_) {
        reject(fd);
        return;
    }
    ++owner_.statistics_.accepted;
    take_back(fd);
    if (is_paused_ || come_.size() < owner_.options().accept_ahead) return;
    is_paused_ = true;
    owner_ring().cancel(*this);
}

/// To the first that waits, or to the queue.
void listening::take_back(int fd) noexcept {
    if (waiters_.empty()) {
        try {
            come_.push_back(fd);
        } catch (const std::bad_alloc&) {
            reject(fd);
        }
        return;
    }
    auto& next = static_cast<accept_operation&>(waiters_.front());
    next.promised_ = fd;
    next.post();
}

void listening::on_failure(int error) noexcept {
    switch (error) {
        case ECANCELED:     // a pause, or the end
        case ECONNABORTED:  // that connection went before it was accepted
            return;
        case EBADF:
        case EINVAL:
        case ENOTSOCK:
        case EOPNOTSUPP: fail({error, std::generic_category()}); return;
        default: break;
    }
    // EMFILE, ENFILE, ENOBUFS, ENOMEM, or a connection's trouble that Linux reports here. What
    // lasts must not be tried in every turn.
    ++owner_.statistics_.accept_pauses;
    weft::scheduler& on = owner_.scheduler();
    on.timers().arm(pause_end_, saturating_add(on.now(), owner_.options().accept_pause));
}

void listening::fail(std::error_code why) noexcept {
    error_ = why;
    while (!waiters_.empty()) waiters_.front().post();
}

void listening::close() noexcept {
    if (is_closed_) return;
    is_closed_ = true;
    pause_end_.disarm();
    fail(std::make_error_code(std::errc::broken_pipe));
    while (!come_.empty()) {
        const int fd = come_.front();
        come_.pop_front();
        reject(fd);
    }
    (void)::shutdown(fd_, SHUT_RDWR);  // refuses from now on, whoever holds the descriptor still
    owner_ring().cancel(*this);
}

// ---- accept_operation

accept_operation::~accept_operation() {
    if (promised_ < 0) return;
    if (listening_->is_closed()) {
        reject(promised_);
    } else {
        listening_->take_back(promised_);
    }
}

bool accept_operation::ready() const noexcept {
    return !listening_ || listening_->error_ || !listening_->come_.empty();
}

void accept_operation::start(const environment& in) noexcept {
    park(*in.scheduler, in.stop, listening_->waiters_);
    listening_->want_connections();
}

result<tcp_stream> accept_operation::finish() noexcept {
    if (const std::error_code no = wait_error()) return no;
    if (!listening_) return std::make_error_code(std::errc::not_connected);
    listening& from = *listening_;
    int fd = std::exchange(promised_, -1);
    if (fd < 0) {
        if (from.error_) return from.error_;
        fd = from.come_.front();
        from.come_.pop_front();
        if (from.is_paused_ && from.come_.size() <= from.owner_.options().accept_ahead / 2) {
            from.want_connections();
        }
    }
    auto* const made = new (std::nothrow) connection{from.owner_, fd, from.connection_options_};
    if (made != nullptr) return tcp_stream{*made};
    reject(fd);
    return std::make_error_code(std::errc::not_enough_memory);
}

}  // namespace weft::kernel
