#pragma once
// CUBIC (RFC 9438): the window as a cubic function of the time since the last reduction.
//
// Only the growth in congestion avoidance and the decrease: slow start, HyStart++ and the phases
// are loss_based's, recovery is the connection's. Bytes and whole milliseconds; all
// arithmetic is on integers, so that a simulation replays to the bit with every compiler.
// t counts the time in which the window was what held us back, and no other (RFC 9438 §5.8).

#include <weft/net/tcp/congestion/ack_event.hpp>

namespace weft::net::tcp {

class cubic {
public:
    /// An acknowledgment in congestion avoidance, outside recovery. Without `was_window_limited`
    /// nothing grows, and the time since the last acknowledgment does not count into t.
    void on_ack(congestion_window& w, const ack_event& ack) noexcept;

    /// Remembers the window and gives the threshold (§4.6, §4.7). `flight`: at most the window.
    [[nodiscard]] std::uint32_t on_congestion(const congestion_window& w,
                                              std::uint32_t flight) noexcept;
    /// As on_congestion; but what follows grows from a plateau at its own beginning (§4.8).
    [[nodiscard]] std::uint32_t on_timeout(const congestion_window& w,
                                           std::uint32_t flight) noexcept;
    /// What a decrease leaves of `bytes`: beta_cubic.
    [[nodiscard]] static std::uint32_t share_of(std::uint32_t bytes) noexcept;
    /// HyStart++ ended slow start without a loss (§4.10): likewise.
    void on_slow_start_exit(const congestion_window& w) noexcept;
    /// The next acknowledgment in congestion avoidance begins a stage of its own.
    void end_stage() noexcept { is_in_stage_ = false; }

    // For tests and statistics.
    [[nodiscard]] std::uint32_t w_max() const noexcept { return w_max_; }
    [[nodiscard]] std::uint32_t w_est() const noexcept { return w_est_; }
    [[nodiscard]] std::chrono::milliseconds k() const noexcept {
        return std::chrono::milliseconds{k_ms_};
    }
    /// W_cubic(t) of the current stage, in bytes (equation 1).
    [[nodiscard]] std::uint32_t w_cubic(duration t, std::uint32_t mss) const noexcept;

private:
    void begin_stage(const congestion_window& w) noexcept;
    void grow_estimate(const congestion_window& w, std::uint32_t delivered) noexcept;

    std::uint32_t w_max_ = 0;       // 0: to be the window at the beginning of the next stage
    std::uint32_t cwnd_prior_ = 0;  // the window when the threshold was set last
    std::uint32_t w_est_ = 0;
    std::uint32_t k_ms_ = 0;
    duration t_{};                          // of this stage
    instant last_ack_;                      // up to when t_ counts
    std::uint64_t estimate_remainder_ = 0;  // of what w_est_ grows by, in bytes * 17 * window
    std::uint32_t growth_remainder_ = 0;    // of what the window grows by, in bytes * window
    bool is_in_stage_ = false;
};

}  // namespace weft::net::tcp
