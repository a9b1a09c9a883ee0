#pragma once
// The memory in which bytes arrive from all connections of one kernel::network.
//
// The kernel fills a provided buffer when bytes come. What is read in the same turn is read from
// there; what waits longer, or fills less than half of its buffer, is moved to memory of its own
// size, so slow readers cannot hold the buffers that prompt ones need: at most half of them are
// held. So a request that found no buffer can be made again: one is on its way.

#include <weft/io/ring_buffers.hpp>

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace weft::kernel {

/// Bytes that have come and that nobody has read. Owned by whoever took it from the pool.
struct received_bytes {
    received_bytes* next = nullptr;
    std::byte* data = nullptr;
    std::uint32_t begin = 0;
    std::uint32_t end = 0;
    bool is_provided = false;  ///< in a buffer of the ring; otherwise behind this header
    std::uint16_t buffer = 0;
};

class receive_pool {
public:
    receive_pool(ring& owner, std::uint32_t buffers, std::size_t buffer_bytes);

    [[nodiscard]] std::uint16_t group() const noexcept { return buffers_.group(); }
    /// Buffers that are neither the kernel's nor on their way from it.
    [[nodiscard]] std::uint32_t held() const noexcept { return held_; }
    [[nodiscard]] std::uint64_t copied() const noexcept { return copied_; }
    [[nodiscard]] std::uint64_t starvations() const noexcept { return starvations_; }

    /// The first `bytes` of a buffer that the kernel has filled. `read_soon`: somebody waits.
    received_bytes& take(std::uint16_t buffer, std::size_t bytes, bool read_soon) noexcept;
    void release(received_bytes& read) noexcept;
    /// A buffer that came back without bytes that anybody wants.
    void release(std::uint16_t buffer) noexcept { buffers_.give_back(buffer); }

    /// Says whether a request that found no buffer can be made again. False: all are held, because
    /// there is no memory to move their bytes to.
    [[nodiscard]] bool on_starvation() noexcept {
        ++starvations_;
        return held_ < buffers_.count();
    }

private:
    ring_buffers buffers_;
    std::vector<received_bytes> provided_;  // by number
    std::uint32_t held_ = 0;
    std::uint64_t copied_ = 0;
    std::uint64_t starvations_ = 0;
};

}  // namespace weft::kernel
