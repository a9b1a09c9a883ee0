#pragma once
// Test bytes that everybody can compute: the byte at `offset` of an endless stream.
//
// A block of pseudorandom bytes, repeated. Its length is prime, so no segment, page or buffer size
// divides it and a piece that is lost, doubled or out of place shows. tests/interop makes the same.

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace examples {

class pattern {
public:
    static constexpr std::size_t period_bytes = 1048583;

    pattern() : block_(period_bytes) {
        std::uint64_t state = 0;
        std::uint64_t word = 0;
        for (std::size_t i = 0; i < period_bytes; ++i) {
            if (i % 8 == 0) word = next(state);
            block_[i] = static_cast<std::byte>(word >> (i % 8 * 8));
        }
    }

    /// Bytes from `offset` on that lie together: at least one, at most `limit`.
    [[nodiscard]] std::span<const std::byte> at(std::uint64_t offset,
                                                std::uint64_t limit) const noexcept {
        const auto begin = static_cast<std::size_t>(offset % period_bytes);
        const auto count = std::min<std::uint64_t>(period_bytes - begin, limit);
        return std::span{block_}.subspan(begin, static_cast<std::size_t>(count));
    }

    /// Whether `bytes` are what stands at `offset`.
    [[nodiscard]] bool matches(std::uint64_t offset,
                               std::span<const std::byte> bytes) const noexcept {
        while (!bytes.empty()) {
            const std::span<const std::byte> expected = at(offset, bytes.size());
            if (!std::ranges::equal(bytes.first(expected.size()), expected)) return false;
            bytes = bytes.subspan(expected.size());
            offset += expected.size();
        }
        return true;
    }

private:
    /// splitmix64.
    static std::uint64_t next(std::uint64_t& state) noexcept {
        std::uint64_t z = state += 0x9e3779b97f4a7c15;
        z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
        z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
        return z ^ (z >> 31);
    }

    std::vector<std::byte> block_;
};

}  // namespace examples
