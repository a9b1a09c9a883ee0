#pragma once
// How much may be in flight, and how fast it may leave: one of a closed set of algorithms, chosen
// for each connection.
//
// The connection reports acknowledgments, congestion, timeouts and idleness, and reads `window()`
// and `pacing_rate()`. This class holds the phases that the loss-based algorithms share (slow
// start, RFC 5681; undo, after RFC 4015; restart after idleness) and passes on what differs:
// NewReno's growth (RFC 5681), CUBIC (RFC 9438), BBR. No clock, no timers, no queue, no allocation.

#include <weft/net/tcp/congestion/ack_event.hpp>
#include <weft/net/tcp/congestion/reno.hpp>
#include <weft/net/tcp/options.hpp>

namespace weft::net::tcp {

class congestion_control {
public:
    /// `initial_window`: bytes (RFC 6928 §2, or one segment after a lost SYN).
    void begin(congestion_algorithm algorithm, std::uint32_t mss, std::uint32_t initial_window,
               instant now) noexcept;

    [[nodiscard]] congestion_algorithm algorithm() const noexcept { return algorithm_; }
    [[nodiscard]] std::uint32_t window() const noexcept { return window_.bytes; }  ///< cwnd
    [[nodiscard]] std::uint32_t threshold() const noexcept {
        return window_.threshold;
    }  ///< ssthresh
    [[nodiscard]] bool is_slow_start() const noexcept { return window_.is_slow_start(); }
    /// Bytes a second; 0: not paced.
    [[nodiscard]] std::uint64_t pacing_rate() const noexcept { return 0; }
    /// Recovery itself leads the window down to `threshold()`, through set_window() (PRR or
    /// RFC 6582). Otherwise the algorithm does and set_window() is not called.
    [[nodiscard]] bool uses_recovery_window() const noexcept {
        return algorithm_ != congestion_algorithm::bbr;
    }

    void on_ack(const ack_event& ack) noexcept;

    /// Recovery begins (fast retransmit, or a reduction for ECN): the threshold is reduced.
    /// `in_flight`: FlightSize of RFC 5681, so what is lost counts; at most the window is used.
    void on_congestion(congestion_cause cause, std::uint32_t in_flight, std::uint32_t mss,
                       instant now) noexcept;
    /// Recovery ends: the window is the threshold, but no burst of more than ten segments is let
    /// go at once (RFC 6582 §3.2 step 3). After a timeout slow start goes on.
    void on_recovered(std::uint32_t in_flight, std::uint32_t mss, instant now) noexcept;
    /// RFC 5681 §3.1: one segment. `is_first`: not a timeout of what has timed out before.
    void on_timeout(std::uint32_t in_flight, std::uint32_t mss, bool is_first,
                    instant now) noexcept;
    /// The last congestion or timeout was none: what there was before it comes back, once.
    void undo() noexcept;

    /// Nothing was sent for at least `rto` (RFC 5681 §4.1).
    void on_idle(std::uint32_t mss, std::uint32_t initial_window, instant now,
                 duration rto) noexcept;
    /// The application had too little to send; `flight_peak`: most bytes in flight in this round
    /// trip (RFC 7661 §4.2).
    void on_application_limited(std::uint32_t flight_peak, std::uint32_t mss) noexcept;

    void set_window(std::uint32_t bytes) noexcept { window_.bytes = bytes; }
    /// The path MTU changed.
    void on_mss(std::uint32_t mss) noexcept;

private:
    void save() noexcept;

    congestion_window window_;
    congestion_window saved_;  // .mss is 0: nothing to undo
    reno reno_;
    reno saved_reno_;
    congestion_algorithm algorithm_ = congestion_algorithm::new_reno;
    bool after_timeout_ = false;
};

}  // namespace weft::net::tcp
