#pragma once
// How much may leave during a recovery: proportional rate reduction (RFC 6937, PRR-SSRB).
//
// Spreads the reduction to the new threshold over the acknowledgments of one round trip, so that
// there is no half window of silence and no burst; when more was lost than the reduction asks for,
// it grows back as in slow start. Counts bytes.

#include <algorithm>
#include <cstdint>

namespace weft::net::tcp {

class proportional_rate_reduction {
public:
    /// `flight`: SND.NXT - SND.UNA when the recovery begins (RecoverFS).
    void begin(std::uint32_t flight, std::uint32_t threshold) noexcept {
        flight_ = std::max(flight, 1U);
        threshold_ = threshold;
        delivered_ = sent_ = 0;
    }
    void on_sent(std::uint32_t bytes) noexcept { sent_ += bytes; }

    /// The window after an acknowledgment that delivered so many bytes: what is in flight, and
    /// `sndcnt`.
    [[nodiscard]] std::uint32_t on_ack(std::uint32_t delivered, std::uint32_t pipe,
                                       std::uint32_t mss) noexcept {
        delivered_ += delivered;
        std::uint64_t allowed = 0;
        if (pipe > threshold_) {
            const std::uint64_t share =
                (delivered_ * threshold_ + flight_ - 1) / flight_;  // rounded up
            allowed = share > sent_ ? share - sent_ : 0;
        } else {
            const std::uint64_t banked = delivered_ > sent_ ? delivered_ - sent_ : 0;
            const std::uint64_t limit = std::max<std::uint64_t>(banked, delivered) + mss;
            allowed = std::min<std::uint64_t>(threshold_ - pipe, limit);
        }
        return pipe + static_cast<std::uint32_t>(std::min<std::uint64_t>(allowed, 0x3fff'ffff));
    }

private:
    std::uint64_t delivered_ = 0;  // prr_delivered
    std::uint64_t sent_ = 0;       // prr_out
    std::uint32_t flight_ = 1;     // RecoverFS
    std::uint32_t threshold_ = 0;
};

}  // namespace weft::net::tcp
