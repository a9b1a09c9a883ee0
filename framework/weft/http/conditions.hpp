#pragma once
// Conditional and range requests as pure functions of the request's fields and what is known of the
// representation: RFC 9110 §13.2.2 (order of preconditions), §13.1.5 (If-Range), §14 (ranges).

#include <weft/http/date.hpp>
#include <weft/http/fields.hpp>

#include <cstdint>
#include <string_view>

namespace weft::http {

/// What is known of the selected representation.
struct validators {
    std::string_view tag;  ///< quotes included
    date modified;
};

enum class precondition : std::uint8_t { holds, not_modified, failed };

/// Whether a GET or HEAD is to be answered in full, with 304 or with 412. An invalid date is a
/// field that was not sent. `now` is for dates with two-digit years.
[[nodiscard]] precondition check_preconditions(const fields& request, const validators& current,
                                               date now) noexcept;

/// The bytes to send, and how.
struct byte_range {
    enum class kind : std::uint8_t {
        whole,          ///< 200: no range, or one that is to be ignored
        part,           ///< 206
        unsatisfiable,  ///< 416
    };
    kind what = kind::whole;
    std::uint64_t first = 0;
    std::uint64_t count = 0;
};

/// The answer to Range and If-Range of a GET for `size_bytes`. One range is served; several are
/// answered with the whole, as §14.2 allows. A malformed Range is ignored.
[[nodiscard]] byte_range select_range(const fields& request, const validators& current,
                                      std::uint64_t size_bytes, date now) noexcept;

}  // namespace weft::http
