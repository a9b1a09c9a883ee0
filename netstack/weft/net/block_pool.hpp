#pragma once
// The core's own memory: reference-counted blocks, and slices of them.
//
// A received frame, a chunk of a send buffer and a chunk of queued input are all slices of blocks.
// The counter is plain (one thread). Blocks come in three capacities and are kept on free lists, so
// the steady state allocates nothing; what is out is counted against a limit, and a pool that has
// reached it says so instead of growing. What others keep elsewhere for the same purpose may be
// counted against it too (charged_slab.hpp). The pool must outlive every slice of it.

#include <cassert>
#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>

namespace weft::net {

class block_pool;

/// The header of one block; its bytes follow it in memory.
struct alignas(64) block {
    block_pool* pool = nullptr;
    block* next_free = nullptr;
    std::uint32_t references = 0;
    std::uint32_t capacity = 0;

    [[nodiscard]] std::byte* data() noexcept { return reinterpret_cast<std::byte*>(this + 1); }
};

/// Capacities of a block, in bytes.
enum class block_size : std::uint32_t {
    small = 2048,          // a frame of MTU 1500, or a chunk of a small write
    medium = 16384,        // a jumbo frame, a chunk of a stream
    large = 65536 + 1024,  // a frame that a device has put together of many (GRO/TSO), and headers
};

/// A counted reference to a range of a block.
class slice {
public:
    slice() noexcept = default;
    /// Takes over one reference that the caller holds.
    slice(block* adopted, std::uint32_t offset, std::uint32_t size) noexcept
        : block_{adopted}, offset_{offset}, size_{size} {}
    slice(const slice& other) noexcept
        : block_{other.block_}, offset_{other.offset_}, size_{other.size_} {
        if (block_ != nullptr) ++block_->references;
    }
    slice(slice&& other) noexcept
        : block_{std::exchange(other.block_, nullptr)},
          offset_{std::exchange(other.offset_, 0)},
          size_{std::exchange(other.size_, 0)} {}
    slice& operator=(slice other) noexcept {
        std::swap(block_, other.block_);
        std::swap(offset_, other.offset_);
        std::swap(size_, other.size_);
        return *this;
    }
    ~slice() { release(); }

    [[nodiscard]] std::uint32_t size() const noexcept { return size_; }
    [[nodiscard]] bool empty() const noexcept { return size_ == 0; }
    explicit operator bool() const noexcept { return block_ != nullptr; }
    [[nodiscard]] std::byte* data() const noexcept { return block_->data() + offset_; }
    [[nodiscard]] std::span<std::byte> bytes() const noexcept {
        return block_ == nullptr ? std::span<std::byte>{} : std::span{data(), size_};
    }
    /// The whole block's capacity: what holding this slice costs.
    [[nodiscard]] std::uint32_t capacity() const noexcept {
        return block_ == nullptr ? 0 : block_->capacity;
    }
    /// Bytes of the block behind this slice's end.
    [[nodiscard]] std::uint32_t room_behind() const noexcept {
        return block_ == nullptr ? 0 : block_->capacity - offset_ - size_;
    }
    [[nodiscard]] bool is_shared() const noexcept {
        return block_ != nullptr && block_->references > 1;
    }

    /// `count` bytes from `offset`, as a second reference. Precondition: they lie inside.
    [[nodiscard]] slice sub(std::uint32_t offset, std::uint32_t count) const noexcept {
        assert(offset + count <= size_);
        slice part{*this};
        part.offset_ += offset;
        part.size_ = count;
        return part;
    }
    void remove_prefix(std::uint32_t count) noexcept {
        assert(count <= size_);
        offset_ += count;
        size_ -= count;
    }
    void truncate(std::uint32_t size) noexcept {
        assert(size <= size_);
        size_ = size;
    }
    /// Takes `count` bytes of the room behind. Only the slice that last reached the block's used
    /// end may do so (chunks are append-only).
    void extend(std::uint32_t count) noexcept {
        assert(count <= room_behind());
        size_ += count;
    }

    void reset() noexcept {
        release();
        block_ = nullptr;
        offset_ = size_ = 0;
    }

private:
    inline void release() noexcept;

    block* block_ = nullptr;
    std::uint32_t offset_ = 0;
    std::uint32_t size_ = 0;
};

/// Hands out blocks and takes them back.
class block_pool {
public:
    /// `limit_bytes` bounds the capacity of all blocks that are out at once, and what is charged.
    explicit block_pool(std::size_t limit_bytes = std::size_t{1} << 30) noexcept
        : limit_bytes_{limit_bytes} {}
    block_pool(const block_pool&) = delete;
    block_pool& operator=(const block_pool&) = delete;
    ~block_pool();

    /// An empty slice at the start of a fresh block; without a block when the limit is reached.
    [[nodiscard]] slice allocate(block_size size) noexcept;
    /// The smallest block that holds `bytes`. Precondition: `bytes` fits the largest.
    [[nodiscard]] slice allocate_for(std::size_t bytes) noexcept;

    /// Memory that is not the pool's own leaves that much less for blocks.
    void charge(std::size_t bytes) noexcept { charged_bytes_ += bytes; }
    void refund(std::size_t bytes) noexcept { charged_bytes_ -= bytes; }

    [[nodiscard]] std::size_t bytes_out() const noexcept { return bytes_out_; }
    [[nodiscard]] std::size_t charged_bytes() const noexcept { return charged_bytes_; }
    /// Of the limit.
    [[nodiscard]] std::size_t bytes_in_use() const noexcept { return bytes_out_ + charged_bytes_; }
    [[nodiscard]] std::size_t limit_bytes() const noexcept { return limit_bytes_; }

private:
    friend class slice;
    static constexpr std::size_t class_count = 3;

    static std::size_t class_of(std::uint32_t capacity) noexcept {
        return capacity == static_cast<std::uint32_t>(block_size::small)    ? 0U
               : capacity == static_cast<std::uint32_t>(block_size::medium) ? 1U
                                                                            : 2U;
    }
    void take_back(block& returned) noexcept {
        bytes_out_ -= returned.capacity;
        block*& head = free_[class_of(returned.capacity)];
        returned.next_free = head;
        head = &returned;
    }

    block* free_[class_count] = {};
    std::size_t bytes_out_ = 0;
    std::size_t charged_bytes_ = 0;
    std::size_t limit_bytes_;
};

inline void slice::release() noexcept {
    if (block_ != nullptr && --block_->references == 0) block_->pool->take_back(*block_);
}

}  // namespace weft::net
