#include <weft/net/tcp/delivery_rate.hpp>

#include <algorithm>
#include <limits>

namespace weft::net::tcp {

delivery_snapshot delivery_rate::on_sent(instant now, std::uint32_t in_flight_before) noexcept {
    // Out of silence: a new flight begins, and the silence is part of no interval.
    if (in_flight_before == 0) first_sent_at_ = delivered_at_ = now;
    return {delivered_, delivered_at_, first_sent_at_, lost_, is_app_limited()};
}

void delivery_rate::on_delivered(const delivery_snapshot& at_send, instant sent_at,
                                 std::uint32_t bytes, instant now) noexcept {
    delivered_ += bytes;
    delivered_at_ = now;
    // The range that was sent last spans the shortest, and so the freshest, interval.
    const bool is_newer = !has_newest_ || at_send.delivered > newest_.delivered ||
                          (at_send.delivered == newest_.delivered && sent_at >= newest_sent_at_);
    if (!is_newer) return;
    newest_ = at_send;
    newest_sent_at_ = sent_at;
    has_newest_ = true;
}

rate_sample delivery_rate::take_sample(instant now, duration min_rtt) noexcept {
    if (app_limited_until_ != 0 && delivered_ > app_limited_until_) app_limited_until_ = 0;
    rate_sample sample;
    if (!has_newest_) return sample;
    has_newest_ = false;
    first_sent_at_ = newest_sent_at_;  // the next flight begins with it

    sample.is_app_limited = newest_.is_app_limited;
    sample.delivered = static_cast<std::uint32_t>(std::min<std::uint64_t>(
        delivered_ - newest_.delivered, std::numeric_limits<std::uint32_t>::max()));
    sample.lost = lost_ - newest_.lost;
    sample.send_elapsed = newest_sent_at_ - newest_.first_sent_at;
    sample.ack_elapsed = delivered_at_ - newest_.delivered_at;
    sample.interval = std::max(sample.send_elapsed, sample.ack_elapsed);
    sample.rtt = now - newest_sent_at_;
    sample.prior_delivered = newest_.delivered;
    sample.valid = sample.interval > duration::zero() && sample.interval >= min_rtt;
    return sample;
}

void delivery_rate::on_app_limited(std::uint32_t in_flight) noexcept {
    // Never 0, which means that there is no gap.
    app_limited_until_ = std::max<std::uint64_t>(delivered_ + in_flight, 1);
}

}  // namespace weft::net::tcp
