#pragma once
// Congestion avoidance and multiplicative decrease of RFC 5681, bytes counted as in RFC 3465.
//
// Only the growth: slow start and the phases are congestion_control's, recovery is the
// connection's.

#include <weft/net/tcp/congestion/ack_event.hpp>

namespace weft::net::tcp {

class reno {
public:
    /// One segment for each window that was acknowledged (RFC 3465 §2.1).
    void on_ack(congestion_window& w, std::uint32_t delivered) noexcept {
        acked_bytes_ += delivered;
        if (acked_bytes_ < w.bytes) return;
        acked_bytes_ -= w.bytes;
        w.grow(w.mss);
        // An acknowledgment of more than a window (the window was reduced since) counts once.
        acked_bytes_ = std::min(acked_bytes_, w.bytes);
    }

    /// RFC 5681 §3.1 equation 4.
    [[nodiscard]] std::uint32_t on_congestion(std::uint32_t in_flight, std::uint32_t mss) noexcept {
        acked_bytes_ = 0;
        return std::max(in_flight / 2, 2 * mss);
    }

private:
    std::uint32_t acked_bytes_ = 0;  // towards the next segment
};

}  // namespace weft::net::tcp
