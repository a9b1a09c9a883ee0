// What always holds between the variables of a connection, whatever its peer and its user do: for
// the tests that feed it anything and look after every step. Nothing here is called on the way of a
// packet.

#include <weft/net/tcp/connection.hpp>

#include <algorithm>

namespace weft::net::tcp {

std::string_view sent_ranges::violated_invariant(sequence_number una,
                                                 sequence_number nxt) const noexcept {
    sequence_number at = una;
    std::uint32_t lost = 0;
    std::uint32_t sacked = 0;
    std::uint32_t retransmitted = 0;
    for (std::uint32_t i = 0; i < ranges_.size(); ++i) {
        const sent_range& r = ranges_[i];
        if (r.begin != at) return "ranges in flight leave a gap or overlap";
        if (r.end <= r.begin) return "an empty range is in flight";
        if (r.is(sent_range::lost) && r.is(sent_range::sacked)) {
            return "what has arrived is believed lost";
        }
        if (r.is(sent_range::lost)) lost += r.size();
        if (r.is(sent_range::sacked)) sacked += r.size();
        if (r.is(sent_range::retransmitted) && r.is_outstanding()) retransmitted += r.size();
        at = r.end;
    }
    if (at != nxt) return "ranges in flight do not reach SND.NXT";
    if (total_bytes_ != nxt - una) return "the count of bytes in flight is not SND.NXT - SND.UNA";
    if (lost_bytes_ != lost) return "the count of lost bytes is not the sum of the lost ranges";
    if (sacked_bytes_ != sacked) return "the count of sacked bytes is not the sum of those ranges";
    if (retransmitted_bytes_ != retransmitted) {
        return "the count of retransmitted bytes is not the sum of those ranges";
    }
    return {};
}

std::string_view held_text::violated_invariant(sequence_span window) const noexcept {
    if (ranges_.empty()) return "nothing is held, in pages";
    if (ranges_.size() > max_ranges) return "there are more gaps than may be";
    if (window.begin - base_ >= page_bytes()) return "a page before RCV.NXT is kept";
    sequence_number at = window.begin;
    for (std::uint32_t i = 0; i < ranges_.size(); ++i) {
        const sequence_span& r = ranges_[i];
        if (r.end <= r.begin) return "an empty range is held";
        if (r.begin <= at) return "held ranges overlap or touch, or are in order";
        for (std::uint32_t p = page_of(r.begin); p <= page_of(r.end - 1); ++p) {
            if (p >= pages_.size() || !pages_[p]) return "text is held and has no page";
        }
        at = r.end;
    }
    if (at > window.end) return "text beyond the offered window is held";
    if (page_of(window.end - 1) + 1 < pages_.size()) return "a page beyond the window is kept";
    return {};
}

std::string_view receive_buffer::violated_invariant(sequence_span window) const noexcept {
    std::uint32_t readable = 0;
    for (std::uint32_t i = 0; i < ready_.size(); ++i) {
        if (ready_[i].empty()) return "an empty slice is readable";
        readable += ready_[i].size();
    }
    if (readable != size_) return "the count of readable bytes is not the sum of the slices";
    if (fresh_ > ready_.size()) return "more slices are fresh than there are";
    return held_ == nullptr ? std::string_view{} : held_->violated_invariant(window);
}

std::string_view connection::violated_invariant() const noexcept {
    const instant of_sending = tx_ == nullptr ? never : tx_->next_timeout();
    const instant earliest = std::min({retransmit_at_, ack_at_, idle_at_, of_sending});
    if (timer_node::deadline() > earliest) return "a deadline is not armed";
    if (state_ == state::closed) {
        const bool is_silent = in_flight_.empty() && sending_.empty() && earliest == never;
        return is_silent ? "" : "a closed connection has something left to do";
    }
    if (state_ == state::listen) return {};

    // RFC 9293 §3.3.1: SND.UNA =< SND.NXT, RCV.NXT =< the edge of the window.
    if (snd_.una > snd_.nxt) return "SND.UNA is beyond SND.NXT";
    if (const auto wrong = in_flight_.violated_invariant(snd_.una, snd_.nxt); !wrong.empty()) {
        return wrong;
    }
    const bool has_irs = state_ != state::syn_sent;
    if (has_irs && rcv_.nxt > rcv_.edge) return "RCV.NXT is beyond the offered window";
    if (const auto wrong = received_.violated_invariant({rcv_.nxt, rcv_.edge}); !wrong.empty()) {
        return wrong;
    }

    const bool syn_in_flight = !syn_acked_ && snd_.nxt != snd_.iss;
    const bool fin_in_flight = fin_sent_ && !fin_acked_;
    const std::uint32_t text_in_flight =
        (snd_.nxt - snd_.una) - (syn_in_flight ? 1U : 0U) - (fin_in_flight ? 1U : 0U);
    if (text_in_flight > sending_.size()) return "text in flight is no longer in the send buffer";
    if (fin_sent_ && text_in_flight != sending_.size()) return "text is queued behind the FIN";

    const bool is_closing = is_one_of(state_, state::fin_wait_1, state::fin_wait_2, state::closing,
                                      state::last_ack, state::time_wait);
    const bool has_fin =
        is_one_of(state_, state::close_wait, state::closing, state::last_ack, state::time_wait);
    if (fin_pending_ != is_closing) return "a FIN of ours is pending in a state that has none";
    if (fin_sent_ && !fin_pending_) return "a FIN has left that was never pending";
    if (fin_acked_ && !fin_sent_) return "a FIN is acknowledged that was not sent";
    if (fin_received_ != has_fin) return "the state and the peer's FIN disagree";

    // Nothing waits for ever: who has something to say stands in the line, or has a timer.
    const bool is_in_line = list_hook<transmit_tag>::is_linked();
    const bool has_unsent = unsent_bytes() != 0 && (!corked_ || fin_pending_);
    const bool has_work = snd_.una != snd_.nxt || has_unsent || is_fin_due() || syn_due_;
    if (ack_now_ && !is_in_line) return "an acknowledgment is due and nobody will ask for it";
    if (has_work && !is_in_line && retransmit_at_ == never && of_sending == never) {
        return "something is to be sent or acknowledged and no timer runs";
    }
    if (state_ == state::time_wait && idle_at_ == never) return "TIME-WAIT has no end";
    return {};
}

}  // namespace weft::net::tcp
