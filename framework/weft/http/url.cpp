#include <weft/http/text.hpp>
#include <weft/http/url.hpp>

#include <algorithm>
#include <vector>

namespace weft::http {
namespace {

bool is_alphanumeric(char c) noexcept {
    const char lower = to_lower(c);
    return (lower >= 'a' && lower <= 'z') || (c >= '0' && c <= '9');
}

/// pchar, "/" and "?" of RFC 3986 §3.3 and §3.4, escapes checked.
bool is_path_and_query(std::string_view text) noexcept {
    constexpr std::string_view others = "-._~!$&'()*+,;=:@/?";
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (text[i] == '%') {
            if (i + 2 >= text.size()) return false;
            if (hex_digit(text[i + 1]) < 0 || hex_digit(text[i + 2]) < 0) return false;
            i += 2;
        } else if (!is_alphanumeric(text[i]) && others.find(text[i]) == std::string_view::npos) {
            return false;
        }
    }
    return true;
}

bool is_host(std::string_view text) noexcept {
    return !text.empty() && std::ranges::all_of(text, [](char c) {
        return is_alphanumeric(c) || c == '-' || c == '.' || c == '_';
    });
}

bool is_ipv6_text(std::string_view text) noexcept {
    return text.size() >= 2 && text.find(':') != std::string_view::npos &&
           std::ranges::all_of(text,
                               [](char c) { return hex_digit(c) >= 0 || c == ':' || c == '.'; });
}

std::string lower_case(std::string_view text) {
    std::string out{text};
    std::ranges::transform(out, out.begin(), to_lower);
    return out;
}

/// host[:port] or [v6][:port].
bool take_authority(url& out, std::string_view text) {
    std::string_view port;
    std::string_view host;
    if (text.starts_with('[')) {
        const std::size_t close = text.find(']');
        if (close == std::string_view::npos) return false;
        host = text.substr(1, close - 1);
        port = text.substr(close + 1);
        out.is_ipv6 = true;
        if (!is_ipv6_text(host)) return false;
    } else {
        const std::size_t colon = text.find(':');
        host = text.substr(0, colon);
        port = colon == std::string_view::npos ? std::string_view{} : text.substr(colon);
        if (!is_host(host)) return false;
    }
    out.host = lower_case(host);
    if (port.empty() || port == ":") return true;
    const auto number = port.front() == ':' ? parse_decimal(port.substr(1)) : std::nullopt;
    if (!number || *number == 0 || *number > 65535) return false;
    out.port = static_cast<std::uint16_t>(*number);
    return true;
}

/// Everything behind the scheme's colon: `//authority/path?query`.
std::optional<url> parse_hierarchical(std::string_view text) {
    if (!text.starts_with("//")) return std::nullopt;
    text.remove_prefix(2);
    const std::size_t end = std::min(text.find_first_of("/?"), text.size());
    url out;
    if (!take_authority(out, text.substr(0, end))) return std::nullopt;
    const std::string_view rest = text.substr(end);
    if (!is_path_and_query(rest)) return std::nullopt;
    if (!rest.starts_with('/')) out.target += '/';
    out.target += rest;
    return out;
}

/// RFC 3986 §5.2.4.
std::string remove_dot_segments(std::string_view path) {
    std::vector<std::string_view> kept;
    bool ends_in_slash = false;
    path.remove_prefix(1);
    for (;;) {
        const std::size_t slash = path.find('/');
        const std::string_view segment = path.substr(0, slash);
        const bool is_last = slash == std::string_view::npos;
        ends_in_slash = is_last && (segment.empty() || segment == "." || segment == "..");
        if (segment == "..") {
            if (!kept.empty()) kept.pop_back();
        } else if (segment != "." && !(is_last && segment.empty())) {
            kept.push_back(segment);
        }
        if (is_last) break;
        path.remove_prefix(slash + 1);
    }
    std::string out;
    for (const std::string_view segment : kept) {
        out += '/';
        out += segment;
    }
    if (ends_in_slash || out.empty()) out += '/';
    return out;
}

/// The scheme of an absolute reference, without its colon; empty for a relative one.
std::string_view scheme_of(std::string_view text) noexcept {
    const std::size_t colon = text.find(':');
    if (colon == std::string_view::npos || text.find_first_of("/?") < colon) return {};
    return text.substr(0, colon);
}

}  // namespace

std::string url::authority() const {
    std::string out;
    if (is_ipv6) out += '[';
    out += host;
    if (is_ipv6) out += ']';
    if (port != 80) {
        out += ':';
        out += std::to_string(port);
    }
    return out;
}

std::string url::to_string() const {
    std::string out{"http://"};
    out += authority();
    out += target;
    return out;
}

std::optional<url> parse_url(std::string_view text) {
    text = text.substr(0, text.find('#'));
    if (!equal_without_case(scheme_of(text), "http")) return std::nullopt;
    return parse_hierarchical(text.substr(5));
}

std::optional<url> resolve(const url& base, std::string_view reference) {
    reference = trim(reference);
    reference = reference.substr(0, reference.find('#'));
    if (!scheme_of(reference).empty()) return parse_url(reference);
    if (reference.starts_with("//")) return parse_hierarchical(reference);
    if (!is_path_and_query(reference)) return std::nullopt;

    url out = base;
    const std::string_view old = base.target;
    const std::string_view old_path = old.substr(0, old.find('?'));
    if (reference.empty()) return out;
    if (reference.starts_with('?')) {
        out.target = std::string{old_path} + std::string{reference};
        return out;
    }
    const std::size_t mark = reference.find('?');
    std::string path{reference.substr(0, mark)};
    if (!path.starts_with('/')) {
        path.insert(0, old_path.substr(0, old_path.rfind('/') + 1));
    }
    out.target = remove_dot_segments(path);
    if (mark != std::string_view::npos) out.target += reference.substr(mark);
    return out;
}

}  // namespace weft::http
