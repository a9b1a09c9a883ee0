#pragma once
// How much more arrives at once than the path delivers evenly: links and receivers that gather
// acknowledgments make the window run dry between them unless it is larger by that much.
//
// From the start of an epoch, what was acknowledged is compared with what the measured bandwidth
// would have delivered; the largest excess of the last five to ten rounds is added to BBR's window.

#include <weft/net/tcp/congestion/ack_event.hpp>

namespace weft::net::tcp {

class ack_aggregation {
public:
    void on_ack(const ack_event& ack, std::uint64_t bandwidth, bool is_round_start,
                std::uint32_t window) noexcept {
        if (ack.delivered == 0) return;
        if (is_round_start && ++rounds_ >= rounds_each) {
            rounds_ = 0;
            before_ = current_;
            current_ = 0;
        }
        std::uint64_t expected = expected_by(ack.now, bandwidth);
        if (acked_ <= expected || acked_ + ack.delivered >= most_acked) {
            acked_ = 0;
            began_at_ = ack.now;
            expected = 0;
        }
        acked_ += ack.delivered;
        const std::uint64_t excess = acked_ - std::min(expected, acked_);
        current_ =
            std::max(current_, static_cast<std::uint32_t>(std::min<std::uint64_t>(excess, window)));
    }

    /// Bytes; never more than 100 ms of the bandwidth.
    [[nodiscard]] std::uint32_t excess(std::uint64_t bandwidth) const noexcept {
        return static_cast<std::uint32_t>(
            std::min<std::uint64_t>(std::max(current_, before_), bandwidth / 10));
    }

private:
    static constexpr std::uint8_t rounds_each = 5;
    static constexpr std::uint64_t most_acked = std::uint64_t{1} << 30;

    [[nodiscard]] std::uint64_t expected_by(instant now, std::uint64_t bandwidth) const noexcept {
        const auto us = std::chrono::duration_cast<std::chrono::microseconds>(now - began_at_);
        const auto bounded =
            static_cast<std::uint64_t>(std::clamp<std::int64_t>(us.count(), 0, 60'000'000));
        return bandwidth * bounded / 1'000'000;
    }

    instant began_at_;
    std::uint64_t acked_ = 0;  // in this epoch
    std::uint32_t current_ = 0;
    std::uint32_t before_ = 0;
    std::uint8_t rounds_ = 0;
};

}  // namespace weft::net::tcp
