#pragma once
// BBR: keeps as much in flight as the measured path holds, and sends at the measured rate.
//
// The model is the largest delivery rate of the last ten round trips and the least round-trip time
// of the last ten seconds (draft-cardwell-iccrg-bbr-congestion-control-00, version 1). Start-up
// doubles the rate until it stops growing, drain empties the queue that this made, then the rate
// probes up and down in cycles of eight round trips, and every ten seconds the window shrinks for
// 200 ms so that the true round-trip time is seen. Loss does not enter the model; while recovery
// lasts the window only follows what is delivered. congestion_control calls it. Integers only.

#include <weft/net/tcp/congestion/ack_aggregation.hpp>
#include <weft/net/tcp/congestion/ack_event.hpp>
#include <weft/net/tcp/congestion/windowed_max.hpp>

namespace weft::net::tcp {

class bbr {
public:
    enum class mode : std::uint8_t { startup, drain, probe_bandwidth, probe_rtt };

    void begin(congestion_window& w, instant now) noexcept;
    void on_ack(congestion_window& w, const ack_event& ack) noexcept;
    /// Recovery begins: for one round trip, no more is sent than is delivered.
    void on_congestion(const congestion_window& w, std::uint32_t flight) noexcept;
    /// Recovery ends or was for nothing: back to the window before it.
    void on_recovered(congestion_window& w, std::uint32_t in_flight) noexcept;
    void on_timeout(congestion_window& w, std::uint32_t flight, bool is_first) noexcept;
    void undo(congestion_window& w) noexcept;
    /// After silence: at the measured rate, and no probe for the round-trip time, for the silence
    /// has emptied our queue as well.
    void on_idle(congestion_window& w, std::uint32_t initial_window, instant now) noexcept;

    [[nodiscard]] std::uint64_t pacing_rate() const noexcept { return pacing_rate_; }
    [[nodiscard]] mode current() const noexcept { return mode_; }
    /// Of the model: bytes a second, and the least round-trip time (zero: not known yet).
    [[nodiscard]] std::uint64_t bandwidth() const noexcept { return bandwidth_.best(); }
    [[nodiscard]] duration min_rtt() const noexcept {
        return has_min_rtt() ? min_rtt_ : duration::zero();
    }
    [[nodiscard]] bool is_full() const noexcept { return full_rounds_ >= rounds_until_full; }

private:
    // Gains in 1/256.
    static constexpr std::uint32_t unit = 256;
    static constexpr std::uint32_t high_gain = 739;  // 2/ln 2, the least that doubles a round
    static constexpr std::uint32_t drain_gain = 88;  // its inverse
    static constexpr std::uint32_t probing_window_gain = 2 * unit;
    static constexpr std::uint8_t rounds_until_full = 3;
    static constexpr std::uint32_t bandwidth_window_rounds = 10;
    static constexpr std::uint8_t cycle_length = 8;
    static constexpr std::uint32_t least_window_segments = 4;

    [[nodiscard]] bool has_min_rtt() const noexcept { return min_rtt_ != duration::max(); }
    [[nodiscard]] std::uint32_t pacing_gain() const noexcept;
    [[nodiscard]] std::uint32_t window_gain() const noexcept;
    /// The bytes in flight that `gain` stands for, with room for large frames and delayed ACKs.
    [[nodiscard]] std::uint64_t inflight(std::uint32_t gain,
                                         const congestion_window& w) const noexcept;
    [[nodiscard]] std::uint64_t quantum(std::uint32_t mss) const noexcept;

    /// Packet conservation, in the first round of recovery.
    enum class conservation : std::uint8_t { none, begins, lasts };

    void update_bandwidth(const ack_event& ack) noexcept;
    void update_cycle(const congestion_window& w, const ack_event& ack) noexcept;
    void check_full(const ack_event& ack) noexcept;
    void check_drain(const congestion_window& w, const ack_event& ack) noexcept;
    void update_min_rtt(congestion_window& w, const ack_event& ack) noexcept;
    void probe_rtt(congestion_window& w, const ack_event& ack) noexcept;
    void set_pacing_rate(std::uint32_t window, duration smoothed) noexcept;
    void set_window(congestion_window& w, const ack_event& ack) noexcept;
    void save_window(const congestion_window& w) noexcept;
    void end_probe_rtt(congestion_window& w, instant now) noexcept;
    void enter_probe_bandwidth(instant now) noexcept;
    void next_phase(instant now) noexcept;

    windowed_max<std::uint64_t> bandwidth_;
    ack_aggregation aggregation_;
    std::uint64_t pacing_rate_ = 0;
    std::uint64_t delivered_ = 0;       // over the connection's life, as of the last sample
    std::uint64_t round_ends_at_ = 0;   // delivered_, when what was in flight has arrived
    std::uint64_t limited_until_ = 0;   // ranges sent before: the window was too small to measure
    std::uint64_t full_bandwidth_ = 0;  // what start-up compares with
    duration min_rtt_ = duration::max();
    instant min_rtt_at_;
    instant cycle_started_at_;
    instant probe_rtt_until_ = never;  // never: what is in flight is still too much
    std::uint32_t round_ = 0;
    std::uint32_t initial_window_ = 0;
    std::uint32_t prior_window_ = 0;  // before recovery or a probe for the round-trip time
    std::uint8_t cycle_index_ = 0;
    std::uint8_t full_rounds_ = 0;
    mode mode_ = mode::startup;
    bool is_round_start_ = false;
    bool was_idle_ = false;
    conservation conservation_ = conservation::none;
    bool is_recovering_ = false;
    bool has_rate_of_rtt_ = false;  // the pacing rate has seen a round-trip time
    bool probe_rtt_round_done_ = false;
};

}  // namespace weft::net::tcp
