#include <weft/net/tcp/sent_ranges.hpp>

#include <algorithm>

namespace weft::net::tcp {

void sent_ranges::sent(sequence_number begin, sequence_number end, instant now, bool is_probe,
                       const delivery_snapshot& delivery) {
    const auto flags = static_cast<std::uint8_t>(is_probe ? sent_range::probe : 0);
    ranges_.push_back({begin, end, now, now, delivery, flags});
    total_bytes_ += end - begin;
    if (ranges_.size() > merge_above) merge_back();
}

void sent_ranges::mark_all_lost() noexcept {
    for (std::uint32_t i = 0; i < ranges_.size(); ++i) {
        if (!ranges_[i].is(sent_range::sacked)) set_lost(ranges_[i]);
    }
}

void sent_ranges::mark_first_lost(std::uint32_t bytes) {
    if (ranges_.empty() || !ranges_.front().is_outstanding()) return;
    if (ranges_.front().size() > bytes) split(0, ranges_.front().begin + bytes);
    set_lost(ranges_.front());
}

void sent_ranges::mark_probes_lost(instant now) noexcept {
    for (std::uint32_t i = 0; i < ranges_.size(); ++i) {
        ranges_[i].first_sent_at = now;
        if (ranges_[i].is(sent_range::probe) && !ranges_[i].is(sent_range::sacked)) {
            set_lost(ranges_[i]);
        }
    }
}

void sent_ranges::mark_none_lost() noexcept {
    if (lost_bytes_ == 0) return;
    for (std::uint32_t i = 0; i < ranges_.size(); ++i) {
        set_flags(ranges_[i], ranges_[i].flags & ~unsigned{sent_range::lost});
    }
}

void sent_ranges::forget_sacks() noexcept {
    if (sacked_bytes_ == 0) return;
    for (std::uint32_t i = 0; i < ranges_.size(); ++i) {
        set_flags(ranges_[i], ranges_[i].flags & ~unsigned{sent_range::sacked});
    }
}

std::optional<sent_range> sent_ranges::first_lost(std::uint32_t max_bytes) {
    if (lost_bytes_ == 0) return std::nullopt;
    for (std::uint32_t i = 0; i < ranges_.size(); ++i) {
        if (!ranges_[i].is(sent_range::lost)) continue;
        sent_range r = ranges_[i];
        // Lost neighbours go out together, up to the size asked for.
        for (std::uint32_t j = i + 1;
             j < ranges_.size() && r.size() < max_bytes && ranges_[j].is(sent_range::lost); ++j) {
            r.end = ranges_[j].end;
        }
        if (r.size() > max_bytes) r.end = r.begin + max_bytes;
        return r;
    }
    return std::nullopt;
}

std::uint32_t sent_ranges::front_segment_bytes(std::uint32_t max_bytes) const noexcept {
    const sent_range& first = front();
    sequence_number end = first.end;
    // New segments of one instant were segments of their own.
    for (std::uint32_t i = 1;
         i < ranges_.size() && end - first.begin < max_bytes &&
         first.is(sent_range::retransmitted) && ranges_[i].is(sent_range::retransmitted) &&
         ranges_[i].sent_at == first.sent_at;
         ++i) {
        end = ranges_[i].end;
    }
    return std::min(end - first.begin, max_bytes);
}

std::optional<sent_range> sent_ranges::last_outstanding(std::uint32_t max_bytes) const {
    std::uint32_t i = ranges_.size();
    while (i > 0 && !ranges_[i - 1].is_outstanding()) --i;
    if (i == 0) return std::nullopt;
    sent_range r = ranges_[i - 1];
    for (; i > 1 && r.size() < max_bytes && ranges_[i - 2].is_outstanding(); --i) {
        r.begin = ranges_[i - 2].begin;
    }
    if (r.size() > max_bytes) r.begin = r.end - max_bytes;
    return r;
}

void sent_ranges::resent(sequence_number begin, sequence_number end, instant now,
                         const delivery_snapshot& delivery) {
    for (std::uint32_t i = index_of(begin); i < ranges_.size() && ranges_[i].begin < end; ++i) {
        if (ranges_[i].begin < begin) {
            split(i, begin);
            continue;
        }
        if (ranges_[i].end > end) split(i, end);
        sent_range& r = ranges_[i];
        if (r.is(sent_range::sacked)) continue;
        set_flags(r, (r.flags & unsigned{sent_range::probe}) | sent_range::retransmitted);
        r.sent_at = now;
        r.delivery = delivery;
    }
}

std::uint32_t sent_ranges::index_of(sequence_number at) const noexcept {
    std::uint32_t low = 0;
    std::uint32_t high = ranges_.size();
    while (low < high) {
        const std::uint32_t middle = low + (high - low) / 2;
        if (ranges_[middle].end <= at) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

void sent_ranges::split(std::uint32_t i, sequence_number at) {
    sent_range tail = ranges_[i];
    tail.begin = at;
    ranges_[i].end = at;
    ranges_.insert(i + 1, tail);
}

void sent_ranges::add(const sent_range& r, std::uint32_t bytes) noexcept {
    if (r.is(sent_range::lost)) lost_bytes_ += bytes;
    if (r.is(sent_range::sacked)) sacked_bytes_ += bytes;
    if (r.is(sent_range::retransmitted) && r.is_outstanding()) retransmitted_bytes_ += bytes;
}

void sent_ranges::subtract(const sent_range& r, std::uint32_t bytes) noexcept {
    if (r.is(sent_range::lost)) lost_bytes_ -= bytes;
    if (r.is(sent_range::sacked)) sacked_bytes_ -= bytes;
    if (r.is(sent_range::retransmitted) && r.is_outstanding()) retransmitted_bytes_ -= bytes;
}

void sent_ranges::set_flags(sent_range& r, unsigned flags) noexcept {
    subtract(r, r.size());
    r.flags = static_cast<std::uint8_t>(flags);
    add(r, r.size());
}

void sent_ranges::set_lost(sent_range& r) noexcept {
    if (!r.is(sent_range::lost)) set_flags(r, r.flags | unsigned{sent_range::lost});
}

/// Sacked neighbours from `i` on need no times any more: one range is enough for them.
void sent_ranges::join_sacked(std::uint32_t i) noexcept {
    if (i > 0 && ranges_[i - 1].is(sent_range::sacked)) --i;
    while (i + 1 < ranges_.size() && ranges_[i].is(sent_range::sacked) &&
           ranges_[i + 1].is(sent_range::sacked)) {
        ranges_[i].end = ranges_[i + 1].end;
        if (!ranges_[i + 1].is(sent_range::retransmitted)) {
            ranges_[i].flags =
                static_cast<std::uint8_t>(ranges_[i].flags & ~unsigned{sent_range::retransmitted});
        }
        ranges_.erase(i + 1);
    }
}

void sent_ranges::merge_back() noexcept {
    const std::uint32_t last = ranges_.size() - 1;
    sent_range& into = ranges_[last - 1];
    constexpr unsigned merged = sent_range::merged;
    if ((into.flags & ~merged) != (ranges_[last].flags & ~merged)) return;
    into.flags = static_cast<std::uint8_t>(into.flags | merged);
    into.end = ranges_[last].end;
    into.sent_at = ranges_[last].sent_at;  // nothing of it is believed lost too early
    ranges_.pop_back();
}

}  // namespace weft::net::tcp
