// SEGMENT ARRIVES: RFC 9293 §3.10.7.3 (SYN-SENT) and §3.10.7.4 (the other states), in its own order
// of checks. A check lets the segment through or ends it here. What an acknowledgment means for
// sending is in connection_ack.cpp.

#include <weft/net/tcp/connection.hpp>
#include <weft/net/tcp/demux.hpp>
#include <weft/net/wire/ipv4.hpp>

#include <algorithm>

namespace weft::net::tcp {

namespace {
/// Deviates: smaller announcements are taken for this. A peer may not make us send a frame a byte.
constexpr std::uint16_t smallest_mss = 88;
/// Duplicate ACKs to send for one turn's frames, at most.
constexpr std::uint32_t most_duplicates_due = 64;
/// Timestamps older than this say nothing (RFC 7323 §5.5).
constexpr duration timestamp_validity = std::chrono::hours{24 * 24};
}  // namespace

void connection::on_segment(segment& seg, instant now) {
    if (stats_ != nullptr || !seg.text.empty()) count_received(seg);
    if (state_ == state::syn_sent) {
        on_syn_sent_segment(seg, now);
    } else {
        on_synchronized_segment(seg, now);
    }
}

/// What §3.10.7.2 third and the SYN,ACK since have made of the child: "Set RCV.NXT to SEG.SEQ+1,
/// IRS is set to SEG.SEQ". Its life before is not applied again, only remembered.
void connection::on_handshake(const handshake& h, instant now) {
    state_ = state::syn_received;
    visited_ = mask_of(state::closed) | mask_of(state::listen) | mask_of(state::syn_received);
    snd_.iss = snd_.una = snd_.nxt = h.iss;
    heard_at_ = now;
    for (unsigned n = 1; n < h.sent; ++n) rto_.back_off();
    take_syn_options(h.syn(), now);
    snd_.wnd = snd_.max_wnd = h.wnd;
    snd_.wl1 = h.irs;
    snd_.wl2 = snd_.una;
    if (h.sent == 0) {
        syn_due_ = true;
        mark_transmit();
        return;
    }
    (void)ecn_.flags_of_syn_ack(settings().ecn);  // as the SYN,ACK had them
    ++snd_.nxt;
    in_flight_.sent(h.iss, snd_.nxt, h.first_sent_at);
    if (h.sent > 1 || !h.is_timed) in_flight_.resent(h.iss, snd_.nxt, h.sent_at);  // Karn
    restart_retransmission_timer(now);
}

/// What a SYN settles for the connection's life: IRS, MSS, window scale, timestamps.
void connection::take_syn_options(const segment& syn, instant now) {
    note_traffic_class(syn);
    syn.has(tcp_flags::ack) ? ecn_.on_syn_ack(syn.flags) : ecn_.on_syn(syn.flags);
    rcv_.irs = syn.seq;
    rcv_.nxt = rcv_.acked = rcv_.up = syn.seq + 1;
    rcv_.edge = rcv_.nxt + std::min(receive_limit_, 65535U);  // the window of our own SYN
    if (syn.options.has_mss()) peer_mss_ = std::max(syn.options.mss(), smallest_mss);
    scaling_ = settings().window_scaling && syn.options.has_window_scale();
    snd_scale_ = scaling_ ? std::min<std::uint8_t>(syn.options.window_scale(), 14) : 0;
    if (!scaling_) rcv_scale_ = 0;
    timestamps_ = settings().timestamps && syn.options.has_timestamps();
    if (timestamps_) {
        ts_recent_ = syn.options.timestamps().value;
        ts_recent_at_ = now;
    }
    sack_permitted_ = settings().selective_acknowledgment && syn.options.has_sack_permitted();
    update_mss(now);
    // RFC 5681 §3.1: a SYN that had to be repeated means one segment to begin with.
    if (rto_.backoffs() != 0) syn_was_lost_ = true;
    quick_acks_ = settings().quick_acks;
}

/// Payload bytes of a full segment (MUST-16): what the peer takes and what IP can send, less the
/// options that every segment carries.
void connection::update_mss(instant now) noexcept {
    const std::uint32_t by_path = owner_.network_.max_segment_to(tuple_.remote_address, now) -
                                  static_cast<std::uint32_t>(wire::tcp_header_bytes);
    const std::uint32_t full = std::min<std::uint32_t>(peer_mss_, by_path);
    mss_ = static_cast<std::uint16_t>(full - (timestamps_ ? 12U : 0U));
    rmss_ = mss_;
}

/// §3.10.7.3.
void connection::on_syn_sent_segment(segment& seg, instant now) {
    // First, check the ACK bit.
    const bool has_ack = seg.has(tcp_flags::ack);
    if (has_ack && (seg.ack <= snd_.iss || seg.ack > snd_.nxt)) {
        if (!seg.has(tcp_flags::rst)) {
            refuse_ack(seg, now);
        }
        return;
    }
    // Second, check the RST bit. Without an acceptable ACK it is not for this SYN.
    if (seg.has(tcp_flags::rst)) {
        if (!has_ack) return;
        ++owner_.counters_.tcp_resets_received;
        end(event::got_reset, errc::connection_refused, now);
        return;
    }
    // Third, security. Deviates: IPv4 security options are ignored.
    // Fourth, check the SYN bit.
    if (!seg.has(tcp_flags::syn)) return;
    heard_at_ = now;
    take_syn_options(seg, now);
    snd_.wnd = snd_.max_wnd = seg.wnd;  // never scaled on a SYN (RFC 7323 §2.2)
    snd_.wl1 = seg.seq;
    snd_.wl2 = seg.ack;
    if (!has_ack) {  // simultaneous open (MUST-10): our SYN is sent again, with an ACK
        snd_.wl2 = snd_.una;
        apply(event::got_syn, now);
        syn_due_ = true;
        mark_transmit();
        return;
    }
    take_acknowledgment(seg, now);
    enter_established(event::got_syn_ack, now);
    ack_now_ = true;
    mark_transmit();
    // "If there are other controls or text in the segment, then continue processing at the sixth
    // step": the SYN itself has been dealt with.
    seg.seq += 1;
    seg.flags &= ~tcp_flags::syn;
    trim(seg);
    check_urgent(seg);
    if (take_text(seg, now) == verdict::drop) return;
    check_fin(now);
}

void connection::enter_established(event e, instant now) {
    apply(e, now);
    raise(wait::connected);
    raise(wait::writable);
    restart_keepalive(now);
    if (parent_ != nullptr && !is_in_accept_queue()) owner_.on_child_established(*this);
    if (close_called_) {  // CLOSE in SYN-RECEIVED with data queued (§3.10.4)
        fin_pending_ = true;
        apply(event::close_called, now);
    }
    mark_transmit();
}

/// §3.10.7.4, in its order.
void connection::on_synchronized_segment(segment& seg, instant now) {
    if (check_timestamps(seg, now) == verdict::drop) return;  // RFC 7323 §5.3 R1
    if (check_sequence(seg, now) == verdict::drop) return;    // first
    note_timestamp(seg, now);                                 // RFC 7323 §5.3 R3
    note_traffic_class(seg);
    if (check_reset(seg, now) == verdict::drop) return;  // second, with RFC 5961 §3
    // Third, security. Deviates: IPv4 security options are ignored.
    if (check_syn(seg, now) == verdict::drop) return;  // fourth, with RFC 5961 §4
    trim(seg);
    if (check_ack(seg, now) == verdict::drop) return;  // fifth
    check_urgent(seg);                                 // sixth
    take_marks(seg);                                   // RFC 3168 §6.1.3
    if (take_text(seg, now) == verdict::drop) return;  // seventh
    check_fin(now);                                    // eighth
}

/// PAWS: an old duplicate carries an old timestamp. RFC 7323 §5.3; §3.2 for a missing option.
connection::verdict connection::check_timestamps(const segment& seg, instant now) {
    if (!timestamps_ || seg.has(tcp_flags::rst)) return verdict::pass;
    if (!seg.options.has_timestamps()) {
        ++owner_.counters_.tcp_paws_rejected;
        return verdict::drop;
    }
    const std::uint32_t value = seg.options.timestamps().value;
    const bool is_older = static_cast<std::int32_t>(value - ts_recent_) < 0;
    if (is_older && now - ts_recent_at_ < timestamp_validity) {
        ++owner_.counters_.tcp_paws_rejected;
        if (seg.len() == 0) {  // answering answers is how ACK loops begin
            send_challenge_ack(now);
        } else {
            ack_now_ = true;
            mark_transmit();
        }
        return verdict::drop;
    }
    return verdict::pass;
}

/// RFC 7323 §5.3 R3: only from the segment that the next acknowledgment answers.
void connection::note_timestamp(const segment& seg, instant now) noexcept {
    if (!timestamps_ || !seg.options.has_timestamps() || seg.seq > rcv_.acked) return;
    const std::uint32_t value = seg.options.timestamps().value;
    if (static_cast<std::int32_t>(value - ts_recent_) < 0 &&
        now - ts_recent_at_ < timestamp_validity) {
        return;
    }
    ts_recent_ = value;
    ts_recent_at_ = now;
}

/// What the peer's own field says last may be told the user (MAY-9).
void connection::note_traffic_class(const segment& seg) noexcept {
    received_class_ = static_cast<std::uint8_t>(seg.traffic_class & ~wire::ecn::mask);
}

/// "First, check sequence number": the four cases of §3.4 table 6.
/// Deviates: a segment without text is also taken at the window's right edge, where a peer stands
/// that has used the window up; its acknowledgment would be lost otherwise.
connection::verdict connection::check_sequence(segment& seg, instant now) {
    const std::uint32_t len = seg.len();
    const std::uint32_t wnd = rcv_.edge - rcv_.nxt;
    const auto in_window = [&](sequence_number s) { return s - rcv_.nxt < wnd; };
    bool is_acceptable = false;
    if (len == 0) {
        // Of a RST the edge itself is outside (RFC 5961 §3), unless the window is closed (MUST-66).
        const bool may_be_edge = wnd == 0 || !seg.has(tcp_flags::rst);
        is_acceptable = seg.seq - rcv_.nxt < wnd + (may_be_edge ? 1U : 0U);
    } else if (wnd == 0) {
        // "Special allowance should be made to accept valid ACKs, URGs, and RSTs" (MUST-66): the
        // text is not taken, the rest is. A bare FIN needs no buffer.
        is_acceptable = seg.seq == rcv_.nxt;
        if (is_acceptable && !seg.text.empty()) {
            seg.text.reset();
            seg.text_refused = true;
            seg.flags &= ~tcp_flags::fin;
            ack_now_ = true;
            mark_transmit();
        }
    } else {
        is_acceptable = in_window(seg.seq) || in_window(seg.seq + (len - 1));
    }
    // The peer's SYN again: whatever text it carries this time, the SYN itself is behind us.
    const bool is_syn_again =
        state_ == state::syn_received && seg.has(tcp_flags::syn) && seg.seq == rcv_.irs;
    if (is_acceptable && !is_syn_again) {
        heard_at_ = now;
        if (keepalive_probes_sent_ != 0) {  // answered: the peer is there, the silence begins anew
            keepalive_probes_sent_ = 0;
            restart_keepalive(now);
        }
        return verdict::pass;
    }

    if (seg.has(tcp_flags::rst)) return verdict::drop;
    if (is_syn_again) {
        if (!passive_ && seg.has(tcp_flags::ack)) {
            // The SYNs crossed, and the peer repeats its own with an ACK (§3.5, figure 7): the SYN
            // was taken before, the rest of the segment is new.
            ecn_.on_syn_ack(seg.flags);
            seg.seq += 1;
            seg.flags &= ~(tcp_flags::syn | tcp_flags::ece | tcp_flags::cwr);
            heard_at_ = now;
            return verdict::pass;
        }
        if (!seg.has(tcp_flags::ack)) ecn_.on_syn(seg.flags);  // it may ask for less by now
        syn_due_ = true;                                       // our SYN,ACK was lost
        mark_transmit();
        return verdict::drop;
    }
    if (state_ == state::time_wait && (seg.has(tcp_flags::fin) || !seg.text.empty())) {
        // The peer's FIN again, or what leads up to it: our last ACK was lost. "Acknowledge it, and
        // restart the 2 MSL timeout", which the first check would never let reach the eighth.
        enter_time_wait(now);
    }
    if (seg.text.empty()) {
        ++owner_.counters_.tcp_out_of_window;
        // Answering answers is how ACK loops begin: limited like a challenge.
        if (seg.has(tcp_flags::fin)) {
            ack_now_ = true;
            mark_transmit();
        } else {
            send_challenge_ack(now);
        }
    } else {
        ++(seg.seq < rcv_.nxt ? owner_.counters_.tcp_duplicate_segments
                              : owner_.counters_.tcp_out_of_window);
        if (seg.seq < rcv_.nxt) {
            note_duplicate_text(seg.seq, earlier_of(seg.seq + seg.text.size(), rcv_.nxt));
        }
        ack_now_ = true;
        mark_transmit();
    }
    return verdict::drop;
}

/// "Segments with higher beginning sequence numbers SHOULD be held for later; tailored to the
/// window": cuts off what was received before and what lies beyond the window.
void connection::trim(segment& seg) {
    if (seg.seq < rcv_.nxt) {
        const std::uint32_t old = rcv_.nxt - seg.seq;
        if (!seg.text.empty()) note_duplicate_text(seg.seq, rcv_.nxt);
        seg.text.remove_prefix(std::min(old, seg.text.size()));
        seg.seq = rcv_.nxt;
        if (seg.up <= old) {
            seg.flags &= ~tcp_flags::urg;
        } else {
            seg.up = static_cast<std::uint16_t>(seg.up - old);
        }
    }
    const std::uint32_t room = rcv_.edge < seg.seq ? 0 : rcv_.edge - seg.seq;
    if (seg.text.size() > room) {
        seg.text.truncate(room);
        seg.flags &= ~tcp_flags::fin;
    }
}

/// The peer hears once that it sent this twice (D-SACK, RFC 2883 §4).
void connection::note_duplicate_text(sequence_number begin, sequence_number end) {
    if (!sack_permitted_ || end <= begin) return;
    if (sacks_ == nullptr) sacks_ = std::make_unique<sack_reporter>();
    sacks_->on_duplicate(begin, end);
}

/// The same for what is held behind a gap; the first part of it, if there are several.
void connection::note_held_twice(const segment& seg) {
    const auto held = received_.held_from(seg.seq);
    if (!held) return;
    note_duplicate_text(later_of(seg.seq, held->begin),
                        earlier_of(seg.seq + seg.text.size(), held->end));
}

/// "Second, check the RST bit", RFC 5961 §3: only one that stands exactly at RCV.NXT resets.
connection::verdict connection::check_reset(const segment& seg, instant now) {
    if (!seg.has(tcp_flags::rst)) return verdict::pass;
    if (seg.seq != rcv_.nxt) {
        send_challenge_ack(now);
        return verdict::drop;
    }
    if (state_ == state::time_wait && settings().time_wait_ignores_resets) return verdict::drop;
    ++owner_.counters_.tcp_resets_received;
    if (state_ == state::time_wait) {
        end_orderly(event::got_reset, now);
    } else {
        // A child of a listener returns to LISTEN by ending (MUST-11); nobody has heard of it.
        const bool is_refused = state_ == state::syn_received && fast_open_ == nullptr;
        const errc why = is_refused ? errc::connection_refused : errc::connection_reset;
        end(event::got_reset, why, now);
    }
    return verdict::drop;
}

/// "Fourth, check the SYN bit", RFC 5961 §4: answered with a challenge ACK in every synchronized
/// state. In SYN-RECEIVED of a child the connection returns to LISTEN: it ends.
connection::verdict connection::check_syn(const segment& seg, instant now) {
    if (!seg.has(tcp_flags::syn)) return verdict::pass;
    if (state_ == state::syn_received) {
        if (passive_) {
            end(event::got_reset, errc::connection_refused, now);
            return verdict::drop;
        }
        // Simultaneous open: the first check has dealt with the SYN of the peer's SYN,ACK; another
        // SYN in the window is a challenge.
    }
    send_challenge_ack(now);
    return verdict::drop;
}

/// "Sixth, check the URG bit" (MUST-32, MUST-62): the pointer names the octet after the urgent
/// data.
void connection::check_urgent(const segment& seg) noexcept {
    if (!seg.has(tcp_flags::urg)) return;
    if (!is_one_of(state_, state::established, state::fin_wait_1, state::fin_wait_2)) return;
    const sequence_number up = seg.seq + seg.up;
    if (urgent_ ? up <= rcv_.up : up <= rcv_.nxt - received_.size()) return;
    rcv_.up = up;
    urgent_ = urgent_news_ = true;
    raise(wait::readable);
    raise(wait::urgent);
}

/// Marks on text in the window, and the sender's word that it has heard of them.
void connection::take_marks(const segment& seg) {
    if (seg.text.empty() || !ecn_.is_receiver()) return;
    if ((seg.traffic_class & wire::ecn::mask) == wire::ecn::ce) {
        ++owner_.counters_.tcp_ecn_marks_received;
        ++statistics().marks_received;
    }
    if (ecn_.on_text(seg.traffic_class, seg.flags) == ecn::answer::at_once) {
        ack_now_ = true;
        mark_transmit();
    }
}

/// "Seventh, process the segment text." Also notes where the FIN stands, so that one that arrives
/// ahead of missing text is not forgotten.
connection::verdict connection::take_text(segment& seg, instant now) {
    if (!is_one_of(state_, state::established, state::fin_wait_1, state::fin_wait_2)) {
        return verdict::pass;
    }
    if (seg.has(tcp_flags::fin) && !fin_received_) {
        fin_seen_ = true;
        rcv_.fin = seg.seq + seg.text.size();
        if (rcv_.fin != rcv_.nxt + seg.text.size()) {  // behind a gap
            ack_now_ = true;
            mark_transmit();
        }
    }
    if (seg.text.empty()) return verdict::pass;
    if (orphan_) {  // nobody will read it: tell the peer (SHLD-3)
        // In the form that a segment for no connection is answered in (§3.10.7.1).
        refuse(seg, now);
        end(event::abort_called, errc::connection_aborted, now);
        return verdict::drop;
    }
    if (owner_.is_short_of_memory()) {
        ++owner_.counters_.tcp_memory_dropped;
        fin_seen_ = fin_received_;
        return verdict::drop;
    }
    mark_transmit();
    const std::uint32_t size = seg.text.size();
    const std::uint32_t segments = seg.count();
    rmss_ = std::max(rmss_, static_cast<std::uint16_t>(std::min(
                                seg.segment_bytes != 0 ? seg.segment_bytes : size, 65535U)));
    if (seg.seq != rcv_.nxt) {
        // A gap: a duplicate ACK at once tells the sender (RFC 5681 §4.2). A peer that counts them
        // gets one for each segment; with SACK one says it all.
        duplicates_due_ = static_cast<std::uint8_t>(
            sack_permitted_
                ? 1U
                : std::min<std::uint32_t>(duplicates_due_ + segments, most_duplicates_due));
        ack_now_ = true;
        note_held_twice(seg);
        if (owner_.may_hold() &&
            received_.hold(seg.seq, seg.text.bytes(), {rcv_.nxt, rcv_.edge}, owner_.pool_)) {
            ++owner_.counters_.tcp_out_of_order_segments;
            if (sack_permitted_) {
                if (sacks_ == nullptr) sacks_ = std::make_unique<sack_reporter>();
                sacks_->on_held(seg.seq);
            }
        } else {
            ++owner_.counters_.tcp_out_of_order_dropped;
        }
        return verdict::pass;
    }
    duplicates_due_ = 0;
    if (received_.has_gap()) {  // filled now, or part of it
        ack_now_ = true;
        note_held_twice(seg);
    }
    note_text_for_tuning(seg, now);
    const std::uint32_t advance = received_.append(std::move(seg.text), rcv_.nxt);
    rcv_.nxt += advance;
    progressed_ = text_has_come_ = true;
    owner_.counters_.tcp_bytes_received += advance;
    statistics().bytes_received += advance;
    schedule_ack(now);
    raise(wait::readable);
    return verdict::pass;
}

/// "Eighth, check the FIN bit": the peer's FIN counts once everything before it is here.
void connection::check_fin(instant now) {
    if (!fin_seen_ || fin_received_) return;
    // Text beyond it: it was not the peer's last word, whoever sent it.
    if (rcv_.fin < rcv_.nxt) fin_seen_ = false;
    if (rcv_.nxt != rcv_.fin) return;
    fin_received_ = true;
    received_.drop_held();  // beyond the FIN: no honest peer's
    raise(wait::urgent);    // there will be none
    ++rcv_.nxt;
    ++rcv_.edge;  // its number takes no room
    ack_now_ = true;
    mark_transmit();
    raise(wait::readable);
    apply(event::got_fin, now);
    if (state_ == state::time_wait) enter_time_wait(now);
}

/// RFC 9293 §3.8.6.3: at least every second full segment (SHLD-19), within `delayed_ack` (MUST-40).
void connection::schedule_ack(instant now) noexcept {
    const std::uint32_t unacked = rcv_.nxt - rcv_.acked;
    if (quick_acks_ != 0) {  // a peer in slow start needs every one
        --quick_acks_;
        ack_now_ = true;
    } else if (unacked >= 2U * rmss_ || settings().delayed_ack == duration::zero()) {
        ack_now_ = true;
    } else if (ack_at_ == never) {
        ack_at_ = now + settings().delayed_ack;
        arm();
    }
}

/// RFC 5961 §7.
void connection::send_challenge_ack(instant now) noexcept {
    if (!owner_.may_challenge(challenges_, now)) return;
    ack_now_ = true;
    mark_transmit();
}

/// RFC 9293 §3.9.2.2, with the validation of RFC 5927 §4: an error about nothing in flight is not
/// believed, and a hard one ends only a connection that is not synchronized.
void connection::on_icmp_error(errc kind, bool is_hard, sequence_number quoted, instant now) {
    if (quoted < snd_.una || quoted >= snd_.nxt) {
        ++owner_.counters_.icmp_error_unmatched;
        return;
    }
    ++owner_.counters_.icmp_error_delivered;
    if (is_hard && state_ == state::syn_sent) {
        end(event::timed_out, kind, now);
    } else {
        note_soft_error(kind);
    }
}

void connection::on_unreachable(errc kind, instant now) {
    if (is_one_of(state_, state::syn_sent, state::syn_received)) {
        end(event::timed_out, kind, now);
        return;
    }
    // Later packets find out whether it comes back; R2 ends it if not. An acknowledgment that was
    // due is lost, as one that left would have been.
    note_soft_error(kind);
    ack_now_ = false;
    duplicates_due_ = 0;
    const bool has_work = !in_flight_.empty() || unsent_bytes() != 0 || is_fin_due();
    if (retransmit_at_ == never && has_work) {
        asked_at_ = now;
        restart_retransmission_timer(now);
    }
}

}  // namespace weft::net::tcp
