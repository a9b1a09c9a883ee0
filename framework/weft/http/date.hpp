#pragma once
// HTTP dates (RFC 9110 §5.6.7): written as IMF-fixdate, read in all three forms that a recipient
// must accept. Seconds since 1970 in UTC; no locale, no time zone, no clock, no allocation.

#include <array>
#include <chrono>
#include <optional>
#include <string_view>

namespace weft::http {

using date = std::chrono::sys_seconds;

/// "Sun, 06 Nov 1994 08:49:37 GMT": always these 29 characters.
class date_text {
public:
    /// Years outside 0000–9999 are cut to that range.
    explicit date_text(date when) noexcept;
    [[nodiscard]] std::string_view view() const noexcept { return {text_.data(), text_.size()}; }

private:
    std::array<char, 29> text_;
};

/// Any of the three forms. `now` decides the century of the two-digit form: a year that would be
/// more than 50 years ahead is in the past.
[[nodiscard]] std::optional<date> parse_date(std::string_view text, date now) noexcept;

}  // namespace weft::http
