#pragma once
// What an acknowledgment, or its absence, means for what is in flight: which ranges are lost, and
// in which phase of recovery the sender is.
//
// Brings the parts together: with SACK, RACK (RFC 8985) finds losses and proportional rate
// reduction (RFC 6937) paces the repair; without it, three duplicate acknowledgments do, as in
// NewReno (RFC 5681 §3.2, RFC 6582) with limited transmit (RFC 3042). A timeout is questioned by
// F-RTO (RFC 5682); what proves needless is undone (RFC 3522, 4015, 2883). It marks ranges and
// tells the congestion control; it sends nothing and owns no timer: the connection asks it when to
// look again.

#include <weft/net/counters.hpp>
#include <weft/net/tcp/congestion/congestion_control.hpp>
#include <weft/net/tcp/f_rto.hpp>
#include <weft/net/tcp/proportional_rate_reduction.hpp>
#include <weft/net/tcp/rack.hpp>
#include <weft/net/tcp/sack_scoreboard.hpp>
#include <weft/net/tcp/sent_ranges.hpp>
#include <weft/net/tcp/spurious_recovery.hpp>
#include <weft/net/tcp/tail_loss_probe.hpp>

namespace weft::net::tcp {

/// Where a sender stands.
enum class recovery_phase : std::uint8_t {
    open,       ///< nothing is believed lost
    reduction,  ///< the network reported congestion (ECN): the window is being led down
    recovery,   ///< repairing what acknowledgments showed to be lost
    loss,       ///< after a retransmission timeout
};

class loss_recovery {
public:
    /// What it works on, as of now.
    struct context {
        sent_ranges& ranges;
        congestion_control& congestion;
        stack_counters& counters;
        sequence_number una;
        sequence_number nxt;
        std::uint32_t mss = 0;
        duration smoothed_rtt = duration::zero();
        instant now;
        /// The text of a path MTU probe in flight: its loss alone is no sign of congestion (RFC
        /// 4821 §7.6.2), and begins no recovery.
        sequence_span mtu_probe = {};
    };

    /// One acknowledgment, after the ranges were updated.
    struct acknowledgment {
        std::uint32_t cumulative = 0;    ///< by how much SND.UNA moved
        std::uint32_t delivered = 0;     ///< bytes that are newly known to have arrived
        bool is_duplicate = false;       ///< as RFC 5681 §2 defines it
        bool originals_arrived = false;  ///< some of it was sent only once
        bool has_echo = false;           ///< there is a timestamp echo
        std::uint32_t echo = 0;
        bool can_send_new = false;  ///< unsent text, and room in the peer's window
        sack_news sack;
    };

    void begin(sequence_number una, bool has_sack) noexcept;

    // ---- input
    void on_rtt(duration rtt, instant now) noexcept;
    void on_delivered(const sent_range& r, bool is_last_copy, instant now) noexcept {
        if (has_sack_) rack_.on_delivered(r, is_last_copy, now);
    }
    void on_ack(const acknowledgment& a, context& c) noexcept;
    /// After the congestion control has seen the acknowledgment too: bounds what F-RTO bounds.
    void settle_window(context& c) noexcept;
    /// The peer echoes congestion (RFC 3168 §6.1.2): once for each window.
    void on_congestion_echo(const acknowledgment& a, context& c) noexcept;
    /// The retransmission timer has expired. `is_repeated`: for the same segment as the last time.
    void on_timeout(context& c, bool is_repeated) noexcept;
    /// `reorder_at` is reached.
    void on_reorder_timer(context& c) noexcept;
    void on_sent(std::uint32_t bytes) noexcept { reduction_.on_sent(bytes); }
    void on_resent(sequence_number begin, sequence_number end, std::uint32_t timestamp) noexcept;
    /// A tail loss probe has left; `nxt`: after it.
    void on_probe_sent(sequence_number nxt, bool is_retransmission) noexcept;
    /// What may_rescue() allowed has left.
    void on_rescue_sent() noexcept { rescued_ = true; }

    // ---- queries
    [[nodiscard]] recovery_phase phase() const noexcept { return phase_; }
    /// The window is led by the recovery and does not grow.
    [[nodiscard]] bool is_recovering() const noexcept {
        return phase_ == recovery_phase::recovery || phase_ == recovery_phase::reduction;
    }
    /// SND.NXT when the recovery began (RFC 6582 `recover`, RFC 6675 RecoveryPoint).
    [[nodiscard]] sequence_number recover() const noexcept { return recover_; }
    /// Whether the lost range that begins there may leave now.
    [[nodiscard]] bool may_resend(sequence_number begin, sequence_number una) const noexcept;
    /// New text goes before what is lost (F-RTO).
    [[nodiscard]] bool prefers_new() const noexcept {
        return f_rto_.at() == f_rto::step::wait_for_verdict;
    }
    /// Bytes that may leave beyond the window, for duplicates short of three (RFC 3042).
    [[nodiscard]] std::uint32_t limited_transmit(std::uint32_t mss) const noexcept;
    /// RFC 6675 §4 NextSeg (4): whether the last range may go out again for want of anything else.
    [[nodiscard]] bool may_rescue() const noexcept {
        return has_sack_ && phase_ == recovery_phase::recovery && !rescued_;
    }
    /// When a tail loss probe is due after a send or an acknowledgment now, `least` from now on or
    /// later; `never`: none.
    [[nodiscard]] instant probe_time(const sent_ranges& ranges, std::uint32_t mss,
                                     duration smoothed_rtt, duration least,
                                     instant now) const noexcept;
    [[nodiscard]] bool may_probe() const noexcept {
        return has_sack_ && phase_ == recovery_phase::open && probe_.may_send();
    }
    /// When ranges that wait for reordering are lost.
    [[nodiscard]] instant reorder_at() const noexcept { return reorder_at_; }
    /// Recoveries that turned out to have been needless.
    [[nodiscard]] std::uint32_t undone() const noexcept { return undone_; }
    [[nodiscard]] const tcp::rack& rack() const noexcept { return rack_; }
    [[nodiscard]] bool has_sack() const noexcept { return has_sack_; }

private:
    void take_duplicate_report(const acknowledgment& a, context& c) noexcept;
    void take_f_rto(const acknowledgment& a, context& c) noexcept;
    void detect_by_rack(context& c) noexcept;
    void count_duplicates(const acknowledgment& a, context& c) noexcept;
    void enter_recovery(context& c) noexcept;
    void leave(context& c) noexcept;
    void lead_window(const acknowledgment& a, context& c) noexcept;
    void undo(context& c) noexcept;
    [[nodiscard]] rack::situation situation(const context& c) const noexcept;

    tcp::rack rack_;
    proportional_rate_reduction reduction_;
    spurious_recovery spurious_;
    instant reorder_at_ = never;
    sequence_number recover_;
    std::uint32_t undone_ = 0;
    tail_loss_probe probe_;
    f_rto f_rto_;
    recovery_phase phase_ = recovery_phase::open;
    std::uint32_t most_window_ = 0;  // for this acknowledgment; 0: no bound
    std::uint8_t duplicates_ = 0;    // without SACK
    bool has_sack_ = false;
    bool by_duplicates_ = false;  // this recovery is NewReno's
    bool rescued_ = false;
};

}  // namespace weft::net::tcp
