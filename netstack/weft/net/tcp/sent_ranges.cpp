#include <weft/net/tcp/sent_ranges.hpp>

#include <algorithm>

namespace weft::net::tcp {

void sent_ranges::sent(sequence_number begin, sequence_number end, instant now, bool is_probe) {
    const auto flags = static_cast<std::uint8_t>(is_probe ? sent_range::probe : 0);
    ranges_.push_back({begin, end, now, now, flags});
    total_bytes_ += end - begin;
    if (ranges_.size() > merge_above) merge_back();
}

sent_ranges::acknowledged sent_ranges::acknowledge(sequence_number up_to) {
    acknowledged done;
    while (!ranges_.empty() && ranges_.front().begin < up_to) {
        sent_range& r = ranges_.front();
        const std::uint32_t bytes = (r.end > up_to ? up_to : r.end) - r.begin;
        done.bytes += bytes;
        total_bytes_ -= bytes;
        if (r.is(sent_range::lost)) lost_bytes_ -= bytes;
        if (r.is(sent_range::retransmitted)) {
            done.any_retransmitted = true;
            done.resent_at = std::max(done.resent_at, r.sent_at);
        } else {
            done.sample_from = r.sent_at;
        }
        if (r.end > up_to) {
            r.begin = up_to;
            break;
        }
        ranges_.pop_front();
    }
    return done;
}

void sent_ranges::mark_all_lost() noexcept {
    for (std::uint32_t i = 0; i < ranges_.size(); ++i) set_lost(ranges_[i]);
}

void sent_ranges::mark_first_lost(std::uint32_t bytes) {
    if (ranges_.empty() || ranges_.front().is(sent_range::lost)) return;
    if (ranges_.front().size() > bytes) split(0, ranges_.front().begin + bytes);
    set_lost(ranges_.front());
}

void sent_ranges::mark_probes_lost(instant now) noexcept {
    for (std::uint32_t i = 0; i < ranges_.size(); ++i) {
        ranges_[i].first_sent_at = now;
        if (ranges_[i].is(sent_range::probe)) set_lost(ranges_[i]);
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

void sent_ranges::resent(sequence_number begin, sequence_number end, instant now) {
    for (std::uint32_t i = 0; i < ranges_.size() && ranges_[i].begin < end; ++i) {
        if (ranges_[i].end <= begin) continue;
        if (ranges_[i].begin < begin) {
            split(i, begin);
            continue;
        }
        if (ranges_[i].end > end) split(i, end);
        sent_range& r = ranges_[i];
        if (r.is(sent_range::lost)) lost_bytes_ -= r.size();
        r.flags =
            static_cast<std::uint8_t>((r.flags & sent_range::probe) | sent_range::retransmitted);
        r.sent_at = now;
    }
}

void sent_ranges::split(std::uint32_t i, sequence_number at) {
    sent_range tail = ranges_[i];
    tail.begin = at;
    ranges_[i].end = at;
    ranges_.insert(i + 1, tail);
}

void sent_ranges::set_lost(sent_range& r) noexcept {
    if (r.is(sent_range::lost)) return;
    r.flags = static_cast<std::uint8_t>(r.flags | sent_range::lost);
    lost_bytes_ += r.size();
}

void sent_ranges::merge_back() noexcept {
    const std::uint32_t last = ranges_.size() - 1;
    if (ranges_[last - 1].flags != ranges_[last].flags) return;
    ranges_[last - 1].end = ranges_[last].end;
    ranges_[last - 1].sent_at = ranges_[last].sent_at;  // the newest: a sample is never too long
    ranges_.pop_back();
}

}  // namespace weft::net::tcp
