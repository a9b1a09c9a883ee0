#pragma once
// How fast the network delivers: one sample with each acknowledgment that delivers something.
//
// Each range that leaves takes a snapshot of how much had been delivered by then. When it arrives,
// what was delivered since, over the longer of the time it took to send and the time it took to
// acknowledge, is a rate that the path has carried: aggregated acknowledgments and bursts of ours
// only ever make it too low. Samples of a time when we had too little to send are marked.
// After draft-cheng-iccrg-delivery-rate-estimation. Counts bytes; holds no clock and no queue. The
// connection calls it; BBR and the statistics read the samples.

#include <weft/base/instant.hpp>

#include <cstdint>

namespace weft::net::tcp {

/// Part of each range in flight, taken when it is sent and taken anew when it is sent again.
struct delivery_snapshot {
    std::uint64_t delivered = 0;  ///< bytes, over the life of the connection
    instant delivered_at;         ///< when that count was reached
    instant first_sent_at;        ///< the start of the flight that this range ends
    std::uint32_t lost = 0;       ///< bytes believed lost by then, modulo 2^32
    bool is_app_limited = false;  ///< the sender had too little to send
};

struct rate_sample {
    bool valid = false;
    bool is_app_limited = false;        ///< the path may carry more
    std::uint32_t delivered = 0;        ///< bytes over `interval`
    std::uint32_t lost = 0;             ///< bytes believed lost over the same range of sends
    duration interval = {};             ///< the longer of the next two
    duration send_elapsed = {};         ///< in which they were sent
    duration ack_elapsed = {};          ///< in which they were acknowledged
    duration rtt = {};                  ///< of the range that was sent last among the delivered
    std::uint64_t prior_delivered = 0;  ///< what had been delivered when that range was sent

    [[nodiscard]] std::uint64_t bytes_per_second() const noexcept {
        if (!valid) return 0;
        return delivered * std::uint64_t{1'000'000'000} /
               static_cast<std::uint64_t>(interval.count());
    }
};

class delivery_rate {
public:
    /// A range leaves, for the first time or again; `in_flight_before`: bytes in flight without it.
    [[nodiscard]] delivery_snapshot on_sent(instant now, std::uint32_t in_flight_before) noexcept;

    /// `bytes` of a range were acknowledged, cumulatively or selectively, each byte once.
    void on_delivered(const delivery_snapshot& at_send, instant sent_at, std::uint32_t bytes,
                      instant now) noexcept;

    /// `bytes` are now believed lost.
    void on_lost(std::uint32_t bytes) noexcept { lost_ += bytes; }

    /// The sample of this acknowledgment, after all its `on_delivered`. Not valid when nothing was
    /// delivered, or in less time than `min_rtt` (the acknowledgment was for an earlier copy).
    [[nodiscard]] rate_sample take_sample(instant now, duration min_rtt) noexcept;

    /// Nothing is left to send and the window has room: what is in flight tells of the sender, not
    /// of the path.
    void on_app_limited(std::uint32_t in_flight) noexcept;

    [[nodiscard]] bool is_app_limited() const noexcept { return app_limited_until_ != 0; }
    /// Bytes delivered over the life of the connection.
    [[nodiscard]] std::uint64_t delivered() const noexcept { return delivered_; }

private:
    std::uint64_t delivered_ = 0;
    instant delivered_at_;
    instant first_sent_at_;
    std::uint64_t app_limited_until_ = 0;  // delivered_ when the gap has passed; 0: no gap
    // Of the newest range that this acknowledgment delivered.
    delivery_snapshot newest_;
    instant newest_sent_at_;
    std::uint32_t lost_ = 0;
    bool has_newest_ = false;
};

}  // namespace weft::net::tcp
