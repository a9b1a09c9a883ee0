#pragma once
// A client's side of one HTTP/1.x exchange over any stream: sends a request, reads the response's
// head, then its body piece by piece as views into the caller's buffer. No allocation of its own.
//
// Every wait for the peer is bounded by the timeout. Interim responses (1xx) are skipped. Used by
// one coroutine, for one exchange; stream and buffer must outlive it. RFC 9112.

#include <weft/base/result.hpp>
#include <weft/http/errc.hpp>
#include <weft/http/input_buffer.hpp>
#include <weft/http/message_parser.hpp>
#include <weft/task.hpp>
#include <weft/with_timeout.hpp>

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <utility>

namespace weft::http {

template <class Stream>
class client_connection {
public:
    enum class asks : std::uint8_t { body, head_only };

    /// `timeout` is for each wait, not for the whole.
    client_connection(Stream& stream, input_buffer& input, duration timeout) noexcept
        : stream_{stream}, input_{input}, timeout_{timeout} {}
    client_connection(const client_connection&) = delete;
    client_connection& operator=(const client_connection&) = delete;

    /// Sends the request's head, as head_writer wrote it, and waits for the response's.
    task<result<void>> exchange(std::string_view request, asks wanted,
                                std::uint64_t max_body_bytes) {
        const result<void> sent =
            co_await with_timeout(timeout_, stream_.write_all(std::as_bytes(std::span{request})));
        if (!sent) co_return sent.error();
        do {
            input_.compact();
            parser_.emplace(max_body_bytes, wanted == asks::head_only);
            const result<void> head = co_await receive_head();
            if (!head) co_return head.error();
        } while (parser_->status() / 100 == 1);
        head_end_ = input_.position();
        co_return result<void>{};
    }

    /// The response that exchange() received.
    [[nodiscard]] const response_parser& response() const noexcept { return *parser_; }

    /// The next piece of the body, valid until the next call; an empty one is the end.
    task<result<std::string_view>> read_body() {
        while (!parser_->is_complete()) {
            const result<bool> moved = feed_some();
            if (!moved) co_return moved.error();
            // Without movement body() is still the piece before.
            if (*moved && !parser_->body().empty()) co_return parser_->body();
            if (*moved) continue;
            input_.compact(head_end_);
            const result<void> more = co_await fill();
            if (!more) co_return more.error();
        }
        co_return std::string_view{};
    }

private:
    task<result<void>> receive_head() {
        for (;;) {
            const result<bool> moved = feed_some();
            if (!moved) co_return moved.error();
            if (parser_->is_head_complete()) co_return result<void>{};
            if (*moved) continue;
            const result<void> more = co_await fill();
            if (!more) co_return more.error();
        }
    }

    /// Reads once. The peer's end is told to the parser, which knows whether it is one.
    task<result<void>> fill() {
        if (input_.room().empty()) co_return errc::head_too_large;
        const result<std::size_t> got =
            co_await with_timeout(timeout_, stream_.read_some(input_.room()));
        if (!got) co_return got.error();
        if (*got == 0) {
            parser_->feed_end();
            if (parser_->problem() != parse_problem::none) co_return errc::unexpected_end;
        }
        input_.add(*got);
        co_return result<void>{};
    }

    /// Whether the parser took anything.
    result<bool> feed_some() {
        if (parser_->is_complete() || input_.unread().empty()) return false;
        const std::size_t taken = parser_->feed(input_.unread());
        input_.consume(taken);
        switch (parser_->problem()) {
            case parse_problem::none: return taken != 0;
            case parse_problem::too_many_fields: return errc::head_too_large;
            case parse_problem::body_too_large: return errc::body_too_large;
            case parse_problem::unknown_coding: return errc::unknown_coding;
            case parse_problem::malformed:
            case parse_problem::bad_version: break;
        }
        return errc::malformed_message;
    }

    Stream& stream_;
    input_buffer& input_;
    duration timeout_;
    std::optional<response_parser> parser_;
    std::size_t head_end_ = 0;
};

}  // namespace weft::http
