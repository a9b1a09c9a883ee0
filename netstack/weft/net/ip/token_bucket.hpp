// A rate limit: so many at once, so many a second (RFC 1812 §4.3.2.8's token bucket).
//
// For what a stranger can make us send: ICMP errors, challenge ACKs. A value without a timer; the
// tokens due are worked out when one is asked for.
#pragma once

#include <weft/base/instant.hpp>

#include <cassert>
#include <cstdint>

namespace weft::net::ip {

class token_bucket {
public:
    /// Starts full. Preconditions: both are at least 1.
    constexpr token_bucket(std::uint32_t per_second, std::uint32_t burst) noexcept
        : interval_{duration{std::chrono::seconds{1}} / per_second}, burst_{burst}, tokens_{burst} {
        assert(per_second > 0 && burst > 0);
    }

    /// Takes a token; false when there is none.
    [[nodiscard]] constexpr bool take(instant now) noexcept {
        refill(now);
        if (tokens_ == 0) {
            return false;
        }
        if (tokens_ == burst_) {
            counted_from_ = now;
        }
        --tokens_;
        return true;
    }

private:
    constexpr void refill(instant now) noexcept {
        if (tokens_ == burst_ || now < counted_from_) {
            return;
        }
        const auto due = (now - counted_from_) / interval_;
        if (due >= static_cast<duration::rep>(burst_ - tokens_)) {
            tokens_ = burst_;
        } else {
            tokens_ += static_cast<std::uint32_t>(due);
            counted_from_ += due * interval_;
        }
    }

    duration interval_;
    std::uint32_t burst_;
    std::uint32_t tokens_;
    instant counted_from_{};  ///< meaningful while the bucket is not full
};

}  // namespace weft::net::ip
