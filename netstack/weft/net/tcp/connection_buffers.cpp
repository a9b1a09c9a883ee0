// How much a connection may hold for its user: fixed by the user, or as large as the path needs
// (window_tuning.hpp). What of that is offered to the peer is in connection_output.cpp.

#include <weft/net/tcp/connection.hpp>
#include <weft/net/tcp/demux.hpp>

#include <algorithm>

namespace weft::net::tcp {

std::uint32_t connection::send_limit() const noexcept {
    if (!tunes_sending_) return send_limit_;
    const std::uint32_t sacked = in_flight_.sacked_bytes();
    std::uint32_t most = settings().send_buffer_max_bytes;
    if (tx_ != nullptr) {
        const std::uint64_t useful = most_useful_bytes(tx_->recovery.rack().min_rtt());
        most = static_cast<std::uint32_t>(std::min<std::uint64_t>(most, useful + sacked));
    }
    return tuned_send_limit(congestion_window(), sacked, sending_.size(),
                            {.initial = settings().send_buffer_initial_bytes, .most = most},
                            owner_.memory());
}

std::uint32_t connection::write_room() const noexcept {
    const std::uint32_t limit = send_limit();
    return limit - std::min(limit, sending_.size());
}

bool connection::can_write() const noexcept {
    if (close_called_ || state_ == state::closed) return true;  // fails at once
    const std::uint32_t limit = send_limit();
    const std::uint32_t enough = std::min(std::max(limit / 3, 65536U), limit);
    return limit - std::min(limit, sending_.size()) >= enough;
}

/// The user has taken `count` bytes: there is room for as many, and news of how fast he reads.
void connection::on_read(std::uint32_t count, instant now) {
    note_urgent_read();
    if (count == 0) return;
    if (tuning_ == nullptr && tunes_receiving_) {
        // Not worth a block before it is clear that this is more than a message.
        const std::uint32_t taken = rcv_.nxt - rcv_.irs - received_.size();
        if (taken >= receive_limit_ / 2 && state_ != state::closed) {
            const duration rtt = rto_.has_sample() ? rto_.smoothed() : duration::zero();
            tuning_ = std::make_unique<receive_tuning>(rtt, rcv_.edge, now);
        }
    }
    if (tuning_ != nullptr) {
        receive_limit_ = tuning_->on_read(count,
                                          {.limit = receive_limit_,
                                           .in_use = received_.size() + (rcv_.edge - rcv_.nxt),
                                           .segment = rmss_,
                                           .memory = owner_.memory()},
                                          {.initial = settings().receive_buffer_initial_bytes,
                                           .most = settings().receive_buffer_max_bytes},
                                          now);
    }
    if (is_window_update_due()) mark_transmit();
}

/// Text in order: it tells the round-trip time also to one who only receives.
void connection::note_text_for_tuning(const segment& seg, instant now) noexcept {
    if (tuning_ == nullptr) return;
    if (!timestamps_) {
        tuning_->on_text(rcv_.nxt, rcv_.edge, now);
        return;
    }
    const std::uint32_t echo = seg.options.timestamps().echo;
    if (!seg.options.has_timestamps() || echo == 0 || seg.text.size() < rmss_) return;
    tuning_->on_echo(echo, std::chrono::milliseconds{timestamp_now(now) - echo});
}

}  // namespace weft::net::tcp
