// The fifth check, the ACK field: RFC 9293 §3.10.7.4, with what it means for sending: round-trip
// samples (RFC 6298), fast retransmit and recovery (RFC 5681 §3.2, RFC 6582), the send window.

#include <weft/net/tcp/connection.hpp>
#include <weft/net/tcp/demux.hpp>

#include <algorithm>

namespace weft::net::tcp {

namespace {
constexpr std::uint8_t duplicate_threshold = 3;  // RFC 5681 §3.2
}

connection::verdict connection::check_ack(const segment& seg, instant now) {
    if (!seg.has(tcp_flags::ack)) return verdict::drop;
    if (state_ == state::syn_received) {
        // "If SND.UNA < SEG.ACK =< SND.NXT, then enter ESTABLISHED [...] If not acceptable, form a
        // reset segment."
        if (seg.ack <= snd_.una || seg.ack > snd_.nxt) {
            refuse_ack(seg, now);
            return verdict::drop;
        }
        if (parent_ != nullptr && !owner_.may_establish(*this)) return verdict::drop;
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
        send_challenge_ack(now);
        return verdict::drop;
    }
    if (seg.ack > snd_.una) {
        take_acknowledgment(seg, now);
    } else if (seg.ack == snd_.una) {
        take_duplicate_ack(seg, now);
    }
    if (seg.ack >= snd_.una) take_window(seg, now);
    return fin_acked_ ? check_fin_acked(now) : verdict::pass;
}

/// SND.UNA < SEG.ACK =< SND.NXT: the peer has more.
void connection::take_acknowledgment(const segment& seg, instant now) {
    std::uint32_t text = seg.ack - snd_.una;
    if (!syn_acked_) {
        syn_acked_ = true;
        syn_due_ = false;
        --text;
    }
    if (fin_sent_ && seg.ack == snd_.nxt) {
        --text;
        fin_acked_ = true;
    }
    const bool could_write = can_write();
    const sent_ranges::acknowledged done = in_flight_.acknowledge(seg.ack);
    sending_.remove_prefix(text);
    snd_.una = seg.ack;
    progressed_ = true;
    duplicate_acks_ = 0;
    take_round_trip_sample(done, seg, now);

    if (congestion_.is_recovering()) {
        if (snd_.una >= congestion_.recover()) {
            congestion_.on_recovered(in_flight_.pipe(), mss_);
        } else {
            congestion_.on_partial_ack(done.bytes, mss_);
            in_flight_.mark_first_lost(mss_);
        }
    } else {
        congestion_.on_ack(done.bytes, mss_, window_limited_, snd_.una);
    }
    if (in_flight_.empty()) {
        retransmit_at_ = never;  // RFC 6298 §5.2
        persisting_ = false;
    } else {
        restart_retransmission_timer(now);  // RFC 6298 §5.3
    }
    // A writer may also wait for memory of the pool, with room in its own buffer.
    if (can_write() && (!could_write || waiter(wait::writable) != nullptr)) raise(wait::writable);
    if (!sending_.empty() || fin_pending_) mark_transmit();
}

/// RFC 6298 §3, Karn: never from a range that was sent twice, unless a timestamp tells which copy
/// was acknowledged (RFC 7323 §4).
void connection::take_round_trip_sample(const sent_ranges::acknowledged& done, const segment& seg,
                                        instant now) noexcept {
    if (done.sample_from && !done.any_retransmitted) {
        rto_.on_sample(now - *done.sample_from, settings());
        return;
    }
    if (!timestamps_ || seg.options.timestamps().echo == 0) {
        rto_.end_back_off();
        rto_.on_no_syn_sample(settings());
        return;
    }
    // The echo tells which copy was acknowledged. Where it is an earlier one, and the later copy
    // can have been answered by now, the first answer may have been lost: no sample, or each such
    // loss would stretch the timeout.
    const std::uint32_t echo = seg.options.timestamps().echo;
    const bool is_earlier_copy =
        static_cast<std::int32_t>(echo - timestamp_now(done.resent_at)) < 0;
    if (is_earlier_copy && now - done.resent_at >= rto_.smoothed() / 2) {
        if (rto_.has_sample()) {
            rto_.on_untimed_ack();
        } else {
            rto_.end_back_off();
            rto_.on_no_syn_sample(settings());
        }
        return;
    }
    rto_.end_back_off();
    const std::uint32_t ms = timestamp_now(now) - echo;
    if (ms < 600'000) rto_.on_sample(std::chrono::milliseconds{std::max(ms, 1U)}, settings());
}

/// RFC 5681 §2 says which acknowledgments count as duplicates, §3.2 what the third one means.
void connection::take_duplicate_ack(const segment& seg, instant now) {
    const bool is_duplicate = !in_flight_.empty() && seg.len() == 0 &&
                              (std::uint32_t{seg.wnd} << snd_scale_) == snd_.wnd && snd_.wnd != 0;
    if (!is_duplicate) return;
    if (duplicate_acks_ < 255) ++duplicate_acks_;
    if (congestion_.is_recovering()) {
        congestion_.on_duplicate_ack(mss_);
        mark_transmit();
    } else if (duplicate_acks_ == duplicate_threshold && snd_.una > congestion_.recover()) {
        ++owner_.counters_.tcp_fast_retransmits;
        congestion_.on_fast_retransmit(in_flight_.pipe(), mss_, snd_.nxt);
        in_flight_.mark_first_lost(mss_);
        restart_retransmission_timer(now);
        mark_transmit();
    }
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
