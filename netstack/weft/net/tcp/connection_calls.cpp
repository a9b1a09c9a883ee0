// User calls: RFC 9293 §3.10.1 OPEN, §3.10.2 SEND, §3.10.3 RECEIVE, §3.10.4 CLOSE, §3.10.5 ABORT.
// STATUS (§3.10.6) is the queries in connection.hpp.

#include <weft/net/tcp/connection.hpp>
#include <weft/net/tcp/demux.hpp>
#include <weft/net/wire/ipv4.hpp>

#include <algorithm>

namespace weft::net::tcp {

void connection::open(instant now) {
    snd_.iss = snd_.una = snd_.nxt = owner_.initial_sequence(tuple_, now);
    heard_at_ = now;
    apply(event::open_active, now);
    syn_due_ = true;
    mark_transmit();
}

result<std::uint32_t> connection::write(std::span<const std::byte> bytes, instant, urgency how) {
    switch (state_) {
        case state::closed: return error_ != 0 ? error() : make_error_code(errc::not_connected);
        case state::listen: return errc::not_connected;
        case state::syn_sent:
        case state::syn_received:  // queued until ESTABLISHED
        case state::established:
        case state::close_wait:
            if (close_called_) return errc::closing;
            break;
        case state::fin_wait_1:
        case state::fin_wait_2:
        case state::closing:
        case state::last_ack:
        case state::time_wait: return errc::closing;
    }
    const std::uint32_t taken = sending_.append(bytes, write_room(), owner_.pool_);
    if (taken == 0 && !bytes.empty() && sending_.empty()) return errc::no_buffers;
    if (stats_ != nullptr) stats_->has_short_write = taken < bytes.size();
    if (taken == 0) return taken;
    if (how == urgency::urgent) {
        snd_.up = text_begin() + sending_.size();
        sending_urgent_ = true;
        // Told at once, where the window lets no text out: an ACK can carry the pointer (MUST-66).
        if (is_synchronized()) ack_now_ = true;
    }
    send_held_syn();
    mark_transmit();
    return taken;
}

std::uint32_t connection::read(std::span<std::byte> into, instant now) {
    const std::uint32_t count = received_.read(into);
    on_read(count, now);
    return count;
}

void connection::consume(std::uint32_t count, instant now) {
    received_.consume(count);
    on_read(count, now);
}

void connection::note_urgent_read() noexcept {
    if (urgent_ && urgent_bytes() == 0) urgent_ = urgent_news_ = false;
}

result<void> connection::close(instant now) {
    if (state_ == state::closed) {
        return error_ != 0 ? error() : make_error_code(errc::not_connected);
    }
    if (close_called_) return errc::closing;
    close_called_ = true;
    raise(wait::writable);  // a write that waits fails now
    switch (state_) {
        case state::syn_sent: end(event::close_called, errc::connection_aborted, now); return {};
        case state::syn_received:
            // "If no SENDs have been issued and there is no pending data to send": otherwise the
            // close is applied when ESTABLISHED is entered, unless the data need not wait for that.
            if (!sending_.empty() && !may_send_text()) return {};
            break;
        case state::established:
        case state::close_wait: break;
        default: return errc::closing;
    }
    fin_pending_ = true;
    apply(event::close_called, now);
    mark_transmit();
    return {};
}

void connection::abort(instant now) {
    if (state_ == state::closed) return;
    if (is_one_of(state_, state::syn_received, state::established, state::fin_wait_1,
                  state::fin_wait_2, state::close_wait)) {
        send_reset(snd_.nxt, now);
    }
    // Bytes before the peer's FIN are gone unread: who reads on must not take that for the end.
    if (!received_.empty()) fin_received_ = false;
    received_.clear();
    end(event::abort_called, errc::connection_aborted, now);
}

void connection::release(instant now) {
    signals_ = 0;
    list_hook<signaled_tag>::unlink();
    if (state_ == state::closed) {
        orphan_ = true;
        owner_.bury(*this);
        owner_.reap();
        return;
    }
    // Unread data would be lost without the peer knowing: tell it (RFC 9293 §3.6.1, SHLD-3).
    const bool loses_data = !received_.empty() && state_ != state::time_wait;
    orphan_ = true;
    asked_at_ = now;
    if (state_ != state::time_wait) {  // which is nobody's fault, and cheap
        was_counted_ = true;
        ++owner_.orphans_;
    }
    if (owner_.orphans_ > settings().max_orphans) {
        ++owner_.counters_.tcp_orphans_killed;
        abort(now);
    } else if (loses_data || linger_abort_) {
        // ABORT is silent here (§3.10.5), but the FIN goes with the rest: the peer would wait for
        // it.
        if (is_one_of(state_, state::closing, state::last_ack)) send_reset(snd_.nxt, now);
        abort(now);
    } else {
        received_.clear();
        if (!close_called_) (void)close(now);
        if (state_ == state::fin_wait_2) start_orphan_limit(now);
        if (state_ == state::time_wait) mark_transmit();  // whoever polls it last retires it
    }
    owner_.reap();
}

void connection::set_no_delay(bool on, instant) {
    no_delay_ = on;
    if (on && state_ != state::closed) mark_transmit();
}

void connection::set_cork(bool on, instant) {
    if (corked_ && !on && state_ != state::closed) mark_transmit();
    corked_ = on;
}

void connection::set_buffers(std::uint32_t send_bytes, std::uint32_t receive_bytes, instant) {
    tunes_sending_ = send_bytes == 0;
    tunes_receiving_ = receive_bytes == 0;
    if (!tunes_sending_) send_limit_ = std::max(send_bytes, smallest_buffer);
    if (!tunes_receiving_) {
        receive_limit_ = std::max(receive_bytes, smallest_buffer);
        tuning_.reset();
    }
    if (is_window_update_due()) mark_transmit();
}

void connection::set_keepalive(const keepalive_options& options, instant now) {
    if (options.enabled) {
        keepalive_ = std::make_unique<keepalive_options>(options);
    } else {
        keepalive_.reset();
    }
    keepalive_probes_sent_ = 0;
    restart_keepalive(now);
}

void connection::set_user_timeout(duration timeout) noexcept {
    const auto ms = std::chrono::duration_cast<std::chrono::milliseconds>(timeout).count();
    user_timeout_ms_ = static_cast<std::uint32_t>(std::clamp<std::int64_t>(ms, 0, 0xffff'ffff));
}

void connection::set_traffic_class(std::uint8_t value) noexcept {
    traffic_class_ = static_cast<std::uint8_t>(value & ~wire::ecn::mask);
}

void connection::set_hop_limit(std::uint8_t value) noexcept { hop_limit_ = value; }

/// RFC 7323 §3.2: a timestamp "SHOULD be sent in an <RST> segment", too.
reply connection::reset_at(sequence_number seq, tcp_flags flags, instant now) const noexcept {
    reply r{tuple_, seq.value(), 0, flags, traffic_class_, hop_limit_};
    if (flags.has(tcp_flags::ack)) r.acknowledgment = rcv_.nxt.value();
    if (timestamps_) r.options.set_timestamps({timestamp_now(now), ts_recent_});
    return r;
}

void connection::send_reset(sequence_number seq, instant now) {
    owner_.network_.send_reply(reset_at(seq, tcp_flags::rst | tcp_flags::ack, now), now);
}

void connection::refuse(const segment& seg, instant now) {
    owner_.network_.send_reply(reset_at(seg.ack, tcp_flags::rst, now), now);
}

void connection::refuse_ack(const segment& seg, instant now) {
    ++owner_.counters_.tcp_bad_acknowledgments;
    refuse(seg, now);
}

}  // namespace weft::net::tcp
