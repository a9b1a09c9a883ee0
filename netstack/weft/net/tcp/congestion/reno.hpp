#pragma once
// NewReno's congestion avoidance and multiplicative decrease: RFC 5681, bytes counted as in
// RFC 3465.
//
// Only the growth: slow start and the phases are loss_based's, recovery (RFC 6582) is the
// connection's.

#include <weft/net/tcp/congestion/ack_event.hpp>

namespace weft::net::tcp {

class reno {
public:
    /// Congestion avoidance: one segment for each window that was acknowledged (RFC 3465 §2.1).
    void on_ack(congestion_window& w, std::uint32_t delivered) noexcept {
        acked_bytes_ += delivered;
        if (acked_bytes_ < w.bytes) return;
        acked_bytes_ -= w.bytes;
        // An acknowledgment of several windows, because the window was reduced since, counts once.
        acked_bytes_ = std::min(acked_bytes_, w.bytes);
        w.grow(w.mss);
    }

    /// The threshold, from `flight` bytes (RFC 5681 §3.1 equation 4).
    [[nodiscard]] std::uint32_t on_congestion(const congestion_window& w,
                                              std::uint32_t flight) noexcept {
        acked_bytes_ = 0;
        return std::max(share_of(flight), 2 * w.mss);
    }
    [[nodiscard]] std::uint32_t on_timeout(const congestion_window& w,
                                           std::uint32_t flight) noexcept {
        return on_congestion(w, flight);
    }
    /// What a decrease leaves of `bytes`.
    [[nodiscard]] static std::uint32_t share_of(std::uint32_t bytes) noexcept { return bytes / 2; }

private:
    std::uint32_t acked_bytes_ = 0;  // towards the next segment
};

}  // namespace weft::net::tcp
