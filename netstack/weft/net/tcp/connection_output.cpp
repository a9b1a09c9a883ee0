// What to send now: RFC 9293 §3.8. Polled by the stack when there is a transmit slot; nothing here
// queues a segment. In order: the SYN, what is believed lost, a probe of a closed window, new text
// and the FIN, a keep-alive, an acknowledgment or window update.

#include <weft/net/tcp/connection.hpp>
#include <weft/net/tcp/demux.hpp>

#include <algorithm>

namespace weft::net::tcp {

bool connection::poll_segment(outgoing& out, tx_slot& slot, instant now) {
    if (received_.wants_compaction()) received_.compact(owner_.pool_);
    if (state_ == state::closed || state_ == state::listen) return false;
    if (syn_due_) return poll_syn(out, slot, now);
    if (may_send_text()) {
        if (poll_text(out, slot, now)) return true;
        note_activity(now);
        if (keepalive_due_) {
            keepalive_due_ = false;
            ++owner_.counters_.tcp_keepalives_sent;
            emit(out, tcp_flags::ack, snd_.nxt - 1, now);  // no data (SHLD-12)
            return true;
        }
    }
    if (state_ != state::syn_sent && (ack_now_ || is_window_update_due())) {
        emit(out, tcp_flags::ack, snd_.nxt, now);
        return true;
    }
    return false;
}

/// Whatever occupies sequence numbers, at the pace that is allowed.
bool connection::poll_text(outgoing& out, tx_slot& slot, instant now) {
    const bool has_new = unsent_bytes() != 0 || is_fin_due();
    if (tx_ == nullptr) {
        if (!has_new && in_flight_.lost_bytes() == 0) return false;
        attach_transmission(now);
    }
    if (tx_->probe_due && poll_tail_probe(out, slot, now)) return true;
    if (!tx_->pace.may_send(now)) {
        tx_->pace_at = tx_->pace.next();
        arm();
        return false;
    }
    // After a timeout that is in question new text tells more (RFC 5682).
    if (tx_->recovery.prefers_new() && poll_new(out, slot, now)) return true;
    if (in_flight_.lost_bytes() != 0 && poll_lost(out, slot, now)) return true;
    const mtu_probe probe = poll_mtu_probe(out, slot, now);
    if (probe != mtu_probe::none) return probe == mtu_probe::sent;
    return poll_new(out, slot, now) || poll_rescue(out, slot, now);
}

void connection::attach_transmission(instant now) {
    tx_ = &owner_.transmissions_.create();
    begin_path(now);
    tx_->congestion.begin(algorithm_, mss_, initial_window(), now);
    tx_->congestion.keep_window_when_idle(keeps_window_);
    tx_->recovery.begin(snd_.una, sack_permitted_);
    tx_->short_end = snd_.una;
    if (rto_.has_sample()) tx_->recovery.on_rtt(rto_.smoothed(), now);
    tx_->pace.set_rate(tx_->congestion.pacing_rate());
}

bool connection::poll_syn(outgoing& out, tx_slot& slot, instant now) {
    syn_due_ = false;
    if (snd_.nxt == snd_.iss) {
        ++snd_.nxt;
        in_flight_.sent(snd_.iss, snd_.nxt, now);
    } else {
        out.retransmission = true;
        ++owner_.counters_.tcp_retransmitted_segments;
        in_flight_.resent(snd_.iss, snd_.iss + 1, now);
        syn_was_lost_ = true;
    }
    const bool is_answer = state_ != state::syn_sent;
    // MUST-14, SHLD-5, MUST-67; RFC 7323 §2.2, §3.2: an answer offers only what was offered.
    // What we can receive: what our packets' path takes is no business of the peer's (SHLD-6).
    out.options.set_mss(owner_.offered_mss());
    if (is_answer ? scaling_ : settings().window_scaling) out.options.set_window_scale(rcv_scale_);
    if (!is_answer && settings().timestamps) {
        out.options.set_timestamps({timestamp_now(now), 0});
    }
    if (is_answer ? sack_permitted_ : settings().selective_acknowledgment) {
        out.options.set_sack_permitted();
    }
    const tcp_flags flags =
        is_answer ? tcp_flags::syn | tcp_flags::ack | ecn_.flags_of_syn_ack(settings().ecn)
                  : tcp_flags::syn | ecn_.flags_of_syn(settings().ecn, out.retransmission);
    if (fast_open_ != nullptr && !out.retransmission) add_fast_open(out, slot, now);
    emit(out, flags, snd_.iss, now);
    // The window of a SYN is never scaled (RFC 7323 §2.2).
    const std::uint32_t window = std::min(free_bytes(), 65535U);
    out.header.window = static_cast<std::uint16_t>(window);
    rcv_.edge = later_of(rcv_.edge, rcv_.nxt + window);
    // Not restarted by an answer to a repeated SYN: that would put off giving up for ever.
    if (retransmit_at_ == never) restart_retransmission_timer(now);
    return true;
}

/// What the congestion window leaves room for.
std::uint32_t connection::congestion_room() const noexcept {
    const std::uint32_t window = tx_->congestion.window() + tx_->recovery.limited_transmit(mss_);
    const std::uint32_t syn = syn_acked_ ? 0 : 1;  // is no text
    return window - std::min(window, in_flight_.pipe() - std::min(in_flight_.pipe(), syn));
}

/// Sends again what is believed lost: the first of it at once, more as the window allows.
bool connection::poll_lost(outgoing& out, tx_slot& slot, instant now) {
    const std::uint32_t room = congestion_room();
    const std::uint32_t full = full_text_bytes();
    const std::uint32_t most = std::max(std::min(room, max_text_bytes()), full);
    std::optional<sent_range> r = in_flight_.first_lost(most);
    if (!r) return false;
    // The SYN of a connection that closed before it was acknowledged.
    if (!syn_acked_ && r->begin == snd_.iss) return poll_syn(out, slot, now);
    if (!tx_->recovery.may_resend(r->begin, snd_.una)) return false;
    if (r->begin != snd_.una && room < std::min(full, r->size())) return false;
    if (snd_.wnd == 0) {  // only the probe goes out
        if (!probe_due_) return false;
        r->end = r->begin + 1;
    } else {
        // MAY-7 is not used: what lies beyond a shrunken window waits (SHLD-16), but for a bare
        // FIN.
        const sequence_number edge = snd_.una + snd_.wnd;
        const bool is_bare_fin = fin_sent_ && r->end == snd_.nxt && r->size() == 1;
        if (r->end > edge && !is_bare_fin) {
            if (r->begin >= edge) return false;
            r->end = edge;
        }
    }
    std::uint32_t count = r->size();
    if (r->is(sent_range::probe) && r->end == snd_.nxt && !probe_due_ && !fin_sent_) {
        // The window has opened: no segment for the one octet that had probed it.
        const std::uint32_t offered = count + offered_room();
        count = std::max(count, std::min({count + unsent_bytes(), full, offered}));
    }
    probe_due_ = false;
    return emit_text(out, slot, r->begin, count, now);
}

/// New text, and the FIN behind the last of it.
bool connection::poll_new(outgoing& out, tx_slot& slot, instant now) {
    const std::uint32_t unsent = unsent_bytes();  // 0 once the FIN was sent
    // With nothing new to send the window limits only repairs, and grows with them.
    if (unsent == 0) {
        window_limited_ = in_flight_.lost_bytes() != 0;
        if (!window_limited_ && congestion_room() >= mss_) {
            tx_->rate.on_app_limited(in_flight_.pipe());
        }
    }
    if (fin_sent_) return false;
    const bool is_idle = snd_.nxt == snd_.una;
    if (unsent == 0) {
        probe_due_ = false;
        // A FIN needs no room at the peer, but beyond the window it goes alone: with text before it
        // that is lost the peer would find none of our acknowledgments acceptable (§3.10.7.4).
        if (!fin_pending_ || (!is_idle && offered_room() == 0)) return false;
        return emit_text(out, slot, snd_.nxt, 0, now);
    }
    if (is_idle && now - sent_at_ > rto_.timeout(settings())) {  // RFC 5681 §4.1
        tx_->congestion.on_idle(mss_, initial_window(), now, rto_.timeout(settings()));
        tx_->pace.set_rate(tx_->congestion.pacing_rate());
    }

    const std::uint32_t room = congestion_room();
    const std::uint32_t offered = offered_room();
    const std::uint32_t full = full_text_bytes();
    std::uint32_t count = std::min({unsent, room, offered, max_text_bytes()});
    // Whole segments; the rest of the text joins them only if it may leave now.
    if (count > full && (count != unsent || !(no_delay_ || fin_pending_))) count -= count % full;
    window_limited_ = room < std::min(unsent, full) || room <= count + mss_;

    if (probe_due_ && is_idle && count < full) {
        // RFC 9293 §3.8.6.1: at least one octet, whatever the window (MUST-36).
        // One segment at most: the congestion window may be what is small.
        return emit_text(out, slot, snd_.nxt, std::max(std::min({unsent, offered, full}), 1U), now);
    }
    if (count == 0 || !may_send_now(count, unsent, full)) {
        // Nothing in flight will bring news of the window: ask for it after a timeout (SHLD-29).
        if (is_idle && retransmit_at_ == never) {
            persisting_ = true;
            asked_at_ = now;
            restart_retransmission_timer(now);
        }
        return false;
    }
    return emit_text(out, slot, snd_.nxt, count, now);
}

/// RFC 8985 §7.3: new text if there is any, else the last segment again.
bool connection::poll_tail_probe(outgoing& out, tx_slot& slot, instant now) {
    tx_->probe_due = false;
    if (in_flight_.empty() || !tx_->recovery.may_probe()) return false;
    const std::uint32_t full = full_text_bytes();
    const std::uint32_t fresh = std::min({unsent_bytes(), offered_room(), full});
    const bool is_new = fresh != 0 && fresh >= std::min(unsent_bytes(), full);
    std::optional<sent_range> last;
    if (!is_new && !(last = in_flight_.last_outstanding(full))) return false;
    ++owner_.counters_.tcp_tail_probes;
    emit_text(out, slot, is_new ? snd_.nxt : last->begin, is_new ? fresh : last->size(), now);
    tx_->recovery.on_probe_sent(snd_.nxt, !is_new);
    restart_retransmission_timer(now);
    return true;
}

/// RFC 6675 §4 NextSeg (4): in recovery, with nothing else to send, the last range goes out once
/// more, so that its loss does not wait for the timer.
bool connection::poll_rescue(outgoing& out, tx_slot& slot, instant now) {
    if (!tx_->recovery.may_rescue() || in_flight_.lost_bytes() != 0 || unsent_bytes() != 0 ||
        congestion_room() < mss_) {
        return false;
    }
    const std::optional<sent_range> last = in_flight_.last_outstanding(full_text_bytes());
    if (!last || last->is(sent_range::retransmitted)) return false;
    tx_->recovery.on_rescue_sent();
    return emit_text(out, slot, last->begin, last->size(), now);
}

/// Silly-window avoidance (RFC 9293 §3.8.6.2.1, MUST-38) and Nagle (§3.7.4, SHLD-7), where wanted
/// as varied in appendix A.3: then the end of a write does not wait for an acknowledgment that the
/// peer delays.
bool connection::may_send_now(std::uint32_t count, std::uint32_t unsent,
                              std::uint32_t full) const noexcept {
    if (count >= full) return true;
    const bool is_urgent = is_sending_urgent();
    if (corked_ && !fin_pending_ && !is_urgent) return false;
    // Nagle's condition stands in both of the RFC's remaining cases (§3.8.6.2.1, in brackets).
    const bool is_pressing = no_delay_ || fin_pending_ || is_urgent;
    // An octet that probed a closed window is no small segment of ours to wait for.
    const sequence_number last = settings().short_waits_for_short ? tx_->short_end : snd_.nxt;
    const bool has_outstanding = last > text_begin() && !in_flight_.is_one_probe();
    if (has_outstanding && !is_pressing) return false;
    return count == unsent || count >= snd_.max_wnd / 2;
}

/// Describes a segment of text from `from` on: new, or sent before. The FIN goes with the last
/// text.
bool connection::emit_text(outgoing& out, tx_slot& slot, sequence_number from, std::uint32_t count,
                           instant now) {
    const bool is_new = from == snd_.nxt;
    const bool has_new = from + count > snd_.nxt;  // a probe's octet is sent with what follows it
    const bool is_probe = probe_due_;
    bool is_fin = fin_sent_ && from + count == snd_.nxt;
    if (is_new || has_new) {
        const bool is_last = fin_pending_ && from + count == snd_.nxt + unsent_bytes();
        is_fin = is_last && (count == 0 || from + count < snd_.una + snd_.wnd);
    }
    if (is_fin && !is_new && !has_new) --count;  // its own number is not text
    const std::uint32_t offset = from - text_begin();
    const std::uint32_t gathered = sending_.gather(offset, count, slot);
    if (gathered < count) is_fin = false;  // the slot is full: the rest follows
    count = gathered;

    tcp_flags flags = tcp_flags::ack;
    if (is_fin) flags |= tcp_flags::fin;
    // MUST-61: the last of what is queued.
    if (count != 0 && offset + count == sending_.size()) flags |= tcp_flags::psh;
    const sequence_number end = from + (count + (is_fin ? 1U : 0U));
    const std::uint32_t full = full_text_bytes();
    if (count > full) out.segment_bytes = static_cast<std::uint16_t>(full);
    const delivery_snapshot delivery = tx_->rate.on_sent(now, in_flight_.pipe());
    const sequence_number old_end = has_new ? snd_.nxt : end;
    if (!is_new) {
        in_flight_.resent(from, old_end, now, delivery);
        tx_->recovery.on_resent(from, old_end, timestamp_now(now));
        out.retransmission = true;
        owner_.counters_.tcp_retransmitted_segments += segments_of(count, out.segment_bytes);
    }
    if (is_new || has_new) {
        in_flight_.sent(snd_.nxt, end, now, is_probe, delivery);
        tx_->recovery.on_sent(end - snd_.nxt);
        snd_.nxt = end;
        if (is_fin) fin_sent_ = true;
        if (count % full != 0) tx_->short_end = end;
        owner_.counters_.tcp_bytes_sent += is_new ? count : end - old_end - (is_fin ? 1U : 0U);
        probe_due_ = false;
    }
    const std::uint32_t largest = std::min(count, full);
    tx_->path.on_sent(from + largest, largest + header_bytes());
    out.may_fragment = tx_->path.may_fragment();
    // RFC 3168 §6.1.5, §6.1.6: neither what is sent again nor a probe may be marked.
    ecn::marks marks;
    if (is_new && count != 0 && !is_probe) marks = ecn_.take_marks_of_new_text();
    if (count != 0) count_text_sent(out, count);
    tx_->pace.on_sent(count, now);
    sent_at_ = now;
    emit(out, flags | marks.flags, from, now);
    out.traffic_class = static_cast<std::uint8_t>(out.traffic_class | marks.codepoint);
    if (retransmit_at_ == never || !is_new) restart_retransmission_timer(now);  // RFC 6298 §5.1
    if (is_new) restart_tail_probe(now);
    return true;
}

/// Fills the header. Whatever carries an ACK takes every acknowledgment and window update with it.
void connection::emit(outgoing& out, tcp_flags flags, sequence_number seq, instant now) {
    out.header.source_port = tuple_.local_port;
    out.header.destination_port = tuple_.remote_port;
    out.header.sequence = seq.value();
    out.header.flags = flags;
    out.traffic_class = traffic_class_;  // as it is (SHLD-22)
    out.hop_limit = hop_limit();
    if (stats_ != nullptr) ++stats_->segments_sent;
    if (!flags.has(tcp_flags::ack)) return;
    out.header.acknowledgment = rcv_.nxt.value();
    out.header.window = take_offered_window();
    if (sending_urgent_) emit_urgent_pointer(out, seq);
    if (ecn_.is_echoing()) out.header.flags |= tcp_flags::ece;
    if (timestamps_) out.options.set_timestamps({timestamp_now(now), ts_recent_});
    if (sacks_ != nullptr) add_sack_blocks(out.options);
    rcv_.acked = rcv_.nxt;
    // Each segment out of order gets its own duplicate ACK (RFC 5681 §4.2): three tell the peer.
    if (duplicates_due_ != 0) --duplicates_due_;
    ack_now_ = duplicates_due_ != 0;
    ack_at_ = never;
    if (sacks_ == nullptr) return;
    sacks_->on_sent();
    if (!received_.has_gap()) sacks_.reset();
}

/// RFC 9293 §3.8.5: the pointer counts from the segment's own number (MUST-62). Where urgent data
/// ends farther ahead than the field can say, later segments move it on (MUST-31).
void connection::emit_urgent_pointer(outgoing& out, sequence_number seq) noexcept {
    if (!is_sending_urgent()) {
        sending_urgent_ = false;
        return;
    }
    if (out.header.flags.has(tcp_flags::syn) || seq >= snd_.up) return;
    out.header.flags |= tcp_flags::urg;
    out.header.urgent_pointer =
        static_cast<std::uint16_t>(std::min<std::uint32_t>(snd_.up - seq, 0xffff));
}

std::uint32_t connection::unsent_bytes() const noexcept {
    if (fin_sent_) return 0;
    if (snd_.nxt < text_begin()) return sending_.size();  // the SYN has not left yet
    return sending_.size() - (snd_.nxt - text_begin());
}

bool connection::is_fin_due() const noexcept {
    return fin_pending_ && !fin_sent_ && unsent_bytes() == 0;
}

/// The usable window: SND.UNA + SND.WND - SND.NXT; a peer that shrank it leaves none (MUST-34).
std::uint32_t connection::offered_room() const noexcept {
    const sequence_number edge = snd_.una + snd_.wnd;
    return edge > snd_.nxt ? edge - snd_.nxt : 0;
}

/// Text that one frame may carry: a segment, or as many as the device cuts one frame into.
std::uint32_t connection::max_text_bytes() noexcept {
    const std::uint32_t full = full_text_bytes();
    // A device would put one urgent pointer, or CWR, into all the segments that it cuts.
    if (is_sending_urgent() || ecn_.is_cwr_due()) return full;
    const std::uint32_t offload =
        std::min(owner_.network_.max_offload_bytes(), tx_->pace.quantum(full));
    return offload <= full ? full : offload - offload % full;
}

std::uint32_t connection::full_text_bytes() noexcept {
    if (sacks_ == nullptr) return mss_;
    wire::tcp_options options;
    if (timestamps_) options.set_timestamps({});
    const std::size_t without = options.encoded_bytes();
    add_sack_blocks(options);
    return mss_ - static_cast<std::uint32_t>(options.encoded_bytes() - without);
}

void connection::add_sack_blocks(wire::tcp_options& options) noexcept {
    sacks_->report(options, received_, timestamps_ ? 3 : 4);
}

std::uint32_t connection::free_bytes() const noexcept {
    return receive_limit_ - std::min(receive_limit_, received_.size());
}

std::uint32_t connection::offerable_bytes() const noexcept {
    const std::uint32_t unit = (1U << rcv_scale_) - 1;
    return std::min(free_bytes(), 65535U << rcv_scale_) & ~unit;
}

/// Bytes the peer may send from RCV.NXT on, as offered when a segment leaves: what is free, but a
/// right edge that moves by less than a segment stays where it is (RFC 9293 §3.8.6.2.2, MUST-39),
/// and it never moves left (SHLD-14).
std::uint32_t connection::receive_window() const noexcept {
    const std::uint32_t current = rcv_.edge - rcv_.nxt;
    const std::uint32_t free = offerable_bytes();
    if (free < current + std::min<std::uint32_t>(receive_limit_ / 2, rmss_)) return current;
    return free;
}

std::uint16_t connection::take_offered_window() noexcept {
    const std::uint32_t current = rcv_.edge - rcv_.nxt;
    const std::uint32_t window = receive_window();
    // The field is in units. Rounded up where the buffer has the room, so that the edge does not
    // seem to move left (RFC 7323 §2.4); what was offered is accepted in any case.
    const std::uint32_t round = (1U << rcv_scale_) - 1;
    std::uint32_t units = window >> rcv_scale_;
    const std::uint32_t up = (current + round) >> rcv_scale_;
    if (up > units && (up << rcv_scale_) <= free_bytes() + round) units = up;
    units = std::min(units, 65535U);
    rcv_.edge = later_of(rcv_.edge, rcv_.nxt + (units << rcv_scale_));
    return static_cast<std::uint16_t>(units);
}

/// A reader has made enough room for the peer to want to know at once.
bool connection::is_window_update_due() const noexcept {
    if (!is_one_of(state_, state::established, state::fin_wait_1, state::fin_wait_2)) return false;
    // Before the first text nobody has read: the ACK of it tells what a SYN's window could not.
    if (!text_has_come_) return false;
    const std::uint32_t current = rcv_.edge - rcv_.nxt;
    const std::uint32_t free = offerable_bytes();
    if (free <= current) return false;
    const std::uint32_t gain = free - current;
    const std::uint32_t half = receive_limit_ / 2;
    // While the peer still has room a quarter is enough; one that may stall hears of each segment.
    if (current >= half) return gain >= half;
    if (current >= 2U * rmss_) return gain >= receive_limit_ / 4;
    return gain >= std::min<std::uint32_t>(half, rmss_);
}

/// RFC 7323 §5.4: a millisecond clock, from an origin that a stranger cannot tell.
std::uint32_t connection::timestamp_now(instant now) const noexcept {
    return demux::timestamp_clock(now) + ts_offset_;
}

}  // namespace weft::net::tcp
