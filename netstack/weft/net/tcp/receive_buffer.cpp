#include <weft/net/tcp/receive_buffer.hpp>

#include <algorithm>

namespace weft::net::tcp {

std::uint32_t receive_buffer::append(slice text, sequence_number next) {
    const std::uint32_t advance = text.size();
    size_ += advance;
    ready_.push_back(std::move(text));
    ++fresh_;
    if (!has_gap()) return advance;

    const std::uint32_t slices = ready_.size();
    const std::uint32_t joined = held_->take_joined(next + advance, ready_);
    size_ += joined;
    fresh_ += ready_.size() - slices;
    if (held_->empty()) held_.reset();
    return advance + joined;
}

bool receive_buffer::hold(sequence_number at, std::span<const std::byte> text, sequence_span window,
                          block_pool& pool) {
    if (held_ == nullptr) held_ = std::make_unique<held_text>(window);
    const bool is_kept = held_->keep(at, text, pool);
    if (held_->empty()) held_.reset();
    return is_kept;
}

std::optional<sequence_span> receive_buffer::held_from(sequence_number at) const noexcept {
    if (held_ == nullptr) return std::nullopt;
    return held_->range_from(at);
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
