#pragma once
// How requests come on one HTTP/1.x connection, without the waiting: bytes in, verdicts out.
//
// The half of a server that is the same in every front end. Whoever waits asks `begin_head()` or
// `begin_body()`, and as long as there is no verdict reads into `room()` until the deadline and
// tells `on_read()` what came of it. Memory is the caller's buffer; what may come is bounded by the
// limits. http::server_connection is the front end for coroutines. RFC 9112.

#include <weft/base/instant.hpp>
#include <weft/base/result.hpp>
#include <weft/errc.hpp>
#include <weft/http/input_buffer.hpp>
#include <weft/http/message_parser.hpp>
#include <weft/http/status.hpp>

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

class request_intake {
public:
    request_intake(input_buffer& input, const server_limits& limits) noexcept
        : input_{input}, limits_{limits} {}
    request_intake(const request_intake&) = delete;
    request_intake& operator=(const request_intake&) = delete;

    /// The next request's head: `request` when it is complete. The previous request's views are
    /// void. To be read within `head_timeout`.
    std::optional<reception> begin_head() {
        input_.compact();
        parser_.emplace(limits_.max_body_bytes);
        awaited_ = part::head;
        return step();
    }

    /// The rest of the request's body, which is dropped, so that the next request can follow:
    /// `request` says that it can. To be read within `body_timeout`.
    std::optional<reception> begin_body() {
        awaited_ = part::body;
        return step();
    }

    /// Where to read to while there is no verdict.
    [[nodiscard]] std::span<std::byte> room() const noexcept { return input_.room(); }

    /// What a read into `room()` came to; `timed_out` when the deadline has passed.
    std::optional<reception> on_read(const result<std::size_t>& got) {
        if (got.error() == weft::errc::timed_out) {
            if (awaited_ == part::head && is_silent()) return reception::ended;
            return refuse(status::request_timeout);
        }
        if (!got || *got == 0) return reception::ended;
        input_.add(*got);
        return step();
    }

    /// Forgets what has come, so that there is room.
    void drop_unread() noexcept {
        input_.consume(input_.unread().size());
        input_.compact();
    }
    /// Another request has begun already.
    [[nodiscard]] bool has_unread() const noexcept { return !input_.unread().empty(); }

    /// The request that begin_head() announced; valid until the next begin_head().
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

private:
    enum class part : std::uint8_t { head, body };

    std::optional<reception> step() { return awaited_ == part::head ? step_head() : step_body(); }

    std::optional<reception> step_head() {
        if (!parse_head()) {
            if (refusal_) return reception::refused;
            return std::nullopt;
        }
        head_end_ = input_.position();
        if (parser_->target().size() > limits_.max_target_bytes) {
            return refuse(status::uri_too_long);
        }
        if (head_end_ > limits_.max_head_bytes) {
            return refuse(status::request_header_fields_too_large);
        }
        return reception::request;
    }

    std::optional<reception> step_body() {
        while (!parser_->is_complete()) {
            if (feed_some()) continue;
            if (const parse_problem found = parser_->problem(); found != parse_problem::none) {
                return refuse(status_of(found));
            }
            input_.compact(head_end_);
            if (input_.room().empty()) return refuse(status::bad_request);
            return std::nullopt;
        }
        return reception::request;
    }

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

    input_buffer& input_;
    const server_limits limits_;
    std::optional<request_parser> parser_;
    std::optional<status> refusal_;
    std::size_t head_end_ = 0;
    part awaited_ = part::head;
};

}  // namespace weft::http
