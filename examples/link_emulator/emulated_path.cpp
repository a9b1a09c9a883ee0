#include "link_emulator/emulated_path.hpp"

#include <weft/net/wire/bytes.hpp>
#include <weft/net/wire/checksum.hpp>
#include <weft/net/wire/ethernet.hpp>
#include <weft/net/wire/ipv4.hpp>

#include <algorithm>
#include <functional>
#include <utility>

namespace examples {

namespace wire = weft::net::wire;

emulated_path::emulated_path(const path_options& options, std::uint64_t seed)
    : options_{options}, losses_{0}, duplicates_{0}, delays_{0}, jitters_{0} {
    weft::net::random_source seeds{seed};
    for (weft::net::random_source* each : {&losses_, &duplicates_, &delays_, &jitters_}) {
        *each = weft::net::random_source{seeds.next()};
    }
}

/// Gilbert's model for bursts: all are lost in one, none outside. Bursts have a geometric length of
/// `loss_burst` on average, and so many begin that the losses are `loss` of all frames.
bool emulated_path::draw_loss() noexcept {
    if (options_.loss_burst <= 1 || options_.loss >= 1) return losses_.chance(options_.loss);
    const double end = 1 / options_.loss_burst;
    is_in_burst_ = is_in_burst_ ? !losses_.chance(end)
                                : losses_.chance(options_.loss * end / (1 - options_.loss));
    return is_in_burst_;
}

/// Everything is drawn for each frame, used or not, so that its fate is its own.
emulated_path::fortune emulated_path::draw() noexcept {
    return {.is_lost = draw_loss(),
            .is_duplicated = duplicates_.chance(options_.duplicate),
            .is_late = delays_.chance(options_.reorder),
            .jitter = jitters_.up_to(options_.jitter)};
}

void emulated_path::on_frame(weft::net::slice frame, weft::instant now) {
    ++counters_.frames;
    const fortune drawn = draw();
    const std::optional<weft::instant> left = leave_queue(frame, now);
    if (!left) {
        ++counters_.queue_full;
        return;
    }
    if (drawn.is_lost) {
        ++counters_.lost;
        return;
    }
    weft::instant arrival = *left + options_.delay + drawn.jitter;
    if (drawn.is_late) {
        ++counters_.reordered;
        arrival += options_.reorder_by;
    } else {
        arrival = last_arrival_ = std::max(arrival, last_arrival_);
    }
    if (drawn.is_duplicated) {
        ++counters_.duplicated;
        hold(frame, arrival);
    }
    hold(std::move(frame), arrival);
}

std::uint64_t emulated_path::backlog_bytes(weft::instant now) noexcept {
    while (!departures_.empty() && departures_.front().at <= now) {
        backlog_ -= departures_.front().bytes;
        departures_.pop_front();
    }
    return backlog_;
}

/// When the line has sent the frame's last bit; nothing: the queue is full. An idle line takes any
/// frame.
std::optional<weft::instant> emulated_path::leave_queue(weft::net::slice& frame,
                                                        weft::instant now) {
    if (options_.bits_per_second == 0) return now;
    const std::uint64_t waiting = backlog_bytes(now);
    if (waiting != 0 && waiting + frame.size() > options_.queue_bytes) return std::nullopt;
    if (options_.mark_bytes != 0 && waiting > options_.mark_bytes &&
        mark_congestion(frame.bytes())) {
        ++counters_.marked;
    }
    const std::uint64_t nanoseconds =
        std::uint64_t{frame.size()} * 8 * 1'000'000'000U / options_.bits_per_second;
    line_free_ =
        std::max(line_free_, now) + weft::duration{static_cast<weft::duration::rep>(nanoseconds)};
    departures_.push_back({line_free_, frame.size()});
    backlog_ += frame.size();
    return line_free_;
}

void emulated_path::hold(weft::net::slice frame, weft::instant at) {
    if (held_.size() >= options_.max_held) {
        ++counters_.held_full;
        return;
    }
    held_.push_back({at, order_++, std::move(frame)});
    std::ranges::push_heap(held_, std::greater{});
}

weft::net::slice emulated_path::poll_frame(weft::instant now) {
    if (held_.empty() || held_.front().at > now) return {};
    std::ranges::pop_heap(held_, std::greater{});
    weft::net::slice frame = std::move(held_.back().frame);
    held_.pop_back();
    ++counters_.forwarded;
    counters_.forwarded_bytes += frame.size();
    return frame;
}

bool mark_congestion(std::span<std::byte> frame) noexcept {
    namespace ethernet_type = wire::ethernet_type;
    if (frame.size() < wire::ethernet_header_bytes + wire::ipv4_header_bytes) return false;
    const std::uint16_t type = wire::parse_ethernet(frame)->type;
    if (type != ethernet_type::ipv4 && type != ethernet_type::ipv6) return false;

    // The two bits end the second byte of an IPv4 header, and the first 12 bits of an IPv6 header.
    std::byte* const packet = frame.data() + wire::ethernet_header_bytes;
    const unsigned shift = type == ethernet_type::ipv4 ? 0 : 4;
    const std::uint16_t before = wire::load_be16(packet);
    if (((before >> shift) & wire::ecn::mask) == wire::ecn::not_ect) return false;
    const auto after = static_cast<std::uint16_t>(before | (wire::ecn::ce << shift));
    wire::store_be16(packet, after);
    if (type == ethernet_type::ipv4) {
        constexpr std::size_t checksum_at = 10;
        const std::uint16_t sum = wire::load_be16(packet + checksum_at);
        wire::store_be16(packet + checksum_at, wire::checksum_update(sum, before, after));
    }
    return true;
}

}  // namespace examples
