#pragma once
// What a request asks for: the request-target (RFC 9112 §3.2) taken apart, percent-decoded, and
// brought to one plain form, so that nothing after it sees a trick.
//
// The decoded path has no empty, `.` or `..` segment, no NUL, no control character and no slash
// that was not one in the request. A path that climbs above the root is refused. The decoded bytes
// lie in a buffer of the caller's; nothing allocates.

#include <cstdint>
#include <span>
#include <string_view>

namespace weft::http {

struct request_target {
    enum class verdict : std::uint8_t {
        good,
        malformed,       ///< 400: not a target, a broken escape, a control character
        above_the_root,  ///< 403: `..` beyond the first segment
        asterisk,        ///< `*`, of an OPTIONS
    };

    verdict what = verdict::malformed;
    std::string_view path;   ///< decoded, without its first slash: "docs/a b.html"; "" is the root
    std::string_view query;  ///< as sent, without the question mark
    std::string_view authority;  ///< of an absolute-form target, which then stands for Host
    bool has_query = false;
    bool names_directory = false;  ///< it ended with a slash
};

/// Reads an origin-form or absolute-form target. `into` must be at least as long as `target`; the
/// views in the answer point into it and into `target`.
[[nodiscard]] request_target parse_request_target(std::string_view target,
                                                  std::span<char> into) noexcept;

/// Percent-encodes a decoded path for a Location field, slashes kept, into `into`. An empty view
/// when it does not fit (three times the path's length always does).
[[nodiscard]] std::string_view encode_path(std::string_view path, std::span<char> into) noexcept;

}  // namespace weft::http
