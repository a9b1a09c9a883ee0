// The sixth and seventh checks, the URG bit and the segment text: RFC 9293 §3.10.7.4, with what the
// peer is told of text, and when (§3.8.6.3): what lies behind a gap (RFC 2018), what came twice
// (RFC 2883), marks (RFC 3168).

#include <weft/net/tcp/connection.hpp>
#include <weft/net/tcp/demux.hpp>

#include <algorithm>

namespace weft::net::tcp {

namespace {
/// Duplicate ACKs to send for one turn's frames, at most.
constexpr std::uint32_t most_duplicates_due = 64;
}  // namespace

/// "Special allowance should be made to accept valid ACKs, URGs, and RSTs" (MUST-66): at a closed
/// window the text is not taken, the rest is. A bare FIN needs no buffer.
void connection::refuse_text(segment& seg) noexcept {
    seg.text.reset();
    seg.text_refused = true;
    seg.flags &= ~tcp_flags::fin;
    acknowledge_at_once();
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
    if (sack_permitted_ && begin < end) reporter().on_duplicate(begin, end);
}

sack_reporter& connection::reporter() {
    if (sacks_ == nullptr) sacks_ = std::make_unique<sack_reporter>();
    return *sacks_;
}

/// The same for what is held behind a gap; the first part of it, if there are several.
void connection::note_held_twice(const segment& seg) {
    const auto held = received_.held_from(seg.seq);
    if (!held) return;
    note_duplicate_text(later_of(seg.seq, held->begin),
                        earlier_of(seg.seq + seg.text.size(), held->end));
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
        acknowledge_at_once();
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
        if (seg.seq != rcv_.nxt) acknowledge_at_once();  // behind a gap
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
    const std::uint32_t largest = seg.segment_bytes != 0 ? seg.segment_bytes : seg.text.size();
    rmss_ = std::max(rmss_, static_cast<std::uint16_t>(std::min(largest, 65535U)));
    if (seg.seq != rcv_.nxt) {
        hold_text(seg);
        return verdict::pass;
    }
    duplicates_due_ = 0;
    if (received_.has_gap()) {  // filled now, or part of it
        ack_now_ = true;
        note_held_twice(seg);
    }
    note_text_for_tuning(seg, now);
    append_text(std::move(seg.text));
    progressed_ = text_has_come_ = true;
    schedule_ack(now);
    return verdict::pass;
}

/// Behind a gap: a duplicate ACK at once tells the sender (RFC 5681 §4.2). A peer that counts them
/// gets one for each segment; with SACK one says it all.
void connection::hold_text(const segment& seg) {
    const std::uint32_t due = sack_permitted_ ? 1U : duplicates_due_ + seg.count();
    duplicates_due_ = static_cast<std::uint8_t>(std::min(due, most_duplicates_due));
    ack_now_ = true;
    note_held_twice(seg);
    if (!owner_.may_hold() ||
        !received_.hold(seg.seq, seg.text.bytes(), {rcv_.nxt, rcv_.edge}, owner_.pool_)) {
        ++owner_.counters_.tcp_out_of_order_dropped;
        return;
    }
    ++owner_.counters_.tcp_out_of_order_segments;
    if (sack_permitted_) reporter().on_held(seg.seq);
}

/// At RCV.NXT, with what it joins up with behind a gap.
void connection::append_text(slice text) {
    const std::uint32_t advance = received_.append(std::move(text), rcv_.nxt);
    rcv_.nxt += advance;
    owner_.counters_.tcp_bytes_received += advance;
    statistics().bytes_received += advance;
    raise(wait::readable);
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

}  // namespace weft::net::tcp
