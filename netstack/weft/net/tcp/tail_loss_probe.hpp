#pragma once
// Tail loss probes: when the acknowledgment of the last segments is overdue, one segment asks for
// it, so that RACK finds the loss without a retransmission timeout (RFC 8985 §7).
//
// Knows when a probe is due and what became of it. What the probe is (new text, or the last
// segment again) the connection decides when it sends it.

#include <weft/base/instant.hpp>
#include <weft/net/tcp/sequence_number.hpp>

#include <algorithm>

namespace weft::net::tcp {

class tail_loss_probe {
public:
    /// Delayed acknowledgments are allowed for by this much when one segment is in flight.
    static constexpr duration max_ack_delay = std::chrono::milliseconds{200};

    /// §7.2 TLP_calc_PTO, from now on; zero `smoothed_rtt`: no sample yet. `least`: for round trips
    /// that are shorter than what a peer's scheduler or its interrupts may hold an answer back.
    [[nodiscard]] static duration timeout(duration smoothed_rtt, bool is_one_segment,
                                          duration least) noexcept {
        if (smoothed_rtt == duration::zero()) return std::chrono::seconds{1};
        return std::max(2 * smoothed_rtt, least) +
               (is_one_segment ? max_ack_delay : duration::zero());
    }

    void on_rtt() noexcept { sampled_ = true; }
    /// §7.3: both conditions for a probe.
    [[nodiscard]] bool may_send() const noexcept { return !in_flight_ && sampled_; }
    void on_sent(sequence_number end, bool is_retransmission) noexcept {
        end_seq_ = end;
        in_flight_ = true;
        is_retransmission_ = is_retransmission;
        sampled_ = false;
    }

    /// §7.4.2 TLP_process_ack. True: the probe has repaired a loss that nobody else will notice.
    bool on_ack(sequence_number ack, bool has_matching_dsack, bool is_plain_duplicate) noexcept {
        if (!in_flight_ || ack < end_seq_) return false;
        const bool covers_more = ack > end_seq_;
        const bool both_arrived = has_matching_dsack || (!covers_more && is_plain_duplicate);
        // An acknowledgment of just the probe does not tell yet whether the original arrived too.
        if (is_retransmission_ && !both_arrived && !covers_more) return false;
        in_flight_ = false;
        return is_retransmission_ && !both_arrived;
    }
    /// A timeout, or a recovery, takes over.
    void cancel() noexcept { in_flight_ = false; }

    [[nodiscard]] bool is_in_flight() const noexcept { return in_flight_; }
    [[nodiscard]] sequence_number end() const noexcept { return end_seq_; }

private:
    sequence_number end_seq_;
    bool in_flight_ = false;
    bool is_retransmission_ = false;
    bool sampled_ = true;
};

}  // namespace weft::net::tcp
