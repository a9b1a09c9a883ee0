#include <weft/net/tcp/congestion/window_validation.hpp>

#include <algorithm>

namespace weft::net::tcp {

void window_validation::on_ack(const congestion_window& w, const ack_event& ack) noexcept {
    // "Max(3*RTT, 1 second)" (§4.2).
    const duration window = std::clamp<duration>(3 * ack.smoothed_rtt, std::chrono::seconds{1},
                                                 std::chrono::minutes{3});
    const std::uint32_t now = milliseconds_of(ack.now);
    const auto window_ms = static_cast<std::uint32_t>(
        std::chrono::duration_cast<std::chrono::milliseconds>(window).count());
    recent_.expire(now, window_ms);
    if (!has_round_) {
        has_round_ = true;
        round_begin_ = ack.una - ack.cumulative;
        round_end_ = ack.una < ack.nxt ? ack.nxt : ack.una;
    }
    if (ack.una >= round_end_) {
        recent_.update(ack.una - round_begin_, now, window_ms);
        is_defined_ = true;
        round_begin_ = ack.una;
        round_end_ = ack.nxt;
        // Nothing in flight: the next round begins with what is sent next, at its acknowledgment.
        if (ack.nxt == ack.una) has_round_ = false;
    }
    if (is_validated(w)) {
        not_validated_since_ = never;
    } else if (not_validated_since_ == never) {
        not_validated_since_ = ack.now;
    }
}

void window_validation::adjust(congestion_window& w, std::uint32_t initial_window,
                               instant now) noexcept {
    while (not_validated_since_ != never && now - not_validated_since_ >= period) {
        not_validated_since_ += period;
        if (w.bytes <= initial_window) {
            not_validated_since_ = now;
            return;
        }
        w.threshold = std::max(w.threshold, w.bytes / 4 * 3);
        w.bytes = std::max(w.bytes / 2, initial_window);
    }
}

}  // namespace weft::net::tcp
