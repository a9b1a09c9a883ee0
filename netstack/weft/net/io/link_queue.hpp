#pragma once
// The queue in front of a line: how full it is, and whether one more frame is taken, marked or
// dropped. It holds no frames: a frame that is admitted has its departure fixed at once, so the
// queue is the list of departures to come. Drop-tail, and RED before it (RFC 7567 §2.1).

#include <weft/base/instant.hpp>
#include <weft/base/ring_queue.hpp>
#include <weft/net/io/link_options.hpp>
#include <weft/net/io/random.hpp>

#include <cstdint>

namespace weft::net {

class link_queue {
public:
    enum class verdict : std::uint8_t {
        admit,
        mark,  ///< admit, with CE set
        drop_full,
        drop_early,
    };

    /// Decides on a frame that arrives at `now`. `can_mark`: its sender can do ECN.
    [[nodiscard]] verdict decide(const queue_options& options, std::uint32_t bytes, bool can_mark,
                                 std::uint64_t bits_per_second, random_source& random,
                                 instant now) noexcept;
    /// The frame was admitted, and its last bit leaves at `departure`.
    void push(std::uint32_t bytes, instant departure);

    [[nodiscard]] std::uint32_t frames() const noexcept { return queued_.size(); }
    [[nodiscard]] std::uint32_t bytes() const noexcept { return bytes_; }
    [[nodiscard]] double average_bytes() const noexcept { return average_; }
    void clear() noexcept;

private:
    struct entry {
        instant departure;
        std::uint32_t bytes;
    };

    void advance(instant now) noexcept;
    void sample(const red_options& red, std::uint64_t bits_per_second, instant now) noexcept;
    /// 0 to 1, for the average as it is.
    [[nodiscard]] double pick_probability(const red_options& red) const noexcept;

    ring_queue<entry> queued_;
    std::uint32_t bytes_ = 0;
    std::uint32_t since_picked_ = 0;  // frames, while the average is above min_bytes
    double average_ = 0;
    instant empty_since_;
};

}  // namespace weft::net
