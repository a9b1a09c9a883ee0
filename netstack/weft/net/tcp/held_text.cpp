#include <weft/net/tcp/held_text.hpp>

#include <algorithm>

namespace weft::net::tcp {

std::uint32_t held_text::first_ending_from(sequence_number at) const noexcept {
    // Most often it is the last one, or there is none.
    std::uint32_t low = 0;
    std::uint32_t high = ranges_.size();
    if (high != 0 && ranges_.back().begin <= at) low = high - 1;
    while (low < high) {
        const std::uint32_t middle = low + (high - low) / 2;
        if (ranges_[middle].end < at) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

bool held_text::keep(sequence_number at, std::span<const std::byte> text, block_pool& pool) {
    sequence_span all{at, at + static_cast<std::uint32_t>(text.size())};
    // Those that it overlaps or touches: all of them become one.
    const std::uint32_t first = first_ending_from(all.begin);
    std::uint32_t last = first;
    while (last < ranges_.size() && ranges_[last].begin <= all.end) ++last;
    if (first == last && ranges_.size() >= max_ranges) return false;
    if (!make_pages(all, pool)) return false;

    sequence_number from = all.begin;
    for (std::uint32_t i = first; i < last; ++i) {
        const sequence_span& here = ranges_[i];
        if (from < here.begin) copy(from, text.subspan(from - at, here.begin - from));
        from = later_of(from, here.end);
    }
    if (from < all.end) copy(from, text.subspan(from - at));

    if (first == last) {
        ranges_.insert(first, all);
        return true;
    }
    all.begin = earlier_of(all.begin, ranges_[first].begin);
    all.end = later_of(all.end, ranges_[last - 1].end);
    ranges_[first] = all;
    ranges_.erase(first + 1, last - first - 1);
    return true;
}

std::optional<sequence_span> held_text::range_from(sequence_number at) const noexcept {
    const std::uint32_t first = first_ending_from(at + 1);
    if (first == ranges_.size()) return std::nullopt;
    return ranges_[first];
}

std::uint32_t held_text::take_joined(sequence_number nxt, ring_queue<slice>& into) {
    const sequence_number start = nxt;
    while (!ranges_.empty() && ranges_.front().begin <= nxt) {
        const sequence_number end = ranges_.front().end;
        while (nxt < end) {
            const std::uint32_t offset = (nxt - base_) % page_bytes();
            const std::uint32_t count = std::min(end - nxt, page_bytes() - offset);
            into.push_back(pages_[page_of(nxt)].sub(offset, count));
            nxt += count;
        }
        ranges_.pop_front();
    }
    while (!pages_.empty() && nxt - base_ >= page_bytes()) {
        pages_.pop_front();
        base_ += page_bytes();
    }
    return nxt - start;
}

bool held_text::make_pages(sequence_span for_text, block_pool& pool) {
    const std::uint32_t last = page_of(for_text.end - 1);
    while (pages_.size() <= last) pages_.push_back({});
    for (std::uint32_t i = page_of(for_text.begin); i <= last; ++i) {
        if (pages_[i]) continue;
        pages_[i] = pool.allocate(page_size_);
        if (!pages_[i]) return false;
        pages_[i].extend(page_bytes());
    }
    return true;
}

void held_text::copy(sequence_number at, std::span<const std::byte> text) noexcept {
    while (!text.empty()) {
        const std::uint32_t offset = (at - base_) % page_bytes();
        const std::size_t count = std::min<std::size_t>(text.size(), page_bytes() - offset);
        std::ranges::copy(text.first(count), pages_[page_of(at)].data() + offset);
        at += static_cast<std::uint32_t>(count);
        text = text.subspan(count);
    }
}

}  // namespace weft::net::tcp
