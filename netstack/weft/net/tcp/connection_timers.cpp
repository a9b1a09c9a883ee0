// Timeouts: RFC 9293 §3.10.8, the retransmission timer of RFC 6298 §5, zero-window probes
// (§3.8.6.1), keep-alives (§3.8.4), the end of orphans and of TIME-WAIT. One timer node serves
// every deadline; it may fire early, because a deadline that moved later does not touch the wheel.

#include <weft/net/tcp/connection.hpp>
#include <weft/net/tcp/demux.hpp>

#include <algorithm>

namespace weft::net::tcp {

namespace {
constexpr duration default_user_timeout = std::chrono::minutes{5};  // RFC 9293 §3.10.1
constexpr duration default_syn_timeout = std::chrono::minutes{3};   // MUST-23
constexpr unsigned r1_retransmissions = 3;                          // SHLD-10
}  // namespace

void connection::arm() noexcept {
    instant earliest = std::min({retransmit_at_, ack_at_, idle_at_});
    if (tx_ != nullptr) earliest = std::min(earliest, tx_->next_timeout());
    if (earliest < timer_node::deadline()) owner_.timers_.arm(*this, earliest);
}

void connection::on_timer(instant now) {
    if (ack_at_ <= now) {
        ack_at_ = never;
        acknowledge_at_once();
    }
    if (tx_ != nullptr) on_transmission_timer(now);
    if (retransmit_at_ <= now) on_retransmission_timeout(now);
    if (state_ != state::closed && idle_at_ <= now) on_idle_timeout(now);
    if (state_ != state::closed) arm();
}

/// Tail loss probes, ranges that waited for reordering, what the pacer held back.
void connection::on_transmission_timer(instant now) {
    if (tx_->pace_at <= now) {
        tx_->pace_at = never;
        mark_transmit();
    }
    if (tx_->recovery.reorder_at() <= now) {
        loss_recovery::context c = recovery_context(now);
        const recovery_mark before = mark_of(tx_->recovery);
        tx_->recovery.on_reorder_timer(c);
        take_mtu_probe_loss(now);
        note_reduction(before);
        mark_transmit();
    }
    if (tx_->probe_at <= now) {
        tx_->probe_at = never;
        if (!in_flight_.empty() && tx_->recovery.may_probe()) {
            tx_->probe_due = true;
            restart_retransmission_timer(now);  // RFC 8985 §7.3: the timeout is the last resort
            mark_transmit();
        }
    }
}

/// RFC 8985 §7.2: after new text and after an acknowledgment of some.
void connection::restart_tail_probe(instant now) noexcept {
    if (tx_ == nullptr || !syn_acked_ || !settings().tail_loss_probes) return;
    tx_->probe_at =
        tx_->recovery.probe_time(in_flight_, mss_, rto_.smoothed(), settings().min_tail_probe, now);
    if (snd_.wnd == 0) tx_->probe_at = never;  // that is the persist timer's
    if (tx_->probe_at != never) tx_->probe_at = std::min(tx_->probe_at, retransmit_at_);
    arm();
}

void connection::restart_retransmission_timer(instant now) noexcept {
    retransmit_at_ = now + rto_.timeout(settings());
    // R2 does not wait for the end of the last back-off. A closed window has no R2 to be exact
    // about.
    const instant end = give_up_at();
    const bool waits_for_window = in_flight_.empty() || (snd_.wnd == 0 && syn_acked_);
    if (!waits_for_window && now < end) retransmit_at_ = std::min(retransmit_at_, end);
    arm();
}

/// When R2 is reached (RFC 9293 §3.8.3), if nothing is heard until then.
instant connection::give_up_at() const noexcept {
    const bool is_syn = is_one_of(state_, state::syn_sent, state::syn_received);
    const duration limit = user_timeout_ms_ != 0 ? std::chrono::milliseconds{user_timeout_ms_}
                           : is_syn              ? default_syn_timeout
                                                 : default_user_timeout;
    instant since = in_flight_.empty() ? asked_at_ : in_flight_.front().first_sent_at;
    if (orphan_) {
        // Nobody waits for the data any more: a peer may not keep it for ever by a closed window.
        since = std::max(since, asked_at_);
    } else if (in_flight_.empty() || snd_.wnd == 0) {
        // Against a closed window there is no limit while the peer answers (MUST-37, SHLD-17).
        since = std::max(since, heard_at_);
    }
    return since + limit;
}

bool connection::is_given_up(instant now) const noexcept {
    if (state_ == state::syn_received && passive_ && rto_.backoffs() >= syn_cache::most_repeats) {
        return true;
    }
    return now >= give_up_at();
}

void connection::on_retransmission_timeout(instant now) {
    retransmit_at_ = never;
    if (in_flight_.empty() && unsent_bytes() == 0 && !fin_pending_) return;
    if (is_given_up(now)) {  // R2
        ++owner_.counters_.tcp_user_timeouts;
        end(event::timed_out, errc::timed_out, now);
        return;
    }
    if (rto_.backoffs() >= r1_retransmissions) {  // R1: the user may want to know (SHLD-9)
        note_soft_error(errc::timed_out);
        doubtful_ = true;
    }
    if (is_one_of(state_, state::syn_sent, state::syn_received)) {
        ++owner_.counters_.tcp_timeouts;
        if (tx_ != nullptr) lose_everything(now);  // text that left before our SYN was acknowledged
        syn_due_ = true;
    } else if (in_flight_.empty() || snd_.wnd == 0) {
        // The window is closed, or too small to be worth a segment: probe it. No sign of
        // congestion.
        ++owner_.counters_.tcp_zero_window_probes;
        probe_due_ = true;
        persisting_ = true;
        in_flight_.mark_first_lost(1);
    } else {
        ++owner_.counters_.tcp_timeouts;
        if (tx_ == nullptr) attach_transmission(now);
        on_path_timeout(now);
        lose_everything(now);
    }
    rto_.back_off();  // RFC 6298 §5.5, and SHLD-30
    mark_transmit();
    restart_retransmission_timer(now);
}

void connection::lose_everything(instant now) {
    loss_recovery::context c = recovery_context(now);
    tx_->recovery.on_timeout(c, rto_.backoffs() != 0);
    ecn_.on_reduced();
    if (stats_ != nullptr) ++stats_->timeouts;
    tx_->probe_at = never;
    tx_->probe_due = false;
}

void connection::on_idle_timeout(instant now) {
    idle_at_ = never;
    if (state_ == state::time_wait) {
        end_orderly(event::two_msl_passed, now);
        return;
    }
    if (orphan_ && state_ == state::fin_wait_2) {
        end(event::timed_out, errc::timed_out, now);
        return;
    }
    if (keepalive_ == nullptr) return;
    // Only when nothing is outstanding and the interval has passed (MUST-26).
    const bool is_idle = in_flight_.empty() && unsent_bytes() == 0;
    if (!is_idle || now - heard_at_ < keepalive_->idle) {
        keepalive_probes_sent_ = 0;
        idle_at_ = (is_idle ? heard_at_ : now) + keepalive_->idle;
        return;
    }
    if (keepalive_probes_sent_ >= keepalive_->probes) {
        ++owner_.counters_.tcp_user_timeouts;
        send_reset(snd_.nxt, now);
        end(event::timed_out, errc::timed_out, now);
        return;
    }
    ++keepalive_probes_sent_;
    keepalive_due_ = true;
    idle_at_ = now + keepalive_->interval;
    mark_transmit();
}

void connection::restart_keepalive(instant now) noexcept {
    const bool is_open = is_one_of(state_, state::established, state::close_wait, state::fin_wait_1,
                                   state::fin_wait_2);
    if (!is_open || (orphan_ && state_ == state::fin_wait_2)) return;
    idle_at_ = keepalive_ != nullptr ? now + keepalive_->idle : never;
    arm();
}

void connection::enter_time_wait(instant now) noexcept {
    sending_.clear();
    retransmit_at_ = never;
    owner_.discount(*this);
    idle_at_ = now + 2 * settings().max_segment_lifetime;  // MUST-13
    arm();
    if (orphan_) mark_transmit();  // whoever polls it last retires it
}

time_wait_facts connection::facts() const noexcept {
    const std::uint32_t offered = rcv_.edge - rcv_.nxt;
    return {.tuple = tuple_,
            .id = id_,
            .ends_at = idle_at_,
            .snd_nxt = snd_.nxt,
            .rcv_nxt = rcv_.nxt,
            .rcv_wnd = offered,
            .snd_max_wnd = snd_.max_wnd,
            .ts_recent = ts_recent_,
            .window = static_cast<std::uint16_t>(std::min(offered >> rcv_scale_, 65535U)),
            .traffic_class = traffic_class_,
            .hop_limit = hop_limit_,
            .has_timestamps = timestamps_};
}

void connection::start_orphan_limit(instant now) noexcept {
    idle_at_ = now + settings().fin_wait_2_limit;
    arm();
}

}  // namespace weft::net::tcp
