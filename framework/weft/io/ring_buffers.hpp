#pragma once
// A ring of provided buffers: memory that the kernel takes a piece of when bytes arrive, so that a
// connection which waits holds none (IORING_REGISTER_PBUF_RING).
//
// Buffers have a number and one size. `ring::receive_all` names the group; a completion's
// `ring::buffer_of(flags)` says which buffer it filled, and that one is ours until `give_back()`.
// When all are out, requests end with -ENOBUFS. It must outlive the requests that name it and be
// destroyed before its ring. One thread, the ring's.

#include <cstddef>
#include <cstdint>
#include <span>

namespace weft {

class ring;

class ring_buffers {
public:
    /// `count`, a power of two up to 32768, buffers of `size_bytes`. Throws std::system_error when
    /// there is no memory, std::invalid_argument for an impossible count.
    ring_buffers(ring& owner, std::uint32_t count, std::size_t size_bytes);
    ring_buffers(const ring_buffers&) = delete;
    ring_buffers& operator=(const ring_buffers&) = delete;
    ~ring_buffers();

    [[nodiscard]] std::uint16_t group() const noexcept { return group_; }
    [[nodiscard]] std::uint32_t count() const noexcept { return count_; }
    [[nodiscard]] std::size_t size_bytes() const noexcept { return size_bytes_; }
    [[nodiscard]] std::span<std::byte> at(std::uint16_t number) const noexcept {
        return {memory_ + std::size_t{number} * size_bytes_, size_bytes_};
    }
    /// The kernel may fill the buffer again.
    void give_back(std::uint16_t number) noexcept;

private:
    ring& ring_;
    std::uint32_t count_;
    std::size_t size_bytes_;
    std::uint16_t group_;
    std::byte* entries_ = nullptr;  // what the kernel reads: a page-aligned array
    std::byte* memory_ = nullptr;
};

}  // namespace weft
