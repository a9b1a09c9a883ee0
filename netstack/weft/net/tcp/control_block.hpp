#pragma once
// The variables of a connection: the transmission control block of RFC 9293 §3.3.1, with those of
// the RFCs that came later. What they mean to each other is connection's, which alone uses them.
//
// The order is that of use: what an in-order segment and its answer touch comes first. What few
// connections need, or none while it is idle, is behind pointers. sizeof(connection) is bounded.

#include <weft/base/instant.hpp>
#include <weft/net/observer.hpp>
#include <weft/net/tcp/challenge_throttle.hpp>
#include <weft/net/tcp/connection_statistics.hpp>
#include <weft/net/tcp/ecn.hpp>
#include <weft/net/tcp/fast_open.hpp>
#include <weft/net/tcp/options.hpp>
#include <weft/net/tcp/receive_buffer.hpp>
#include <weft/net/tcp/retransmission_timer.hpp>
#include <weft/net/tcp/sack_reporter.hpp>
#include <weft/net/tcp/segment.hpp>
#include <weft/net/tcp/send_buffer.hpp>
#include <weft/net/tcp/sent_ranges.hpp>
#include <weft/net/tcp/state.hpp>
#include <weft/net/tcp/transmission.hpp>
#include <weft/net/tcp/window_tuning.hpp>

#include <algorithm>
#include <cstdint>
#include <memory>

namespace weft::net::tcp {

class demux;
class listener;

class control_block {
protected:
    static constexpr std::uint32_t smallest_buffer = 2048;  ///< bytes, in each direction

    control_block(demux& owner, connection_id id, const four_tuple& tuple,
                  const connection_options& options, bool is_passive) noexcept
        : owner_{owner},
          passive_{is_passive},
          no_delay_{options.no_delay},
          linger_abort_{options.linger_abort},
          algorithm_{options.congestion},
          keeps_window_{options.keep_window_when_idle},
          soft_errors_{options.soft_errors},
          tunes_sending_{options.send_buffer_bytes == 0},
          tunes_receiving_{options.receive_buffer_bytes == 0},
          send_limit_{std::max(options.send_buffer_bytes, smallest_buffer)},
          hop_limit_{options.hop_limit},
          tuple_{tuple},
          id_{id} {}
    ~control_block() = default;

    // Hot: what an in-order segment and its answer touch.
    demux& owner_;
    struct {
        sequence_number una, nxt, wl1, wl2, iss;
        sequence_number up;  ///< the octet after our urgent data (MUST-62)
        std::uint32_t wnd = 0;
        std::uint32_t max_wnd = 0;
    } snd_;
    struct {
        sequence_number nxt;
        sequence_number edge;  ///< RCV.NXT + RCV.WND as last offered; never moves left (SHLD-14)
        sequence_number irs;
        sequence_number acked;  ///< RCV.NXT when we last acknowledged
        sequence_number up;
        sequence_number fin;  ///< where the peer's FIN stands, once seen
    } rcv_;
    tcp::state state_ = state::closed;
    std::uint8_t error_ = 0;
    std::uint8_t soft_error_ = 0;
    std::uint8_t signals_ = 0;
    std::uint8_t snd_scale_ = 0;
    std::uint8_t rcv_scale_ = 0;
    std::uint8_t quick_acks_ = 0;
    std::uint8_t duplicates_due_ = 0;  ///< duplicate ACKs still to send, one a segment
    std::uint16_t mss_ = 536;          ///< payload bytes of a full segment we send
    std::uint16_t peer_mss_ = 536;     ///< as the peer announced
    std::uint16_t rmss_ = 536;         ///< the largest segment seen: SHLD-19 counts in it
    state_mask visited_ = mask_of(state::closed);
    bool passive_ : 1;
    bool ack_now_ : 1 = false;
    bool syn_due_ : 1 = false;
    bool syn_acked_ : 1 = false;
    bool probe_due_ : 1 = false;
    bool keepalive_due_ : 1 = false;
    bool close_called_ : 1 = false;
    bool fin_pending_ : 1 = false;
    bool fin_sent_ : 1 = false;
    bool fin_acked_ : 1 = false;
    bool fin_seen_ : 1 = false;
    bool fin_received_ : 1 = false;
    bool no_delay_ : 1;
    bool corked_ : 1 = false;
    bool linger_abort_ : 1;
    bool timestamps_ : 1 = false;
    bool scaling_ : 1 = false;
    bool orphan_ : 1 = false;
    bool was_counted_ : 1 = false;  ///< among the stack's orphans
    bool window_limited_ : 1 = false;
    bool urgent_ : 1 = false;
    bool urgent_news_ : 1 = false;
    bool sending_urgent_ : 1 = false;
    bool persisting_ : 1 = false;
    bool sack_permitted_ : 1 = false;
    bool syn_was_lost_ : 1 = false;
    congestion_algorithm algorithm_ : 2;
    bool keeps_window_ : 1;  ///< over silence
    bool progressed_ : 1 = false;
    bool doubtful_ : 1 = false;
    bool text_has_come_ : 1 = false;  ///< other than in a SYN for a listener
    bool soft_errors_ : 1;
    bool tunes_sending_ : 1;    ///< the buffer's limit follows the path
    bool tunes_receiving_ : 1;  ///< the same
    fast_open_outcome fast_open_outcome_ : 3 = fast_open_outcome::none;
    ecn ecn_;
    std::uint32_t ts_recent_ = 0;
    std::uint32_t ts_offset_ = 0;
    instant ts_recent_at_;
    sent_ranges in_flight_;
    send_buffer sending_;
    receive_buffer received_;
    retransmission_timer rto_;
    transmission* tx_ = nullptr;
    connection_statistics* stats_ = nullptr;
    std::unique_ptr<sack_reporter> sacks_;

    // Deadlines. One timer node serves all; `never` is off.
    instant retransmit_at_ = never;  ///< also the zero-window probe
    instant ack_at_ = never;
    instant idle_at_ = never;  ///< keep-alive, FIN-WAIT-2 limit of an orphan, 2 MSL
    instant heard_at_;         ///< when a segment of the peer last passed the checks
    instant sent_at_;          ///< when we last sent text
    instant asked_at_;         ///< when we began to wait for the peer's window, or its reach

    std::uint32_t send_limit_;
    std::uint32_t receive_limit_ = 0;
    std::uint32_t user_timeout_ms_ = 0;  ///< 0: the default
    std::uint8_t keepalive_probes_sent_ = 0;
    std::uint8_t traffic_class_ = 0;   ///< without ECN's bits
    std::uint8_t received_class_ = 0;  ///< without ECN's bits
    std::uint8_t hop_limit_;           ///< 0: the stack's
    challenge_throttle challenges_;
    std::unique_ptr<receive_tuning> tuning_;  ///< once the user has read a good deal
    std::unique_ptr<keepalive_options> keepalive_;
    std::unique_ptr<fast_open_state> fast_open_;  ///< until our SYN is acknowledged
    listener* parent_ = nullptr;
    four_tuple tuple_;
    connection_id id_;
};

}  // namespace weft::net::tcp
