#include <weft/net/tcp/window_tuning.hpp>

#include <algorithm>
#include <utility>

namespace weft::net::tcp {

namespace {

using std::chrono::microseconds;

/// Of a clock that ticks in milliseconds nothing shorter can be told.
constexpr std::uint32_t echo_unit_us = 1000;
constexpr std::uint32_t longest_rtt_us = 60'000'000;
/// A peer's first flight, whatever its window doubles from (RFC 6928).
constexpr std::uint32_t first_flight_segments = 10;

std::uint32_t to_us(duration d) noexcept {
    const auto us = std::chrono::duration_cast<microseconds>(d).count();
    return static_cast<std::uint32_t>(std::clamp<std::int64_t>(us, 0, longest_rtt_us));
}

std::uint32_t narrow(std::uint64_t bytes) noexcept {
    return static_cast<std::uint32_t>(std::min<std::uint64_t>(bytes, 0xffff'ffffU));
}

}  // namespace

receive_tuning::receive_tuning(duration rtt, sequence_number edge, instant now) noexcept
    : round_began_{now}, window_began_{now}, window_end_{edge}, rtt_us_{to_us(rtt)} {}

void receive_tuning::on_echo(std::uint32_t echo, duration age) noexcept {
    if (echo == last_echo_) return;
    last_echo_ = echo;
    std::uint32_t sample = std::max(to_us(age), echo_unit_us);
    if (rtt_us_ == 0) {
        rtt_us_ = sample;
        return;
    }
    // A peer that had nothing to send echoes what is long past: no sample lengthens it by much.
    sample = std::min(sample, 2 * rtt_us_ + 2 * echo_unit_us);
    rtt_us_ = rtt_us_ - rtt_us_ / 8 + sample / 8;
}

void receive_tuning::on_text(sequence_number nxt, sequence_number edge, instant now) noexcept {
    if (nxt < window_end_) return;
    const std::uint32_t sample = std::max(to_us(now - window_began_), 1U);
    rtt_us_ = rtt_us_ == 0 ? sample : std::min(rtt_us_, sample);
    window_began_ = now;
    window_end_ = edge;
}

std::uint32_t receive_tuning::on_read(std::uint32_t count, const situation& s, const bounds& b,
                                      instant now) noexcept {
    round_bytes_ = narrow(std::uint64_t{round_bytes_} + count);
    if (s.memory == memory_use::short_) {
        return std::min(s.limit, std::max(b.initial, s.in_use));
    }
    const std::uint32_t elapsed = to_us(now - round_began_);
    if (rtt_us_ == 0 || elapsed < rtt_us_) return s.limit;
    const std::uint64_t rate = std::uint64_t{round_bytes_} * rtt_us_ / elapsed;
    const std::uint64_t before = std::exchange(rate_, narrow(rate));
    round_began_ = now;
    round_bytes_ = 0;
    if (s.memory != memory_use::plenty) return s.limit;
    std::uint64_t want = 2 * rate + std::uint64_t{first_flight_segments} * s.segment;
    // A rate that grows has grown again by now, and will once more before the peer uses the new
    // window: one that doubles will be four times this.
    if (before != 0 && rate > before) want += 2 * std::min(2 * (rate - before), rate);
    return std::max(s.limit, narrow(std::min<std::uint64_t>(want, b.most)));
}

std::uint32_t most_useful_bytes(duration min_rtt) noexcept {
    constexpr std::uint64_t bytes_per_ns = 25;
    const auto ns = std::clamp<std::int64_t>(min_rtt.count(), 0, 1'000'000'000);
    return narrow((1U << 20) + bytes_per_ns * static_cast<std::uint64_t>(ns));
}

std::uint32_t tuned_send_limit(std::uint32_t congestion_window, std::uint32_t sacked,
                               std::uint32_t queued, const receive_tuning::bounds& b,
                               memory_use memory) noexcept {
    std::uint32_t want = narrow(std::uint64_t{congestion_window} * 2 + sacked);
    if (memory != memory_use::plenty) want = std::min(want, queued);
    return std::clamp(want, b.initial, std::max(b.initial, b.most));
}

}  // namespace weft::net::tcp
