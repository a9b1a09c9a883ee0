#pragma once
// Bytes the user wrote and the peer has not acknowledged: a queue of append-only chunks.
//
// The buffer knows offsets from its front, not sequence numbers; the connection maps SND.UNA to
// offset 0. Frames refer to chunks by counted slices, so a retransmission copies nothing and a
// chunk lives until the last frame that carries it has left.

#include <weft/base/ring_queue.hpp>
#include <weft/net/block_pool.hpp>
#include <weft/net/frame.hpp>

#include <cstdint>
#include <span>

namespace weft::net::tcp {

class send_buffer {
public:
    [[nodiscard]] std::uint32_t size() const noexcept { return size_; }
    [[nodiscard]] bool empty() const noexcept { return size_ == 0; }

    /// Copies up to `room` bytes in. Returns how many; fewer when the pool has no block left.
    std::uint32_t append(std::span<const std::byte> bytes, std::uint32_t room, block_pool& pool);

    /// Adds `count` bytes from `offset` on to the slot's payload, as references. Returns how many
    /// fitted into the slot's slices. Precondition: they lie inside.
    std::uint32_t gather(std::uint32_t offset, std::uint32_t count, tx_slot& slot) const noexcept;

    /// The peer has these.
    void remove_prefix(std::uint32_t count) noexcept;

    void clear() noexcept {
        chunks_.release();
        size_ = 0;
    }

private:
    ring_queue<slice> chunks_;
    std::uint32_t size_ = 0;
};

}  // namespace weft::net::tcp
