#pragma once
// What can go wrong with a message that a peer sent, as std::error_code.

#include <system_error>

namespace weft::http {

enum class errc {
    malformed_message = 1,  ///< not HTTP/1.x, or framed in a way that cannot be trusted
    head_too_large,         ///< start line and fields beyond the buffer or the count
    body_too_large,         ///< beyond the limit asked for
    unknown_coding,         ///< a transfer coding other than chunked
    unexpected_end,         ///< the peer closed inside of a message
};

[[nodiscard]] const std::error_category& error_category() noexcept;

[[nodiscard]] inline std::error_code make_error_code(errc e) noexcept {
    return {static_cast<int>(e), error_category()};
}

}  // namespace weft::http

template <>
struct std::is_error_code_enum<weft::http::errc> : std::true_type {};
