#include <weft/net/tcp/demux.hpp>
#include <weft/net/tcp/time_wait.hpp>

#include <algorithm>

namespace weft::net::tcp {

static_assert(sizeof(time_wait_record) <= 112, "what the end of a connection costs");

time_wait_table::end_timer::end_timer(time_wait_table& owner) noexcept
    : timer_node{[](timer_node& node, instant now) noexcept {
          static_cast<end_timer&>(node).table.on_timeout(now);
      }},
      table{owner} {}

time_wait_table::time_wait_table(demux& owner)
    : owner_{owner}, slab_{owner.pool_}, table_{owner.secret_}, timer_{*this} {}

void time_wait_table::add(const time_wait_facts& f, instant now) {
    if (owner_.config_.max_time_wait == 0 || size() >= owner_.config_.max_time_wait) {
        ++owner_.counters_.tcp_time_wait_displaced;
        if (by_end_.empty()) {
            owner_.announce(f.tuple, f.id, state::time_wait, event::abort_called, now);
            return;
        }
        end(by_end_.front(), event::abort_called, now);
    }
    time_wait_record& added = slab_.create(f);
    if (!by_end_.empty()) added.ends_at = std::max(added.ends_at, by_end_.back().ends_at);
    table_.insert(added);
    by_end_.push_back(added);
    arm();
}

void time_wait_table::end(time_wait_record& r, event e, instant now) noexcept {
    owner_.announce(r.tuple(), r.id, state::time_wait, e, now);
    table_.erase(r);
    slab_.destroy(r);
}

void time_wait_table::on_timeout(instant now) noexcept {
    while (!by_end_.empty() && by_end_.front().ends_at <= now) {
        end(by_end_.front(), event::two_msl_passed, now);
    }
    arm();
}

void time_wait_table::arm() noexcept {
    if (by_end_.empty()) return;
    const instant first = by_end_.front().ends_at;
    if (first < timer_.deadline()) owner_.timers_.arm(timer_, first);
}

// ---- segments: RFC 9293 §3.10.7.4, in its order, where the state is TIME-WAIT

void time_wait_table::on_segment(time_wait_record& r, const segment& seg, instant now) {
    if (check_timestamps(r, seg, now) == verdict::drop) return;
    if (check_sequence(r, seg, now) == verdict::drop) return;  // first
    if (r.has_timestamps && seg.options.has_timestamps() && seg.seq <= r.rcv_nxt) {
        r.ts_recent = seg.options.timestamps().value;  // RFC 7323 §5.3 R3
    }
    if (seg.has(tcp_flags::rst)) {  // second
        check_reset(r, seg, now);
    } else if (seg.has(tcp_flags::syn)) {  // fourth, RFC 5961 §4
        answer_with(answer::challenge, r, now);
    } else if (seg.has(tcp_flags::ack) &&
               (seg.ack > r.snd_nxt || seg.ack < r.snd_nxt - r.snd_max_wnd)) {
        ++owner_.counters_.tcp_bad_acknowledgments;  // fifth, RFC 5961 §5
        answer_with(answer::challenge, r, now);
    }
    // The rest cannot occur: a FIN of the peer has been received (§3.10.7.4, sixth to eighth).
}

time_wait_table::verdict time_wait_table::check_timestamps(time_wait_record& r, const segment& seg,
                                                           instant now) {
    if (!r.has_timestamps) return verdict::pass;
    const std::optional<answer> rejected = check_paws(seg, r.ts_recent);
    if (!rejected) return verdict::pass;
    ++owner_.counters_.tcp_paws_rejected;
    answer_with(*rejected, r, now);
    return verdict::drop;
}

time_wait_table::verdict time_wait_table::check_sequence(time_wait_record& r, const segment& seg,
                                                         instant now) {
    if (is_acceptable(seg, {r.rcv_nxt, r.rcv_nxt + r.rcv_wnd})) return verdict::pass;
    if (seg.has(tcp_flags::rst)) return verdict::drop;
    owner_.count_unacceptable(seg, r.rcv_nxt);
    const answer due = answer_to_unacceptable(seg);
    // The peer's FIN again, or what leads up to it: our last ACK was lost. "Acknowledge it, and
    // restart the 2 MSL timeout."
    if (due == answer::acknowledge) restart(r, now);
    answer_with(due, r, now);
    return verdict::drop;
}

/// RFC 5961 §3; RFC 1337 if so configured.
void time_wait_table::check_reset(time_wait_record& r, const segment& seg, instant now) {
    if (seg.seq != r.rcv_nxt) {
        answer_with(answer::challenge, r, now);
        return;
    }
    if (owner_.config_.time_wait_ignores_resets) return;
    ++owner_.counters_.tcp_resets_received;
    end(r, event::got_reset, now);
}

void time_wait_table::restart(time_wait_record& r, instant now) noexcept {
    const instant end = now + 2 * owner_.config_.max_segment_lifetime;
    r.unlink();
    r.ends_at = by_end_.empty() ? end : std::max(end, by_end_.back().ends_at);
    by_end_.push_back(r);
    arm();
}

void time_wait_table::send_ack(const time_wait_record& r, instant now) {
    reply ack{r.tuple(), r.snd_nxt.value(), r.rcv_nxt.value(), tcp_flags::ack};
    ack.traffic_class = r.traffic_class;
    ack.hop_limit = r.hop_limit;
    ack.window = r.window;
    if (r.has_timestamps) {
        ack.options.set_timestamps({owner_.timestamp_for(r.tuple(), now), r.ts_recent});
    }
    owner_.network_.send_reply(ack, now);
}

void time_wait_table::answer_with(answer a, time_wait_record& r, instant now) {
    if (a == answer::none) return;
    if (a == answer::acknowledge || owner_.may_challenge(r.challenges_, now)) send_ack(r, now);
}

}  // namespace weft::net::tcp
