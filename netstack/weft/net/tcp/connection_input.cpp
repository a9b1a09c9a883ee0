// SEGMENT ARRIVES: RFC 9293 §3.10.7.3 (SYN-SENT) and §3.10.7.4 (the other states), in its own order
// of checks. A check lets the segment through or ends it here. The fifth, with what it means for
// sending, is in connection_ack.cpp, the sixth and seventh are in connection_text.cpp.

#include <weft/net/tcp/connection.hpp>
#include <weft/net/tcp/demux.hpp>
#include <weft/net/wire/ipv4.hpp>

#include <algorithm>

namespace weft::net::tcp {

namespace {
/// Deviates: smaller announcements are taken for this. A peer may not make us send a frame a byte.
constexpr std::uint16_t smallest_mss = 88;
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
    acknowledge_at_once();
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

connection::verdict connection::check_timestamps(const segment& seg, instant now) {
    if (!timestamps_) return verdict::pass;
    const std::optional<answer> rejected = check_paws(seg, ts_recent_);
    if (!rejected) return verdict::pass;
    if (seg.options.has_timestamps() && !is_ts_recent_valid(now)) return verdict::pass;
    ++owner_.counters_.tcp_paws_rejected;
    answer_with(*rejected, now);
    return verdict::drop;
}

/// RFC 7323 §5.3 R3: only from the segment that the next acknowledgment answers.
void connection::note_timestamp(const segment& seg, instant now) noexcept {
    if (!timestamps_ || !seg.options.has_timestamps() || seg.seq > rcv_.acked) return;
    const std::uint32_t value = seg.options.timestamps().value;
    if (is_older_timestamp(value, ts_recent_) && is_ts_recent_valid(now)) return;
    ts_recent_ = value;
    ts_recent_at_ = now;
}

/// What the peer's own field says last may be told the user (MAY-9).
void connection::note_traffic_class(const segment& seg) noexcept {
    received_class_ = static_cast<std::uint8_t>(seg.traffic_class & ~wire::ecn::mask);
}

/// "First, check sequence number".
connection::verdict connection::check_sequence(segment& seg, instant now) {
    const bool is_at_closed_window = rcv_.edge == rcv_.nxt && seg.seq == rcv_.nxt;
    if (is_at_closed_window && !seg.text.empty()) refuse_text(seg);
    // The peer's SYN again: whatever text it carries this time, the SYN itself is behind us.
    const bool is_syn_again =
        state_ == state::syn_received && seg.has(tcp_flags::syn) && seg.seq == rcv_.irs;
    if (!is_syn_again && (is_at_closed_window || is_acceptable(seg, {rcv_.nxt, rcv_.edge}))) {
        heard_at_ = now;
        if (keepalive_probes_sent_ != 0) {  // answered: the peer is there, the silence begins anew
            keepalive_probes_sent_ = 0;
            restart_keepalive(now);
        }
        return verdict::pass;
    }
    if (seg.has(tcp_flags::rst)) return verdict::drop;
    if (is_syn_again) return check_repeated_syn(seg, now);
    owner_.count_unacceptable(seg, rcv_.nxt);
    if (!seg.text.empty() && seg.seq < rcv_.nxt) {
        note_duplicate_text(seg.seq, earlier_of(seg.seq + seg.text.size(), rcv_.nxt));
    }
    const answer due = answer_to_unacceptable(seg);
    // The peer's FIN again, or what leads up to it: our last ACK was lost. "Acknowledge it, and
    // restart the 2 MSL timeout", which the first check would never let reach the eighth.
    if (state_ == state::time_wait && due == answer::acknowledge) enter_time_wait(now);
    answer_with(due, now);
    return verdict::drop;
}

/// In SYN-RECEIVED.
connection::verdict connection::check_repeated_syn(segment& seg, instant now) {
    if (!passive_ && seg.has(tcp_flags::ack)) {
        // The SYNs crossed, and the peer repeats its own with an ACK (§3.5, figure 7): the SYN was
        // taken before, the rest of the segment is new.
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

/// "Second, check the RST bit", RFC 5961 §3: only one that stands exactly at RCV.NXT resets.
connection::verdict connection::check_reset(const segment& seg, instant now) {
    if (!seg.has(tcp_flags::rst)) return verdict::pass;
    if (seg.seq != rcv_.nxt) {
        answer_with(answer::challenge, now);
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
    answer_with(answer::challenge, now);
    return verdict::drop;
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
    acknowledge_at_once();
    raise(wait::readable);
    apply(event::got_fin, now);
    if (state_ == state::time_wait) enter_time_wait(now);
}

/// RFC 5961 §7 for a challenge.
void connection::answer_with(answer a, instant now) noexcept {
    if (a == answer::none) return;
    if (a == answer::acknowledge || owner_.may_challenge(challenges_, now)) acknowledge_at_once();
}

void connection::acknowledge_at_once() noexcept {
    ack_now_ = true;
    mark_transmit();
}

}  // namespace weft::net::tcp
