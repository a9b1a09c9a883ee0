#include <weft/base/address.hpp>

#include <charconv>
#include <system_error>

namespace weft {
namespace {

/// A number that is all of `text`, at most `max`; no sign, no space, no empty text.
std::optional<std::uint32_t> parse_number(std::string_view text, int base, std::uint32_t max,
                                          std::size_t max_digits) {
    if (text.empty() || text.size() > max_digits) {
        return std::nullopt;
    }
    std::uint32_t value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, base);
    if (error != std::errc{} || end != text.data() + text.size() || value > max) {
        return std::nullopt;
    }
    return value;
}

void append_number(std::string& out, std::uint32_t value, int base) {
    std::array<char, 12> digits;
    const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), value, base).ptr;
    out.append(digits.data(), end);
}

/// Up to eight 16-bit groups, as read from one side of the `::`.
struct group_list {
    std::array<std::uint16_t, 8> groups{};
    std::size_t count = 0;

    bool add(std::uint32_t group) {
        if (count == groups.size()) {
            return false;
        }
        groups[count++] = static_cast<std::uint16_t>(group);
        return true;
    }
};

/// Groups separated by `:`; the last may be an IPv4 address, standing for two.
std::optional<group_list> parse_groups(std::string_view text, bool ipv4_may_end) {
    group_list list;
    while (!text.empty()) {
        const std::size_t colon = text.find(':');
        const std::string_view part = text.substr(0, colon);
        const bool is_last = colon == std::string_view::npos;
        if (is_last && ipv4_may_end && part.find('.') != std::string_view::npos) {
            const auto embedded = ipv4_address::parse(part);
            if (!embedded || !list.add(embedded->value() >> 16) ||
                !list.add(embedded->value() & 0xffffU)) {
                return std::nullopt;
            }
            return list;
        }
        const auto group = parse_number(part, 16, 0xffff, 4);
        if (!group || !list.add(*group)) {
            return std::nullopt;
        }
        if (is_last) {
            return list;
        }
        text.remove_prefix(colon + 1);
        if (text.empty()) {
            return std::nullopt;  // ends in a single colon
        }
    }
    return list;
}

/// The first longest run of two or more zero groups: what RFC 5952 §4.2 shortens.
struct zero_run {
    std::size_t begin = 8;
    std::size_t length = 0;
};

zero_run longest_zero_run(const std::array<std::uint16_t, 8>& groups) {
    zero_run best;
    for (std::size_t i = 0; i < groups.size();) {
        std::size_t end = i;
        while (end < groups.size() && groups[end] == 0) {
            ++end;
        }
        if (end - i >= 2 && end - i > best.length) {
            best = {i, end - i};
        }
        i = end + 1;
    }
    return best;
}

}  // namespace

std::optional<ipv4_address> ipv4_address::parse(std::string_view text) {
    std::uint32_t value = 0;
    for (int i = 0; i < 4; ++i) {
        const std::size_t dot = text.find('.');
        if ((dot == std::string_view::npos) != (i == 3)) {
            return std::nullopt;
        }
        const std::string_view part = text.substr(0, dot);
        const auto byte = parse_number(part, 10, 255, 3);
        if (!byte || (part.size() > 1 && part.front() == '0')) {  // 010 is 8 to some, 10 to others
            return std::nullopt;
        }
        value = value << 8 | *byte;
        text.remove_prefix(i == 3 ? text.size() : dot + 1);
    }
    return ipv4_address{value};
}

std::string ipv4_address::to_string() const {
    std::string out;
    out.reserve(15);
    for (const std::uint8_t byte : bytes()) {
        if (!out.empty()) {
            out += '.';
        }
        append_number(out, byte, 10);
    }
    return out;
}

