#include <weft/net/tcp/path_mtu.hpp>

#include <algorithm>
#include <array>
#include <cstdlib>

namespace weft::net::tcp {

namespace {

/// Sizes that links and tunnels have, and RFC 1191 §7's plateaus. The largest first.
constexpr std::array<std::uint16_t, 18> common_sizes{65535, 32000, 17914, 9000, 8166, 4352,
                                                     2002,  1500,  1492,  1480, 1460, 1400,
                                                     1280,  1006,  576,   508,  296,  68};
/// Every host takes packets of this size (RFC 791), so most paths do.
constexpr std::uint32_t every_host_takes = 576;
/// A search ends when what it can still win is less.
constexpr std::uint32_t worth_a_probe = 16;
constexpr std::uint32_t least_mtu = 68;  // RFC 791: no router says less in earnest (RFC 1191 §3)

std::uint16_t narrow(std::uint32_t bytes) noexcept {
    return static_cast<std::uint16_t>(std::min(bytes, 65535U));
}

/// What to believe of a router that does not say what it takes: the next size below the packet that
/// it could not forward (RFC 1191 §5). Some add the header's length to that packet's.
std::uint32_t plateau_below(std::uint32_t packet_bytes, std::uint32_t largest_sent) noexcept {
    const std::uint32_t below =
        packet_bytes == 0 ? largest_sent : std::min(packet_bytes, largest_sent);
    for (const std::uint32_t size : common_sizes) {
        if (size < below) return size;
    }
    return least_mtu;
}

}  // namespace

void path_mtu::begin(std::uint32_t most, std::uint32_t known, const config& c,
                     instant now) noexcept {
    *this = path_mtu{};
    most_ = narrow(most);
    current_ = std::min(narrow(known), most_);
    high_ = current_;
    if (current_ < most_) {
        next_probe_at_ = now + c.mtu_raise_interval;
    } else if (c.mtu_probing == mtu_probing_mode::always && c.base_mtu_bytes < most_) {
        current_ = narrow(c.base_mtu_bytes);
        tries_high_ = true;
        next_probe_at_ = now;
    }
    low_ = current_;
}

bool path_mtu::on_acknowledged(sequence_number una, const config& c, instant now) noexcept {
    timeouts_ = 0;
    // Progress: what was said of the packet was not true (RFC 5927 §7.2).
    if (claimed_ != 0 && una > claimed_at_) claimed_ = 0;
    if (largest_sent_ > largest_acked_ && una >= largest_end_) largest_acked_ = largest_sent_;
    if (!is_probing() || una < probe_end_) return false;
    on_probe_arrived(c, now);
    return true;
}

path_mtu::verdict path_mtu::on_packet_too_big(std::uint32_t claimed, std::uint32_t quoted_bytes,
                                              sequence_number quoted, const config& c,
                                              instant now) noexcept {
    const bool is_of_probe = is_probing() && quoted >= probe_begin_ && quoted < probe_end_;
    const std::uint32_t largest = is_of_probe ? probe_bytes_ : largest_sent_;
    if (claimed == 0) claimed = plateau_below(quoted_bytes, largest);
    // RFC 5927 §7.2: it cannot have been triggered by anything that we have sent.
    if (claimed >= largest || claimed < least_mtu) return verdict::implausible;
    if (is_of_probe && claimed >= current_) {
        // RFC 4821 §7.6.2; the router says what to try next.
        probe_bytes_ = 0;
        high_ = narrow(claimed);
        tries_high_ = true;
        go_on(duration::zero(), c, now);
        return verdict::probe_failed;
    }
    if (claimed >= current_) return verdict::implausible;
    if (claimed < largest_acked_) {
        claimed_ = narrow(claimed);
        claimed_at_ = quoted;
        return verdict::deferred;
    }
    reduce(claimed, c, now);
    return verdict::reduced;
}

/// What a router has said, or the search of one who did not: packets are of `bytes` from now on,
/// and not larger before the path is tried anew.
void path_mtu::reduce(std::uint32_t bytes, const config& c, instant now) noexcept {
    may_fragment_ = bytes < c.least_mtu_bytes;
    current_ = std::min(current_, narrow(std::max(bytes, c.least_mtu_bytes)));
    low_ = high_ = current_;
    largest_acked_ = std::min(largest_acked_, current_);
    largest_sent_ = claimed_ = probe_bytes_ = raised_from_ = 0;
    timeouts_ = 0;
    tries_high_ = false;
    next_probe_at_ = now + c.mtu_raise_interval;
}

path_mtu::timeout_effect path_mtu::on_timeout(std::uint32_t packet_bytes, const config& c,
                                              instant now) noexcept {
    if (claimed_ != 0) {  // MAXSEGRTO of RFC 5927 §7.2 is 1
        reduce(claimed_, c, now);
        return timeout_effect::believed_router;
    }
    if (c.mtu_probing == mtu_probing_mode::off || packet_bytes <= c.least_mtu_bytes) {
        return timeout_effect::none;
    }
    if (raised_from_ != 0 && largest_acked_ < current_ && packet_bytes > raised_from_) {
        // The probe got through, and the first packets of its size do not (RFC 4821 §7.8).
        const std::uint16_t back_to = raised_from_;
        reduce(back_to, c, now);
        return timeout_effect::black_hole;
    }
    // One timeout is congestion; after the first step down each further one means the next step.
    if (timeouts_ < 255) ++timeouts_;
    const bool falls = timeouts_ >= c.black_hole_timeouts && fall_into_black_hole(c, now);
    return falls ? timeout_effect::black_hole : timeout_effect::none;
}

/// RFC 4821 §7.7: down to what should get through everywhere, and up again from there by probes.
bool path_mtu::fall_into_black_hole(const config& c, instant now) noexcept {
    const std::uint32_t steps[] = {c.base_mtu_bytes, every_host_takes, c.least_mtu_bytes};
    for (const std::uint32_t step : steps) {
        if (step >= current_ || step < c.least_mtu_bytes) continue;
        const std::uint16_t from = high_ > current_ ? high_ : current_;
        // What has arrived before may do so again, if the path was just down: try that first.
        tries_high_ = largest_acked_ >= from || tries_high_;
        low_ = current_ = narrow(step);
        high_ = from;
        largest_acked_ = std::min(largest_acked_, current_);
        largest_sent_ = probe_bytes_ = raised_from_ = 0;
        next_probe_at_ = now;
        return true;
    }
    return false;
}

std::uint32_t path_mtu::next_probe(const config& c, instant now) noexcept {
    if (is_probing() || current_ >= most_ || now < next_probe_at_) return 0;
    if (has_converged()) {
        // Ten minutes have passed: the path may be another one (RFC 4821 §7.3, RFC 1191 §6.3).
        high_ = most_;
        tries_high_ = true;
        if (c.mtu_probing == mtu_probing_mode::off) {
            low_ = current_ = most_;
            may_fragment_ = false;
            next_probe_at_ = never;
            return 0;
        }
    }
    return pick();
}

/// A size that links have, as near to the middle of what is left as can be (RFC 4821 §7.3).
std::uint32_t path_mtu::pick() const noexcept {
    if (tries_high_) return high_;
    const std::uint32_t middle = low_ + (high_ - low_ + 1U) / 2;
    const auto distance = [middle](std::uint32_t size) {
        return size > middle ? size - middle : middle - size;
    };
    std::uint32_t best = 0;
    for (const std::uint32_t size : common_sizes) {
        if (size <= low_ || size > high_) continue;
        if (best == 0 || distance(size) < distance(best)) best = size;
    }
    return best == 0 ? middle : best;
}

bool path_mtu::has_converged() const noexcept {
    return high_ <= low_ || (!tries_high_ && std::uint32_t{high_} - low_ < worth_a_probe);
}

void path_mtu::go_on(duration pause, const config& c, instant now) noexcept {
    next_probe_at_ = now + (has_converged() ? c.mtu_raise_interval : pause);
}

void path_mtu::on_probe_sent(sequence_number begin, sequence_number end,
                             std::uint32_t packet_bytes) noexcept {
    probe_bytes_ = narrow(packet_bytes);
    probe_begin_ = begin;
    probe_end_ = end;
}

void path_mtu::on_probe_arrived(const config& c, instant now) noexcept {
    raised_from_ = current_;
    low_ = current_ = probe_bytes_;
    high_ = std::max(high_, current_);
    probe_bytes_ = 0;
    tries_high_ = may_fragment_ = false;
    go_on(duration::zero(), c, now);
}

void path_mtu::on_probe_lost(duration pause, const config& c, instant now) noexcept {
    high_ = static_cast<std::uint16_t>(std::max<std::uint32_t>(probe_bytes_ - 1U, low_));
    probe_bytes_ = 0;
    tries_high_ = false;
    go_on(pause, c, now);
}

void path_mtu::on_probe_inconclusive(duration pause, instant now) noexcept {
    probe_bytes_ = 0;
    next_probe_at_ = now + pause;
}

}  // namespace weft::net::tcp
