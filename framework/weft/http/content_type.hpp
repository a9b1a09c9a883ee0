#pragma once
// The media type of a file, by the ending of its name. What is not known is a stream of bytes.

#include <string_view>

namespace weft::http {

/// As it stands in Content-Type, for instance "text/html; charset=utf-8".
[[nodiscard]] std::string_view content_type_of(std::string_view path) noexcept;

}  // namespace weft::http
