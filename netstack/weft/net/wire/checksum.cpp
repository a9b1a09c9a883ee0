#include <weft/net/wire/checksum.hpp>

#include <bit>
#include <cstring>

namespace weft::net::wire {
namespace {

// Words are loaded in the host's order: the ones' complement sum does not care, but for one
// exchange of bytes at the end (RFC 1071 §2 B). 32-bit halves go into 64-bit sums, so no carry is
// ever lost.

std::uint64_t load_word(const std::byte* from) noexcept {
    std::uint64_t word;
    std::memcpy(&word, from, sizeof word);
    return word;
}

std::uint64_t halves(std::uint64_t word) noexcept { return (word >> 32) + (word & 0xffff'ffffU); }

/// The last 0 to 7 bytes as one word, padded with zeros behind them.
std::uint64_t load_tail(const std::byte* from, std::size_t count) noexcept {
    std::uint64_t word = 0;
    if (count > 0) {
        std::memcpy(&word, from, count);
    }
    return word;
}

}  // namespace

std::uint64_t checksum_partial(bytes_view bytes, std::uint64_t seed) noexcept {
    const std::byte* at = bytes.data();
    std::size_t left = bytes.size();
    std::uint64_t a = 0;
    std::uint64_t b = 0;
    std::uint64_t c = 0;
    std::uint64_t d = 0;
    // Each step adds less than 2^33 to a sum: 2^31 steps, 64 GiB, before one could overflow.
    for (; left >= 32; left -= 32, at += 32) {
        a += halves(load_word(at));
        b += halves(load_word(at + 8));
        c += halves(load_word(at + 16));
        d += halves(load_word(at + 24));
    }
    for (; left >= 8; left -= 8, at += 8) {
        a += halves(load_word(at));
    }
    b += halves(load_tail(at, left));
    const std::uint64_t sum = halves(a) + halves(b) + halves(c) + halves(d);
    if constexpr (std::endian::native == std::endian::little) {
        return checksum_add(seed, checksum_swap(sum));
    } else {
        return checksum_add(seed, sum);
    }
}

}  // namespace weft::net::wire
