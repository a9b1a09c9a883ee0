#pragma once
// What congestion control is told: one arriving acknowledgment, after the scoreboard was updated.
//
// A plain value that the connection fills in; no algorithm sees a segment or a queue. The window
// that the loss-based algorithms share is here too, so that slow start, NewReno and CUBIC can each
// be a small struct that works on it.

#include <weft/base/instant.hpp>
#include <weft/net/tcp/delivery_rate.hpp>
#include <weft/net/tcp/sequence_number.hpp>

#include <algorithm>
#include <cstdint>

namespace weft::net::tcp {

struct ack_event {
    instant now;
    std::uint32_t mss = 0;
    std::uint32_t delivered = 0;        ///< bytes newly acknowledged, either way, each once
    std::uint32_t cumulative = 0;       ///< by how much SND.UNA moved
    std::uint32_t lost = 0;             ///< bytes newly believed lost
    std::uint32_t in_flight = 0;        ///< bytes believed to be in the network, after this
    std::uint32_t prior_in_flight = 0;  ///< and before
    bool was_window_limited = false;    ///< the window is what held the sender back
    bool reordering_seen = false;       ///< this path overtakes: a gap is no sign of a loss
    bool is_recovering = false;         ///< fast recovery, a reduction for ECN, or after a timeout
    duration rtt = {};                  ///< newest sample of this acknowledgment; zero: none
    duration smoothed_rtt = {};
    duration min_rtt = {};
    sequence_number una;  ///< SND.UNA, SND.NXT
    sequence_number nxt;
    rate_sample rate = {};
};

enum class congestion_cause : std::uint8_t {
    loss,  ///< a segment is believed lost: fast retransmit
    ecn,   ///< the peer echoes a congestion mark (RFC 3168 §6.1.2)
};

/// cwnd and ssthresh of RFC 5681, in bytes.
struct congestion_window {
    static constexpr std::uint32_t unlimited = 0xffff'ffff;
    static constexpr std::uint32_t max_bytes = 1U << 30;  // what RFC 7323 lets a peer offer

    std::uint32_t bytes = 0;
    std::uint32_t threshold = unlimited;
    std::uint32_t mss = 0;

    [[nodiscard]] bool is_slow_start() const noexcept { return bytes < threshold; }
    void grow(std::uint64_t by) noexcept {
        bytes = static_cast<std::uint32_t>(std::min<std::uint64_t>(bytes + by, max_bytes));
    }
};

}  // namespace weft::net::tcp
