#pragma once
// HyStart++ (RFC 9406): leaves slow start when the round trips grow, before the queue overflows.
//
// Compares the least round trip of this round with that of the last one. When it has grown by an
// eighth (at least 4, at most 16 ms), growth continues at a quarter of the pace for up to five
// rounds (conservative slow start): if the round trips shrink again the rise was jitter and slow
// start goes on, otherwise it is over. Used in the initial slow start only (RFC 9406 §4.3).
// Rounds are told by sequence numbers; loss_based calls it for each acknowledgment.

#include <weft/net/tcp/congestion/ack_event.hpp>

#include <algorithm>

namespace weft::net::tcp {

class hystart {
public:
    enum class phase : std::uint8_t { standard, conservative, done };

    // RFC 9406 §4.3.
    static constexpr duration min_rtt_threshold = std::chrono::milliseconds{4};
    static constexpr duration max_rtt_threshold = std::chrono::milliseconds{16};
    static constexpr int min_rtt_divisor = 8;
    static constexpr std::uint8_t samples_needed = 8;
    static constexpr std::uint32_t growth_divisor = 4;
    static constexpr std::uint8_t conservative_rounds = 5;

    /// By how much a round trip may grow before it tells of a queue.
    [[nodiscard]] static constexpr duration tolerated_rise(duration from) noexcept {
        return std::clamp<duration>(from / min_rtt_divisor, min_rtt_threshold, max_rtt_threshold);
    }
    /// The window may have doubled in the last round trip, the one that a loss of now is from.
    [[nodiscard]] bool may_have_doubled() const noexcept {
        return phase_ == phase::standard || (phase_ == phase::conservative && rounds_ < 2);
    }
    [[nodiscard]] phase current() const noexcept { return phase_; }

    /// Tells the phase that the window's growth by this acknowledgment belongs to; once it is
    /// `done`, the caller makes the window its threshold.
    phase on_ack(const ack_event& ack) noexcept;

    /// Congestion, or a restart after idleness: this slow start is over.
    void stop() noexcept { phase_ = phase::done; }
    /// The congestion was none.
    void resume(phase p) noexcept { phase_ = p; }

private:
    static constexpr duration infinite = duration::max();

    void begin_round(sequence_number nxt) noexcept;

    duration last_round_ = infinite;     // lastRoundMinRTT
    duration current_round_ = infinite;  // currentRoundMinRTT
    duration baseline_ = infinite;       // cssBaselineMinRtt
    sequence_number round_end_;          // windowEnd
    bool has_round_ = false;
    std::uint8_t samples_ = 0;  // rttSampleCount
    std::uint8_t rounds_ = 0;   // in conservative slow start, the one that it began in included
    phase phase_ = phase::standard;
};

}  // namespace weft::net::tcp
