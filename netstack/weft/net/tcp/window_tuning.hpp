#pragma once
// How large a connection's buffers should be, for those whose user has not said.
//
// Receiving: dynamic right-sizing. What the user reads in a round trip, twice, is what a sender
// must be allowed to have under way so that the buffer never is what holds it back, even while its
// window still doubles. A user who reads slowly keeps the buffer small, however long he sleeps
// between reads: the measure is a rate. The limit only grows, but for want of memory, and what was
// offered to the peer stays offered (RFC 9293 §3.8.6, SHLD-14): the connection sees to that.
//
// Sending: twice the congestion window, one half in flight and one half to follow. What the peer
// holds behind a gap (SACK) is neither, and comes on top: else a segment that is lost twice would
// leave nothing to send, and no acknowledgments to find it out by.
//
// Sans-IO; the connection calls it from its reads and for arriving text.

#include <weft/base/instant.hpp>
#include <weft/net/tcp/sequence_number.hpp>

#include <cstddef>
#include <cstdint>

namespace weft::net::tcp {

/// How much of the stack's memory is in use, as far as buffers must know.
enum class memory_use : std::uint8_t {
    plenty,
    half,   ///< more than a half: buffers do not grow
    short_  ///< more than three quarters: they shrink to what is in them
};
[[nodiscard]] constexpr memory_use memory_use_of(std::size_t used, std::size_t limit) noexcept {
    if (used > limit / 4 * 3) return memory_use::short_;
    return used > limit / 2 ? memory_use::half : memory_use::plenty;
}

class receive_tuning {
public:
    /// The bounds of the limit, in bytes.
    struct bounds {
        std::uint32_t initial = 0;
        std::uint32_t most = 0;
    };
    /// What a limit is worked out from, besides the rate.
    struct situation {
        std::uint32_t limit = 0;    ///< as it is
        std::uint32_t in_use = 0;   ///< unread, and offered to the peer
        std::uint32_t segment = 0;  ///< bytes of the peer's full segment
        memory_use memory = memory_use::plenty;
    };

    /// `rtt`: of the handshake; zero when it was not measured.
    receive_tuning(duration rtt, sequence_number edge, instant now) noexcept;

    /// New text in order carries an echo of our clock from `age` ago: about a round trip, when the
    /// peer sends because we acknowledged. Each echo counts once.
    void on_echo(std::uint32_t echo, duration age) noexcept;
    /// New text in order, of a peer without timestamps: a window's worth takes a round trip or
    /// more.
    void on_text(sequence_number nxt, sequence_number edge, instant now) noexcept;
    /// The user has read. Returns the limit that the buffer should have from now on.
    [[nodiscard]] std::uint32_t on_read(std::uint32_t count, const situation& s, const bounds& b,
                                        instant now) noexcept;

    [[nodiscard]] duration rtt() const noexcept { return std::chrono::microseconds{rtt_us_}; }

private:
    instant round_began_;
    instant window_began_;
    sequence_number window_end_;
    std::uint32_t round_bytes_ = 0;
    std::uint32_t rate_ = 0;  ///< bytes a round trip in the last round
    std::uint32_t rtt_us_ = 0;
    std::uint32_t last_echo_ = 0;
};

/// Bytes of text that any path with this round trip (without a queue) can have a use for: twice
/// what 100 Gbit/s have in flight, and a MiB for those who write. A window grows beyond that where
/// nothing is lost, as in one machine; what is written then waits, and leaves the caches meanwhile.
[[nodiscard]] std::uint32_t most_useful_bytes(duration min_rtt) noexcept;

/// What a send buffer may hold, in bytes; `sacked` and `queued` of it are held already.
[[nodiscard]] std::uint32_t tuned_send_limit(std::uint32_t congestion_window, std::uint32_t sacked,
                                             std::uint32_t queued, const receive_tuning::bounds& b,
                                             memory_use memory) noexcept;

}  // namespace weft::net::tcp
