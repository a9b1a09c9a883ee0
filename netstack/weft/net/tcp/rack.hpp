#pragma once
// RACK: a segment is lost when one that was sent later has arrived and time for reordering has
// passed (RFC 8985 §6).
//
// Sees each range when it is delivered, and marks ranges lost. Variables are named as in the RFC.
// The reordering window is zero until reordering was seen, then a quarter of the least round-trip
// time, and grows while the peer reports needless retransmissions (DSACK).

#include <weft/base/instant.hpp>
#include <weft/net/tcp/sent_ranges.hpp>
#include <weft/net/tcp/sequence_number.hpp>

#include <cstdint>

namespace weft::net::tcp {

class rack {
public:
    /// What step 4 looks at.
    struct situation {
        instant now = {};
        duration smoothed_rtt = {};
        std::uint32_t sacked_segments = 0;
        bool is_recovering = false;  ///< in fast recovery, or after a timeout
    };

    void begin(sequence_number una) noexcept { fack_ = end_seq_ = una; }

    /// Step 1: a round-trip sample.
    void on_rtt(duration rtt, instant now) noexcept;
    /// Steps 2 and 3, for each range that is newly acknowledged or SACKed. `is_last_copy`: the
    /// timestamp echo does not contradict that its last transmission was the one that arrived.
    void on_delivered(const sent_range& r, bool is_last_copy, instant now) noexcept;
    /// Step 4: the acknowledgment reports a needless retransmission.
    void on_dsack(sequence_number una, sequence_number nxt) noexcept;
    /// What was marked lost had not been: segments are late on this path, not gone.
    void on_spurious_recovery() noexcept { reordering_seen_ = true; }
    /// Fast recovery, or the recovery from a timeout, is over.
    void on_recovery_end() noexcept;

    struct detected {
        std::uint32_t lost_bytes = 0;
        instant look_again_at = never;  ///< when ranges that wait for reordering are lost
    };
    /// Step 5.
    detected detect_loss(sent_ranges& ranges, const situation& s) noexcept;
    /// §6.3: which ranges a retransmission timeout says are lost. Returns how many bytes.
    std::uint32_t mark_lost_on_timeout(sent_ranges& ranges, const situation& s) noexcept;

    [[nodiscard]] bool reordering_seen() const noexcept { return reordering_seen_; }
    [[nodiscard]] std::uint32_t reordering_bytes() const noexcept { return reordering_bytes_; }
    [[nodiscard]] duration min_rtt() const noexcept {
        return min_rtt_ < previous_min_rtt_ ? min_rtt_ : previous_min_rtt_;
    }
    [[nodiscard]] bool has_min_rtt() const noexcept { return min_rtt() != duration::max(); }
    [[nodiscard]] duration reordering_window(const situation& s) const noexcept;

private:
    static constexpr duration min_rtt_window = std::chrono::minutes{5};

    [[nodiscard]] bool was_sent_before_newest(const sent_range& r) const noexcept {
        return r.sent_at < xmit_ts_ || (r.sent_at == xmit_ts_ && r.end < end_seq_);
    }

    instant xmit_ts_;
    duration rtt_ = duration::zero();
    duration min_rtt_ = duration::max();  // of this window and of the one before
    duration previous_min_rtt_ = duration::max();
    instant min_rtt_since_;
    sequence_number end_seq_;
    sequence_number fack_;
    sequence_number dsack_round_;
    std::uint32_t reordering_bytes_ = 0;
    std::uint8_t reo_wnd_mult_ = 1;
    std::uint8_t reo_wnd_persist_ = 0;
    bool in_dsack_round_ = false;
    bool reordering_seen_ = false;
};

}  // namespace weft::net::tcp
