#include <weft/net/tcp/congestion/cubic.hpp>

#include <algorithm>

namespace weft::net::tcp {

namespace {

// beta_cubic = 0.7 (RFC 9438 §4.6); C = 0.4 segments/s^3 (§5).
constexpr std::uint64_t beta_tenths = 7;
// alpha_cubic = 3 * (1 - beta) / (1 + beta) = 9 / 17 (§4.3).
constexpr std::uint64_t alpha_numerator = 9;
constexpr std::uint64_t alpha_denominator = 17;
// 1 / C in ms^3 a segment: a segment takes 2.5 s^3.
constexpr std::uint64_t cubic_ms_per_segment = 2'500'000'000;
// (t - K) beyond this changes nothing: the window is at its bounds.
constexpr std::int64_t max_distance_ms = 1 << 20;

/// The largest r with r^3 <= x, by binary digits.
constexpr std::uint32_t cube_root(std::uint64_t x) {
    std::uint64_t root = 0;
    for (int shift = 63; shift >= 0; shift -= 3) {
        root *= 2;
        const std::uint64_t next = 3 * root * (root + 1) + 1;  // (root + 1)^3 - root^3
        if ((x >> shift) >= next) {
            x -= next << shift;
            ++root;
        }
    }
    return static_cast<std::uint32_t>(root);
}
static_assert(cube_root(0) == 0 && cube_root(7) == 1 && cube_root(8) == 2);
static_assert(cube_root(999'999'999) == 999 && cube_root(1'000'000'000) == 1000);
static_assert(cube_root(~std::uint64_t{0}) == 2'642'245);

}  // namespace

std::uint32_t cubic::share_of(std::uint32_t bytes) noexcept {
    return static_cast<std::uint32_t>(bytes * beta_tenths / 10);
}

std::uint32_t cubic::w_cubic(duration t, std::uint32_t mss) const noexcept {
    const std::int64_t ms = std::chrono::duration_cast<std::chrono::milliseconds>(t).count();
    const std::int64_t distance =
        std::clamp(ms - std::int64_t{k_ms_}, -max_distance_ms, max_distance_ms);
    const auto d = static_cast<std::uint64_t>(distance < 0 ? -distance : distance);
    const std::uint64_t d3 = d * d * d;  // below 2^60
    // mss * d3 / cubic_ms_per_segment, without overflow.
    const std::uint64_t bytes =
        d3 / cubic_ms_per_segment * mss + d3 % cubic_ms_per_segment * mss / cubic_ms_per_segment;
    if (distance < 0)
        return w_max_ - static_cast<std::uint32_t>(std::min<std::uint64_t>(bytes, w_max_));
    return static_cast<std::uint32_t>(
        std::min<std::uint64_t>(w_max_ + bytes, congestion_window::unlimited));
}

void cubic::begin_stage(const congestion_window& w) noexcept {
    is_in_stage_ = true;
    t_ = duration::zero();
    estimate_remainder_ = 0;
    growth_remainder_ = 0;
    w_est_ = w.bytes;
    if (w_max_ <= w.bytes) {  // nothing to come back to: a plateau here (§4.2, §4.8, §4.10)
        w_max_ = w.bytes;
        k_ms_ = 0;
        return;
    }
    // K = cbrt((W_max - cwnd_epoch) / C) (equation 2).
    const std::uint64_t k3 = std::uint64_t{w_max_ - w.bytes} * cubic_ms_per_segment / w.mss;
    k_ms_ = cube_root(k3);
}

/// W_est grows by alpha * segments_acked / cwnd (equation 4), and as fast as Reno once it has come
/// back to where the window was.
void cubic::grow_estimate(const congestion_window& w, std::uint32_t delivered) noexcept {
    const std::uint64_t alpha = w_est_ >= cwnd_prior_ ? alpha_denominator : alpha_numerator;
    const std::uint64_t divisor = alpha_denominator * w.bytes;
    estimate_remainder_ += std::uint64_t{delivered} * w.mss * alpha;
    const std::uint64_t by = estimate_remainder_ / divisor;
    estimate_remainder_ %= divisor;
    w_est_ = static_cast<std::uint32_t>(
        std::min<std::uint64_t>(w_est_ + by, congestion_window::max_bytes));
}

void cubic::on_ack(congestion_window& w, const ack_event& ack) noexcept {
    const instant before = last_ack_;
    last_ack_ = ack.now;
    if (!ack.was_window_limited) return;
    if (!is_in_stage_) {
        begin_stage(w);
    } else {
        // Whoever fills the window hears at least once in a round trip: a longer silence was ours.
        const duration longest = ack.smoothed_rtt > duration::zero() ? ack.smoothed_rtt : ack.rtt;
        t_ += std::min(ack.now - before, std::max(longest, duration{std::chrono::milliseconds{1}}));
    }
    grow_estimate(w, ack.delivered);
    if (w_cubic(t_, w.mss) < w_est_) {  // the Reno-friendly region (§4.3)
        if (w_est_ > w.bytes) w.bytes = w_est_;
        return;
    }
    // Concave and convex alike (§4.4, §4.5): towards where the curve is one round trip from now.
    const std::uint64_t most = std::uint64_t{w.bytes} + w.bytes / 2;
    const std::uint64_t target =
        std::clamp<std::uint64_t>(w_cubic(t_ + ack.smoothed_rtt, w.mss), w.bytes, most);
    const std::uint64_t growth = (target - w.bytes) * ack.delivered + growth_remainder_;
    growth_remainder_ = static_cast<std::uint32_t>(growth % w.bytes);
    w.grow(growth / w.bytes);
}

std::uint32_t cubic::on_congestion(const congestion_window& w, std::uint32_t flight) noexcept {
    // Fast convergence (§4.7): below the last plateau, leave room for those who came since.
    const bool makes_room = w.bytes < w_max_;
    w_max_ = makes_room ? static_cast<std::uint32_t>(w.bytes * std::uint64_t{17} / 20) : w.bytes;
    cwnd_prior_ = w.bytes;
    is_in_stage_ = false;
    return std::max(share_of(flight), 2 * w.mss);
}

std::uint32_t cubic::on_timeout(const congestion_window& w, std::uint32_t flight) noexcept {
    const std::uint32_t threshold = on_congestion(w, flight);
    w_max_ = 0;
    return threshold;
}

void cubic::on_slow_start_exit(const congestion_window& w) noexcept {
    w_max_ = 0;
    cwnd_prior_ = w.bytes;
    is_in_stage_ = false;
}

}  // namespace weft::net::tcp
