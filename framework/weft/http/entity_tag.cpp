#include <weft/http/entity_tag.hpp>
#include <weft/http/text.hpp>

#include <charconv>

namespace weft::http {
namespace {

struct tag {
    std::string_view opaque;  // with its quotes
    bool is_weak = false;
};

tag split(std::string_view text) noexcept {
    if (text.starts_with("W/")) return {text.substr(2), true};
    return {text, false};
}

bool is_quoted(std::string_view text) noexcept {
    return text.size() >= 2 && text.front() == '"' && text.back() == '"';
}

}  // namespace

file_tag::file_tag(std::uint64_t modified_ns, std::uint64_t size_bytes) noexcept {
    char* const end = text_.data() + text_.size();
    char* out = text_.data();
    *out++ = '"';
    out = std::to_chars(out, end, modified_ns, 16).ptr;
    *out++ = '-';
    out = std::to_chars(out, end, size_bytes, 16).ptr;
    *out++ = '"';
    length_ = static_cast<std::size_t>(out - text_.data());
}

bool tags_match(std::string_view a, std::string_view b, comparison how) noexcept {
    const tag left = split(a);
    const tag right = split(b);
    if (!is_quoted(left.opaque) || left.opaque != right.opaque) return false;
    return how == comparison::weak || (!left.is_weak && !right.is_weak);
}

bool list_names_tag(std::string_view list, std::string_view tag, comparison how) noexcept {
    list = trim(list);
    if (list == "*") return true;
    while (!list.empty()) {
        // A tag may contain commas, so it ends at its second quote, not at the next comma.
        const std::size_t open = list.starts_with("W/") ? 2 : 0;
        if (list.size() <= open || list[open] != '"') return false;
        const std::size_t close = list.find('"', open + 1);
        if (close == std::string_view::npos) return false;
        if (tags_match(list.substr(0, close + 1), tag, how)) return true;
        list = trim(list.substr(close + 1));
        if (!list.empty() && list.front() != ',') return false;
        while (!list.empty() &&
               (list.front() == ',' || list.front() == ' ' || list.front() == '\t')) {
            list.remove_prefix(1);
        }
    }
    return false;
}

}  // namespace weft::http
