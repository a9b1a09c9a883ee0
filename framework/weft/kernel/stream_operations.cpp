#include <weft/io/scheduler.hpp>
#include <weft/kernel/stream_operations.hpp>

#include <cassert>
#include <cerrno>

namespace weft::kernel {

// ---- stream_operation

void stream_operation::wait(const environment& in) noexcept {
    in_ = in;
    connection& on = *connection_;
    park(*in.scheduler, in.stop, on.*slot_);
    if (slot_ == &connection::reader) on.want_input();
}

std::error_code stream_operation::refusal() const noexcept {
    if (const std::error_code why = wait_error()) return why;
    if (!connection_) return std::make_error_code(std::errc::not_connected);
    return {};
}

std::error_code stream_operation::end_error() const noexcept {
    const std::error_code why = connection_->error();
    return why ? why : std::make_error_code(std::errc::not_connected);
}

// ---- reading: stop, then bytes, then the end, then the error

result<std::size_t> read_operation::finish() noexcept {
    if (const std::error_code no = refusal()) return no;
    if (into_.empty()) return std::size_t{0};
    if (const std::size_t count = connection_->read(into_)) return count;
    if (connection_->is_read_finished()) return std::size_t{0};
    return end_error();
}

void read_exactly_operation::start(const environment& in) noexcept {
    if (advance()) {
        post_now(*in.scheduler);
    } else {
        stream_wait::start(in);
    }
}

bool read_exactly_operation::advance() noexcept {
    rest_ = rest_.subspan(connection_->read(rest_));
    return rest_.empty() || connection_->can_read();  // can_read: the end or an error
}

result<void> read_exactly_operation::finish() noexcept {
    if (const std::error_code no = refusal()) return no;
    advance();
    if (rest_.empty()) return {};
    if (connection_->is_read_finished()) return errc::end_of_stream;
    return end_error();
}

result<void> readable_operation::finish() const noexcept {
    if (const std::error_code no = refusal()) return no;
    if (connection_->unread_bytes() != 0 || connection_->is_read_finished()) return {};
    return end_error();
}

// ---- writing

send_operation::send_operation(completion resume, connection* on, std::span<const std::byte> bytes,
                               ring::sending how) noexcept
    : operation{resume}, ring_completion{&answered}, connection_{on}, rest_{bytes}, how_{how} {}

/// In flight only when a suspended coroutine is destroyed, which a joined one never is. A send in
/// place may be in flight until the peer acknowledges, unless the connection goes.
send_operation::~send_operation() {
    if (!is_in_flight()) return;
    connection_->writer = nullptr;
    if (how_ == ring::sending::all_in_place) connection_->abort();
    connection_->ring().withdraw(*this);
}

void send_operation::start(const environment& in) noexcept {
    assert(connection_->writer == nullptr && "one write at a time on a stream");
    error_ = connection_->write_refusal();
    if (connection_->writer != nullptr) error_ = errc::busy;
    if (error_) {
        post_now(*in.scheduler);
        return;
    }
    connection_->writer = this;
    if (how_ == ring::sending::all) how_ = connection_->sending_of(rest_.size());
    send_rest();
    park(*in.scheduler, in.stop, &on_stop);
}

void send_operation::send_rest() noexcept {
    connection_->ring().send(*this, connection_->descriptor(), rest_, how_);
}

void send_operation::answered(ring_completion& done, int answer, unsigned flags) noexcept {
    auto& self = static_cast<send_operation&>(done);
    if (ring::is_release(flags)) {
        if (ring::was_copied(answer)) self.connection_->on_zero_copy_was_copied();
    } else {
        self.take(answer);
    }
    if (ring::goes_on(flags)) return;  // the kernel reads the memory still
    const bool goes_on = !self.error_ && !self.is_canceled() && !self.rest_.empty() &&
                         (self.sent_ == 0 || self.how_ != ring::sending::some);
    if (goes_on && !self.is_stopping_) {
        self.send_rest();
        return;
    }
    if (goes_on) self.mark_canceled();
    self.connection_->writer = nullptr;
    self.post();
}

void send_operation::take(int answer) noexcept {
    if (answer >= 0) {
        const auto count = static_cast<std::size_t>(answer);
        sent_ += count;
        rest_ = rest_.subspan(count);
    } else if (answer == -ECANCELED && is_stopping_) {
        mark_canceled();
    } else if (answer != -EINTR) {
        error_ = connection_->on_send_failure(-answer);
    }
}

void send_operation::give_up() noexcept { connection_->ring().cancel(*this); }

void send_operation::on_stop(operation& stopped) noexcept {
    auto& self = static_cast<send_operation&>(stopped);
    if (self.is_stopping_) return;
    self.is_stopping_ = true;
    self.connection_->ring().cancel(self);
}

std::error_code send_operation::failure() const noexcept {
    if (const std::error_code why = wait_error()) return why;
    if (!connection_) return std::make_error_code(std::errc::not_connected);
    return error_;
}

// ---- closing

void shutdown_operation::start(const environment& in) noexcept {
    error_ = connection_->shutdown();
    if (error_) {
        post_now(*in.scheduler);
        return;
    }
    stream_wait::start(in);
}

result<void> shutdown_operation::finish() const noexcept {
    if (const std::error_code no = refusal()) return no;
    if (error_) return error_;
    if (connection_->is_fin_acked()) return {};
    return end_error();
}

void closed_operation::start(const environment& in) noexcept {
    stream_wait::start(in);
    connection_->watch_end();
}

result<void> closed_operation::finish() const noexcept {
    if (const std::error_code no = refusal()) return no;
    if (const std::error_code why = connection_->error()) return why;
    return {};
}

}  // namespace weft::kernel
