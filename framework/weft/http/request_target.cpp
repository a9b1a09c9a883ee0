#include <weft/http/request_target.hpp>
#include <weft/http/text.hpp>

#include <cassert>

namespace weft::http {
namespace {

using verdict = request_target::verdict;

bool is_unreserved(char c) noexcept {
    const char lower = to_lower(c);
    return (lower >= 'a' && lower <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '.' ||
           c == '_' || c == '~';
}

/// Decodes one segment to `out`, which moves on. False: a broken or forbidden byte.
bool decode_segment(std::string_view segment, char*& out) noexcept {
    for (std::size_t i = 0; i < segment.size(); ++i) {
        char c = segment[i];
        if (c == '%') {
            if (i + 2 >= segment.size()) return false;
            const int high = hex_digit(segment[i + 1]);
            const int low = hex_digit(segment[i + 2]);
            if (high < 0 || low < 0) return false;
            c = static_cast<char>(high * 16 + low);
            i += 2;
            if (c == '/') return false;  // it would make two segments out of one
        }
        const auto byte = static_cast<unsigned char>(c);
        if (byte < 0x20 || byte == 0x7f) return false;
        *out++ = c;
    }
    return true;
}

/// The part before the path of an absolute-form target; what is left of `target` is the path.
std::string_view take_authority(std::string_view& target) noexcept {
    const std::size_t begin = target.find("://") + 3;
    const std::size_t end = target.find_first_of("/?", begin);
    const std::string_view authority = target.substr(begin, end - begin);
    target = end == std::string_view::npos ? std::string_view{} : target.substr(end);
    return authority;
}

}  // namespace

request_target parse_request_target(std::string_view target, std::span<char> into) noexcept {
    assert(into.size() >= target.size());
    request_target out;
    if (target == "*") {
        out.what = verdict::asterisk;
        return out;
    }
    if (target.size() > 7 && equal_without_case(target.substr(0, 7), "http://")) {
        out.authority = take_authority(target);
        if (out.authority.empty()) return out;
    } else if (!target.starts_with('/')) {
        return out;
    }
    if (const std::size_t mark = target.find('?'); mark != std::string_view::npos) {
        out.query = target.substr(mark + 1);
        out.has_query = true;
        target = target.substr(0, mark);
    }
    if (target.find('#') != std::string_view::npos) return out;  // a fragment is never sent

    char* const begin = into.data();
    char* end = begin;
    out.names_directory = target.empty() || target.ends_with('/');
    while (!target.empty()) {
        const std::size_t slash = target.find('/');
        const std::string_view encoded = target.substr(0, slash);
        target = slash == std::string_view::npos ? std::string_view{} : target.substr(slash + 1);

        char* const separator = end;
        if (end != begin) *end++ = '/';
        char* const segment = end;
        if (!decode_segment(encoded, end)) return out;
        const std::string_view decoded{segment, static_cast<std::size_t>(end - segment)};
        if (decoded.empty() || decoded == ".") {
            out.names_directory |= target.empty() && decoded == ".";
            end = separator;
        } else if (decoded == "..") {
            out.names_directory |= target.empty();
            if (separator == begin) {
                out.what = verdict::above_the_root;
                return out;
            }
            const std::size_t up = std::string_view{begin, separator}.rfind('/');
            end = up == std::string_view::npos ? begin : begin + up;
        }
    }
    out.path = {begin, static_cast<std::size_t>(end - begin)};
    out.what = verdict::good;
    return out;
}

std::string_view encode_path(std::string_view path, std::span<char> into) noexcept {
    constexpr std::string_view hex = "0123456789ABCDEF";
    std::size_t used = 0;
    for (const char c : path) {
        const bool plain = is_unreserved(c) || c == '/';
        if (into.size() - used < (plain ? 1U : 3U)) return {};
        if (plain) {
            into[used++] = c;
        } else {
            const auto byte = static_cast<unsigned char>(c);
            into[used++] = '%';
            into[used++] = hex[byte >> 4];
            into[used++] = hex[byte & 15U];
        }
    }
    return {into.data(), used};
}

}  // namespace weft::http
