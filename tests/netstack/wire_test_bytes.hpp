// Bytes for the wire's tests: written in hexadecimal as RFCs and captures print them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

namespace weft::test {

using byte_string = std::vector<std::byte>;

/// Pairs of hexadecimal digits; everything else is ignored.
inline byte_string hex(std::string_view text) {
    byte_string out;
    int high = -1;
    for (const char c : text) {
        const int digit = c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
        if (digit < 0) continue;
        if (high < 0) {
            high = digit;
        } else {
            out.push_back(static_cast<std::byte>(high * 16 + digit));
            high = -1;
        }
    }
    return out;
}

inline byte_string operator+(byte_string a, const byte_string& b) {
    a.insert(a.end(), b.begin(), b.end());
    return a;
}

inline void put16(byte_string& at, std::size_t offset, unsigned value) {
    at.at(offset) = static_cast<std::byte>(value >> 8 & 0xff);
    at.at(offset + 1) = static_cast<std::byte>(value & 0xff);
}

/// `count` bytes that differ from their neighbours.
inline byte_string pattern(std::size_t count, unsigned seed = 1) {
    byte_string out(count);
    for (std::size_t i = 0; i < count; ++i) {
        out[i] = static_cast<std::byte>((i * 7 + seed * 31 + i / 251) & 0xff);
    }
    return out;
}

}  // namespace weft::test
