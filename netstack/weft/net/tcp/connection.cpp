// The parts of a connection that every source of it uses: its birth and end, the one place where
// the state changes, and the signals to the host.

#include <weft/net/tcp/connection.hpp>
#include <weft/net/tcp/demux.hpp>

#include <algorithm>
#include <cassert>

namespace weft::net::tcp {

static_assert(sizeof(connection) <= 544, "what an idle connection costs, besides its program");

namespace {

bool is_current(tcp::state s) noexcept {
    return is_one_of(s, state::established, state::close_wait);
}

/// What RFC 4022 counts of connections, in its words: direct transitions.
void count_transition(stack_counters& counters, tcp::state from, tcp::state to) noexcept {
    if (to == state::syn_sent) ++counters.tcp_active_opens;
    if (from == state::listen && to == state::syn_received) ++counters.tcp_passive_opens;
    if (to == state::closed) {
        if (is_one_of(from, state::syn_sent, state::syn_received)) ++counters.tcp_attempt_fails;
        if (is_current(from)) ++counters.tcp_established_resets;
    }
    if (is_current(to) && !is_current(from)) ++counters.tcp_current_established;
    if (is_current(from) && !is_current(to)) --counters.tcp_current_established;
}

}  // namespace

connection::connection(demux& owner, connection_id id, const four_tuple& tuple,
                       const connection_options& options, bool is_passive) noexcept
    : timer_node{[](timer_node& node, instant now) noexcept {
          static_cast<connection&>(node).on_timer(now);
      }},
      control_block{owner, id, tuple, options, is_passive} {
    receive_limit_ = initial_receive_limit(options, settings());
    set_user_timeout(options.user_timeout);
    set_traffic_class(options.traffic_class);
    peer_mss_ = tuple.remote_address.is_v4() ? 536 : 1220;  // MUST-15
    ts_offset_ = owner.timestamp_offset(tuple);
    rcv_scale_ = receive_scale(options, settings());
    rto_.begin(settings());
    if (options.keepalive.enabled) {
        keepalive_ = std::make_unique<keepalive_options>(options.keepalive);
    }
}

connection::~connection() {
    assert(std::ranges::all_of(waiters_, [](operation* o) { return o == nullptr; }) &&
           "a connection dies while an operation waits for it");
    if (tx_ != nullptr) owner_.transmissions_.destroy(*tx_);
    if (stats_ != nullptr) owner_.statistics_.destroy(*stats_);
}

std::uint8_t connection::receive_scale(const connection_options& options,
                                       const config& c) noexcept {
    if (!c.window_scaling) return 0;
    if (c.window_shift != config::shift_by_buffer) {
        return std::min<std::uint8_t>(c.window_shift, 14);
    }
    // It holds for the connection's life: it is for what the buffer may become.
    const bool is_tuned = options.receive_buffer_bytes == 0;
    const std::uint32_t widest =
        is_tuned ? std::max(c.receive_buffer_initial_bytes, c.receive_buffer_max_bytes)
                 : options.receive_buffer_bytes;
    std::uint8_t scale = 0;
    while (scale < 14 && (widest >> scale) > 0xffff) ++scale;
    return scale;
}

std::uint32_t connection::initial_receive_limit(const connection_options& options,
                                                const config& c) noexcept {
    return std::max(options.receive_buffer_bytes == 0 ? c.receive_buffer_initial_bytes
                                                      : options.receive_buffer_bytes,
                    smallest_buffer);
}

const config& connection::settings() const noexcept { return owner_.config_; }

void connection::apply(event e, instant now) {
    const std::optional<tcp::state> to = next_state(state_, e);
    assert(to.has_value());  // our bug, never the peer's: the checks admit only real arcs
    if (!to) return;
    const tcp::state from = std::exchange(state_, *to);
    visited_ = static_cast<state_mask>(visited_ | mask_of(state_));
    count_transition(owner_.counters_, from, state_);
    if (owner_.watcher != nullptr) {
        owner_.watcher->on_transition({id_, local(), remote(), from, e, state_, now});
    }
    raise(wait::visited);
    if (is_finished()) raise(wait::finished);
}

void connection::raise(wait w) noexcept {
    signals_ = static_cast<std::uint8_t>(signals_ | 1U << static_cast<unsigned>(w));
    // In an accept queue the hook is the queue's, and nobody waits yet.
    if (orphan_ || parent_ != nullptr) return;
    if (!list_hook<signaled_tag>::is_linked()) owner_.signaled_.push_back(*this);
}

void connection::raise_all() noexcept {
    for (std::size_t w = 0; w < wait_count; ++w) raise(static_cast<wait>(w));
}

void connection::mark_transmit() noexcept {
    if (!list_hook<transmit_tag>::is_linked()) owner_.transmitting_.push_back(*this);
}

void connection::end(event e, errc why, instant now) {
    error_ = static_cast<std::uint8_t>(why);
    end_orderly(e, now);
}

void connection::end_orderly(event e, instant now) {
    if (fast_open_ != nullptr) abandon_fast_open(e, now);
    apply(e, now);
    assert(state_ == state::closed);
    if (stats_ != nullptr) stats_->note(sender_activity::idle, now);
    drop_everything();
    raise_all();
    owner_.forget(*this);
}

/// What arrived in order stays readable: bytes that came before an error are delivered before it.
void connection::drop_everything() noexcept {
    sending_.clear();
    in_flight_.clear();
    retransmit_at_ = ack_at_ = idle_at_ = never;
    timer_node::disarm();
    list_hook<transmit_tag>::unlink();
    sacks_.reset();
    if (tx_ != nullptr) owner_.transmissions_.destroy(*std::exchange(tx_, nullptr));
    duplicates_due_ = 0;
    ack_now_ = syn_due_ = probe_due_ = keepalive_due_ = fin_pending_ = false;
}

bool connection::can_read() const noexcept {
    return !received_.empty() || fin_received_ || state_ == state::closed;
}

std::uint32_t connection::urgent_bytes() const noexcept {
    if (!urgent_) return 0;
    const sequence_number unread = rcv_.nxt - (received_.size() + (fin_received_ ? 1U : 0U));
    return rcv_.up > unread ? rcv_.up - unread : 0;
}

std::uint8_t connection::hop_limit() const noexcept {
    return hop_limit_ != 0 ? hop_limit_ : settings().hop_limit;
}

/// RFC 6928 §2; one segment after a SYN that had to be repeated (RFC 5681 §3.1).
std::uint32_t connection::initial_window() const noexcept {
    if (syn_was_lost_) return mss_;
    const std::uint32_t segments = settings().initial_window_segments;
    return std::min(segments * mss_, std::max(2U * mss_, segments * 1460U));
}

std::uint32_t connection::congestion_window() const noexcept {
    return tx_ != nullptr ? tx_->congestion.window() : initial_window();
}

std::uint32_t connection::slow_start_threshold() const noexcept {
    return tx_ != nullptr ? tx_->congestion.threshold() : tcp::congestion_window::unlimited;
}

duration connection::rto() const noexcept { return rto_.timeout(settings()); }

}  // namespace weft::net::tcp
