// The passive side of set-up: RFC 9293 §3.10.7.2 (a segment for a listener), the way from a record
// or a cookie to a TCB, and what the first two steps of a handshake look like on the wire.

#include <weft/net/tcp/demux.hpp>
#include <weft/net/wire/ipv4.hpp>

#include <algorithm>
#include <cassert>

namespace weft::net::tcp {

/// RFC 9293 §3.10.7.2.
void demux::answer_listen(listener& l, const four_tuple& tuple, segment& seg,
                          std::optional<sequence_number> above, instant now) {
    if (seg.has(tcp_flags::rst)) return;  // first
    if (seg.has(tcp_flags::ack)) {        // second: nothing to acknowledge here, or a cookie
        if (take_cookie(l, tuple, seg, now)) return;
        ++counters_.tcp_no_connection;
        network_.send_reply({tuple, seg.ack.value(), 0, tcp_flags::rst}, now);
        return;
    }
    if (!seg.has(tcp_flags::syn)) return;  // fourth: should not be here
    // Third. A listener with nobody to accept takes no more: the peer will ask again.
    const bool has_room = has_room_for_record(l);
    if (!may_begin()) {
        ++counters_.tcp_memory_refused;
    } else if (!has_room || l.queued_ >= l.options_.backlog) {
        ++counters_.tcp_backlog_overflow;
    }
    const bool is_refused =
        l.queued_ >= l.options_.backlog || table_.size() >= config_.max_connections;
    if (is_refused || (!has_room && config_.syn_cookies == cookie_policy::never)) {
        ++counters_.tcp_syn_dropped;
        return;
    }
    // "Any other control or text should be queued for processing later." Deviates: text on a SYN
    // is not kept, but for Fast Open; the peer repeats it.
    handshake h{tuple, seg, now};
    h.parent = &l;
    h.has_scale = h.has_scale && config_.window_scaling;
    h.has_timestamps = h.has_timestamps && config_.timestamps;
    h.may_selectively_acknowledge =
        h.may_selectively_acknowledge && config_.selective_acknowledgment;
    if (!has_room || (config_.syn_cookies == cookie_policy::always && !above)) {
        send_cookie(h, now);
        return;
    }
    h.iss = initial_sequence(tuple, now);
    if (above) h.iss = later_of(h.iss, *above + 65536);  // MAY-2 (1)
    h.id = next_id_++;
    // In TIME-WAIT there is no connection before the third step: the SYN may be an old one, sent
    // again.
    if (!above && take_fast_open(h, seg, now)) return;
    syn_cache_.add(h, now);
}

bool demux::has_room_for_record(const listener& l) const noexcept {
    return l.pending_ < l.options_.backlog && !syn_cache_.is_full() && may_begin() &&
           live_count() < config_.max_connections;
}

/// The second step, without a record: RFC 4987 §3.6.
void demux::send_cookie(handshake& h, instant now) {
    h.iss = cookies_.bake(h, now);
    reply r = reply_for(h, h.iss, syn_ack_flags(h));
    r.acknowledgment = (h.irs + 1).value();
    r.window = syn_window(h.parent->options_.connection);
    r.options = syn_ack_options(h, now);
    if (h.has_timestamps) {
        r.options.set_timestamps(
            {syn_cookies::timestamp(h, r.options.timestamps().value), h.ts_recent});
    }
    ++counters_.tcp_syn_cookies_sent;
    last_cookie_at_ = now;
    network_.send_reply(r, now);
}

/// The third step after a cookie: to ESTABLISHED at once. False: it proves nothing.
bool demux::take_cookie(listener& l, const four_tuple& tuple, segment& seg, instant now) {
    const duration validity = (syn_cookies::most_periods + 1) * syn_cookies::period;
    if (seg.has(tcp_flags::syn) || !last_cookie_at_ || now - *last_cookie_at_ > validity) {
        return false;  // nobody can have one
    }
    std::optional<handshake> proven = cookies_.taste(tuple, seg, timestamp_for(tuple, now), now);
    if (!proven) {
        ++counters_.tcp_syn_cookies_invalid;
        return false;
    }
    proven->parent = &l;
    proven->id = next_id_++;
    if (!may_establish(l)) {
        // The peer believes itself connected and may have nothing to say: as any handshake whose
        // third step finds no room it is asked again, from a record. This one is no stranger: its
        // address is proven, so the backlog does not count here.
        if (!syn_cache_.is_full() && live_count() < config_.max_connections) {
            syn_cache_.add_proven(*proven, now);
        }
        return true;
    }
    connection* child = make(tuple, l.options_.connection, true, proven->id);
    if (child == nullptr) return true;
    ++counters_.tcp_syn_cookies_received;
    announce_handshake(*proven, now);
    begin(*child, *proven, seg, now);
    return true;
}

/// From here on there is a TCB: the segment goes through all its checks, with its text and its FIN.
void demux::complete(half_open& h, segment& seg, instant now) {
    const handshake done = h;
    syn_cache_.remove(h);
    end_time_wait(done.tuple, now);
    connection* child = make(done.tuple, done.parent->options_.connection, true, done.id);
    assert(child != nullptr);  // the record was counted among the connections
    begin(*child, done, seg, now);
}

void demux::begin(connection& child, const handshake& h, segment& seg, instant now) {
    child.parent_ = h.parent;
    ++h.parent->pending_;
    child.on_handshake(h, now);
    child.on_segment(seg, now);
}

reply demux::reply_for(const handshake& h, sequence_number seq, tcp_flags flags) const noexcept {
    const connection_options& wish = h.parent->options_.connection;
    reply r{h.tuple, seq.value(), 0, flags};
    r.traffic_class = static_cast<std::uint8_t>(wish.traffic_class & ~wire::ecn::mask);
    r.hop_limit = wish.hop_limit != 0 ? wish.hop_limit : config_.hop_limit;
    return r;
}

/// RFC 3168 §6.1.1: an ECN-setup SYN is answered with ECE alone.
tcp_flags demux::syn_ack_flags(const handshake& h) const noexcept {
    const bool has_ecn = h.has_ecn && config_.ecn != ecn_mode::off;
    return tcp_flags::syn | tcp_flags::ack | (has_ecn ? tcp_flags::ece : tcp_flags{});
}

wire::tcp_options demux::syn_ack_options(const handshake& h, instant now) const noexcept {
    // RFC 7323 §2.2, §3.2: an answer offers only what was offered.
    wire::tcp_options options;
    options.set_mss(offered_mss());
    if (h.has_scale) {
        options.set_window_scale(connection::receive_scale(h.parent->options_.connection, config_));
    }
    if (h.may_selectively_acknowledge) options.set_sack_permitted();
    if (h.has_timestamps) {
        options.set_timestamps({timestamp_for(h.tuple, now), h.ts_recent});
    }
    return options;
}

std::uint16_t demux::offered_mss() const noexcept {
    return static_cast<std::uint16_t>(std::min<std::uint32_t>(
        network_.max_segment_of_link() - static_cast<std::uint32_t>(wire::tcp_header_bytes),
        65535));
}

std::uint16_t demux::syn_window(const connection_options& options) const noexcept {
    return static_cast<std::uint16_t>(
        std::min(connection::initial_receive_limit(options, config_), 65535U));
}

void demux::announce(const four_tuple& tuple, connection_id id, state from, event e,
                     instant now) noexcept {
    const std::optional<state> to = next_state(from, e);
    assert(to.has_value());
    if (watcher == nullptr || !to) return;
    watcher->on_transition({id, tuple.local(), tuple.remote(), from, e, *to, now});
}

void demux::announce_handshake(const handshake& h, instant now) noexcept {
    ++counters_.tcp_passive_opens;
    announce(h, state::closed, event::open_passive, now);
    announce(h, state::listen, event::got_syn, now);
}

bool demux::may_establish(const listener& l) noexcept {
    if (!may_go_on()) {
        ++counters_.tcp_memory_refused;
        return false;
    }
    if (l.queued_ < l.options_.backlog) return true;
    ++counters_.tcp_backlog_overflow;
    return false;
}

void demux::on_child_established(connection& child) noexcept {
    --child.parent_->pending_;
    enter_accept_queue(child);
}

void demux::enter_accept_queue(connection& child) noexcept {
    listener& l = *child.parent_;
    ++l.queued_;
    l.completed_.push_back(child);
    l.call_next();
}

}  // namespace weft::net::tcp
