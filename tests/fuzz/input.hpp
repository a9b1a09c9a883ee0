#pragma once
// What every fuzz target is made of: the fuzzer's bytes, taken from the front as numbers and runs
// of bytes, and require(), which ends the program when something does not hold.

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <span>
#include <string_view>

/// libFuzzer's entry; replay.cpp calls it too.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

namespace weft::fuzz {

/// A finding: says which, and aborts.
[[noreturn]] inline void fail(std::string_view what) {
    std::fprintf(stderr, "does not hold: %.*s\n", static_cast<int>(what.size()), what.data());
    std::abort();
}

inline void require(bool holds, std::string_view what) {
    if (!holds) fail(what);
}

/// Takes numbers off the front. Past the end everything is zero.
class input {
public:
    input(const std::uint8_t* data, std::size_t size) noexcept
        : rest_{reinterpret_cast<const std::byte*>(data), size} {}

    [[nodiscard]] bool empty() const noexcept { return rest_.empty(); }

    std::uint8_t byte() noexcept {
        const std::span<const std::byte> one = bytes(1);
        return one.empty() ? std::uint8_t{0} : std::to_integer<std::uint8_t>(one[0]);
    }
    bool flag() noexcept { return (byte() & 1) != 0; }
    std::uint16_t word() noexcept {
        const unsigned high = byte();
        return static_cast<std::uint16_t>(high << 8 | byte());
    }
    std::uint32_t number() noexcept {
        const std::uint32_t high = word();
        return high << 16 | word();
    }
    /// 0 to limit - 1, of one byte where that is enough. Precondition: 0 < limit <= 65536.
    std::uint32_t below(std::uint32_t limit) noexcept {
        return (limit <= 256 ? std::uint32_t{byte()} : std::uint32_t{word()}) % limit;
    }
    /// At most `count` bytes.
    std::span<const std::byte> bytes(std::size_t count) noexcept {
        const auto taken = rest_.first(count < rest_.size() ? count : rest_.size());
        rest_ = rest_.subspan(taken.size());
        return taken;
    }
    std::span<const std::byte> rest() noexcept { return bytes(rest_.size()); }
    std::string_view text(std::size_t count) noexcept {
        const auto taken = bytes(count);
        return {reinterpret_cast<const char*>(taken.data()), taken.size()};
    }

private:
    std::span<const std::byte> rest_;
};

}  // namespace weft::fuzz
