#include <weft/net/io/host.hpp>
#include <weft/net/io/stream_operations.hpp>

#include <cassert>

namespace weft::net {

// ---- stream_operation

void stream_operation::wait(const environment& in) noexcept {
    assert(in.scheduler == &host_->scheduler() && "a stream is awaited on the loop of its host");
    stop_ = in.stop;
    park_in_slot();
}

void stream_operation::park_in_slot() noexcept {
    park(host_->scheduler(), stop_, connection_->waiter(slot_));
}

void stream_operation::wait_again() noexcept {
    reset();
    park_in_slot();
}

void stream_operation::finish_soon() noexcept { post_now(host_->scheduler()); }

std::error_code stream_operation::refusal() const noexcept {
    if (const std::error_code why = wait_error()) return why;
    if (connection_ == nullptr) return errc::not_connected;
    return {};
}

std::error_code stream_operation::end_error() const noexcept {
    const std::error_code why = connection_->error();
    return why ? why : make_error_code(errc::not_connected);
}

void stream_operation::settle_later() noexcept { host_->settle_later(); }
instant stream_operation::now() const noexcept { return host_->now(); }

// ---- reading: stop, then bytes, then the end, then the error

result<std::size_t> read_operation::finish() noexcept {
    if (const std::error_code no = refusal()) return no;
    if (into_.empty()) return std::size_t{0};
    const std::uint32_t count = connection_->read(into_, now());
    if (count != 0) {
        settle_later();
        return std::size_t{count};
    }
    if (connection_->is_read_finished()) return std::size_t{0};
    return end_error();
}

bool read_exactly_operation::ready() const noexcept {
    return connection_ == nullptr || connection_->readable_bytes() >= rest_.size();
}

void read_exactly_operation::start(const environment& in) noexcept {
    if (advance()) {
        finish_soon();
    } else {
        stream_wait::start(in);
    }
}

bool read_exactly_operation::advance() noexcept {
    const std::uint32_t count = connection_->read(rest_, now());
    if (count != 0) settle_later();
    rest_ = rest_.subspan(count);
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
    if (connection_->readable_bytes() != 0 || connection_->is_read_finished()) return {};
    return end_error();
}

result<std::size_t> urgent_operation::finish() noexcept {
    if (const std::error_code no = refusal()) return no;
    if (connection_->has_urgent_news()) {
        connection_->take_urgent_news();
        return std::size_t{connection_->urgent_bytes()};
    }
    if (connection_->is_fin_received()) return errc::end_of_stream;
    return end_error();
}

// ---- writing

result<std::size_t> write_operation::finish() noexcept {
    if (const std::error_code no = refusal()) return no;
    if (bytes_.empty()) return std::size_t{0};
    const result<std::uint32_t> taken = connection_->write(bytes_, now(), how_);
    if (!taken) return taken.error();
    if (*taken == 0) return errc::no_buffers;  // room was free, so the pool is not
    settle_later();
    return std::size_t{*taken};
}

void write_all_operation::start(const environment& in) noexcept {
    if (advance()) {
        finish_soon();
    } else {
        stream_wait::start(in);
    }
}

bool write_all_operation::advance() noexcept {
    if (error_ || rest_.empty()) return true;
    const result<std::uint32_t> taken = connection_->write(rest_, now());
    if (!taken) {
        error_ = taken.error();
        return true;
    }
    if (*taken != 0) settle_later();
    rest_ = rest_.subspan(*taken);
    return rest_.empty();
}

result<void> write_all_operation::finish() noexcept {
    if (const std::error_code no = refusal()) return no;
    if (!error_ && !rest_.empty() && !advance()) return errc::no_buffers;
    if (error_) return error_;
    return {};
}

// ---- closing

void shutdown_operation::start(const environment& in) noexcept {
    error_ = connection_->close(now()).error();
    if (error_) {
        finish_soon();
        return;
    }
    settle_later();
    stream_wait::start(in);
}

result<void> shutdown_operation::finish() const noexcept {
    if (const std::error_code no = refusal()) return no;
    if (error_) return error_;
    if (connection_->is_fin_acked()) return {};
    return end_error();
}

result<void> closed_operation::finish() const noexcept {
    if (const std::error_code no = refusal()) return no;
    if (const std::error_code why = connection_->error()) return why;
    return {};
}

/// Every connection begins in CLOSED; what can be waited for is to get back there.
bool reached_operation::was_reached() const noexcept {
    if (awaited_ == tcp::state::closed) return connection_->state() == tcp::state::closed;
    return tcp::is_one_of(awaited_, connection_->visited());
}

bool reached_operation::can_be_reached() const noexcept {
    const tcp::state from = connection_->state();
    return from != tcp::state::closed && tcp::is_one_of(awaited_, tcp::reachable_from(from));
}

result<void> reached_operation::finish() const noexcept {
    if (const std::error_code no = refusal()) return no;
    if (was_reached()) return {};
    return errc::unreachable_state;
}

}  // namespace weft::net
