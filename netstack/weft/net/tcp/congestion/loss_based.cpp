#include <weft/net/tcp/congestion/loss_based.hpp>

#include <algorithm>

namespace weft::net::tcp {

namespace {

/// What may leave at once when recovery ends: as much as at the start of a connection (RFC 6928).
constexpr std::uint32_t max_burst_segments = 10;

/// The most that one acknowledgment adds in slow start. Deviates: RFC 9406 §4.2 says 8 segments
/// (RFC 3465 §2.3 says 2), but a large frame is sent and acknowledged as a whole.
constexpr std::uint32_t slow_start_bound(std::uint32_t mss) { return std::max(8 * mss, 65536U); }

}  // namespace

void loss_based::on_ack(congestion_window& w, const ack_event& ack) noexcept {
    if (ack.smoothed_rtt > duration::zero()) {
        const auto us = std::chrono::duration_cast<std::chrono::microseconds>(ack.smoothed_rtt);
        smoothed_us_ =
            static_cast<std::uint32_t>(std::clamp<std::int64_t>(us.count(), 1, 60'000'000));
        queue_is_filling_ = ack.smoothed_rtt > ack.min_rtt + hystart::tolerated_rise(ack.min_rtt);
    }
    was_limited_ = ack.was_window_limited;
    if (ack.is_recovering) {
        lost_bytes_ += ack.lost;
        if (after_timeout_ && w.is_slow_start()) grow_in_slow_start(w, ack);
        return;
    }
    // News of a gap is no reason to grow (RFC 5681 §3.1), but where segments overtake each other
    // most of what is delivered is delivered behind one.
    if (ack.cumulative == 0 && !ack.reordering_seen) return;
    after_timeout_ = false;
    validation_.on_ack(w, ack);
    if (validation_.is_validated(w)) is_paced_ = false;
    validation_.adjust(w, initial_window_, ack.now);
    if (w.is_slow_start()) {
        grow_in_slow_start(w, ack);
    } else if (auto* c = std::get_if<cubic>(&growth_)) {
        c->on_ack(w, ack);
    } else if (ack.was_window_limited) {
        std::get_if<reno>(&growth_)->on_ack(w, ack.delivered);
    }
}

void loss_based::grow_in_slow_start(congestion_window& w, const ack_event& ack) noexcept {
    auto* c = std::get_if<cubic>(&growth_);
    if (c != nullptr) c->end_stage();
    const bool is_first = hystart_.current() != hystart::phase::done;
    const hystart::phase phase = hystart_.on_ack(ack);
    if (is_first && phase == hystart::phase::done) {
        w.threshold = w.bytes;
        if (c != nullptr) c->on_slow_start_exit(w);
        return;
    }
    if (!ack.was_window_limited) return;
    // What an acknowledgment covers may have left the network long ago (RFC 3465 §2.3): never more
    // than was in it just before.
    std::uint32_t by = std::min({ack.delivered, ack.prior_in_flight, slow_start_bound(w.mss)});
    if (phase == hystart::phase::conservative) by /= hystart::growth_divisor;
    w.grow(std::min(by, w.threshold - w.bytes));
}

/// FlightSize (RFC 5681 §3.1), at most the window. Where less was in flight than before, at the
/// tail of a burst, pipeACK tells what the path has carried: in the non-validated phase for both
/// (RFC 7661 §4.4.1), for CUBIC always. CUBIC need not take FlightSize while the window is what
/// limits it (RFC 9438 §4.6): when one recovery follows the other, little is left of it.
std::uint32_t loss_based::used(const congestion_window& w, std::uint32_t flight) const noexcept {
    if (is_cubic() && was_limited_) return w.bytes;
    std::uint32_t bytes = flight;
    if (is_cubic() || !is_validated(w)) bytes = std::max(bytes, validation_.pipe_ack());
    return std::min(bytes, w.bytes);
}

/// In slow start pipeACK is half of the window or less, however well the window is used.
bool loss_based::is_validated(const congestion_window& w) const noexcept {
    return was_limited_ || validation_.is_validated(w);
}

void loss_based::save(const congestion_window& w) noexcept {
    saved_ = w;
    saved_growth_ = growth_;
    saved_phase_ = hystart_.current();
}

void loss_based::on_congestion(congestion_window& w, std::uint32_t flight) noexcept {
    save(w);
    const bool may_be_twice_too_much = hystart_.may_have_doubled();
    hystart_.stop();
    after_timeout_ = false;
    is_paced_ = false;
    lost_bytes_ = 0;
    was_not_validated_ = !is_validated(w);
    const std::uint32_t bytes = used(w, flight);
    w.threshold = std::visit([&](auto& g) { return g.on_congestion(w, bytes); }, growth_);
    // Deviates: RFC 9438 §4.6 has one beta for all. But slow start doubles the window in the round
    // trip before the loss is heard of: 0.7 of it would overflow the queue again, in recovery.
    // While round trips are as short as ever no queue was full, and the segment was lost to
    // something else.
    if (may_be_twice_too_much && queue_is_filling_)
        w.threshold = std::max(reno::share_of(bytes), 2 * w.mss);
}

void loss_based::on_recovered(congestion_window& w, std::uint32_t in_flight) noexcept {
    validation_.reset();
    if (after_timeout_) {  // slow start goes on
        after_timeout_ = false;
        return;
    }
    if (was_not_validated_) {  // RFC 7661 §4.4.1: cwnd = (max(pipeACK, LossFlightSize) - R) / 2
        const std::uint32_t less =
            std::visit([&](const auto& g) { return g.share_of(lost_bytes_); }, growth_);
        w.threshold = std::max(w.threshold - std::min(w.threshold, less), w.mss);
        was_not_validated_ = false;
    }
    w.bytes = std::min(w.threshold, std::max(in_flight, w.mss) + max_burst_segments * w.mss);
}

void loss_based::on_timeout(congestion_window& w, std::uint32_t flight, bool is_first) noexcept {
    if (is_first) {
        save(w);
        const std::uint32_t bytes = used(w, flight);
        w.threshold = std::visit([&](auto& g) { return g.on_timeout(w, bytes); }, growth_);
    }
    hystart_.stop();
    validation_.reset();
    after_timeout_ = true;
    was_not_validated_ = false;
    is_paced_ = false;
    w.bytes = w.mss;
}

void loss_based::undo(congestion_window& w) noexcept {
    if (saved_.mss == 0) return;
    w.bytes = std::max(w.bytes, saved_.bytes);
    w.threshold = saved_.threshold;
    growth_ = saved_growth_;
    hystart_.resume(saved_phase_);
    saved_.mss = 0;
    after_timeout_ = false;
    was_not_validated_ = false;
}

void loss_based::on_idle(congestion_window& w, std::uint32_t initial_window, instant now) noexcept {
    initial_window_ = initial_window;
    validation_.adjust(w, initial_window, now);
    if (w.bytes <= initial_window) return;
    if (keeps_window_ && smoothed_us_ != 0) {
        is_paced_ = true;
        return;
    }
    // RFC 5681 §4.1, but the threshold remembers what was carried (RFC 7661 §4.4.3).
    w.threshold = std::max(w.threshold, w.bytes / 4 * 3);
    w.bytes = initial_window;
}

std::uint64_t loss_based::pacing_rate(const congestion_window& w) const noexcept {
    if (!is_paced_) return 0;
    return std::max<std::uint64_t>(std::uint64_t{w.bytes} * 1'000'000 / smoothed_us_, 1);
}

}  // namespace weft::net::tcp
