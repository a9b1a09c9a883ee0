#include <weft/kernel/connection.hpp>
#include <weft/kernel/network.hpp>
#include <weft/kernel/stream_operations.hpp>
#include <weft/kernel/system_calls.hpp>

#include <sys/epoll.h>

#include <algorithm>
#include <cassert>
#include <cerrno>
#include <chrono>
#include <cstring>

namespace weft::kernel {
namespace {

/// What a RST is called depends on where it found us (EPIPE in CLOSE-WAIT); here it is one thing.
std::error_code named(int error) noexcept {
    return {error == EPIPE ? ECONNRESET : error, std::generic_category()};
}

}  // namespace

connection::receipt::receipt(connection& self) noexcept
    : ring_completion{[](ring_completion& done, int answer, unsigned flags) noexcept {
          static_cast<receipt&>(done).self_.on_received(answer, flags);
      }},
      self_{self} {}

connection::end_watch::end_watch(connection& self) noexcept
    : ring_completion{[](ring_completion& done, int answer, unsigned flags) noexcept {
          static_cast<end_watch&>(done).self_.on_watch(answer, flags);
      }},
      self_{self} {}

connection::look_again::look_again(connection& self) noexcept
    : timer_node{[](timer_node& node, instant) noexcept {
          static_cast<look_again&>(node).self_.go_on();
      }},
      self_{self} {}

connection::connection(network& owner, int fd, const connect_options& options) noexcept
    : kernel_socket{owner, fd},
      receipt_{*this},
      watch_{*this},
      again_{*this},
      zero_copy_from_bytes_{options.zero_copy_from_bytes},
      linger_abort_{options.linger_abort} {}

ring& connection::ring() const noexcept { return owner_.ring(); }

// ---- reading

void connection::want_input() noexcept {
    if (reading_ != reading::open || receipt_.is_in_flight()) return;
    const std::size_t most = std::max<std::size_t>(owner_.options().unread_bytes, 1);
    if (unread_bytes_ >= most) return;
    is_paused_ = false;
    ring().receive_all(receipt_, fd_, owner_.pool().group(),
                       static_cast<std::uint32_t>(most - unread_bytes_));
}

void connection::on_received(int answer, unsigned flags) noexcept {
    if (const auto buffer = ring::buffer_of(flags)) {
        if (answer > 0) {
            queue(*buffer, static_cast<std::size_t>(answer));
        } else {
            owner_.pool().release(*buffer);
        }
    }
    if (!ring::goes_on(flags)) on_receive_end(answer);
    if (can_read()) tell(reader);
    end_if_unused();
}

void connection::queue(std::uint16_t buffer, std::size_t bytes) noexcept {
    if (is_released_ || reading_ != reading::open) {
        owner_.pool().release(buffer);
        if (is_released_) reset_connection(fd_);  // the peer said something that nobody will read
        return;
    }
    received_bytes& come = owner_.pool().take(buffer, bytes, reader != nullptr);
    (first_ == nullptr ? first_ : last_->next) = &come;
    last_ = &come;
    unread_bytes_ += bytes;
    if (unread_bytes_ < owner_.options().unread_bytes || is_paused_) return;
    is_paused_ = true;
    ring().cancel(receipt_);
}

/// The request is over; the connection may not be.
void connection::on_receive_end(int answer) noexcept {
    if (is_released_ || reading_ != reading::open) return;
    if (answer == 0) {
        // After an error that somebody else was told, Linux says that the end has been reached.
        reading_ = error_ ? reading::failed : reading::finished;
        return;
    }
    switch (-answer) {
        case ENOBUFS:
            if (owner_.pool().on_starvation()) break;
            fail(std::make_error_code(std::errc::no_buffer_space));
            return;
        case EAGAIN:  // the kernel's trouble, not the connection's: at once again may be for ever
        case ENOMEM: look_later(); return;
        case ECANCELED:
        case EINTR: break;
        default:
            if (answer < 0) {
                fail(named(-answer));
                return;
            }
            is_paused_ = true;  // as much has come as one connection may hold
    }
    if (reader != nullptr && unread_bytes_ == 0) want_input();
}

void connection::look_later() noexcept {
    constexpr duration pause = std::chrono::milliseconds{5};
    if (again_.is_armed()) return;
    owner_.scheduler().timers().arm(again_, owner_.scheduler().now() + pause);
}

void connection::go_on() noexcept {
    if (reader != nullptr && unread_bytes_ == 0) want_input();
    if (finisher != nullptr || closer != nullptr) watch_end();
}

std::size_t connection::read(std::span<std::byte> into) noexcept {
    std::size_t moved = 0;
    while (moved < into.size() && first_ != nullptr) {
        const std::span<const std::byte> lying = view();
        const std::size_t count = std::min(lying.size(), into.size() - moved);
        std::memcpy(into.data() + moved, lying.data(), count);
        moved += count;
        consume(count);
    }
    return moved;
}

std::span<const std::byte> connection::view() const noexcept {
    if (first_ == nullptr) return {};
    return {first_->data + first_->begin, first_->data + first_->end};
}

void connection::consume(std::size_t count) noexcept {
    assert(count <= unread_bytes_);
    unread_bytes_ -= count;
    while (count > 0) {
        received_bytes& first = *first_;
        const std::size_t part = std::min<std::size_t>(count, first.end - first.begin);
        first.begin += static_cast<std::uint32_t>(part);
        count -= part;
        if (first.begin != first.end) break;
        first_ = first.next;
        owner_.pool().release(first);
    }
    if (first_ == nullptr) last_ = nullptr;
    if (is_paused_ && unread_bytes_ <= owner_.options().unread_bytes / 2) want_input();
}

void connection::drop_unread() noexcept {
    while (first_ != nullptr) {
        received_bytes* const next = first_->next;
        owner_.pool().release(*first_);
        first_ = next;
    }
    last_ = nullptr;
    unread_bytes_ = 0;
}

// ---- writing and closing

std::error_code connection::write_refusal() const noexcept {
    if (error_) return error_;
    if (is_shut_down_) return std::make_error_code(std::errc::broken_pipe);
    return {};
}

ring::sending connection::sending_of(std::size_t bytes) const noexcept {
    const bool in_place = zero_copy_from_bytes_ != 0 && bytes >= zero_copy_from_bytes_ &&
                          ring().abilities().zero_copy_send;
    return in_place ? ring::sending::all_in_place : ring::sending::all;
}

void connection::on_zero_copy_was_copied() noexcept { zero_copy_from_bytes_ = 0; }

/// Bytes that came before the error are still to be read, so reading does not end here. What the
/// kernel lacks is no error of the connection, and the next write may go out.
std::error_code connection::on_send_failure(int error) noexcept {
    switch (error) {
        case EAGAIN:
        case ENOBUFS:
        case ENOMEM: return error_ ? error_ : std::error_code{error, std::generic_category()};
        case ECANCELED:
            return error_ ? error_ : std::make_error_code(std::errc::operation_canceled);
        default: break;
    }
    if (error == EPIPE && is_shut_down_) return std::make_error_code(std::errc::broken_pipe);
    if (!error_) error_ = named(error);
    tell(finisher);
    return error_;
}

std::error_code connection::shutdown() noexcept {
    if (const std::error_code no = write_refusal()) return no;
    is_shut_down_ = true;
    if (const std::error_code why = close_sending(fd_)) {
        // ENOTCONN: it is over, and the receive request has the reason, or nobody had one.
        const std::error_code ended = take_error(fd_);
        if (ended) error_ = named(ended.value());
        if (!error_) error_ = why == std::errc::not_connected ? named(ECONNRESET) : why;
        return error_;
    }
    watch_end();
    return {};
}

/// Before our FIN only the peer's matters; behind it every change of the socket's state is told to
/// whoever polls for room to write, which there is now for good.
void connection::watch_end() noexcept {
    if (is_over_ || is_released_) return;
    if (watch_.is_in_flight()) {
        if (is_shut_down_ != watches_room_) ring().cancel(watch_);
        return;
    }
    watches_room_ = is_shut_down_;
    const unsigned room = is_shut_down_ ? static_cast<unsigned>(EPOLLOUT) : 0U;
    ring().poll_all(watch_, fd_, room | EPOLLRDHUP | EPOLLET);
}

void connection::on_watch(int answer, unsigned flags) noexcept {
    if (!is_released_) {
        if (answer != -ECANCELED) look_at_end();
        const bool somebody_waits = finisher != nullptr || closer != nullptr;
        if (!ring::goes_on(flags) && !is_over_ && somebody_waits) {
            if (is_shut_down_ != watches_room_) {
                watch_end();
            } else {  // the kernel ended it: at once again would be for ever
                look_later();
            }
        }
    }
    end_if_unused();
}

/// The state is asked first: what acknowledges our FIN may arrive between the two questions with
/// what ends the connection, and an end without an acknowledgement is a failure.
void connection::look_at_end() noexcept {
    const bool over = kernel::is_over(fd_);
    if (is_shut_down_ && !is_fin_acked_ && unacknowledged(fd_) == 0) is_fin_acked_ = true;
    if (over) {
        is_over_ = true;
        if (const std::error_code why = take_error(fd_); why && !error_)
            error_ = named(why.value());
    }
    if (is_fin_acked_ || is_over_) tell(finisher);
    if (is_over_) tell(closer);
}

void connection::fail(std::error_code why) noexcept {
    if (!error_) error_ = why;
    reading_ = reading::failed;
    tell(reader);
    tell(finisher);
    tell(closer);
}

void connection::abort() noexcept {
    if (error_ == std::errc::connection_aborted) return;
    keep_endpoints();
    reset_connection(fd_);
    drop_unread();
    error_ = std::make_error_code(std::errc::connection_aborted);
    is_over_ = true;
    fail(error_);
    ring().cancel(receipt_);
    ring().cancel(watch_);
    again_.disarm();
    if (writer != nullptr) writer->give_up();
}

void connection::release() noexcept {
    is_released_ = true;
    again_.disarm();
    if (unread_bytes_ != 0 || linger_abort_) reset_connection(fd_);
    drop_unread();
    ring().cancel(receipt_);
    ring().cancel(watch_);
    drop();
}

void connection::withdraw_requests() noexcept {
    ring().withdraw(receipt_);
    ring().withdraw(watch_);
}

// ---- queries

endpoint connection::local() const noexcept {
    if (!local_) local_ = local_endpoint_of(fd_);
    return *local_;
}

endpoint connection::remote() const noexcept {
    if (!remote_) remote_ = remote_endpoint_of(fd_);
    return *remote_;
}

void connection::keep_endpoints() noexcept {
    (void)local();
    (void)remote();
}

}  // namespace weft::kernel
