#include <weft/net/tcp/send_buffer.hpp>

#include <algorithm>

namespace weft::net::tcp {

std::uint32_t send_buffer::append(std::span<const std::byte> bytes, std::uint32_t room,
                                  block_pool& pool) {
    std::size_t left = std::min<std::size_t>(bytes.size(), room);
    std::uint32_t taken = 0;
    while (left != 0) {
        if (chunks_.empty() || chunks_.back().room_behind() == 0) {
            // A short message gets a small chunk; a stream gets chunks that fill large frames.
            const bool is_short = chunks_.empty() && left <= 2048;
            // Writers leave a quarter for what arrives: without it no ACK would get in.
            if (pool.bytes_in_use() > pool.limit_bytes() / 4 * 3) break;
            slice fresh = pool.allocate(is_short ? block_size::small : block_size::medium);
            if (!fresh) break;
            chunks_.push_back(std::move(fresh));
        }
        slice& tail = chunks_.back();
        const auto count =
            static_cast<std::uint32_t>(std::min<std::size_t>(left, tail.room_behind()));
        std::copy_n(bytes.data() + taken, count, tail.data() + tail.size());
        tail.extend(count);
        taken += count;
        left -= count;
    }
    size_ += taken;
    return taken;
}

std::uint32_t send_buffer::gather(std::uint32_t offset, std::uint32_t count,
                                  tx_slot& slot) const noexcept {
    // The chunk of `offset`: repairs are near the front, new text is near the back.
    std::uint32_t i = 0;
    if (offset <= size_ / 2) {
        for (; i < chunks_.size() && offset >= chunks_[i].size(); ++i) offset -= chunks_[i].size();
    } else {
        std::uint32_t behind = size_ - offset;
        for (i = chunks_.size(); i > 0 && behind != 0;) {
            const std::uint32_t size = chunks_[--i].size();
            offset = size - std::min(behind, size);
            behind -= std::min(behind, size);
        }
    }
    std::uint32_t gathered = 0;
    for (; i < chunks_.size() && gathered < count && slot.has_room(); ++i) {
        const slice& chunk = chunks_[i];
        const std::uint32_t part = std::min(count - gathered, chunk.size() - offset);
        slot.append(chunk.sub(offset, part));
        gathered += part;
        offset = 0;
    }
    return gathered;
}

void send_buffer::remove_prefix(std::uint32_t count) noexcept {
    size_ -= count;
    while (count != 0) {
        slice& head = chunks_.front();
        const std::uint32_t part = std::min(count, head.size());
        // An emptied chunk with room goes too: its block may still be read by a frame under way,
        // and the next write starts a fresh one.
        if (part == head.size()) {
            chunks_.pop_front();
        } else {
            head.remove_prefix(part);
        }
        count -= part;
    }
}

}  // namespace weft::net::tcp
