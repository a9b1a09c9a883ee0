#pragma once
// The retransmission timeout: smoothed round-trip time, its variation, and back-off (RFC 6298).
//
// Holds no clock and no timer: samples in, a timeout out. Karn's rule (no sample from a segment
// that was sent twice) is the caller's, who knows what was retransmitted.

#include <weft/base/instant.hpp>
#include <weft/net/tcp/options.hpp>

#include <algorithm>

namespace weft::net::tcp {

class retransmission_timer {
public:
    void begin(const config& c) noexcept { rto_us_ = to_us(c.initial_rto); }

    /// RFC 6298 §2.2, §2.3; ends a back-off (§5.7).
    void on_sample(duration rtt, const config& c) noexcept {
        const std::uint32_t r = std::max(to_us(rtt), 1U);
        if (srtt_us_ == 0) {
            srtt_us_ = r;
            rttvar_us_ = r / 2;
        } else {
            const std::uint32_t difference = srtt_us_ > r ? srtt_us_ - r : r - srtt_us_;
            rttvar_us_ = rttvar_us_ - rttvar_us_ / 4 + difference / 4;
            srtt_us_ = srtt_us_ - srtt_us_ / 8 + r / 8;
        }
        recompute(c);
        backoff_ = 0;
        kept_ = false;
    }

    /// RFC 6298 §5.5: the timer doubles.
    void back_off() noexcept {
        if (backoff_ < 30) ++backoff_;
    }
    /// New data was acknowledged: the back-off is over, even when no sample may be taken.
    void end_back_off() noexcept { backoff_ = 0; }

    /// New data was acknowledged, and nothing tells after how long. The back-off stays, so that the
    /// next segment can be timed if the path has become slow (Karn). If that one cannot be timed
    /// either although it was waited for as long, then segments are being lost: the back-off ends.
    void on_untimed_ack() noexcept {
        kept_ = !kept_;
        if (!kept_) backoff_ = 0;
    }

    /// RFC 6298 §5.7: the handshake gave no sample because its SYN was repeated, so 3 s until the
    /// first one. Does nothing later.
    void on_no_syn_sample(const config& c) noexcept {
        if (srtt_us_ == 0) rto_us_ = std::max(to_us(c.initial_rto), 3'000'000U);
    }

    /// The timeout with its back-off, at most `max_rto`.
    [[nodiscard]] duration timeout(const config& c) const noexcept {
        if (backoff_ >= 16) return c.max_rto;  // and no shift overflows
        const auto doubled = std::chrono::microseconds{std::int64_t{rto_us_} << backoff_};
        return std::min<duration>(doubled, c.max_rto);
    }
    [[nodiscard]] duration smoothed() const noexcept { return std::chrono::microseconds{srtt_us_}; }
    [[nodiscard]] duration variation() const noexcept {
        return std::chrono::microseconds{rttvar_us_};
    }
    [[nodiscard]] bool has_sample() const noexcept { return srtt_us_ != 0; }
    [[nodiscard]] unsigned backoffs() const noexcept { return backoff_; }

private:
    static std::uint32_t to_us(duration d) noexcept {
        const auto us = std::chrono::duration_cast<std::chrono::microseconds>(d).count();
        return static_cast<std::uint32_t>(std::clamp<std::int64_t>(us, 0, 600'000'000));
    }
    void recompute(const config& c) noexcept {
        const std::uint32_t rto = srtt_us_ + std::max(1U, 4 * rttvar_us_);  // G is 1 us
        rto_us_ = std::clamp(rto, to_us(c.min_rto), to_us(c.max_rto));
    }

    std::uint32_t srtt_us_ = 0;
    std::uint32_t rttvar_us_ = 0;
    std::uint32_t rto_us_ = 1'000'000;
    std::uint8_t backoff_ = 0;
    bool kept_ = false;  // the back-off, over an acknowledgment
};

}  // namespace weft::net::tcp
