#include <weft/net/tcp/demux.hpp>
#include <weft/net/tcp/syn_cache.hpp>

#include <algorithm>
#include <cassert>
#include <vector>

namespace weft::net::tcp {

static_assert(sizeof(half_open) <= 128, "what a stranger's SYN costs");

syn_cache::repeat_timer::repeat_timer(syn_cache& owner) noexcept
    : timer_node{[](timer_node& node, instant now) noexcept {
          static_cast<repeat_timer&>(node).cache.on_timeout(now);
      }},
      cache{owner} {}

syn_cache::syn_cache(demux& owner)
    : owner_{owner}, slab_{owner.pool_}, table_{owner.secret_}, timer_{*this} {}

bool syn_cache::is_full() const noexcept { return size() >= owner_.config_.max_half_open; }

half_open& syn_cache::insert(const handshake& h, instant now) {
    half_open& added = slab_.create(h);
    table_.insert(added);
    ++h.parent->pending_;
    owner_.announce_handshake(h, now);
    return added;
}

void syn_cache::add(const handshake& h, instant now) { make_due(insert(h, now)); }

void syn_cache::add_proven(const handshake& h, instant now) {
    half_open& added = insert(h, now);
    added.sent_at = now;
    unanswered_[0].push_back(added);
    arm();
}

void syn_cache::remove(half_open& h) noexcept {
    --h.parent->pending_;
    table_.erase(h);
    slab_.destroy(h);
}

void syn_cache::end(half_open& h, event e, instant now) noexcept {
    ++owner_.counters_.tcp_attempt_fails;
    owner_.announce(h, state::syn_received, e, now);
    remove(h);
}

void syn_cache::reset_all(const listener& l, instant now) {
    std::vector<half_open*> children;
    table_.for_each([&](half_open& h) {
        if (h.parent == &l) children.push_back(&h);
    });
    for (half_open* h : children) {
        const sequence_number next = h->sent == 0 ? h->iss : h->iss + 1;
        reply r = owner_.reply_for(*h, next, tcp_flags::rst | tcp_flags::ack);
        r.acknowledgment = (h->irs + 1).value();
        add_timestamps(*h, r, now);
        owner_.network_.send_reply(r, now);
        end(*h, event::abort_called, now);
    }
}

// ---- the SYN,ACK

void syn_cache::make_due(half_open& h) noexcept {
    if (h.is_due_) return;
    h.is_due_ = true;
    h.unlink();
    due_.push_back(h);
}

void syn_cache::poll_syn_ack(half_open& h, outgoing& out, instant now) {
    h.is_due_ = false;
    h.unlink();
    unanswered_[h.repeats_].push_back(h);
    out.retransmission = h.sent != 0;
    if (h.sent == 0) {
        h.first_sent_at = now;
    } else {
        ++owner_.counters_.tcp_retransmitted_segments;
    }
    h.sent_at = now;
    if (h.sent < 255) ++h.sent;
    out.header.source_port = h.tuple().local_port;
    out.header.destination_port = h.tuple().remote_port;
    out.header.sequence = h.iss.value();
    out.header.acknowledgment = (h.irs + 1).value();
    out.header.flags = owner_.syn_ack_flags(h);
    out.header.window = owner_.syn_window(h.parent->options().connection);
    out.options = owner_.syn_ack_options(h, now);
    if (h.offers_cookie && !out.retransmission) {  // RFC 7413 §4.2.1
        out.options.set_fast_open(owner_.fast_open_cookie_for(h, now));
    }
    const reply r = owner_.reply_for(h, h.iss, out.header.flags);
    out.traffic_class = r.traffic_class;
    out.hop_limit = r.hop_limit;
    arm();
}

duration syn_cache::timeout_after(unsigned repeats) const noexcept {
    const config& c = owner_.config_;
    return std::min<duration>(c.initial_rto * (1 << repeats), c.max_rto);
}

void syn_cache::arm() noexcept {
    instant earliest = never;
    for (unsigned n = 0; n < unanswered_.size(); ++n) {
        if (unanswered_[n].empty()) continue;
        earliest = std::min(earliest, unanswered_[n].front().sent_at + timeout_after(n));
    }
    if (earliest < timer_.deadline()) owner_.timers_.arm(timer_, earliest);
}

void syn_cache::on_timeout(instant now) noexcept {
    for (unsigned n = 0; n < unanswered_.size(); ++n) {
        auto& list = unanswered_[n];
        while (!list.empty() && list.front().sent_at + timeout_after(n) <= now) {
            on_unanswered(list.front(), now);
        }
    }
    arm();
}

/// RFC 9293 §3.10.8, and RFC 6298 §5.5: again with twice the patience, or no more.
void syn_cache::on_unanswered(half_open& h, instant now) noexcept {
    if (h.repeats_ == most_repeats || is_too_old(h, now)) {
        ++owner_.counters_.tcp_user_timeouts;
        end(h, event::timed_out, now);
        return;
    }
    ++owner_.counters_.tcp_timeouts;
    ++h.repeats_;
    make_due(h);
}

/// However often the peer asked again meanwhile.
bool syn_cache::is_too_old(const half_open& h, instant now) const noexcept {
    duration limit = duration::zero();
    for (unsigned n = 0; n <= most_repeats; ++n) limit += timeout_after(n);
    const duration wish = h.parent->options().connection.user_timeout;
    if (wish != duration::zero()) limit = std::min(limit, wish);
    return now - h.first_sent_at >= limit;
}

// ---- segments: RFC 9293 §3.10.7.4, in its order, where the state is SYN-RECEIVED

syn_cache::outcome syn_cache::on_segment(half_open& h, segment& seg, instant now) {
    if (check_timestamps(h, seg, now) == verdict::drop) return outcome::pending;
    if (check_sequence(h, seg, now) == verdict::drop) return outcome::pending;  // first
    if (check_reset(h, seg, now) == verdict::drop) return outcome::pending;     // second
    if (seg.has(tcp_flags::syn)) {  // fourth: a passive open returns to LISTEN
        end(h, event::got_reset, now);
        return outcome::pending;
    }
    // Fifth; the rest, from the acknowledgment itself on, is the TCB's.
    return check_ack(h, seg, now) == verdict::pass ? outcome::complete : outcome::pending;
}

syn_cache::verdict syn_cache::check_timestamps(half_open& h, const segment& seg, instant now) {
    if (!h.has_timestamps) return verdict::pass;
    const std::optional<answer> rejected = check_paws(seg, h.ts_recent);
    if (!rejected) return verdict::pass;
    ++owner_.counters_.tcp_paws_rejected;
    answer_with(*rejected, h, now);
    return verdict::drop;
}

syn_cache::verdict syn_cache::check_sequence(half_open& h, const segment& seg, instant now) {
    const std::uint32_t wnd = owner_.syn_window(h.parent->options().connection);
    const sequence_number next = h.irs + 1;
    // The peer's SYN again: whatever text it carries, the SYN itself is behind us.
    const bool is_syn_again = seg.has(tcp_flags::syn) && seg.seq == h.irs;
    if (is_acceptable(seg, {next, next + wnd}) && !is_syn_again) return verdict::pass;
    if (seg.has(tcp_flags::rst)) return verdict::drop;
    if (is_syn_again) {                                                    // our SYN,ACK was lost
        if (!seg.has(tcp_flags::ece | tcp_flags::cwr)) h.has_ecn = false;  // RFC 3168 §6.1.1.1
        if (is_too_old(h, now)) {
            end(h, event::timed_out, now);
        } else {
            make_due(h);
        }
        return verdict::drop;
    }
    owner_.count_unacceptable(seg, next);
    answer_with(answer_to_unacceptable(seg), h, now);
    return verdict::drop;
}

/// RFC 5961 §3: only a RST that stands exactly at RCV.NXT resets; MUST-11.
syn_cache::verdict syn_cache::check_reset(half_open& h, const segment& seg, instant now) {
    if (!seg.has(tcp_flags::rst)) return verdict::pass;
    if (seg.seq != h.irs + 1) {
        answer_with(answer::challenge, h, now);
    } else {
        ++owner_.counters_.tcp_resets_received;
        end(h, event::got_reset, now);
    }
    return verdict::drop;
}

/// "If SND.UNA < SEG.ACK =< SND.NXT, then enter ESTABLISHED [...] If not acceptable, form a reset
/// segment."
syn_cache::verdict syn_cache::check_ack(const half_open& h, const segment& seg, instant now) {
    if (!seg.has(tcp_flags::ack)) return verdict::drop;
    if (h.sent == 0 || seg.ack != h.iss + 1) {
        ++owner_.counters_.tcp_bad_acknowledgments;
        reply r = owner_.reply_for(h, seg.ack, tcp_flags::rst);
        add_timestamps(h, r, now);
        owner_.network_.send_reply(r, now);
        return verdict::drop;
    }
    return owner_.may_establish(*h.parent) ? verdict::pass : verdict::drop;
}

/// <SEQ=SND.NXT><ACK=RCV.NXT><CTL=ACK>
void syn_cache::send_ack(const half_open& h, instant now) {
    const connection_options& wish = h.parent->options().connection;
    reply r = owner_.reply_for(h, h.iss + (h.sent == 0 ? 0U : 1U), tcp_flags::ack);
    r.acknowledgment = (h.irs + 1).value();
    const unsigned shift = h.has_scale ? connection::receive_scale(wish, owner_.config_) : 0U;
    r.window = static_cast<std::uint16_t>(owner_.syn_window(wish) >> shift);
    add_timestamps(h, r, now);
    owner_.network_.send_reply(r, now);
}

void syn_cache::answer_with(answer a, half_open& h, instant now) {
    if (a == answer::none) return;
    if (a == answer::acknowledge || owner_.may_challenge(h.challenges_, now)) send_ack(h, now);
}

void syn_cache::add_timestamps(const half_open& h, reply& r, instant now) const noexcept {
    if (!h.has_timestamps) return;
    r.options.set_timestamps({owner_.timestamp_for(h.tuple(), now), h.ts_recent});
}

}  // namespace weft::net::tcp
