#pragma once
// What one direction of a wire in memory does to frames: plain values. See docs/simulation.md.
//
// The way of a frame: middleboxes, partition, length, queue, line, chance, delay. Probabilities are
// for each frame. Everything that needs chance draws from the seed of the device that sends.

#include <weft/base/instant.hpp>

#include <chrono>
#include <cstdint>
#include <type_traits>

namespace weft::net {

/// Loss that comes in bursts: a chain of two states (Gilbert 1960, Elliott 1963), which may change
/// with each frame. The average burst is 1 / `leave` frames long.
struct burst_loss_options {
    double enter = 0;  ///< from good to bad; 0: never
    double leave = 0.3;
    double loss = 1;  ///< while it is bad; link_options::loss goes on beside it
};

/// Random early detection (Floyd and Jacobson 1993; RFC 7567 §2.1), in its gentle form: the
/// probability rises from 0 at `min_bytes` of average queue to `max_probability` at `max_bytes`,
/// and to 1 at twice that.
struct red_options {
    std::uint32_t min_bytes = 0;
    std::uint32_t max_bytes = 0;  ///< 0: no early detection
    double max_probability = 0.1;
    double weight = 0.002;  ///< of a new sample in the average
};

/// The queue in front of a line with a rate. With both limits zero there is none: frames are taken
/// as fast as the line sends them, and a full device is backpressure for its host.
struct queue_options {
    std::uint32_t limit_frames = 0;
    std::uint32_t limit_bytes = 0;
    red_options red = {};
    /// What RED picks is marked CE instead of dropped when the sender can do ECN (RFC 3168 §5).
    bool marks_ecn = false;

    [[nodiscard]] constexpr bool is_bounded() const noexcept {
        return limit_frames != 0 || limit_bytes != 0;
    }
};

/// What becomes of an IP packet above link_options::path_mtu.
enum class oversize : std::uint8_t {
    vanishes,  ///< a black hole (RFC 2923 §2.1)
    answered,  ///< as by a router: ICMP fragmentation needed, or fragments where DF allows them
};

struct link_options {
    double loss = 0;
    double duplicate = 0;  ///< arrives twice
    double corrupt = 0;    ///< one bit is flipped
    double reorder = 0;    ///< is held back, so that frames behind it overtake
    duration reorder_by = std::chrono::milliseconds{2};  ///< held back at most this long
    duration delay = duration::zero();
    duration jitter = duration::zero();  ///< added, from zero to this; keeps the order
    std::uint64_t bits_per_second = 0;   ///< 0: no limit
    std::uint32_t max_frame_bytes = 0;   ///< longer ones vanish; 0: no limit
    std::uint32_t max_frames = 8192;     ///< queued and on the wire at once; more are dropped
    burst_loss_options burst = {};
    queue_options queue = {};
    /// Bytes of the largest IP packet that passes; 0: no limit. Large frames of a device with
    /// offloads are cut into their segments before.
    std::uint32_t path_mtu = 0;
    oversize too_big = oversize::vanishes;
    /// Down again and again: for `down_for`, `up_for` after the start of the clock and after each
    /// time. Zero: never. See memory_device::add_outage for single times.
    duration up_for = duration::zero();
    duration down_for = duration::zero();
    /// Large frames of a device with offloads are cut into their segments, so that each of them has
    /// its own fate. Otherwise such a frame passes in one piece.
    bool cuts_large_frames = false;
};
static_assert(std::is_trivially_destructible_v<link_options>);

/// What became of the frames that were given to one direction of a wire.
struct link_counters {
    std::uint64_t submitted = 0;
    std::uint64_t delivered = 0;  ///< to the other end
    std::uint64_t lost = 0;       ///< by chance, in bursts or not
    std::uint64_t duplicated = 0;
    std::uint64_t corrupted = 0;
    std::uint64_t reordered = 0;
    std::uint64_t filtered = 0;  ///< dropped by the filter
    std::uint64_t too_long = 0;
    std::uint64_t answered = 0;       ///< too long, and the sender was told by ICMP
    std::uint64_t fragmented = 0;     ///< too long, and passed in fragments
    std::uint64_t queue_full = 0;     ///< dropped at the tail: of the queue, or of max_frames
    std::uint64_t early_dropped = 0;  ///< by RED
    std::uint64_t marked = 0;         ///< CE
    std::uint64_t down = 0;           ///< came while the wire was down
    std::uint64_t nobody_there = 0;   ///< not plugged in, or the other end not started
    std::uint64_t no_memory = 0;      ///< the receiver's pool had no block
    std::uint32_t peak_queue_bytes = 0;
};

}  // namespace weft::net
