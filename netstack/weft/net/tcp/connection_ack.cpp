// The fifth check, the ACK field: RFC 9293 §3.10.7.4, with what it means for sending: what has
// arrived (RFC 2018), round-trip samples (RFC 6298), losses and the congestion window
// (loss_recovery.hpp), the send window.

#include <weft/net/tcp/connection.hpp>
#include <weft/net/tcp/demux.hpp>

#include <algorithm>

namespace weft::net::tcp {

connection::verdict connection::check_ack(const segment& seg, instant now) {
    if (!seg.has(tcp_flags::ack)) return verdict::drop;
    // "If SND.UNA < SEG.ACK =< SND.NXT, then enter ESTABLISHED [...] If not acceptable, form a
    // reset segment." As well where CLOSE came first.
    if (!syn_acked_ && (seg.ack <= snd_.una || seg.ack > snd_.nxt)) {
        refuse_ack(seg, now);
        return verdict::drop;
    }
    if (state_ == state::syn_received) {
        if (parent_ != nullptr && !is_in_accept_queue() && !owner_.may_establish(*parent_))
            return verdict::drop;
        snd_.wnd = std::uint32_t{seg.wnd} << snd_scale_;
        snd_.max_wnd = std::max(snd_.max_wnd, snd_.wnd);
        snd_.wl1 = seg.seq;
        snd_.wl2 = seg.ack;
        take_acknowledgment(seg, now);
        enter_established(event::syn_acked, now);
        return state_ == state::closed ? verdict::drop : verdict::pass;
    }
    // RFC 5961 §5 (MAY-12): neither beyond what was sent nor older than the largest window.
    if (seg.ack > snd_.nxt || seg.ack < snd_.una - snd_.max_wnd) {
        ++owner_.counters_.tcp_bad_acknowledgments;
        answer_with(answer::challenge, now);
        return verdict::drop;
    }
    take_acknowledgment(seg, now);
    if (seg.ack >= snd_.una) take_window(seg, now);
    return fin_acked_ ? check_fin_acked(now) : verdict::pass;
}

/// What the segment acknowledges, cumulatively or selectively, or does not: new, a duplicate, or
/// old with news of what lies behind a gap.
void connection::take_acknowledgment(const segment& seg, instant now) {
    const std::uint32_t prior_in_flight = in_flight_.pipe();
    const bool had_room = waiter(wait::writable) == nullptr && can_write();
    delivery_tally tally;
    loss_recovery::acknowledgment a;
    // RFC 5681 §2.
    a.is_duplicate = seg.ack == snd_.una && !in_flight_.empty() && seg.len() == 0 &&
                     !seg.text_refused && (std::uint32_t{seg.wnd} << snd_scale_) == snd_.wnd &&
                     snd_.wnd != 0;
    const sequence_number oldest = snd_.una - snd_.max_wnd;
    duration rtt = duration::zero();
    if (seg.ack > snd_.una) {
        a.cumulative = seg.ack - snd_.una;
        const sent_ranges::acknowledged done = advance_una(seg, tally, now);
        a.delivered = done.delivered;
        rtt = take_round_trip_sample(done, seg, now);
    }
    if (sack_permitted_ && seg.options.has_sack()) {
        a.sack = apply_sack_blocks(
            in_flight_, seg.options.sack_blocks(), seg.ack, snd_.una, snd_.nxt, oldest,
            [&](const sent_range& r) { note_delivered(r, seg, tally, now); });
        a.delivered += a.sack.newly_sacked;
    } else {
        a.sack.highest = snd_.una;
    }
    if (tx_ != nullptr) {
        if (rtt == duration::zero() && tally.newest_original) rtt = now - *tally.newest_original;
        a.originals_arrived = tally.originals_arrived;
        recover_and_grow(a, seg, prior_in_flight, rtt, now);
    }
    // Room is made by text that left the buffer, by a window that grew, by what the peer holds
    // behind a gap. A writer may also wait for memory of the pool, with room in its own buffer.
    if ((a.cumulative != 0 || a.delivered != 0) && !had_room && can_write()) {
        raise(wait::writable);
    }
    if (a.cumulative == 0) {
        if (in_flight_.lost_bytes() != 0 || a.delivered != 0 || a.is_duplicate) mark_transmit();
        return;
    }
    if (in_flight_.empty()) {
        retransmit_at_ = never;  // RFC 6298 §5.2
        persisting_ = false;
        note_activity(now);
    } else {
        restart_retransmission_timer(now);  // RFC 6298 §5.3
    }
    restart_tail_probe(now);
    if (!sending_.empty() || fin_pending_) mark_transmit();
}

/// SND.UNA < SEG.ACK =< SND.NXT: the peer has more.
sent_ranges::acknowledged connection::advance_una(const segment& seg, delivery_tally& tally,
                                                  instant now) {
    std::uint32_t text = seg.ack - snd_.una;
    const bool answers_syn = !syn_acked_;
    if (answers_syn) {
        syn_acked_ = true;
        syn_due_ = false;
        --text;
    }
    if (fin_sent_ && seg.ack == snd_.nxt) {
        --text;
        fin_acked_ = true;
    }
    sent_ranges::acknowledged done = in_flight_.acknowledge(
        seg.ack, [&](const sent_range& r) { note_delivered(r, seg, tally, now); });
    sending_.remove_prefix(text);
    snd_.una = seg.ack;
    if (stats_ != nullptr) stats_->bytes_acked += text;
    if (answers_syn) {
        --done.delivered;  // no window grows by it (RFC 5681 §3.1)
        if (fast_open_ != nullptr) conclude_fast_open(seg, now);
    }
    progressed_ = true;
    return done;
}

/// A range is newly known to have arrived.
void connection::note_delivered(const sent_range& r, const segment& seg, delivery_tally& tally,
                                instant now) noexcept {
    if (!r.is(sent_range::retransmitted)) {
        tally.originals_arrived = true;
        const bool is_timed = !r.is(sent_range::merged);
        if (is_timed && (!tally.newest_original || *tally.newest_original < r.sent_at)) {
            tally.newest_original = r.sent_at;
        }
    }
    if (tx_ == nullptr) return;
    // RFC 8985 §6.2 step 2: an echo from before its last transmission is of an earlier one.
    const bool is_last_copy =
        !timestamps_ || !seg.options.has_timestamps() ||
        !is_older_timestamp(seg.options.timestamps().echo, timestamp_now(r.sent_at));
    tx_->recovery.on_delivered(r, is_last_copy, now);
    tx_->rate.on_delivered(r.delivery, r.sent_at, r.size(), now);
}

/// What is lost, in which phase that puts us, and the window.
void connection::recover_and_grow(loss_recovery::acknowledgment& a, const segment& seg,
                                  std::uint32_t prior_in_flight, duration rtt, instant now) {
    loss_recovery& recovery = tx_->recovery;
    a.has_echo = timestamps_ && seg.options.has_timestamps();
    a.echo = seg.options.timestamps().echo;
    a.can_send_new = unsent_bytes() != 0 && offered_room() != 0;
    if (rtt != duration::zero()) recovery.on_rtt(rtt, now);
    const bool was_recovering = recovery.is_recovering();
    const recovery_mark before = mark_of(recovery);
    const std::uint32_t lost_before = in_flight_.lost_bytes();
    take_path_news(a.cumulative != 0, now);
    loss_recovery::context c = recovery_context(now);
    recovery.on_ack(a, c);
    take_mtu_probe_loss(now);
    if (ecn_.on_ack(seg.flags, seg.ack, recovery.recover())) recovery.on_congestion_echo(a, c);
    note_reduction(before);
    if (a.delivered != 0) {
        ack_event e;
        e.now = now;
        e.mss = mss_;
        e.delivered = a.delivered;
        e.cumulative = a.cumulative;
        e.lost = in_flight_.lost_bytes() - std::min(in_flight_.lost_bytes(), lost_before);
        e.in_flight = in_flight_.pipe();
        e.prior_in_flight = prior_in_flight;
        e.was_window_limited = window_limited_;
        e.reordering_seen = recovery.rack().reordering_seen();
        e.is_recovering = was_recovering || recovery.phase() != recovery_phase::open;
        e.rtt = rtt;
        e.smoothed_rtt = rto_.smoothed();
        e.min_rtt = recovery.rack().has_min_rtt() ? recovery.rack().min_rtt() : duration::zero();
        e.una = snd_.una;
        e.nxt = snd_.nxt;
        tx_->rate.on_lost(e.lost);
        e.rate = tx_->rate.take_sample(now, e.min_rtt);
        note_rate(e.rate);
        tx_->congestion.on_ack(e);
    }
    recovery.settle_window(c);
    tx_->pace.set_rate(tx_->congestion.pacing_rate());
    arm();
}

/// Tells the peer, with ECN, that the window was reduced, whatever for (RFC 3168 §6.1.2).
void connection::note_reduction(const recovery_mark& before) noexcept {
    const recovery_mark after = mark_of(tx_->recovery);
    if (after.phase != recovery_phase::open && after != before) ecn_.on_reduced();
}

loss_recovery::context connection::recovery_context(instant now) noexcept {
    return {.ranges = in_flight_,
            .congestion = tx_->congestion,
            .counters = owner_.counters_,
            .una = snd_.una,
            .nxt = snd_.nxt,
            .mss = mss_,
            .smoothed_rtt = rto_.smoothed(),
            .now = now,
            .mtu_probe = tx_->path.in_flight()};
}

/// RFC 6298 §3, Karn: never from a range that was sent twice, unless a timestamp tells which copy
/// was acknowledged (RFC 7323 §4).
duration connection::take_round_trip_sample(const sent_ranges::acknowledged& done,
                                            const segment& seg, instant now) noexcept {
    if (done.sample_from && !done.any_retransmitted) {
        const duration rtt = now - *done.sample_from;
        rto_.on_sample(rtt, settings());
        return rtt;
    }
    if (!timestamps_ || seg.options.timestamps().echo == 0) {
        rto_.end_back_off();
        rto_.on_no_syn_sample(settings());
        return duration::zero();
    }
    // The echo tells which copy was acknowledged. Where it is an earlier one, and the later copy
    // can have been answered by now, the first answer may have been lost: no sample, or each such
    // loss would stretch the timeout.
    const std::uint32_t echo = seg.options.timestamps().echo;
    const bool is_earlier_copy = is_older_timestamp(echo, timestamp_now(done.resent_at));
    if (is_earlier_copy && now - done.resent_at >= rto_.smoothed() / 2) {
        if (rto_.has_sample()) {
            rto_.on_untimed_ack();
        } else {
            rto_.end_back_off();
            rto_.on_no_syn_sample(settings());
        }
        return duration::zero();
    }
    rto_.end_back_off();
    const std::uint32_t ms = timestamp_now(now) - echo;
    if (ms >= 600'000) return duration::zero();
    const duration rtt = std::chrono::milliseconds{std::max(ms, 1U)};
    rto_.on_sample(rtt, settings());
    return rtt;
}

/// "If (SND.WL1 < SEG.SEQ or (SND.WL1 = SEG.SEQ and SND.WL2 =< SEG.ACK))": the send window.
void connection::take_window(const segment& seg, instant now) noexcept {
    if (!(snd_.wl1 < seg.seq || (snd_.wl1 == seg.seq && snd_.wl2 <= seg.ack))) return;
    const std::uint32_t wnd = std::uint32_t{seg.wnd} << snd_scale_;
    const bool opened = wnd > snd_.wnd;
    snd_.wl1 = seg.seq;
    snd_.wl2 = seg.ack;
    snd_.wnd = wnd;
    snd_.max_wnd = std::max(snd_.max_wnd, wnd);
    if (!opened) return;
    if (persisting_) {  // the probes ran into a closed window: they go first
        persisting_ = false;
        probe_due_ = false;
        rto_.end_back_off();
        in_flight_.mark_probes_lost(now);
        if (in_flight_.empty()) {
            retransmit_at_ = never;
        } else {
            restart_retransmission_timer(now);
        }
    }
    mark_transmit();
}

/// Our FIN is acknowledged: what that means in the state that it finds us in.
connection::verdict connection::check_fin_acked(instant now) {
    switch (state_) {
        case state::fin_wait_1:
            apply(event::fin_acked, now);
            if (orphan_) start_orphan_limit(now);
            break;
        case state::closing:
            apply(event::fin_acked, now);
            enter_time_wait(now);
            break;
        case state::last_ack:
            raise(wait::fin_acked);
            end_orderly(event::fin_acked, now);
            return verdict::drop;
        default: return verdict::pass;
    }
    raise(wait::fin_acked);
    return verdict::pass;
}

}  // namespace weft::net::tcp
