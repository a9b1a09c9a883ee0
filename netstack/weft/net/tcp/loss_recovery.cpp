#include <weft/net/tcp/loss_recovery.hpp>

#include <algorithm>
#include <utility>

namespace weft::net::tcp {

namespace {
constexpr std::uint8_t duplicate_threshold = 3;  // RFC 5681 §3.2

std::uint32_t segments_of(std::uint32_t bytes, std::uint32_t mss) noexcept {
    return (bytes + mss - 1) / mss;
}
/// FlightSize without what limited transmit has added (RFC 5681 §3.2 step 1).
std::uint32_t flight_of(const loss_recovery::context& c) noexcept {
    return std::min(c.ranges.total_bytes(), std::max(c.congestion.window(), c.mss));
}
}  // namespace

void loss_recovery::begin(sequence_number una, bool has_sack) noexcept {
    has_sack_ = has_sack;
    recover_ = una - 1;
    rack_.begin(una);
}

void loss_recovery::on_rtt(duration rtt, instant now) noexcept {
    rack_.on_rtt(rtt, now);
    probe_.on_rtt();
}

rack::situation loss_recovery::situation(const context& c) const noexcept {
    return {.now = c.now,
            .smoothed_rtt = c.smoothed_rtt,
            .sacked_segments = segments_of(c.ranges.sacked_bytes(), c.mss),
            .is_recovering = phase_ == recovery_phase::recovery || phase_ == recovery_phase::loss};
}

void loss_recovery::on_ack(const acknowledgment& a, context& c) noexcept {
    c.counters.tcp_sack_blocks_rejected += a.sack.rejected;
    take_duplicate_report(a, c);
    if (a.cumulative != 0) {
        duplicates_ = phase_ == recovery_phase::open ? std::uint8_t{0} : duplicates_;
        // Keeps the comparison with `recover` within half of the number space.
        if (phase_ == recovery_phase::open && c.una > recover_) recover_ = c.una - 1;
        if (spurious_.on_advance(a.has_echo, a.echo)) undo(c);  // RFC 3522
    }
    if (f_rto_.is_on()) take_f_rto(a, c);
    if (phase_ != recovery_phase::open && c.una >= recover_) leave(c);
    if (has_sack_) detect_by_rack(c);
    // A box on the path may strip the blocks, or shift the numbers under them.
    const bool says_nothing = c.ranges.sacked_bytes() == 0 && !a.sack.duplicate;
    if (!has_sack_ || by_duplicates_ || (a.is_duplicate && says_nothing)) count_duplicates(a, c);
    lead_window(a, c);
}

/// D-SACK: what was sent again had arrived. And the tail loss probe, which asks for the same.
void loss_recovery::take_duplicate_report(const acknowledgment& a, context& c) noexcept {
    const auto& twice = a.sack.duplicate;
    if (twice) {
        ++c.counters.tcp_duplicate_sacks_received;
        rack_.on_dsack(c.una, c.nxt);
    }
    const bool is_of_probe = twice && probe_.is_in_flight() && twice->end == probe_.end();
    const bool is_plain = a.is_duplicate && a.delivered == 0 && !twice;
    if (probe_.on_ack(c.una, is_of_probe, is_plain) && phase_ == recovery_phase::open) {
        ++c.counters.tcp_tail_probe_repairs;
        c.congestion.on_congestion(congestion_cause::loss, flight_of(c), c.mss, c.now);
        c.congestion.on_recovered(c.ranges.pipe(), c.mss, c.now);
    }
    if (twice && spurious_.on_dsack(twice->begin, twice->end)) undo(c);
}

/// RFC 5682.
void loss_recovery::take_f_rto(const acknowledgment& a, context& c) noexcept {
    const f_rto::news news{
        .advances = a.cumulative != 0,
        .covers_recovery_point = c.una >= recover_ || a.sack.highest > recover_,
        .originals_arrived = a.originals_arrived,
        .is_duplicate = a.is_duplicate,
        .can_send_new = a.can_send_new,
    };
    const bool was_probing = prefers_new();
    switch (f_rto_.on_ack(news)) {
        case f_rto::verdict::none: break;
        case f_rto::verdict::send_new:
            recover_ = c.nxt;
            most_window_ = c.ranges.pipe() + 2 * c.mss;
            if (c.congestion.uses_recovery_window()) c.congestion.set_window(most_window_);
            break;
        case f_rto::verdict::conventional: most_window_ = (was_probing ? 3U : 2U) * c.mss; break;
        case f_rto::verdict::spurious: undo(c); break;
    }
}

void loss_recovery::settle_window(context& c) noexcept {
    const std::uint32_t most = std::exchange(most_window_, 0);
    if (most != 0 && most < c.congestion.window() && c.congestion.uses_recovery_window()) {
        c.congestion.set_window(most);
    }
}

void loss_recovery::detect_by_rack(context& c) noexcept {
    reorder_at_ = never;
    // Without a gap and without retransmissions everything in flight was sent after what arrived.
    if (c.ranges.sacked_bytes() == 0 && !c.ranges.has_retransmitted()) return;
    const bool was_resent = c.ranges.has_retransmitted();
    const std::uint32_t resent = c.ranges.retransmitted_bytes();
    const rack::detected found = rack_.detect_loss(c.ranges, situation(c));
    reorder_at_ = found.look_again_at;
    if (found.lost_bytes == 0) return;
    if (was_resent && c.ranges.retransmitted_bytes() < resent) {
        ++c.counters.tcp_lost_retransmissions;
    }
    if (phase_ == recovery_phase::recovery || phase_ == recovery_phase::loss) return;
    const std::optional<sent_range> first = c.ranges.first_lost(c.mtu_probe.size());
    const bool is_probe_alone = first && c.ranges.lost_bytes() == c.mtu_probe.size() &&
                                first->begin == c.mtu_probe.begin && first->end == c.mtu_probe.end;
    if (!is_probe_alone) enter_recovery(c);
}

/// Without SACK, or where its blocks do not arrive: RFC 5681 §3.2, RFC 6582 §3.2.
void loss_recovery::count_duplicates(const acknowledgment& a, context& c) noexcept {
    const bool leads = c.congestion.uses_recovery_window();
    if (a.cumulative != 0) {
        if (phase_ != recovery_phase::recovery) {
            duplicates_ = 0;
            return;
        }
        // A partial acknowledgment: step 5. The next hole goes out at once.
        c.ranges.mark_first_lost(c.mss);
        if (!leads) return;
        std::uint32_t window = c.congestion.window();
        window -= std::min(window, a.cumulative);
        if (a.cumulative >= c.mss) window += c.mss;
        c.congestion.set_window(std::max(window, c.mss));
        return;
    }
    if (!a.is_duplicate) return;
    if (duplicates_ < 255) ++duplicates_;
    if (phase_ == recovery_phase::recovery) {
        if (leads) c.congestion.set_window(c.congestion.window() + c.mss);
    } else if (duplicates_ == duplicate_threshold && phase_ != recovery_phase::loss &&
               c.una > recover_) {
        if (c.mtu_probe.holds(c.una)) {
            c.ranges.mark_first_lost(c.mtu_probe.end - c.una);
            return;
        }
        c.ranges.mark_first_lost(c.mss);
        enter_recovery(c);
        by_duplicates_ = true;
        if (leads) c.congestion.set_window(c.congestion.threshold() + 3 * c.mss);
    }
}

void loss_recovery::enter_recovery(context& c) noexcept {
    ++c.counters.tcp_fast_retransmits;
    if (c.ranges.sacked_bytes() != 0) ++c.counters.tcp_sack_recoveries;
    by_duplicates_ = false;
    probe_.cancel();
    if (phase_ != recovery_phase::reduction) {  // which has reduced already
        c.congestion.on_congestion(congestion_cause::loss, flight_of(c), c.mss, c.now);
        reduction_.begin(c.ranges.total_bytes(), c.congestion.threshold());
    }
    spurious_.begin(c.una, c.ranges.front().is(sent_range::retransmitted));
    phase_ = recovery_phase::recovery;
    recover_ = c.nxt;
    rescued_ = false;
}

void loss_recovery::on_congestion_echo(const acknowledgment& a, context& c) noexcept {
    if (phase_ != recovery_phase::open) return;
    ++c.counters.tcp_ecn_reductions;
    c.congestion.on_congestion(congestion_cause::ecn, flight_of(c), c.mss, c.now);
    reduction_.begin(c.ranges.total_bytes(), c.congestion.threshold());
    phase_ = recovery_phase::reduction;
    recover_ = c.nxt;
    lead_window(a, c);
}

/// SND.UNA has reached the recovery point.
void loss_recovery::leave(context& c) noexcept {
    if (phase_ == recovery_phase::recovery || phase_ == recovery_phase::reduction) {
        c.congestion.on_recovered(c.ranges.pipe(), c.mss, c.now);
    }
    if (phase_ != recovery_phase::reduction) rack_.on_recovery_end();
    phase_ = recovery_phase::open;
    f_rto_.end();
    duplicates_ = 0;
    by_duplicates_ = false;
    // A D-SACK may still arrive for what was sent again; the next recovery starts a new watch.
}

/// Proportional rate reduction, where the congestion control leaves the window to the recovery.
void loss_recovery::lead_window(const acknowledgment& a, context& c) noexcept {
    if (!is_recovering() || !c.congestion.uses_recovery_window()) return;
    if (phase_ == recovery_phase::recovery && by_duplicates_) return;  // led as RFC 6582 says
    c.congestion.set_window(
        std::max(reduction_.on_ack(a.delivered, c.ranges.pipe(), c.mss), c.mss));
}

void loss_recovery::undo(context& c) noexcept {
    if (phase_ == recovery_phase::loss) {
        ++c.counters.tcp_spurious_timeouts;
    } else {
        ++c.counters.tcp_spurious_recoveries;
        rack_.on_spurious_recovery();
    }
    c.ranges.mark_none_lost();
    c.congestion.undo();
    ++undone_;
    spurious_.end();
    f_rto_.end();
    phase_ = recovery_phase::open;
    duplicates_ = 0;
    by_duplicates_ = false;
    recover_ = c.una - 1;
}

void loss_recovery::on_timeout(context& c, bool is_repeated) noexcept {
    const bool is_new = phase_ == recovery_phase::open || phase_ == recovery_phase::reduction;
    const bool is_first = phase_ != recovery_phase::loss || !is_repeated;
    // RFC 2018 §8: what the peer holds at SND.UNA it would have acknowledged. It took it back.
    if (!c.ranges.empty() && c.ranges.front().is(sent_range::sacked)) {
        ++c.counters.tcp_sacks_reneged;
        c.ranges.forget_sacks();
    }
    c.congestion.on_timeout(flight_of(c), c.mss, is_first, c.now);
    if (is_new || is_first) spurious_.begin(c.una, false);
    probe_.cancel();
    if (has_sack_) {
        rack::situation s = situation(c);
        s.is_recovering = true;
        rack_.mark_lost_on_timeout(c.ranges, s);
    } else {
        c.ranges.mark_all_lost();
    }
    if (is_new || is_repeated) {
        f_rto_.begin();
    } else {
        f_rto_.end();
    }
    phase_ = recovery_phase::loss;
    recover_ = c.nxt;
    reorder_at_ = never;
    duplicates_ = 0;
    by_duplicates_ = false;
}

void loss_recovery::on_reorder_timer(context& c) noexcept {
    const acknowledgment nothing;
    detect_by_rack(c);
    lead_window(nothing, c);
}

void loss_recovery::on_resent(sequence_number begin, sequence_number end,
                              std::uint32_t timestamp) noexcept {
    reduction_.on_sent(end - begin);
    spurious_.on_retransmission(begin, end, timestamp);
}

void loss_recovery::on_probe_sent(sequence_number nxt, bool is_retransmission) noexcept {
    probe_.on_sent(nxt, is_retransmission);
}

bool loss_recovery::may_resend(sequence_number begin, sequence_number una) const noexcept {
    switch (f_rto_.at()) {
        case f_rto::step::off: return true;
        case f_rto::step::wait_for_retransmission: return begin == una;
        case f_rto::step::wait_for_verdict: return false;
    }
    return true;
}

std::uint32_t loss_recovery::limited_transmit(std::uint32_t mss) const noexcept {
    if (has_sack_ || phase_ != recovery_phase::open) return 0;
    return std::min<std::uint32_t>(duplicates_, 2) * mss;
}

instant loss_recovery::probe_time(const sent_ranges& ranges, std::uint32_t mss,
                                  duration smoothed_rtt, duration least,
                                  instant now) const noexcept {
    if (!has_sack_ || phase_ != recovery_phase::open || ranges.empty() ||
        ranges.sacked_bytes() != 0 || ranges.lost_bytes() != 0 || !probe_.may_send()) {
        return never;
    }
    return now + tail_loss_probe::timeout(smoothed_rtt, ranges.total_bytes() <= mss, least);
}

}  // namespace weft::net::tcp
