#include <weft/net/io/link_queue.hpp>

namespace weft::net {
namespace {

/// base^exponent by squaring: the same bits everywhere, unlike std::pow.
double power(double base, std::uint64_t exponent) noexcept {
    double result = 1;
    for (; exponent != 0; exponent /= 2, base *= base) {
        if (exponent % 2 != 0) result *= base;
    }
    return result;
}

/// What RED takes for a packet when it ages the average of an idle queue.
constexpr std::uint64_t typical_bits = 1500 * 8;

}  // namespace

void link_queue::advance(instant now) noexcept {
    while (!queued_.empty() && queued_.front().departure <= now) {
        bytes_ -= queued_.front().bytes;
        empty_since_ = queued_.front().departure;
        queued_.pop_front();
    }
}

/// The average after one more arrival; an idle line counts as if small packets had come meanwhile.
void link_queue::sample(const red_options& red, std::uint64_t bits_per_second,
                        instant now) noexcept {
    if (queued_.empty()) {
        constexpr std::uint64_t second = std::chrono::nanoseconds{std::chrono::seconds{1}}.count();
        const auto idle = static_cast<std::uint64_t>((now - empty_since_).count());
        const std::uint64_t each =
            bits_per_second == 0 ? 1 : typical_bits * second / bits_per_second;
        average_ *= power(1 - red.weight, idle / (each == 0 ? 1 : each));
    } else {
        average_ += red.weight * (static_cast<double>(bytes_) - average_);
    }
}

double link_queue::pick_probability(const red_options& red) const noexcept {
    const double low = red.min_bytes;
    const double high = red.max_bytes;
    if (average_ < low) return 0;
    if (average_ < high) return red.max_probability * (average_ - low) / (high - low);
    if (average_ < 2 * high) {
        return red.max_probability + (1 - red.max_probability) * (average_ - high) / high;
    }
    return 1;
}

link_queue::verdict link_queue::decide(const queue_options& options, std::uint32_t bytes,
                                       bool can_mark, std::uint64_t bits_per_second,
                                       random_source& random, instant now) noexcept {
    advance(now);
    verdict early = verdict::admit;
    if (options.red.max_bytes != 0) {
        sample(options.red, bits_per_second, now);
        const double picked = pick_probability(options.red);
        if (picked == 0) {
            since_picked_ = 0;
        } else {
            // Spread evenly: the longer ago the last one was picked, the likelier is this one.
            const double spread = 1 - since_picked_ * picked;
            ++since_picked_;
            if (spread <= picked || random.chance(picked / spread)) {
                since_picked_ = 0;
                // RFC 3168 §7: above the upper threshold packets are dropped, ECN or not.
                early = options.marks_ecn && can_mark && picked < 1 ? verdict::mark
                                                                    : verdict::drop_early;
            }
        }
    }
    if (early == verdict::drop_early) return early;
    if (options.limit_frames != 0 && queued_.size() >= options.limit_frames) {
        return verdict::drop_full;
    }
    if (options.limit_bytes != 0 && bytes_ + bytes > options.limit_bytes) return verdict::drop_full;
    return early;
}

void link_queue::push(std::uint32_t bytes, instant departure) {
    queued_.push_back({departure, bytes});
    bytes_ += bytes;
}

void link_queue::clear() noexcept {
    queued_.clear();
    bytes_ = 0;
    average_ = 0;
    since_picked_ = 0;
}

}  // namespace weft::net
