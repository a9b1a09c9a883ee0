#include <weft/net/tcp/syn_cookie.hpp>

#include <algorithm>
#include <array>

namespace weft::net::tcp {
namespace {

// A cookie: 2 bits of the count of periods, 3 bits of the MSS, 27 bits of proof.
constexpr unsigned count_shift = 30;
constexpr unsigned mss_shift = 27;
constexpr std::uint32_t proof_mask = (1U << mss_shift) - 1;

/// The largest one that does not exceed the peer's is taken: the RFCs' defaults, tunnels, PPPoE,
/// Ethernet, jumbo frames.
constexpr std::array<std::uint16_t, 8> sizes{88, 536, 1220, 1360, 1400, 1440, 1460, 8960};
constexpr std::uint16_t default_mss = 536;  // MUST-15

// The options in a timestamp: 4 bits of the window scale, SACK permitted, ECN.
constexpr std::uint32_t option_mask = 63;
constexpr std::uint32_t no_scale = 15;
constexpr std::uint32_t sack_bit = 16;
constexpr std::uint32_t ecn_bit = 32;
constexpr std::uint8_t largest_scale = 14;  // RFC 7323 §2.3

std::uint32_t count_at(instant now) noexcept {
    return static_cast<std::uint32_t>(now.time_since_epoch() / syn_cookies::period);
}

std::uint32_t index_of(std::uint16_t mss) noexcept {
    const auto above = std::ranges::upper_bound(sizes, mss);
    return static_cast<std::uint32_t>(std::max<std::ptrdiff_t>(above - sizes.begin(), 1) - 1);
}

std::uint32_t options_of(const handshake& h) noexcept {
    return (h.has_scale ? std::min(h.scale, largest_scale) : no_scale) |
           (h.may_selectively_acknowledge ? sack_bit : 0U) | (h.has_ecn ? ecn_bit : 0U);
}

}  // namespace

std::uint32_t syn_cookies::proof(const four_tuple& tuple, sequence_number irs, std::uint32_t count,
                                 std::uint32_t mss_index, std::uint32_t options) const noexcept {
    const std::uint64_t whose = keyed_hash(secret_, tuple, hash_purpose::syn_cookie);
    const std::uint64_t when = std::uint64_t{count} << 32 | irs.value();
    return static_cast<std::uint32_t>(
               keyed_hash(secret_, {whose, when, std::uint64_t{options} << 8 | mss_index})) &
           proof_mask;
}

sequence_number syn_cookies::bake(handshake& h, instant now) const noexcept {
    if (!h.has_timestamps) h.has_scale = h.may_selectively_acknowledge = h.has_ecn = false;
    const std::uint32_t count = count_at(now);
    const std::uint32_t mss = index_of(h.mss != 0 ? h.mss : default_mss);
    return sequence_number{count << count_shift | mss << mss_shift |
                           proof(h.tuple, h.irs, count, mss, options_of(h))};
}

std::uint32_t syn_cookies::timestamp(const handshake& h, std::uint32_t clock) noexcept {
    const std::uint32_t value = (clock & ~option_mask) | options_of(h);
    return is_older_timestamp(clock, value) ? value - (option_mask + 1) : value;
}

std::optional<handshake> syn_cookies::taste(const four_tuple& tuple, const segment& ack,
                                            std::uint32_t clock, instant now) const noexcept {
    const bool has_timestamps = ack.options.has_timestamps();
    const std::uint32_t echo = ack.options.timestamps().echo;
    const std::uint32_t options = has_timestamps ? echo & option_mask : no_scale;
    const sequence_number iss = ack.ack - 1;
    const sequence_number irs = ack.seq - 1;
    const std::uint32_t age = (count_at(now) - (iss.value() >> count_shift)) & 3;
    const std::uint32_t mss = iss.value() >> mss_shift & 7;
    if (age > most_periods ||
        proof(tuple, irs, count_at(now) - age, mss, options) != (iss.value() & proof_mask)) {
        return std::nullopt;
    }
    handshake h;
    h.tuple = tuple;
    h.iss = iss;
    h.irs = irs;
    h.mss = sizes[mss];
    h.sent = 1;
    h.has_timestamps = has_timestamps;
    h.ts_recent = ack.options.timestamps().value;
    h.has_scale = (options & no_scale) != no_scale;
    h.scale = h.has_scale ? static_cast<std::uint8_t>(options & no_scale) : std::uint8_t{0};
    h.may_selectively_acknowledge = (options & sack_bit) != 0;
    h.has_ecn = (options & ecn_bit) != 0;
    // When it left, from our own timestamp: up to 64 ms too early, for the bits in it.
    h.is_timed = has_timestamps;
    const duration since = std::chrono::milliseconds{clock - echo};
    const bool is_credible = has_timestamps && since <= (most_periods + 1) * period;
    h.first_sent_at = h.sent_at = is_credible ? now - since : now;
    return h;
}

}  // namespace weft::net::tcp
