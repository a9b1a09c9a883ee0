#pragma once
// NewReno congestion control: how many bytes may be in flight (RFC 5681, RFC 6582, RFC 6928).
//
// Counts bytes and knows no time, no timers and no queue. The connection compares `window()` with
// what is in flight at every send. During recovery each duplicate acknowledgment means that a
// segment has left the network; the window is inflated by it, as RFC 6582 §3.2 says.

#include <weft/net/tcp/sequence_number.hpp>

#include <cstdint>

namespace weft::net::tcp {

class new_reno {
public:
    /// RFC 6928 §2: the initial window.
    void begin(std::uint32_t mss, std::uint32_t initial_segments, sequence_number iss) noexcept;

    [[nodiscard]] std::uint32_t window() const noexcept { return window_bytes_; }
    [[nodiscard]] std::uint32_t slow_start_threshold() const noexcept { return threshold_bytes_; }
    [[nodiscard]] bool is_recovering() const noexcept { return recovering_; }
    [[nodiscard]] bool is_slow_start() const noexcept { return window_bytes_ < threshold_bytes_; }
    /// SND.NXT when recovery began (RFC 6582 §3.2 `recover`).
    [[nodiscard]] sequence_number recover() const noexcept { return recover_; }

    /// New data was acknowledged, outside recovery. `was_limited`: the window had been used up, so
    /// that it may grow (RFC 5681 §3.1, bytes counted as in RFC 3465).
    void on_ack(std::uint32_t bytes, std::uint32_t mss, bool was_limited,
                sequence_number snd_una) noexcept;
    /// The third duplicate acknowledgment: RFC 6582 §3.2 step 2.
    void on_fast_retransmit(std::uint32_t in_flight, std::uint32_t mss,
                            sequence_number snd_nxt) noexcept;
    /// A further duplicate acknowledgment: step 3.
    void on_duplicate_ack(std::uint32_t mss) noexcept { window_bytes_ += mss; }
    /// An acknowledgment that does not reach `recover()`: step 5.
    void on_partial_ack(std::uint32_t bytes, std::uint32_t mss) noexcept;
    /// An acknowledgment that does: step 4.
    void on_recovered(std::uint32_t in_flight, std::uint32_t mss) noexcept;
    /// RFC 5681 §3.1 equation 4, for the first timeout of a segment; `recover` as RFC 6582 §4.
    void on_timeout(std::uint32_t in_flight, std::uint32_t mss, sequence_number snd_nxt,
                    bool is_first) noexcept;
    /// RFC 5681 §4.1: back to the initial window after an idle period of one RTO.
    void on_idle(std::uint32_t mss, std::uint32_t initial_segments) noexcept;

private:
    static std::uint32_t initial_window(std::uint32_t mss, std::uint32_t segments) noexcept;
    static std::uint32_t half_of(std::uint32_t in_flight, std::uint32_t mss) noexcept;

    std::uint32_t window_bytes_ = 0;
    std::uint32_t threshold_bytes_ = 0xffff'ffff;
    std::uint32_t acked_bytes_ = 0;  // towards the next segment, in congestion avoidance
    sequence_number recover_;
    bool recovering_ = false;
};

}  // namespace weft::net::tcp
