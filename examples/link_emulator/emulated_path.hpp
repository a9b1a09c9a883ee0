#pragma once
// One direction of an emulated path: a queue before a line of some rate, then the way itself.
//
// A frame is appended to a drop-tail queue, leaves it at the line's rate, and arrives after the
// delay, or not at all: it is lost on the way, so a lost frame has used the line. Sans-IO: frames
// and the time come in as arguments, what has arrived is polled. What becomes of the n-th frame by
// chance (loss, duplication, reordering, jitter) depends on seed, options and n alone, each by a
// sequence of its own: two runs whose frames come at other times meet the same faults, with
// reordering or without. Used by frame_forwarder, one for each direction.

#include <weft/base/instant.hpp>
#include <weft/base/ring_queue.hpp>
#include <weft/net/block_pool.hpp>
#include <weft/net/io/random.hpp>

#include <cstdint>
#include <optional>
#include <type_traits>
#include <vector>

namespace examples {

/// Probabilities are from 0 to 1, for each frame.
struct path_options {
    std::uint64_t bits_per_second = 0;       ///< of whole frames, without a preamble; 0: no limit
    std::uint64_t queue_bytes = 256U << 10;  ///< that wait for the line; further frames are dropped
    std::uint64_t mark_bytes = 0;  ///< above it frames that allow it are marked (ECN); 0: never
    weft::duration delay = weft::duration::zero();
    weft::duration jitter = weft::duration::zero();  ///< added, zero to this; keeps the order
    double loss = 0;
    double loss_burst = 1;  ///< frames that are lost in a row on average; 1: each for itself
    double duplicate = 0;   ///< arrives twice
    double reorder = 0;     ///< comes late, so that frames behind it overtake
    weft::duration reorder_by = std::chrono::milliseconds{5};
    std::uint32_t max_held = 16384;  ///< frames on the way; bounds the memory
};
static_assert(std::is_trivially_destructible_v<path_options>);

struct path_counters {
    std::uint64_t frames = 0;     ///< that came in
    std::uint64_t forwarded = 0;  ///< polled, copies too
    std::uint64_t forwarded_bytes = 0;
    std::uint64_t lost = 0;        ///< by chance
    std::uint64_t queue_full = 0;  ///< dropped: no room to wait for the line
    std::uint64_t held_full = 0;   ///< dropped: too many on the way
    std::uint64_t duplicated = 0;
    std::uint64_t reordered = 0;
    std::uint64_t marked = 0;  ///< congestion experienced (RFC 3168 §5)
};

class emulated_path {
public:
    emulated_path(const path_options& options, std::uint64_t seed);

    /// Takes a frame, which begins with its Ethernet header. `now` must not go backwards.
    void on_frame(weft::net::slice frame, weft::instant now);
    /// A frame that has arrived at the far end, the earliest first; empty: none has.
    [[nodiscard]] weft::net::slice poll_frame(weft::instant now);
    /// When poll_frame() has something to give; `never`: nothing is on the way.
    [[nodiscard]] weft::instant next_timeout() const noexcept {
        return held_.empty() ? weft::never : held_.front().at;
    }

    [[nodiscard]] const path_counters& statistics() const noexcept { return counters_; }
    /// Bytes that wait for the line or are on it.
    [[nodiscard]] std::uint64_t backlog_bytes(weft::instant now) noexcept;

private:
    struct held_frame {
        weft::instant at;
        std::uint64_t order;
        weft::net::slice frame;
        friend bool operator>(const held_frame& a, const held_frame& b) noexcept {
            return a.at != b.at ? a.at > b.at : a.order > b.order;
        }
    };
    struct departure {
        weft::instant at;
        std::uint32_t bytes;
    };

    /// What chance has in store for one frame.
    struct fortune {
        bool is_lost;
        bool is_duplicated;
        bool is_late;
        weft::duration jitter;
    };

    fortune draw() noexcept;
    bool draw_loss() noexcept;
    [[nodiscard]] std::optional<weft::instant> leave_queue(weft::net::slice& frame,
                                                           weft::instant now);
    void hold(weft::net::slice frame, weft::instant at);

    path_options options_;
    weft::net::random_source losses_;
    weft::net::random_source duplicates_;
    weft::net::random_source delays_;
    weft::net::random_source jitters_;
    bool is_in_burst_ = false;
    weft::ring_queue<departure> departures_;  // of what waits for the line, when there is a rate
    std::uint64_t backlog_ = 0;
    weft::instant line_free_{};
    weft::instant last_arrival_{};
    std::vector<held_frame> held_;  // a heap: the next to arrive first
    std::uint64_t order_ = 0;
    path_counters counters_;
};

/// Marks an IP packet in an Ethernet frame as having met congestion, if its sender allows that
/// (ECT, RFC 3168 §5). Says whether it did. The frame's bytes must be nobody else's.
bool mark_congestion(std::span<std::byte> frame) noexcept;

}  // namespace examples
