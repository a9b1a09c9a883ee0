#pragma once
// Spreads a window over the round trip: when the next frame may leave at a given rate.
//
// Every frame pushes the next departure back by the time that it takes at the rate. A departure
// that the pacer held back and that comes late (the timer ticks every 64 us; the loop was busy, the
// process without a processor) is caught up with, up to `max_lateness`, or else the rate would
// depend on how busy the machine is. An idle connection saves up no burst, but `max_credit`. A
// large frame is one departure, so `quantum()` says how large a frame should be: 1 ms of the rate,
// between one segment and 64 KiB. Called by the connection at each send; the rate comes from the
// congestion control. No clock.

#include <weft/base/instant.hpp>

#include <algorithm>
#include <cstdint>

namespace weft::net::tcp {

class pacer {
public:
    static constexpr duration max_credit = std::chrono::milliseconds{1};
    static constexpr duration max_lateness = std::chrono::milliseconds{20};
    static constexpr std::uint32_t max_quantum_bytes = 65536;

    /// Bytes a second; 0: not paced. Counts from the next frame on.
    void set_rate(std::uint64_t bytes_per_second) noexcept { rate_ = bytes_per_second; }
    [[nodiscard]] std::uint64_t rate() const noexcept { return rate_; }
    [[nodiscard]] bool is_paced() const noexcept { return rate_ != 0; }

    /// Whether a frame that is ready may leave. If not, ask again at `next()`.
    [[nodiscard]] bool may_send(instant now) noexcept {
        if (!is_paced() || now >= next_) return true;
        is_held_ = true;
        return false;
    }
    /// When the next frame may leave; in the past when it may leave at once.
    [[nodiscard]] instant next() const noexcept { return is_paced() ? next_ : instant{}; }

    /// How many bytes one frame should carry at most.
    [[nodiscard]] std::uint32_t quantum(std::uint32_t mss) const noexcept {
        if (!is_paced()) return std::max(max_quantum_bytes, mss);
        const std::uint64_t of_a_ms = std::min<std::uint64_t>(rate_ / 1000, max_quantum_bytes);
        return std::max(static_cast<std::uint32_t>(of_a_ms), mss);
    }

    /// A frame with `bytes` of text left. One that was not held back (a retransmission, a probe)
    /// counts too.
    void on_sent(std::uint32_t bytes, instant now) noexcept {
        if (!is_paced()) {
            next_ = now;
            return;
        }
        const std::uint64_t ns = bytes * std::uint64_t{1'000'000'000} / rate_;
        const duration takes{
            static_cast<duration::rep>(std::min(ns, static_cast<std::uint64_t>(max_gap.count())))};
        next_ = std::max(next_, now - (is_held_ ? max_lateness : max_credit)) + takes;
        if (next_ > now) is_held_ = false;
    }

private:
    // However low the rate is, a frame is never further away than this.
    static constexpr duration max_gap = std::chrono::seconds{1};

    std::uint64_t rate_ = 0;
    instant next_;
    bool is_held_ = false;  // since it was asked too early, until it has caught up
};

}  // namespace weft::net::tcp
