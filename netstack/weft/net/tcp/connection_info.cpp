// What a connection counts as it goes, and what it tells of itself when asked.

#include <weft/net/tcp/connection.hpp>
#include <weft/net/tcp/connection_info.hpp>
#include <weft/net/tcp/demux.hpp>
#include <weft/net/wire/ipv4.hpp>

#include <algorithm>

namespace weft::net::tcp {

connection_statistics& connection::statistics() {
    if (stats_ == nullptr) stats_ = &owner_.statistics_.create();
    return *stats_;
}

void connection::count_received(const segment& seg) {
    connection_statistics& s = statistics();
    s.segments_received += seg.count();
    if (!seg.text.empty()) s.data_segments_received += seg.count();
    if (ecn_.may_mark() && seg.has(tcp_flags::ece)) ++s.echoes_received;
}

/// Before the header is filled in, which counts one segment.
void connection::count_text_sent(const outgoing& out, std::uint32_t bytes) {
    connection_statistics& s = statistics();
    const std::uint32_t segments = segments_of(bytes, out.segment_bytes);
    s.segments_sent += segments - 1;
    s.data_segments_sent += segments;
    if (out.retransmission) {
        s.bytes_retransmitted += bytes;
        s.retransmitted_segments += segments;
    } else {
        s.bytes_sent += bytes;
    }
}

void connection::note_rate(const rate_sample& sample) noexcept {
    if (stats_ == nullptr || !sample.valid) return;
    stats_->rate_delivered = sample.delivered;
    stats_->rate_interval = sample.interval;
    stats_->is_rate_app_limited = sample.is_app_limited;
}

sender_activity connection::activity() const noexcept {
    const std::uint32_t unsent = unsent_bytes();
    if (unsent == 0) {
        if (in_flight_.empty()) return sender_activity::idle;
        const bool has_more = stats_->has_short_write ||
                              waiters_[static_cast<std::size_t>(wait::writable)] != nullptr;
        return has_more ? sender_activity::buffer_limited : sender_activity::busy;
    }
    const std::uint32_t wanted = std::min<std::uint32_t>(unsent, mss_);
    const bool has_congestion_room = tx_ == nullptr || congestion_room() >= wanted;
    return has_congestion_room && offered_room() < wanted ? sender_activity::window_limited
                                                          : sender_activity::busy;
}

/// Asked when there is nothing more to send for now, and when everything has arrived.
void connection::note_activity(instant now) {
    if (stats_ == nullptr && unsent_bytes() == 0) return;
    statistics().note(activity(), now);
}

connection_info connection::info(instant now) const {
    connection_info i;
    i.state = state_;
    i.congestion = algorithm_;
    i.has_timestamps = timestamps_;
    i.has_selective_acknowledgment = sack_permitted_;
    i.has_window_scaling = scaling_;
    i.has_ecn = ecn_.may_mark();
    i.send_scale = snd_scale_;
    i.receive_scale = scaling_ ? rcv_scale_ : std::uint8_t{0};
    i.fast_open = fast_open_outcome_;
    i.backoffs = static_cast<std::uint8_t>(rto_.backoffs());
    i.keepalive_probes = keepalive_probes_sent_;

    i.rto = rto();
    i.smoothed_rtt = rto_.smoothed();
    i.rtt_variation = rto_.variation();
    if (sent_at_ != instant{}) i.since_text_sent = now - sent_at_;
    if (heard_at_ != instant{}) i.since_heard = now - heard_at_;

    i.send_mss = mss_;
    i.receive_mss = rmss_;
    i.path_mtu = owner_.network_.max_segment_to(tuple_.remote_address, now) +
                 static_cast<std::uint32_t>(wire::ipv4_header_bytes);
    i.congestion_window = congestion_window();
    i.slow_start_threshold = slow_start_threshold();
    i.peer_window = snd_.wnd;
    i.offered_window = rcv_.edge - rcv_.nxt;
    i.send_buffered = sending_.size();
    i.send_buffer_limit = send_limit_;
    i.unsent = state_ == state::closed ? 0 : unsent_bytes();
    i.receive_buffered = received_.size();
    i.receive_buffer_limit = receive_limit_;

    i.unacked = snd_.nxt - snd_.una;
    i.in_flight = in_flight_.pipe();
    i.sacked = in_flight_.sacked_bytes();
    i.lost = in_flight_.lost_bytes();
    i.retransmitted = in_flight_.retransmitted_bytes();
    if (tx_ != nullptr) tell_sending(i);
    if (stats_ != nullptr) tell_totals(i, now);
    return i;
}

void connection::tell_sending(connection_info& i) const noexcept {
    i.recovery = tx_->recovery.phase();
    i.is_slow_start = tx_->congestion.is_slow_start();
    if (tx_->recovery.rack().has_min_rtt()) i.min_rtt = tx_->recovery.rack().min_rtt();
    i.reordering_seen = tx_->recovery.rack().reordering_seen();
    i.reordering = tx_->recovery.rack().reordering_bytes();
    i.spurious_recoveries = tx_->recovery.undone();
    i.delivered = tx_->rate.delivered();
    i.pacing_rate = tx_->pace.rate();
}

void connection::tell_totals(connection_info& i, instant now) const noexcept {
    const connection_statistics& s = *stats_;
    i.bytes_sent = s.bytes_sent;
    i.bytes_acked = s.bytes_acked;
    i.bytes_received = s.bytes_received;
    i.bytes_retransmitted = s.bytes_retransmitted;
    i.segments_sent = s.segments_sent;
    i.segments_received = s.segments_received;
    i.data_segments_sent = s.data_segments_sent;
    i.data_segments_received = s.data_segments_received;
    i.retransmitted_segments = s.retransmitted_segments;
    i.timeouts = s.timeouts;
    i.ecn_marks_received = s.marks_received;
    i.ecn_echoes_received = s.echoes_received;
    if (s.rate_interval != duration::zero()) {
        const auto ns = static_cast<std::uint64_t>(s.rate_interval.count());
        i.delivery_rate = s.rate_delivered * std::uint64_t{1'000'000'000} / ns;
    }
    i.is_app_limited = s.is_rate_app_limited;
    i.window_limited = s.spent(sender_activity::window_limited, now);
    i.buffer_limited = s.spent(sender_activity::buffer_limited, now);
    i.busy = s.spent(sender_activity::busy, now) + i.window_limited + i.buffer_limited;
}

}  // namespace weft::net::tcp