std::optional<ipv6_address> ipv6_address::parse(std::string_view text) {
    const std::size_t gap = text.find("::");
    const bool has_gap = gap != std::string_view::npos;
    const auto before = parse_groups(text.substr(0, gap), !has_gap);
    const auto after = parse_groups(has_gap ? text.substr(gap + 2) : std::string_view{}, true);
    if (!before || !after) {
        return std::nullopt;
    }
    const std::size_t given = before->count + after->count;
    if (has_gap ? given > 7 : given != 8) {  // :: stands for one group or more (RFC 4291 §2.2)
        return std::nullopt;
    }
    std::array<std::uint16_t, 8> groups{};
    std::copy_n(before->groups.begin(), before->count, groups.begin());
    std::copy_n(after->groups.begin(), after->count,
                groups.end() - static_cast<std::ptrdiff_t>(after->count));
    std::uint64_t high = 0;
    std::uint64_t low = 0;
    for (std::size_t i = 0; i < 4; ++i) {
        high = high << 16 | groups[i];
        low = low << 16 | groups[i + 4];
    }
    return ipv6_address{high, low};
}

std::string ipv6_address::to_string() const {
    if (is_ipv4_mapped()) {
        return "::ffff:" + ipv4_address{static_cast<std::uint32_t>(low_)}.to_string();
    }
    std::array<std::uint16_t, 8> groups{};
    for (std::size_t i = 0; i < 4; ++i) {
        groups[i] = static_cast<std::uint16_t>(high_ >> (48 - 16 * i));
        groups[i + 4] = static_cast<std::uint16_t>(low_ >> (48 - 16 * i));
    }
    const zero_run gap = longest_zero_run(groups);
    std::string out;
    out.reserve(39);
    for (std::size_t i = 0; i < groups.size();) {
        if (i == gap.begin) {
            out += "::";
            i += gap.length;
            continue;
        }
        if (!out.empty() && out.back() != ':') {
            out += ':';
        }
        append_number(out, groups[i], 16);
        ++i;
    }
    return out;
}

std::optional<ip_address> ip_address::parse(std::string_view text) {
    if (text.find(':') == std::string_view::npos) {
        const auto v4 = ipv4_address::parse(text);
        return v4 ? std::optional<ip_address>{*v4} : std::nullopt;
    }
    const auto v6 = ipv6_address::parse(text);
    return v6 ? std::optional<ip_address>{*v6} : std::nullopt;
}

std::string ip_address::to_string() const { return is_v4() ? v4().to_string() : bits_.to_string(); }

std::optional<ip_prefix> ip_prefix::parse(std::string_view text) {
    const std::size_t slash = text.find('/');
    const auto address = ip_address::parse(text.substr(0, slash));
    if (!address) {
        return std::nullopt;
    }
    const unsigned most = address->is_v4() ? 32 : 128;
    if (slash == std::string_view::npos) {
        return ip_prefix{*address, most};
    }
    const auto length = parse_number(text.substr(slash + 1), 10, most, 3);
    return length ? std::optional{ip_prefix{*address, *length}} : std::nullopt;
}

std::string ip_prefix::to_string() const {
    std::string out = address_.to_string();
    out += '/';
    append_number(out, length_, 10);
    return out;
}

std::optional<endpoint> endpoint::parse(std::string_view text) {
    const std::size_t colon = text.rfind(':');
    if (colon == std::string_view::npos) {
        return std::nullopt;
    }
    std::string_view host = text.substr(0, colon);
    const bool bracketed = host.size() >= 2 && host.front() == '[' && host.back() == ']';
    if (bracketed) {
        host = host.substr(1, host.size() - 2);
    }
    const bool has_colon = host.find(':') != std::string_view::npos;
    const auto address = ip_address::parse(host);
    const auto port = parse_number(text.substr(colon + 1), 10, 65535, 5);
    if (!address || !port || has_colon != bracketed) {  // bare IPv6 cannot be told from its port
        return std::nullopt;
    }
    return endpoint{*address, static_cast<std::uint16_t>(*port)};
}

std::string endpoint::to_string() const {
    std::string out = address.is_v4() ? address.to_string() : '[' + address.to_string() + ']';
    out += ':';
    append_number(out, port, 10);
    return out;
}

}  // namespace weft
