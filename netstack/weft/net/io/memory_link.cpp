#include <weft/net/io/memory_link.hpp>

#include <weft/net/io/packet_too_big.hpp>

#include <algorithm>
#include <utility>

namespace weft::net {

bool memory_link::is_down(instant now) const noexcept {
    if (options_.down_for > duration::zero()) {
        const duration cycle = options_.up_for + options_.down_for;
        if ((now - instant{}) % cycle >= options_.up_for) return true;
    }
    return std::ranges::any_of(
        outages_, [now](const outage& each) { return each.from <= now && now < each.until; });
}

void memory_link::put(wire_frame frame, block_pool& pool, instant now, wire_frames& back) {
    if (is_down(now)) {
        ++counters_.down;
        return;
    }
    const bool cuts = options_.cuts_large_frames || options_.path_mtu != 0;
    if (!cuts || frame.offload.segment_bytes == 0) {
        put_whole(std::move(frame), pool, now, back);
        return;
    }
    wire_frames pieces;
    const std::size_t size = frame.offload.segment_bytes;
    cut_segment(std::move(frame), size, pool, pieces);
    for (wire_frame& each : pieces) put_whole(std::move(each), pool, now, back);
}

void memory_link::put_whole(wire_frame frame, block_pool& pool, instant now, wire_frames& back) {
    if (check_length(frame, pool, now, back) == fate::pass) send(std::move(frame), now);
}

memory_link::fate memory_link::check_length(const wire_frame& frame, block_pool& pool, instant now,
                                            wire_frames& back) {
    if (options_.max_frame_bytes != 0 && frame.bytes.size() > options_.max_frame_bytes) {
        ++counters_.too_long;
        return fate::drop;
    }
    if (options_.path_mtu == 0) return fate::pass;
    const std::optional<packet_editor> packet = packet_editor::find(frame);
    if (!packet || packet->packet().size() <= options_.path_mtu) return fate::pass;
    if (options_.too_big == oversize::answered && !packet->header().dont_fragment) {
        ++counters_.fragmented;
        wire_frames fragments;
        make_fragments(frame, options_.path_mtu, pool, fragments);
        for (wire_frame& each : fragments) send(std::move(each), now);
        return fate::drop;
    }
    ++counters_.too_long;
    if (options_.too_big == oversize::answered) {
        wire_frame answer = make_fragmentation_needed(frame, options_.path_mtu, pool);
        if (answer.bytes) {
            ++counters_.answered;
            back.push_back(std::move(answer));
        }
    }
    return fate::drop;
}

memory_link::fate memory_link::pass_queue(wire_frame& frame, instant now) {
    if (!options_.queue.is_bounded()) return fate::pass;
    std::optional<packet_editor> packet;
    if (options_.queue.marks_ecn) packet = packet_editor::find(frame);
    const bool can_mark = packet && packet->ecn() != wire::ecn::not_ect;
    switch (queue_.decide(options_.queue, frame.bytes.size(), can_mark, options_.bits_per_second,
                          random_, now)) {
        case link_queue::verdict::admit: return fate::pass;
        case link_queue::verdict::mark:
            ++counters_.marked;
            packet->set_ecn(wire::ecn::ce);
            return fate::pass;
        case link_queue::verdict::drop_full: ++counters_.queue_full; return fate::drop;
        case link_queue::verdict::drop_early: ++counters_.early_dropped; return fate::drop;
    }
    return fate::pass;
}

/// Occupies the line for as long as the frame takes.
instant memory_link::end_of_transmission(std::uint32_t bytes, instant now) noexcept {
    if (options_.bits_per_second == 0) return now;
    constexpr std::uint64_t second = std::chrono::nanoseconds{std::chrono::seconds{1}}.count();
    const std::uint64_t took = std::uint64_t{bytes} * 8 * second / options_.bits_per_second;
    line_free_ = std::max(line_free_, now) + duration{static_cast<duration::rep>(took)};
    return line_free_;
}

memory_link::fate memory_link::pass_chance() noexcept {
    const burst_loss_options& burst = options_.burst;
    if (burst.enter > 0) {
        is_bad_ = is_bad_ ? !random_.chance(burst.leave) : random_.chance(burst.enter);
        if (is_bad_ && random_.chance(burst.loss)) return fate::drop;
    }
    return random_.chance(options_.loss) ? fate::drop : fate::pass;
}

void memory_link::send(wire_frame frame, instant now) {
    if (pass_queue(frame, now) == fate::drop) return;
    const instant sent = end_of_transmission(frame.bytes.size(), now);
    if (options_.queue.is_bounded()) {
        queue_.push(frame.bytes.size(), sent);
        counters_.peak_queue_bytes = std::max(counters_.peak_queue_bytes, queue_.bytes());
    }
    if (filter_ && filter_(frame.bytes.bytes(), now) == fate::drop) {
        ++counters_.filtered;
        return;
    }
    if (pass_chance() == fate::drop) {
        ++counters_.lost;
        return;
    }
    if (random_.chance(options_.corrupt)) corrupt(frame);

    instant at = sent + options_.delay + random_.up_to(options_.jitter);
    if (random_.chance(options_.reorder)) {
        ++counters_.reordered;
        at += random_.up_to(options_.reorder_by);
    } else {
        at = last_arrival_ = std::max(at, last_arrival_);
    }
    if (random_.chance(options_.duplicate)) {
        ++counters_.duplicated;
        fly(frame, at);
    }
    fly(std::move(frame), at);
}

void memory_link::corrupt(wire_frame& frame) noexcept {
    ++counters_.corrupted;
    frame.offload.checksum_verified = false;
    std::byte& hit = frame.bytes.data()[random_.below(frame.bytes.size())];
    hit ^= static_cast<std::byte>(1U << random_.below(8));
}

void memory_link::fly(wire_frame frame, instant at) {
    if (flying_.size() >= options_.max_frames) {
        ++counters_.queue_full;
        return;
    }
    flying_.push_back({at, order_++, std::move(frame)});
    std::ranges::push_heap(flying_, std::greater<>{});
}

wire_frame memory_link::take_arrival() noexcept {
    std::ranges::pop_heap(flying_, std::greater<>{});
    wire_frame arrived = std::move(flying_.back().frame);
    flying_.pop_back();
    return arrived;
}

void memory_link::clear() noexcept {
    flying_.clear();
    queue_.clear();
}

}  // namespace weft::net
