#pragma once
// What NewReno and CUBIC share: slow start, the loss window, undo, and what silence does.
//
// Slow start and restart after RFC 5681, HyStart++ (RFC 9406) in CUBIC's first slow start, window
// validation (RFC 7661), undo of reductions for nothing (after RFC 4015 §3.2). Growth in congestion
// avoidance and the decrease are new_reno's or cubic's. congestion_control calls it.

#include <weft/net/tcp/congestion/cubic.hpp>
#include <weft/net/tcp/congestion/hystart.hpp>
#include <weft/net/tcp/congestion/reno.hpp>
#include <weft/net/tcp/congestion/window_validation.hpp>

#include <variant>

namespace weft::net::tcp {

class loss_based {
public:
    using growth = std::variant<reno, cubic>;

    loss_based(growth algorithm, std::uint32_t initial_window) noexcept
        : growth_{algorithm}, saved_growth_{algorithm}, initial_window_{initial_window} {
        if (!is_cubic()) hystart_.stop();
    }

    void on_ack(congestion_window& w, const ack_event& ack) noexcept;
    void on_congestion(congestion_window& w, std::uint32_t flight) noexcept;
    void on_recovered(congestion_window& w, std::uint32_t in_flight) noexcept;
    void on_timeout(congestion_window& w, std::uint32_t flight, bool is_first) noexcept;
    void undo(congestion_window& w) noexcept;
    void on_idle(congestion_window& w, std::uint32_t initial_window, instant now) noexcept;

    /// RFC 7661 instead of RFC 5681 §4.1: silence leaves the window as it was, but what is sent
    /// after it is paced over a round trip until the window is validated again.
    void keep_window_when_idle(bool keeps) noexcept { keeps_window_ = keeps; }
    [[nodiscard]] std::uint64_t pacing_rate(const congestion_window& w) const noexcept;

    [[nodiscard]] bool is_cubic() const noexcept { return std::holds_alternative<cubic>(growth_); }
    [[nodiscard]] const hystart& first_slow_start() const noexcept { return hystart_; }
    [[nodiscard]] const window_validation& validation() const noexcept { return validation_; }
    /// The state of CUBIC; nothing when this is NewReno.
    [[nodiscard]] const cubic* as_cubic() const noexcept { return std::get_if<cubic>(&growth_); }

private:
    void grow_in_slow_start(congestion_window& w, const ack_event& ack) noexcept;
    void save(const congestion_window& w) noexcept;
    [[nodiscard]] bool is_validated(const congestion_window& w) const noexcept;
    /// What the decrease starts from.
    [[nodiscard]] std::uint32_t used(const congestion_window& w,
                                     std::uint32_t flight) const noexcept;

    growth growth_;
    growth saved_growth_;
    hystart hystart_;
    window_validation validation_;
    congestion_window saved_;  // .mss is 0: nothing to undo
    std::uint32_t initial_window_;
    std::uint32_t lost_bytes_ = 0;   // in this recovery
    std::uint32_t smoothed_us_ = 0;  // the round-trip time, for pacing after silence
    hystart::phase saved_phase_ = hystart::phase::standard;
    bool was_limited_ = false;  // by the window, as of the last acknowledgment
    bool after_timeout_ = false;
    bool was_not_validated_ = false;  // when this recovery began
    bool keeps_window_ = false;
    bool is_paced_ = false;  // after silence
    bool queue_is_filling_ = false;
};

}  // namespace weft::net::tcp
