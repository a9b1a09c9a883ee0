#pragma once
// A snapshot of one connection in numbers, after Linux's `tcp_info`: for logs, tools and tests.
//
// Made by connection::info(); plain values, no reference to anything. RFC 4898 names of the same
// figures are in brackets. What belongs to a part that is not there yet (nothing was sent, no
// sample was taken) is zero.

#include <weft/base/instant.hpp>
#include <weft/net/tcp/fast_open.hpp>
#include <weft/net/tcp/loss_recovery.hpp>
#include <weft/net/tcp/options.hpp>
#include <weft/net/tcp/state.hpp>

#include <cstdint>

namespace weft::net::tcp {

struct connection_info {
    tcp::state state = state::closed;
    congestion_algorithm congestion = congestion_algorithm::cubic;
    recovery_phase recovery = recovery_phase::open;  ///< Linux: ca_state
    bool has_timestamps = false;                     ///< RFC 7323 §3
    bool has_selective_acknowledgment = false;       ///< RFC 2018
    bool has_window_scaling = false;                 ///< RFC 7323 §2
    bool has_ecn = false;                            ///< our data may be marked
    bool is_slow_start = false;
    bool reordering_seen = false;  ///< RACK allows for it (RFC 8985 §6.2)
    fast_open_outcome fast_open = fast_open_outcome::none;
    std::uint8_t send_scale = 0;
    std::uint8_t receive_scale = 0;
    std::uint8_t backoffs = 0;          ///< of the retransmission timer, since the last progress
    std::uint8_t keepalive_probes = 0;  ///< unanswered

    // Times
    duration rto = {};           ///< [CurRTO]
    duration smoothed_rtt = {};  ///< [SmoothedRTT]
    duration rtt_variation = {};
    duration min_rtt = {};  ///< of the last minutes [MinRTT]
    duration since_text_sent = {};
    duration since_heard = {};  ///< a segment that passed the checks

    // Sizes, bytes
    std::uint32_t send_mss = 0;              ///< text of a full segment of ours [CurMSS]
    std::uint32_t receive_mss = 0;           ///< the largest segment that came
    std::uint32_t path_mtu = 0;              ///< what the path takes, as far as known
    std::uint32_t congestion_window = 0;     ///< [CurCwnd]
    std::uint32_t slow_start_threshold = 0;  ///< [CurSsthresh]
    std::uint32_t peer_window = 0;           ///< [CurRwinRcvd]
    std::uint32_t offered_window = 0;        ///< [CurRwinSent]
    std::uint32_t send_buffered = 0;         ///< written, not acknowledged
    std::uint32_t send_buffer_limit = 0;
    std::uint32_t unsent = 0;
    std::uint32_t receive_buffered = 0;  ///< readable
    std::uint32_t receive_buffer_limit = 0;

    // In flight, bytes
    std::uint32_t unacked = 0;        ///< SND.NXT − SND.UNA
    std::uint32_t in_flight = 0;      ///< believed to be in the network
    std::uint32_t sacked = 0;         ///< the peer holds it behind a gap
    std::uint32_t lost = 0;           ///< believed lost, not sent again yet
    std::uint32_t retransmitted = 0;  ///< sent again, not acknowledged
    std::uint32_t reordering = 0;     ///< by how far a segment was seen to be overtaken

    // Totals since the first text
    std::uint64_t bytes_sent = 0;
    std::uint64_t bytes_acked = 0;          ///< [ThruOctetsAcked]
    std::uint64_t bytes_received = 0;       ///< [ThruOctetsReceived]
    std::uint64_t bytes_retransmitted = 0;  ///< [OctetsRetrans]
    std::uint64_t segments_sent = 0;        ///< [SegsOut]
    std::uint64_t segments_received = 0;    ///< [SegsIn]
    std::uint64_t data_segments_sent = 0;   ///< [DataSegsOut]
    std::uint64_t data_segments_received = 0;
    std::uint64_t retransmitted_segments = 0;  ///< [SegsRetrans]
    std::uint32_t timeouts = 0;                ///< [Timeouts]
    std::uint32_t spurious_recoveries = 0;     ///< recoveries and timeouts that were undone
    std::uint32_t ecn_marks_received = 0;      ///< CE
    std::uint32_t ecn_echoes_received = 0;     ///< ECE

    // Rates, bytes a second
    std::uint64_t delivered = 0;      ///< bytes known to have arrived
    std::uint64_t delivery_rate = 0;  ///< the last sample
    bool is_app_limited = false;      ///< the program had too little for that sample
    std::uint64_t pacing_rate = 0;    ///< 0: not paced

    // What the sender waited for; `busy` includes the other two
    duration busy = {};
    duration window_limited = {};  ///< by the peer's window [SndLimTimeRwin]
    duration buffer_limited = {};  ///< by the send buffer [SndLimTimeSender]
};

}  // namespace weft::net::tcp
