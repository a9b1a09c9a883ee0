#include <weft/net/tcp/congestion/bbr.hpp>
#include <weft/net/tcp/pacer.hpp>

#include <algorithm>

namespace weft::net::tcp {

namespace {

constexpr duration min_rtt_lifetime = std::chrono::seconds{10};
constexpr duration probe_rtt_lasts = std::chrono::milliseconds{200};
constexpr duration assumed_rtt = std::chrono::milliseconds{1};  // until one is measured

// One phase up, one phase down to drain what that queued, six level; each lasts a round trip.
constexpr std::uint32_t cycle_gains[] = {320, 192, 256, 256, 256, 256, 256, 256};

constexpr std::uint64_t bytes_in(std::uint64_t bytes_per_second, duration d) {
    const auto us = std::chrono::duration_cast<std::chrono::microseconds>(d).count();
    // Below 10^11 bytes/s times 60 s in us: no overflow.
    return std::min<std::uint64_t>(bytes_per_second, 100'000'000'000) *
           static_cast<std::uint64_t>(std::clamp<std::int64_t>(us, 1, 60'000'000)) / 1'000'000;
}

/// A pseudo-random figure of the time: flows that begin at different times probe at different
/// times, and a simulation replays.
constexpr std::uint64_t mixed(instant now) {
    auto x = static_cast<std::uint64_t>(now.time_since_epoch().count());
    x = (x ^ (x >> 32)) * 0x9e37'79b9'7f4a'7c15;
    return x ^ (x >> 29);
}

}  // namespace

void bbr::begin(congestion_window& w, instant now) noexcept {
    *this = bbr{};
    initial_window_ = prior_window_ = w.bytes;
    min_rtt_at_ = cycle_started_at_ = now;
    w.threshold = congestion_window::unlimited;
    pacing_rate_ = std::uint64_t{w.bytes} * 1'000'000'000 /
                   static_cast<std::uint64_t>(assumed_rtt.count()) * high_gain / unit;
}

std::uint32_t bbr::pacing_gain() const noexcept {
    switch (mode_) {
        case mode::startup: return high_gain;
        case mode::drain: return drain_gain;
        case mode::probe_bandwidth: return cycle_gains[cycle_index_];
        case mode::probe_rtt: break;
    }
    return unit;
}

std::uint32_t bbr::window_gain() const noexcept {
    switch (mode_) {
        case mode::startup:
        case mode::drain: return high_gain;
        case mode::probe_bandwidth: return probing_window_gain;
        case mode::probe_rtt: break;
    }
    return unit;
}

std::uint64_t bbr::quantum(std::uint32_t mss) const noexcept {
    pacer p;
    p.set_rate(pacing_rate_);
    return p.quantum(mss);
}

std::uint64_t bbr::inflight(std::uint32_t gain, const congestion_window& w) const noexcept {
    if (!has_min_rtt()) return initial_window_;
    const std::uint64_t product = bytes_in(bandwidth(), min_rtt_) * gain / unit;
    // A frame in the sender, one on the way and one at the receiver (who delays its ACK) are no
    // use to the path.
    std::uint64_t target = product + 3 * quantum(w.mss);
    if (mode_ == mode::probe_bandwidth && cycle_index_ == 0) target += 2 * w.mss;
    return target;
}

void bbr::on_ack(congestion_window& w, const ack_event& ack) noexcept {
    if (is_recovering_ && !ack.is_recovering) on_recovered(w, ack.in_flight);
    update_bandwidth(ack);
    aggregation_.on_ack(ack, bandwidth(), is_round_start_, w.bytes);
    update_cycle(w, ack);
    check_full(ack);
    check_drain(w, ack);
    update_min_rtt(w, ack);
    set_pacing_rate(w.bytes, ack.smoothed_rtt);
    set_window(w, ack);
}

void bbr::update_bandwidth(const ack_event& ack) noexcept {
    is_round_start_ = false;
    const rate_sample& s = ack.rate;
    if (!s.valid) return;
    delivered_ = s.prior_delivered + s.delivered;
    if (s.prior_delivered >= round_ends_at_) {
        round_ends_at_ = delivered_;
        ++round_;
        is_round_start_ = true;
        conservation_ = conservation::none;
    }
    // What we had too little to send for tells of the path only when it was more than was known.
    const std::uint64_t rate = s.bytes_per_second();
    const bool is_limited = s.is_app_limited || s.prior_delivered < limited_until_;
    if (is_limited && rate < bandwidth()) return;
    bandwidth_.update(rate, round_, bandwidth_window_rounds);
}

void bbr::update_cycle(const congestion_window& w, const ack_event& ack) noexcept {
    if (mode_ != mode::probe_bandwidth) return;
    const bool has_lasted = ack.now - cycle_started_at_ > min_rtt_;
    const std::uint32_t gain = cycle_gains[cycle_index_];
    if (gain > unit) {
        // Up until the path is seen to be filled so far, or loss says that it cannot be.
        if (!has_lasted) return;
        if (ack.lost == 0 && ack.prior_in_flight < inflight(gain, w)) return;
    } else if (gain < unit) {
        if (!has_lasted && ack.in_flight > inflight(unit, w)) return;  // down until it is drained
    } else if (!has_lasted) {
        return;
    }
    next_phase(ack.now);
}

void bbr::next_phase(instant now) noexcept {
    cycle_index_ = static_cast<std::uint8_t>((cycle_index_ + 1) % cycle_length);
    cycle_started_at_ = now;
}

void bbr::enter_probe_bandwidth(instant now) noexcept {
    mode_ = mode::probe_bandwidth;
    // Any phase but the one that drains: there is nothing to drain yet. The next one is entered.
    cycle_index_ = static_cast<std::uint8_t>(1 + mixed(now) % (cycle_length - 1));
    next_phase(now);
}

/// Start-up ends when three rounds in a row brought less than a quarter more.
void bbr::check_full(const ack_event& ack) noexcept {
    if (is_full() || !is_round_start_ || ack.rate.is_app_limited) return;
    if (bandwidth() >= full_bandwidth_ + full_bandwidth_ / 4) {
        full_bandwidth_ = bandwidth();
        full_rounds_ = 0;
        return;
    }
    ++full_rounds_;
}

void bbr::check_drain(const congestion_window& w, const ack_event& ack) noexcept {
    if (mode_ == mode::startup && is_full()) mode_ = mode::drain;
    if (mode_ == mode::drain && ack.in_flight <= inflight(unit, w)) enter_probe_bandwidth(ack.now);
}

void bbr::update_min_rtt(congestion_window& w, const ack_event& ack) noexcept {
    const bool is_old = ack.now > min_rtt_at_ + min_rtt_lifetime;
    if (ack.rtt > duration::zero() && (ack.rtt <= min_rtt_ || is_old)) {
        min_rtt_ = ack.rtt;
        min_rtt_at_ = ack.now;
    }
    if (is_old && !was_idle_ && mode_ != mode::probe_rtt) {
        save_window(w);
        mode_ = mode::probe_rtt;
        probe_rtt_until_ = never;
    }
    if (mode_ == mode::probe_rtt) probe_rtt(w, ack);
    if (ack.delivered > 0) was_idle_ = false;
}

void bbr::probe_rtt(congestion_window& w, const ack_event& ack) noexcept {
    limited_until_ = delivered_ + ack.in_flight;
    if (probe_rtt_until_ == never) {
        if (ack.in_flight > least_window_segments * w.mss) return;
        probe_rtt_until_ = ack.now + probe_rtt_lasts;
        probe_rtt_round_done_ = false;
        round_ends_at_ = delivered_;
        return;
    }
    if (is_round_start_) probe_rtt_round_done_ = true;
    if (!probe_rtt_round_done_ || ack.now < probe_rtt_until_) return;
    end_probe_rtt(w, ack.now);
}

void bbr::end_probe_rtt(congestion_window& w, instant now) noexcept {
    min_rtt_at_ = now;
    w.bytes = std::max(w.bytes, prior_window_);
    if (is_full()) {
        enter_probe_bandwidth(now);
    } else {
        mode_ = mode::startup;
    }
}

void bbr::set_pacing_rate(std::uint32_t window, duration smoothed) noexcept {
    if (!has_rate_of_rtt_ && smoothed > duration::zero()) {
        has_rate_of_rtt_ = true;
        pacing_rate_ = std::uint64_t{window} * 1'000'000'000 /
                       static_cast<std::uint64_t>(smoothed.count()) * high_gain / unit;
    }
    // One per cent below the measured rate, so that what is queued drains away.
    const std::uint64_t rate = bandwidth() * pacing_gain() / unit * 99 / 100;
    if (rate > pacing_rate_ || (is_full() && rate > 0)) pacing_rate_ = rate;
}

void bbr::set_window(congestion_window& w, const ack_event& ack) noexcept {
    if (ack.lost > 0) w.bytes = std::max(w.bytes - std::min(w.bytes, ack.lost), w.mss);
    if (conservation_ != conservation::none) {
        const std::uint64_t both = std::uint64_t{ack.in_flight} + ack.delivered;
        const auto conserved = static_cast<std::uint32_t>(
            std::clamp<std::uint64_t>(both, w.mss, congestion_window::max_bytes));
        w.bytes = conservation_ == conservation::begins ? conserved : std::max(w.bytes, conserved);
        conservation_ = conservation::lasts;
    } else {
        std::uint64_t target = inflight(window_gain(), w);
        if (is_full()) {
            target += aggregation_.excess(bandwidth());
            const std::uint64_t grown = std::uint64_t{w.bytes} + ack.delivered;
            w.bytes = static_cast<std::uint32_t>(
                std::min<std::uint64_t>({grown, target, congestion_window::max_bytes}));
        } else if (w.bytes < target || delivered_ < initial_window_) {
            w.grow(ack.delivered);
        }
        w.bytes = std::max(w.bytes, least_window_segments * w.mss);
    }
    if (mode_ == mode::probe_rtt) w.bytes = std::min(w.bytes, least_window_segments * w.mss);
}

void bbr::on_congestion(const congestion_window& w, std::uint32_t) noexcept {
    save_window(w);
    is_recovering_ = true;
    conservation_ = conservation::begins;
    round_ends_at_ = delivered_;
}

void bbr::on_recovered(congestion_window& w, std::uint32_t) noexcept {
    conservation_ = conservation::none;
    is_recovering_ = false;
    if (mode_ != mode::probe_rtt) w.bytes = std::max(w.bytes, prior_window_);
}

void bbr::on_timeout(congestion_window& w, std::uint32_t, bool) noexcept {
    save_window(w);
    is_recovering_ = true;
    conservation_ = conservation::none;
    full_bandwidth_ = 0;  // the path may have changed: start-up, if it goes on, looks again
    w.bytes = w.mss;
}

void bbr::undo(congestion_window& w) noexcept {
    on_recovered(w, 0);
    full_bandwidth_ = 0;
    if (!is_full()) full_rounds_ = 0;
}

void bbr::on_idle(congestion_window& w, std::uint32_t, instant now) noexcept {
    was_idle_ = true;
    if (mode_ == mode::probe_bandwidth) pacing_rate_ = bandwidth() * 99 / 100;
    if (mode_ == mode::probe_rtt) end_probe_rtt(w, now);  // nothing was in flight: long enough
}

/// Before recovery or a probe; within either, the larger counts.
void bbr::save_window(const congestion_window& w) noexcept {
    const bool is_own = !is_recovering_ && mode_ != mode::probe_rtt;
    prior_window_ = is_own ? w.bytes : std::max(prior_window_, w.bytes);
}

}  // namespace weft::net::tcp
