#pragma once
// A server's side of one HTTP/1.x connection over any stream (`read_some`, `write_all`,
// `shutdown`): receives one request after the other and sends what the program answers.
//
// Every wait has a deadline and memory is the caller's buffer, so a peer that says nothing, speaks
// one byte a second or never reads costs a bounded amount for a bounded time. Pipelined requests
// wait in the buffer until their turn. What to answer is not decided here.
//
// Used by one coroutine; the stream and the buffer must outlive it. RFC 9112.

#include <weft/base/result.hpp>
#include <weft/errc.hpp>
#include <weft/http/input_buffer.hpp>
#include <weft/http/message_parser.hpp>
#include <weft/http/status.hpp>
#include <weft/io/scheduler.hpp>
#include <weft/stop.hpp>
#include <weft/task.hpp>
#include <weft/with_timeout.hpp>

#include <cassert>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <type_traits>

namespace weft::http {

struct server_limits {
    duration head_timeout = std::chrono::seconds{10};   ///< from a request's first byte to its last
    duration body_timeout = std::chrono::seconds{30};   ///< for a body that is skipped
    duration write_timeout = std::chrono::seconds{30};  ///< for one piece of a response
    std::size_t max_target_bytes = 2048;
    std::size_t max_head_bytes = 8192;  ///< below the buffer's size: a body needs room behind it
    std::uint64_t max_body_bytes = 1 << 20;
};
static_assert(std::is_trivially_destructible_v<server_limits>);

/// What came.
enum class reception : std::uint8_t {
    request,  ///< request() has it; its body, if any, has not been read
    refused,  ///< answer with refusal(), then close
    ended,    ///< closed, idle for too long, or broken: nothing to answer
};

template <class Stream>
class server_connection {
public:
    server_connection(Stream& stream, input_buffer& input, const server_limits& limits) noexcept
        : stream_{stream}, input_{input}, limits_{limits} {}
    server_connection(const server_connection&) = delete;
    server_connection& operator=(const server_connection&) = delete;

    /// Reads the next request's head. The previous request's views are void.
    task<reception> receive() {
        input_.compact();
        parser_.emplace(limits_.max_body_bytes);
        const scheduler& on = co_await current_scheduler();
        const instant deadline = saturating_add(on.now(), limits_.head_timeout);
        while (!parse_head()) {
            if (refusal_) co_return reception::refused;
            const result<std::size_t> got =
                co_await with_deadline(deadline, stream_.read_some(input_.room()));
            if (got.error() == weft::errc::timed_out) {
                co_return is_silent() ? reception::ended : refuse(status::request_timeout);
            }
            if (!got || *got == 0) co_return reception::ended;
            input_.add(*got);
        }
        head_end_ = input_.position();
        if (parser_->target().size() > limits_.max_target_bytes) {
            co_return refuse(status::uri_too_long);
        }
        if (head_end_ > limits_.max_head_bytes) {
            co_return refuse(status::request_header_fields_too_large);
        }
        co_return reception::request;
    }

    /// The request that receive() announced; valid until the next receive().
    [[nodiscard]] const request_parser& request() const noexcept {
        assert(parser_);
        return *parser_;
    }
    /// Whether a request's head was understood, so that its method is known even when it is
    /// refused.
    [[nodiscard]] bool has_request() const noexcept {
        return parser_ && parser_->is_head_complete();
    }
    [[nodiscard]] status refusal() const noexcept { return *refusal_; }

    /// The client waits for "100 Continue" before it sends the body (RFC 9110 §10.1.1).
    [[nodiscard]] bool expects_continue() const noexcept {
        const auto expectation = request().fields().find("Expect");
        return expectation && !request().is_http_1_0() &&
               equal_without_case(*expectation, "100-continue");
    }

    /// Reads the rest of the request's body and drops it, so that the next request can follow.
    /// `request` says that it can.
    task<reception> skip_body() {
        const scheduler& on = co_await current_scheduler();
        const instant deadline = saturating_add(on.now(), limits_.body_timeout);
        while (!parser_->is_complete()) {
            if (feed_some()) continue;
            if (const parse_problem found = parser_->problem(); found != parse_problem::none) {
                co_return refuse(status_of(found));
            }
            input_.compact(head_end_);
            if (input_.room().empty()) co_return refuse(status::bad_request);
            const result<std::size_t> got =
                co_await with_deadline(deadline, stream_.read_some(input_.room()));
            if (got.error() == weft::errc::timed_out) co_return refuse(status::request_timeout);
            if (!got || *got == 0) co_return reception::ended;
            input_.add(*got);
        }
        co_return reception::request;
    }

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
        constexpr std::size_t max_dropped_bytes = 256 * 1024;
        const scheduler& on = co_await current_scheduler();
        const instant deadline = saturating_add(on.now(), std::chrono::seconds{2});
        (void)co_await with_deadline(deadline, stream_.shutdown());
        input_.consume(input_.unread().size());
        input_.compact();
        std::size_t dropped = 0;
        while (dropped < max_dropped_bytes) {
            const result<std::size_t> got =
                co_await with_deadline(deadline, stream_.read_some(input_.room()));
            if (!got || *got == 0) co_return;
            dropped += *got;
        }
    }

private:
    /// Nothing of a request has come but, at most, line ends.
    [[nodiscard]] bool is_silent() const noexcept {
        return !parser_->is_started() && input_.unread().empty();
    }

    reception refuse(status why) noexcept {
        refusal_ = why;
        return reception::refused;
    }

    /// One step of the parser. False: it needs more bytes, or has a problem.
    bool feed_some() {
        if (input_.unread().empty()) return false;
        const std::size_t taken = parser_->feed(input_.unread());
        input_.consume(taken);
        return taken != 0 && parser_->problem() == parse_problem::none;
    }

    /// True: the head is complete. Otherwise more is needed, or refusal_ says why not.
    bool parse_head() {
        if (!parser_->is_started()) {  // RFC 9112 §2.2: an empty line before a request is ignored
            while (input_.unread().starts_with("\r\n")) input_.consume(2);
            if (input_.unread() == "\r") return false;
        }
        while (!parser_->is_head_complete() && feed_some()) {
        }
        if (const parse_problem found = parser_->problem(); found != parse_problem::none) {
            refusal_ = status_of(found);
            return false;
        }
        if (parser_->is_head_complete()) return true;
        const std::size_t come = input_.position() + input_.unread().size();
        if (come >= limits_.max_head_bytes || input_.room().empty()) {
            refusal_ = parser_->target().empty() ? status::uri_too_long
                                                 : status::request_header_fields_too_large;
        }
        return false;
    }

    static status status_of(parse_problem problem) noexcept {
        switch (problem) {
            case parse_problem::bad_version: return status::http_version_not_supported;
            case parse_problem::too_many_fields: return status::request_header_fields_too_large;
            case parse_problem::body_too_large: return status::content_too_large;
            case parse_problem::unknown_coding: return status::not_implemented;
            case parse_problem::none:
            case parse_problem::malformed: break;
        }
        return status::bad_request;
    }

    Stream& stream_;
    input_buffer& input_;
    const server_limits limits_;
    std::optional<request_parser> parser_;
    std::optional<status> refusal_;
    std::size_t head_end_ = 0;
};

}  // namespace weft::http
