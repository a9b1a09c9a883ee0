#include <weft/net/address.hpp>

#include <charconv>
#include <cstddef>
#include <system_error>

namespace weft::net {

std::optional<mac_address> mac_address::parse(std::string_view text) {
    if (text.size() != 17 || (text[2] != ':' && text[2] != '-')) {
        return std::nullopt;
    }
    std::array<std::uint8_t, 6> bytes{};
    for (std::size_t i = 0; i < bytes.size(); ++i) {
        const char* const digits = text.data() + 3 * i;
        const auto [end, error] = std::from_chars(digits, digits + 2, bytes[i], 16);
        if (error != std::errc{} || end != digits + 2 || (i > 0 && text[3 * i - 1] != text[2])) {
            return std::nullopt;
        }
    }
    return mac_address{bytes};
}

std::string mac_address::to_string() const {
    constexpr std::string_view digits = "0123456789abcdef";
    std::string out;
    out.reserve(17);
    for (const std::uint8_t byte : bytes_) {
        if (!out.empty()) {
            out += ':';
        }
        out += digits[byte >> 4];
        out += digits[byte & 0xf];
    }
    return out;
}

}  // namespace weft::net
