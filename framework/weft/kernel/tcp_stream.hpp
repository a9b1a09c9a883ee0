#pragma once
// A TCP connection of the kernel in a program's hands: the concept weft::viewable_stream on Linux
// sockets, through io_uring.
//
// A move-only handle of the loop whose kernel::network made it, which it must not outlive. At most
// one operation of a kind waits at a time (a read, a write, a shutdown, a closed, side by side); a
// second one asserts in a debug build and completes with `weft::errc::busy` otherwise. A buffer
// belongs to the caller and stays until its operation has completed; the stream may be moved
// meanwhile. A stop ends a waiting read, shutdown or closed at once; a write when the kernel has
// let go of the buffer, before the coroutine goes on.
//
// What ended a connection stays: each later call reports it again, where Linux would report it
// once. Bytes that came before a RST are delivered before the error. See docs/kernel-sockets.md for
// what each awaitable stands on.

#include <weft/awaiter.hpp>
#include <weft/base/address.hpp>
#include <weft/base/result.hpp>
#include <weft/kernel/options.hpp>
#include <weft/kernel/stream_operations.hpp>

#include <cstddef>
#include <span>
#include <utility>

namespace weft::kernel {

class tcp_stream {
public:
    /// Holds nothing.
    tcp_stream() noexcept = default;
    tcp_stream(tcp_stream&& other) noexcept : connection_{std::exchange(other.connection_, {})} {}
    tcp_stream& operator=(tcp_stream&& other) noexcept {
        tcp_stream taken{std::move(other)};
        std::swap(connection_, taken.connection_);
        return *this;
    }
    /// Closes without waiting: the FIN follows the bytes already written. With unread bytes, or
    /// `linger_abort`, the peer gets a RST instead.
    ~tcp_stream() {
        if (connection_ != nullptr) connection_->release();
    }

    // ---- reading

    /// Reads what has arrived, at most `into.size()` bytes. Completes with the number of bytes as
    /// soon as there is one; with 0 when the peer has closed its direction. An empty buffer
    /// completes at once with 0, which is not the end. Cancelling moves nothing.
    [[nodiscard]] awaiter<read_operation> read_some(std::span<std::byte> into) noexcept {
        return awaiter<read_operation>{connection_, into};
    }
    /// Fills the whole buffer, without resuming the coroutine until it is full. Errors:
    /// `errc::end_of_stream` when the peer closes first; then, and after a cancellation, the first
    /// bytes of the buffer may have been read.
    [[nodiscard]] awaiter<read_exactly_operation> read_exactly(std::span<std::byte> into) noexcept {
        return awaiter<read_exactly_operation>{connection_, into};
    }
    /// Completes with success when a read would not wait: bytes are there, or the end. Holds no
    /// buffer meanwhile.
    [[nodiscard]] awaiter<readable_operation> readable() noexcept {
        return awaiter<readable_operation>{connection_};
    }
    /// The first readable bytes that lie together, in the network's memory; empty when there are
    /// none. Valid until the next read or consume() here.
    [[nodiscard]] std::span<const std::byte> read_view() const noexcept {
        return connection_ == nullptr ? std::span<const std::byte>{} : connection_->view();
    }
    /// Drops the first `count` bytes of what can be read. Precondition: `count` of them are there.
    void consume(std::size_t count) noexcept {
        if (connection_ != nullptr) connection_->consume(count);
    }

    // ---- writing

    /// Hands bytes to the kernel, as many as its send buffer takes; waits for room for the first.
    /// Completes with their number. Cancelling moves nothing. Errors: `std::errc::broken_pipe`
    /// after shutdown(), else what ended the connection.
    [[nodiscard]] awaiter<write_operation> write_some(std::span<const std::byte> bytes) noexcept {
        return awaiter<write_operation>{connection_, bytes};
    }
    /// Hands all of the bytes to the kernel, waiting for room as often as it takes, in one request.
    /// Cancelling reports `canceled`; what the kernel had taken by then is sent.
    [[nodiscard]] awaiter<write_all_operation> write_all(
        std::span<const std::byte> bytes) noexcept {
        return awaiter<write_all_operation>{connection_, bytes};
    }

    // ---- closing

    /// Closes our direction: a FIN behind what was written, by shutdown(2). Completes when the peer
    /// has acknowledged it; reading goes on. A write that waits meanwhile fails. Cancelling leaves
    /// the FIN on its way. Errors: `std::errc::broken_pipe` when called before.
    [[nodiscard]] awaiter<shutdown_operation> shutdown() noexcept {
        return awaiter<shutdown_operation>{connection_};
    }
    /// Completes when both directions are finished, in TIME-WAIT or CLOSED; with the error when the
    /// connection ended by one. Closes nothing itself.
    [[nodiscard]] awaiter<closed_operation> closed() noexcept {
        return awaiter<closed_operation>{connection_};
    }
    /// Ends the connection at once, with a RST in the states that send one. What was not read or
    /// sent is gone; operations that wait complete with `std::errc::connection_aborted`.
    void abort() noexcept {
        if (connection_ != nullptr) connection_->abort();
    }

    // ---- queries and settings

    [[nodiscard]] explicit operator bool() const noexcept { return connection_ != nullptr; }
    [[nodiscard]] endpoint local_endpoint() const noexcept {
        return connection_ == nullptr ? endpoint{} : connection_->local();
    }
    [[nodiscard]] endpoint remote_endpoint() const noexcept {
        return connection_ == nullptr ? endpoint{} : connection_->remote();
    }
    /// What ended the connection, as far as it is known; value 0 after an orderly end.
    [[nodiscard]] std::error_code error() const noexcept {
        return connection_ == nullptr ? std::error_code{} : connection_->error();
    }

    void set_no_delay(bool on) noexcept;
    void set_keepalive(const keepalive_options& options) noexcept;
    /// How long sent bytes may stay unacknowledged; zero: the system's figure.
    void set_user_timeout(duration timeout) noexcept;
    /// The socket, for setsockopt(2). It stays the stream's, and in blocking mode.
    [[nodiscard]] int descriptor() const noexcept {
        return connection_ == nullptr ? -1 : connection_->descriptor();
    }

private:
    friend class accept_operation;
    friend class connect_operation;

    /// Takes over a new connection.
    explicit tcp_stream(connection& held) noexcept : connection_{&held} { held.hold(); }

    connection* connection_ = nullptr;
};

}  // namespace weft::kernel
