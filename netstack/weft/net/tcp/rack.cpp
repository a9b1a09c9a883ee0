#include <weft/net/tcp/rack.hpp>

#include <algorithm>

namespace weft::net::tcp {

namespace {
constexpr std::uint32_t duplicate_threshold = 3;     // RFC 8985 §6.2 step 4, DupThresh
constexpr std::uint8_t recoveries_to_remember = 16;  // the same, reo_wnd_persist
constexpr std::uint8_t largest_multiplier = 200;     // the window is bounded by SRTT anyway
}  // namespace

void rack::on_rtt(duration rtt, instant now) noexcept {
    if (now - min_rtt_since_ > min_rtt_window || min_rtt_ == duration::max()) {
        previous_min_rtt_ = min_rtt_;
        min_rtt_ = rtt;
        min_rtt_since_ = now;
    } else {
        min_rtt_ = std::min(min_rtt_, rtt);
    }
}

void rack::on_delivered(const sent_range& r, bool is_last_copy, instant now) noexcept {
    const bool was_resent = r.is(sent_range::retransmitted);
    if (r.end > fack_) {
        fack_ = r.end;
    } else if (r.end < fack_ && !was_resent) {
        reordering_seen_ = true;
        reordering_bytes_ = std::max(reordering_bytes_, fack_ - r.begin);
    }
    const duration rtt = now - r.sent_at;
    if (was_resent && (!is_last_copy || (has_min_rtt() && rtt < min_rtt()))) return;
    rtt_ = rtt;
    if (r.sent_at > xmit_ts_ || (r.sent_at == xmit_ts_ && r.end > end_seq_)) {
        xmit_ts_ = r.sent_at;
        end_seq_ = r.end;
    }
}

void rack::on_dsack(sequence_number una, sequence_number nxt) noexcept {
    if (in_dsack_round_ && una >= dsack_round_) in_dsack_round_ = false;
    if (in_dsack_round_) return;
    in_dsack_round_ = true;
    dsack_round_ = nxt;
    reo_wnd_mult_ =
        std::min<std::uint8_t>(static_cast<std::uint8_t>(reo_wnd_mult_ + 1), largest_multiplier);
    reo_wnd_persist_ = recoveries_to_remember;
}

void rack::on_recovery_end() noexcept {
    if (reo_wnd_persist_ > 0) --reo_wnd_persist_;
    if (reo_wnd_persist_ == 0) reo_wnd_mult_ = 1;
}

duration rack::reordering_window(const situation& s) const noexcept {
    if (!reordering_seen_ && (s.is_recovering || s.sacked_segments >= duplicate_threshold)) {
        return duration::zero();
    }
    const duration quarter = has_min_rtt() ? min_rtt() / 4 : duration::zero();
    return std::min<duration>(quarter * reo_wnd_mult_, s.smoothed_rtt);
}

rack::detected rack::detect_loss(sent_ranges& ranges, const situation& s) noexcept {
    detected found;
    const duration allowance = rtt_ + reordering_window(s);
    found.lost_bytes = ranges.mark_lost_if([&](const sent_range& r) {
        if (!was_sent_before_newest(r)) return false;
        const instant lost_at = r.sent_at + allowance;
        if (lost_at <= s.now) return true;
        // The latest of them: one firing finds all of them lost.
        if (found.look_again_at == never || lost_at > found.look_again_at) {
            found.look_again_at = lost_at;
        }
        return false;
    });
    return found;
}

std::uint32_t rack::mark_lost_on_timeout(sent_ranges& ranges, const situation& s) noexcept {
    const duration allowance = rtt_ + reordering_window(s);
    bool is_first = true;
    return ranges.mark_lost_if([&](const sent_range& r) {
        const bool is_front = std::exchange(is_first, false);
        return is_front || r.sent_at + allowance <= s.now;
    });
}

}  // namespace weft::net::tcp
