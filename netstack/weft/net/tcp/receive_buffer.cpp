#include <weft/net/tcp/receive_buffer.hpp>

#include <algorithm>

namespace weft::net::tcp {

std::uint32_t receive_buffer::append(slice text, sequence_number next) {
    std::uint32_t advance = text.size();
    size_ += advance;
    ready_.push_back(std::move(text));
    ++fresh_;
    if (!has_gap()) return advance;

    sequence_number end = next + advance;
    while (has_gap() && held_->front().begin <= end) {
        piece& first = held_->front();
        if (first.end() > end) {
            first.text.remove_prefix(end - first.begin);
            const std::uint32_t count = first.text.size();
            advance += count;
            size_ += count;
            end += count;
            ready_.push_back(std::move(first.text));
            ++fresh_;
        }
        held_->pop_front();
    }
    if (held_->empty()) held_.reset();
    return advance;
}

bool receive_buffer::hold(sequence_number at, slice text, block_pool& pool) {
    if (held_ == nullptr) held_ = std::make_unique<ring_queue<piece>>();
    ring_queue<piece>& held = *held_;

    // Most often it follows the last piece; so look from the back for the first piece after it.
    std::uint32_t position = held.size();
    while (position > 0 && held[position - 1].begin > at) --position;

    // What came first stays: cut off what the piece before holds, drop the pieces this one covers.
    if (position > 0) {
        const sequence_number held_to = held[position - 1].end();
        if (held_to >= at + text.size()) return true;
        if (held_to > at) {
            text.remove_prefix(held_to - at);
            at = held_to;
        }
    }
    while (position < held.size() && held[position].begin < at + text.size()) {
        const piece& after = held[position];
        if (after.end() > at + text.size()) {
            text.truncate(after.begin - at);
            break;
        }
        held.erase(position);
    }
    if (text.empty()) return true;
    if (held.size() >= max_held_pieces) return false;
    if (wastes_its_block(text)) {
        slice copy = pool.allocate_for(text.size());  // no larger than it must be: nothing joins it
        if (!copy) return false;
        std::ranges::copy(text.bytes(), copy.data());
        copy.extend(text.size());
        text = std::move(copy);
    }
    held.insert(position, piece{at, std::move(text)});
    return true;
}

std::optional<held_range> receive_buffer::held_from(sequence_number at) const noexcept {
    if (held_ == nullptr) return std::nullopt;
    const ring_queue<piece>& held = *held_;
    std::uint32_t low = 0;
    std::uint32_t high = held.size();
    while (low < high) {
        const std::uint32_t middle = low + (high - low) / 2;
        if (held[middle].end() <= at) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    if (low == held.size()) return std::nullopt;
    std::uint32_t first = low;
    while (first > 0 && held[first - 1].end() == held[first].begin) --first;
    while (low + 1 < held.size() && held[low].end() == held[low + 1].begin) ++low;
    return held_range{held[first].begin, held[low].end()};
}

std::uint32_t receive_buffer::read(std::span<std::byte> into) noexcept {
    std::uint32_t copied = 0;
    while (copied < into.size() && size_ != 0) {
        const std::span<const std::byte> head = view();
        const auto count = static_cast<std::uint32_t>(std::min(head.size(), into.size() - copied));
        std::copy_n(head.data(), count, into.data() + copied);
        consume(count);
        copied += count;
    }
    return copied;
}

std::uint32_t receive_buffer::peek(std::span<std::byte> into, std::uint32_t skip) const noexcept {
    std::uint32_t copied = 0;
    for (std::uint32_t i = 0; i < ready_.size() && copied < into.size(); ++i) {
        std::span<const std::byte> part = ready_[i].bytes();
        const auto passed = static_cast<std::uint32_t>(std::min<std::size_t>(skip, part.size()));
        skip -= passed;
        part = part.subspan(passed);
        const std::size_t count = std::min(part.size(), into.size() - copied);
        std::copy_n(part.data(), count, into.data() + copied);
        copied += static_cast<std::uint32_t>(count);
    }
    return copied;
}

std::span<const std::byte> receive_buffer::view() const noexcept {
    if (ready_.empty()) return {};
    return ready_.front().bytes();
}

void receive_buffer::consume(std::uint32_t count) noexcept {
    size_ -= count;
    while (count != 0) {
        slice& head = ready_.front();
        const std::uint32_t part = std::min(count, head.size());
        count -= part;
        if (part < head.size()) {
            head.remove_prefix(part);
        } else {
            ready_.pop_front();
            fresh_ = std::min(fresh_, ready_.size());
        }
    }
    if (ready_.empty()) tail_is_chunk_ = false;
}

void receive_buffer::compact(block_pool& pool) {
    const std::uint32_t first_fresh = ready_.size() - fresh_;
    std::uint32_t kept = first_fresh;
    for (std::uint32_t i = first_fresh; i < ready_.size(); ++i) {
        slice text = std::move(ready_[i]);
        if (wastes_its_block(text)) {
            const bool joins = kept != 0 && tail_is_chunk_ && !ready_[kept - 1].is_shared() &&
                               ready_[kept - 1].room_behind() >= text.size();
            if (joins) {
                slice& tail = ready_[kept - 1];
                std::ranges::copy(text.bytes(), tail.data() + tail.size());
                tail.extend(text.size());
                continue;
            }
            if (slice chunk = copy_of(text, pool); chunk) {
                text = std::move(chunk);
                tail_is_chunk_ = true;
            } else {
                tail_is_chunk_ = false;  // no memory: the frame's block stays pinned
            }
        } else {
            tail_is_chunk_ = false;
        }
        ready_[kept++] = std::move(text);
    }
    while (ready_.size() > kept) ready_.pop_back();
    fresh_ = 0;
}

void receive_buffer::clear() noexcept {
    ready_.release();
    held_.reset();
    size_ = fresh_ = 0;
    tail_is_chunk_ = false;
}

slice receive_buffer::copy_of(const slice& text, block_pool& pool) noexcept {
    // Chunks for small pieces have room for more of them.
    slice chunk = pool.allocate(text.size() <= 1024 ? block_size::small : block_size::medium);
    if (!chunk) return {};
    if (text.size() > chunk.room_behind()) {
        chunk = pool.allocate_for(text.size());
        if (!chunk) return {};
    }
    std::ranges::copy(text.bytes(), chunk.data());
    chunk.extend(text.size());
    return chunk;
}

}  // namespace weft::net::tcp
