#pragma once
// Pseudo-random numbers that a seed reproduces on every platform and standard library: for
// simulated links and tests. SplitMix64 (Steele, Lea and Flood, 2014). Not for secrets.

#include <weft/base/instant.hpp>

#include <cstdint>

namespace weft {

class random_source {
public:
    explicit constexpr random_source(std::uint64_t seed) noexcept : state_{seed} {}

    constexpr std::uint64_t next() noexcept {
        state_ += 0x9e37'79b9'7f4a'7c15ULL;
        std::uint64_t z = state_;
        z = (z ^ (z >> 30)) * 0xbf58'476d'1ce4'e5b9ULL;
        z = (z ^ (z >> 27)) * 0x94d0'49bb'1331'11ebULL;
        return z ^ (z >> 31);
    }
    /// Below `bound`, which is not zero. The bias is below bound / 2^32.
    constexpr std::uint32_t below(std::uint32_t bound) noexcept {
        return static_cast<std::uint32_t>((next() >> 32) * bound >> 32);
    }
    /// True with this probability. Draws nothing when it is 0 or 1 at most.
    constexpr bool chance(double probability) noexcept {
        if (probability <= 0) return false;
        if (probability >= 1) return true;
        return static_cast<double>(next() >> 11) * 0x1.0p-53 < probability;
    }
    /// From zero to `longest`.
    constexpr duration up_to(duration longest) noexcept {
        if (longest <= duration::zero()) return duration::zero();
        const auto range = static_cast<std::uint64_t>(longest.count()) + 1;
        return duration{static_cast<duration::rep>(next() % range)};
    }

private:
    std::uint64_t state_;
};

}  // namespace weft
