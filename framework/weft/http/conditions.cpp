#include <weft/http/conditions.hpp>
#include <weft/http/entity_tag.hpp>
#include <weft/http/text.hpp>

#include <algorithm>
#include <optional>

namespace weft::http {
namespace {

/// A list field may come in several lines: one of them naming the tag is enough.
bool any_line_names(const fields& request, std::string_view name, std::string_view tag,
                    comparison how) noexcept {
    return std::ranges::any_of(request.all(), [&](const field& each) {
        return equal_without_case(each.name, name) && list_names_tag(each.value, tag, how);
    });
}

std::optional<date> date_field(const fields& request, std::string_view name, date now) noexcept {
    if (request.count(name) != 1) return std::nullopt;
    return parse_date(*request.find(name), now);
}

/// §13.1.5: a strong tag that matches, or exactly the date that we would send.
bool if_range_holds(const fields& request, const validators& current, date now) noexcept {
    const auto text = request.find("If-Range");
    if (!text) return true;
    if (text->starts_with('"') || text->starts_with("W/")) {
        return tags_match(*text, current.tag, comparison::strong);
    }
    return parse_date(*text, now) == current.modified;
}

}  // namespace

precondition check_preconditions(const fields& request, const validators& current,
                                 date now) noexcept {
    if (request.has("If-Match")) {
        if (!any_line_names(request, "If-Match", current.tag, comparison::strong)) {
            return precondition::failed;
        }
    } else if (const auto since = date_field(request, "If-Unmodified-Since", now)) {
        if (current.modified > *since) return precondition::failed;
    }
    if (request.has("If-None-Match")) {
        if (any_line_names(request, "If-None-Match", current.tag, comparison::weak)) {
            return precondition::not_modified;
        }
    } else if (const auto since = date_field(request, "If-Modified-Since", now)) {
        if (current.modified <= *since) return precondition::not_modified;
    }
    return precondition::holds;
}

byte_range select_range(const fields& request, const validators& current, std::uint64_t size_bytes,
                        date now) noexcept {
    const byte_range whole{byte_range::kind::whole, 0, size_bytes};
    const auto text = request.find("Range");
    if (!text || request.count("Range") > 1 || !if_range_holds(request, current, now)) return whole;

    const std::size_t equals = text->find('=');
    if (equals == std::string_view::npos ||
        !equal_without_case(trim(text->substr(0, equals)), "bytes")) {
        return whole;  // a unit we do not know
    }
    const std::string_view set = trim(text->substr(equals + 1));
    const std::size_t dash = set.find('-');
    if (dash == std::string_view::npos || set.find(',') != std::string_view::npos) return whole;
    const std::string_view from = trim(set.substr(0, dash));
    const std::string_view to = trim(set.substr(dash + 1));
    const byte_range unsatisfiable{byte_range::kind::unsatisfiable, 0, 0};

    if (from.empty()) {  // the last so many bytes
        const auto suffix = parse_decimal(to);
        if (!suffix) return whole;
        if (*suffix == 0 || size_bytes == 0) return unsatisfiable;
        const std::uint64_t count = std::min(*suffix, size_bytes);
        return {byte_range::kind::part, size_bytes - count, count};
    }
    const auto first = parse_decimal(from);
    const auto last = to.empty() ? std::optional{size_bytes} : parse_decimal(to);
    if (!first || !last || (!to.empty() && *last < *first)) return whole;
    if (*first >= size_bytes) return unsatisfiable;
    return {byte_range::kind::part, *first, std::min(*last, size_bytes - 1) - *first + 1};
}

}  // namespace weft::http
