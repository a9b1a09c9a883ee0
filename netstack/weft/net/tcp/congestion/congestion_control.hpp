#pragma once
// How much may be in flight, and how fast it may leave: one of a closed set of algorithms, chosen
// for each connection.
//
// The connection reports acknowledgments, congestion, timeouts and silence, and reads `window()`
// and `pacing_rate()`. This class only passes on: to loss_based (NewReno, RFC 5681; CUBIC,
// RFC 9438) or to bbr. No clock, no timers, no queue, no allocation.

#include <weft/net/tcp/congestion/bbr.hpp>
#include <weft/net/tcp/congestion/loss_based.hpp>
#include <weft/net/tcp/options.hpp>

#include <variant>

namespace weft::net::tcp {

class congestion_control {
public:
    /// `initial_window`: bytes (RFC 6928 §2, or one segment after a lost SYN).
    void begin(congestion_algorithm algorithm, std::uint32_t mss, std::uint32_t initial_window,
               instant now) noexcept;

    [[nodiscard]] congestion_algorithm algorithm() const noexcept;
    [[nodiscard]] std::uint32_t window() const noexcept { return window_.bytes; }  ///< cwnd
    [[nodiscard]] std::uint32_t threshold() const noexcept {
        return window_.threshold;
    }  ///< ssthresh
    /// Below the threshold; for BBR, while it starts up.
    [[nodiscard]] bool is_slow_start() const noexcept;
    /// Bytes a second; 0: not paced.
    [[nodiscard]] std::uint64_t pacing_rate() const noexcept;
    /// Recovery itself leads the window down to `threshold()`, through set_window() (PRR or
    /// RFC 6582). Otherwise the algorithm does.
    [[nodiscard]] bool uses_recovery_window() const noexcept { return as_bbr() == nullptr; }

    void on_ack(const ack_event& ack) noexcept;

    /// Recovery begins (fast retransmit, or a reduction for ECN): the threshold is reduced.
    /// `flight`: FlightSize of RFC 5681, so what is lost or selectively acknowledged counts; no
    /// more than the window is used.
    void on_congestion(congestion_cause cause, std::uint32_t flight, std::uint32_t mss,
                       instant now) noexcept;
    /// Recovery ends with `in_flight` in the network: the window is the threshold, but no burst of
    /// more than ten segments is let go at once (RFC 6582 §3.2 step 3).
    void on_recovered(std::uint32_t in_flight, std::uint32_t mss, instant now) noexcept;
    /// RFC 5681 §3.1: one segment. `is_first`: not a timeout of what has timed out before.
    void on_timeout(std::uint32_t flight, std::uint32_t mss, bool is_first, instant now) noexcept;
    /// The last congestion or timeout was none: what there was before it comes back, once.
    void undo() noexcept;

    /// Nothing was sent for at least `rto` (RFC 5681 §4.1).
    void on_idle(std::uint32_t mss, std::uint32_t initial_window, instant now,
                 duration rto) noexcept;
    /// After silence the loss-based algorithms keep their window and pace it (RFC 7661), instead
    /// of starting again with the initial one.
    void keep_window_when_idle(bool keeps) noexcept;

    void set_window(std::uint32_t bytes) noexcept {
        window_.bytes = std::min(bytes, congestion_window::max_bytes);
    }
    /// The path MTU changed: the window stays, in bytes, but holds at least a segment; as long as
    /// it is the initial one it is as many of the smaller segments instead (RFC 5681 §3.1).
    void on_mss(std::uint32_t mss) noexcept;

    /// For statistics and tests; nothing when another algorithm was chosen.
    [[nodiscard]] const bbr* as_bbr() const noexcept { return std::get_if<bbr>(&model_); }
    [[nodiscard]] const loss_based* as_loss_based() const noexcept {
        return std::get_if<loss_based>(&model_);
    }

private:
    congestion_window window_;
    std::uint32_t initial_bytes_ = 0;
    std::variant<loss_based, bbr> model_{loss_based{reno{}, 0}};
};

}  // namespace weft::net::tcp
