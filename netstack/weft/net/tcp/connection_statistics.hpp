#pragma once
// What one connection has sent and received, and what it waited for: the counts behind
// connection_info. Nothing here decides anything.
//
// A block that `connection` attaches with the first text in either direction, and gives back at its
// end; what a handshake alone costs is not counted. Segments are counted as on the wire.

#include <weft/base/instant.hpp>

#include <cstddef>
#include <cstdint>

namespace weft::net::tcp {

/// What holds the sender back, seen over time (RFC 4898's sender-limited states).
enum class sender_activity : std::uint8_t {
    idle,            ///< nothing is in flight, nothing waits
    busy,            ///< text is under way, or the congestion window holds it back
    window_limited,  ///< the peer's window holds text back
    buffer_limited,  ///< everything queued has left, and the program had more than the buffer took
};

class connection_statistics {
public:
    std::uint64_t bytes_sent = 0;           ///< of text, without what was sent again
    std::uint64_t bytes_retransmitted = 0;  ///< of text
    std::uint64_t bytes_acked = 0;
    std::uint64_t bytes_received = 0;  ///< of text in order, each once
    std::uint64_t segments_sent = 0;
    std::uint64_t segments_received = 0;
    std::uint64_t data_segments_sent = 0;
    std::uint64_t data_segments_received = 0;
    std::uint64_t retransmitted_segments = 0;
    std::uint32_t timeouts = 0;         ///< of the retransmission timer
    std::uint32_t marks_received = 0;   ///< segments with text that came with CE (RFC 3168)
    std::uint32_t echoes_received = 0;  ///< segments with ECE
    std::uint32_t rate_delivered = 0;   ///< bytes of the last rate sample…
    duration rate_interval = {};        ///< …and in what time
    bool is_rate_app_limited = false;   ///< the program had too little for that sample
    bool has_short_write = false;       ///< the last write found no room for all

    /// From now on the sender does `what`.
    void note(sender_activity what, instant now) noexcept {
        if (now_doing_ != sender_activity::idle) spent_[index(now_doing_)] += now - since_;
        now_doing_ = what;
        since_ = now;
    }
    [[nodiscard]] duration spent(sender_activity what, instant now) const noexcept {
        const bool is_now = what == now_doing_ && what != sender_activity::idle;
        return spent_[index(what)] + (is_now ? now - since_ : duration::zero());
    }

private:
    static constexpr std::size_t index(sender_activity a) noexcept {
        return static_cast<std::size_t>(a);
    }

    duration spent_[4] = {};
    instant since_;
    sender_activity now_doing_ = sender_activity::idle;
};

}  // namespace weft::net::tcp
