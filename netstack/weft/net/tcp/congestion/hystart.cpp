#include <weft/net/tcp/congestion/hystart.hpp>

#include <algorithm>

namespace weft::net::tcp {

hystart::phase hystart::on_ack(const ack_event& ack) noexcept {
    if (phase_ == phase::done) return phase_;
    if (!has_round_) begin_round(ack.nxt);
    const phase of_this_ack = phase_;
    if (ack.rtt > duration::zero()) {
        current_round_ = std::min(current_round_, ack.rtt);
        if (samples_ < samples_needed) ++samples_;
    }
    if (samples_ >= samples_needed) {
        if (phase_ == phase::standard && last_round_ != infinite) {
            const duration threshold = tolerated_rise(last_round_);
            if (current_round_ >= last_round_ + threshold) {
                baseline_ = current_round_;
                rounds_ = 0;
                phase_ = phase::conservative;
            }
        } else if (phase_ == phase::conservative && current_round_ < baseline_) {
            baseline_ = infinite;
            phase_ = phase::standard;
        }
    }
    if (ack.una >= round_end_) {
        if (phase_ == phase::conservative && ++rounds_ >= conservative_rounds) {
            phase_ = phase::done;
            return phase_;
        }
        begin_round(ack.nxt);
    }
    return of_this_ack;
}

void hystart::begin_round(sequence_number nxt) noexcept {
    if (has_round_) last_round_ = current_round_;
    has_round_ = true;
    current_round_ = infinite;
    samples_ = 0;
    round_end_ = nxt;
}

}  // namespace weft::net::tcp
