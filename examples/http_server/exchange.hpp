#pragma once
// What of an exchange is the same in every front end: limits, what a request comes to, and the
// pieces that a response is sent in. Nothing here waits.

#include "http_server/answer.hpp"
#include "http_server/exchange_memory.hpp"

#include <weft/base/result.hpp>
#include <weft/errc.hpp>
#include <weft/http/request_intake.hpp>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <system_error>
#include <type_traits>

namespace examples {

namespace http = weft::http;

struct serve_limits {
    http::server_limits exchange;
    weft::duration idle_timeout = std::chrono::seconds{30};  ///< between requests
};
static_assert(std::is_trivially_destructible_v<serve_limits>);

enum class afterwards : std::uint8_t {
    keep,   ///< another request may follow
    close,  ///< in order, after the response
    leave,  ///< nothing more to say: the peer is gone, or the program stops
    abort,  ///< at once: the response cannot be sent as announced
};

/// What follows an answer that was sent, or was not.
[[nodiscard]] inline afterwards after(const answer& what, std::error_code failure) noexcept {
    if (!failure) return what.keeps_alive ? afterwards::keep : afterwards::close;
    // A peer that does not read, and a file that broke off, end hard; the rest has ended already.
    return failure == weft::errc::canceled ? afterwards::leave : afterwards::abort;
}

/// Whether the body is to be read before the answer: whoever asks first is told the final answer,
/// and need not send the body at all.
[[nodiscard]] inline bool reads_body(const http::request_intake& intake) {
    return intake.request().has_body() && !intake.expects_continue();
}

/// What of the answer follows from how the request came.
[[nodiscard]] inline answer begin_answer(http::reception came, const http::request_intake& intake) {
    answer what;
    if (came == http::reception::refused) {
        what.status = intake.refusal();
        what.is_head_only = intake.has_request() && intake.request().method() == http::method::head;
    } else {
        const bool is_read = !intake.request().has_body() || reads_body(intake);
        what.keeps_alive = is_read && intake.request().keeps_alive();
        what.is_http_1_0 = intake.request().is_http_1_0();
    }
    return what;
}

/// A response in pieces through one buffer: the head, and behind it the bytes of the file if the
/// answer has one.
class response_pieces {
public:
    response_pieces(const answer& what, exchange_memory& memory) : what_{what}, memory_{memory} {
        http::head_writer head{memory.output};
        write_head(head, what);
        is_complete_ = head.is_complete();
        filled_ = head.text().size();
        if (what.file != nullptr && !what.is_head_only) {
            offset_ = what.body.first;
            left_ = what.body.count;
        }
    }

    /// Whether the head found room. If not, nothing can be sent.
    [[nodiscard]] bool is_good() const noexcept { return is_complete_; }
    /// Everything has been taken.
    [[nodiscard]] bool is_done() const noexcept { return left_ == 0 && filled_ == 0; }

    /// The next piece is to have bytes of the file: read them at `offset` into `room`, tell add().
    [[nodiscard]] bool wants_bytes() const noexcept { return left_ > 0; }
    [[nodiscard]] std::uint64_t offset() const noexcept { return offset_; }
    [[nodiscard]] std::span<std::byte> room() const noexcept {
        const std::span<char> free = std::span{memory_.output}.subspan(filled_);
        const auto wanted = static_cast<std::size_t>(std::min<std::uint64_t>(left_, free.size()));
        return std::as_writable_bytes(free.first(wanted));
    }
    /// An error when the file cannot be read, or was cut short meanwhile.
    [[nodiscard]] std::error_code add(const weft::result<std::size_t>& got) noexcept {
        if (!got) return got.error();
        if (*got == 0) return std::make_error_code(std::errc::io_error);
        filled_ += *got;
        offset_ += *got;
        left_ -= *got;
        return {};
    }

    /// The next piece, to be sent before anything else is asked here.
    [[nodiscard]] std::span<const std::byte> take() noexcept {
        return std::as_bytes(std::span{memory_.output}.first(std::exchange(filled_, 0)));
    }

    [[nodiscard]] const weft::file& file() const noexcept { return what_.file->contents; }

private:
    const answer& what_;
    exchange_memory& memory_;
    std::size_t filled_ = 0;
    std::uint64_t offset_ = 0;
    std::uint64_t left_ = 0;
    bool is_complete_ = false;
};

}  // namespace examples
