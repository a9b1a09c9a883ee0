#include <weft/net/tcp/congestion/new_reno.hpp>

#include <algorithm>

namespace weft::net::tcp {

void new_reno::begin(std::uint32_t mss, std::uint32_t initial_segments,
                     sequence_number iss) noexcept {
    recover_ = iss;
    window_bytes_ = initial_window(mss, initial_segments);
}

void new_reno::on_ack(std::uint32_t bytes, std::uint32_t mss, bool was_limited,
                      sequence_number snd_una) noexcept {
    if (snd_una > recover_) recover_ = snd_una - 1;  // keeps the comparison within half the space
    if (!was_limited) return;
    if (is_slow_start()) {
        // Large frames are acknowledged many segments at once, so the bound of RFC 3465 §2.3 (L=2
        // for each acknowledgment) would starve the window: bytes are counted in full, but never
        // beyond the threshold.
        const std::uint32_t to_threshold = threshold_bytes_ - window_bytes_;
        window_bytes_ += std::min(bytes, to_threshold);
        return;
    }
    acked_bytes_ += bytes;
    while (acked_bytes_ >= window_bytes_) {
        acked_bytes_ -= window_bytes_;
        if (window_bytes_ > 0x3fff'ffff) break;
        window_bytes_ += mss;
    }
}

void new_reno::on_fast_retransmit(std::uint32_t in_flight, std::uint32_t mss,
                                  sequence_number snd_nxt) noexcept {
    threshold_bytes_ = half_of(in_flight, mss);
    window_bytes_ = threshold_bytes_ + 3 * mss;
    recover_ = snd_nxt;
    recovering_ = true;
    acked_bytes_ = 0;
}

void new_reno::on_partial_ack(std::uint32_t bytes, std::uint32_t mss) noexcept {
    window_bytes_ -= std::min(window_bytes_, bytes);
    if (bytes >= mss) window_bytes_ += mss;
    window_bytes_ = std::max(window_bytes_, mss);
}

void new_reno::on_recovered(std::uint32_t in_flight, std::uint32_t mss) noexcept {
    window_bytes_ = std::min(threshold_bytes_, std::max(in_flight, mss) + mss);
    recovering_ = false;
}

void new_reno::on_timeout(std::uint32_t in_flight, std::uint32_t mss, sequence_number snd_nxt,
                          bool is_first) noexcept {
    if (is_first) threshold_bytes_ = half_of(in_flight, mss);
    window_bytes_ = mss;
    recover_ = snd_nxt;
    recovering_ = false;
    acked_bytes_ = 0;
}

void new_reno::on_idle(std::uint32_t mss, std::uint32_t initial_segments) noexcept {
    window_bytes_ = std::min(window_bytes_, initial_window(mss, initial_segments));
}

std::uint32_t new_reno::initial_window(std::uint32_t mss, std::uint32_t segments) noexcept {
    return std::min(segments * mss, std::max(2 * mss, segments * 1460));
}

std::uint32_t new_reno::half_of(std::uint32_t in_flight, std::uint32_t mss) noexcept {
    return std::max(in_flight / 2, 2 * mss);
}

}  // namespace weft::net::tcp
