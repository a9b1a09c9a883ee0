#pragma once
// A server's side of one HTTP/1.x connection over any stream (`read_some`, `write_all`,
// `shutdown`): receives one request after the other and sends what the program answers.
//
// Every wait has a deadline and memory is the caller's buffer, so a peer that says nothing, speaks
// one byte a second or never reads costs a bounded amount for a bounded time. Pipelined requests
// wait in the buffer until their turn. What to answer is not decided here, and what has come is
// judged by request_intake, for other front ends too.
//
// Used by one coroutine; the stream and the buffer must outlive it. RFC 9112.

#include <weft/base/result.hpp>
#include <weft/http/input_buffer.hpp>
#include <weft/http/request_intake.hpp>
#include <weft/io/scheduler.hpp>
#include <weft/stop.hpp>
#include <weft/task.hpp>
#include <weft/with_timeout.hpp>

#include <chrono>
#include <cstddef>
#include <optional>
#include <span>
#include <string_view>

namespace weft::http {

/// The bounds of a close: how long, and how much is read meanwhile.
struct close_limits {
    duration timeout = std::chrono::seconds{2};
    std::size_t max_dropped_bytes = 256 * 1024;
};

template <class Stream>
class server_connection {
public:
    server_connection(Stream& stream, input_buffer& input, const server_limits& limits) noexcept
        : stream_{stream}, intake_{input, limits}, limits_{limits} {}
    server_connection(const server_connection&) = delete;
    server_connection& operator=(const server_connection&) = delete;

    /// Reads the next request's head. The previous request's views are void.
    task<reception> receive() {
        const scheduler& on = co_await current_scheduler();
        const instant deadline = saturating_add(on.now(), limits_.head_timeout);
        std::optional<reception> came = intake_.begin_head();
        while (!came) {
            came = intake_.on_read(
                co_await with_deadline(deadline, stream_.read_some(intake_.room())));
        }
        co_return *came;
    }

    /// Reads the rest of the request's body and drops it, so that the next request can follow.
    /// `request` says that it can.
    task<reception> skip_body() {
        const scheduler& on = co_await current_scheduler();
        const instant deadline = saturating_add(on.now(), limits_.body_timeout);
        std::optional<reception> came = intake_.begin_body();
        while (!came) {
            came = intake_.on_read(
                co_await with_deadline(deadline, stream_.read_some(intake_.room())));
        }
        co_return *came;
    }

    /// What has come. The request is valid until the next receive().
    [[nodiscard]] const request_intake& intake() const noexcept { return intake_; }
    [[nodiscard]] const request_parser& request() const noexcept { return intake_.request(); }
    [[nodiscard]] bool has_request() const noexcept { return intake_.has_request(); }
    [[nodiscard]] status refusal() const noexcept { return intake_.refusal(); }
    [[nodiscard]] bool expects_continue() const noexcept { return intake_.expects_continue(); }

    /// Sends a piece of a response. Errors: `timed_out` when the peer does not read, or the
    /// stream's.
    task<result<void>> send(std::span<const std::byte> bytes) {
        co_return co_await with_timeout(limits_.write_timeout, stream_.write_all(bytes));
    }
    task<result<void>> send(std::string_view text) { return send(std::as_bytes(std::span{text})); }

    /// Closes so that the last response arrives: our FIN, then what the peer still sends is read
    /// and dropped, a bounded amount for a bounded time. A close with unread bytes would be a
    /// reset, which could overtake the response (RFC 9112 §9.6).
    task<void> close() {
        constexpr close_limits bounds;
        const scheduler& on = co_await current_scheduler();
        const instant deadline = saturating_add(on.now(), bounds.timeout);
        (void)co_await with_deadline(deadline, stream_.shutdown());
        intake_.drop_unread();
        std::size_t dropped = 0;
        while (dropped < bounds.max_dropped_bytes) {
            const result<std::size_t> got =
                co_await with_deadline(deadline, stream_.read_some(intake_.room()));
            if (!got || *got == 0) co_return;
            dropped += *got;
        }
    }

private:
    Stream& stream_;
    request_intake intake_;
    const server_limits limits_;
};

}  // namespace weft::http
