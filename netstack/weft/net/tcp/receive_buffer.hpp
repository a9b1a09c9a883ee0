#pragma once
// Bytes that arrived: those in order, which wait for the reader, and those behind a gap.
//
// Received frames are kept as they came, as slices of the device's blocks. `compact()`, called at
// the end of a turn, copies what is still unread and fills less than half its block into chunks:
// prompt readers pay no second copy, slow readers cannot pin the device's memory. What lies behind
// a gap is held_text's. RFC 9293 §3.10.7.4 seventh (SHLD-31).

#include <weft/base/ring_queue.hpp>
#include <weft/net/block_pool.hpp>
#include <weft/net/tcp/held_text.hpp>
#include <weft/net/tcp/sequence_number.hpp>

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string_view>

namespace weft::net::tcp {

class receive_buffer {
public:
    /// Readable bytes.
    [[nodiscard]] std::uint32_t size() const noexcept { return size_; }
    [[nodiscard]] bool empty() const noexcept { return size_ == 0; }
    [[nodiscard]] bool has_gap() const noexcept { return held_ != nullptr; }

    /// Takes text that starts at RCV.NXT, and whatever it joins up with. Returns by how much
    /// RCV.NXT advances.
    std::uint32_t append(slice text, sequence_number next);

    /// The first text behind a gap that ends after `at`; nothing when there is none.
    [[nodiscard]] std::optional<sequence_span> held_from(sequence_number at) const noexcept;

    /// Keeps a copy of text that starts behind RCV.NXT; `window` is from there to the edge that was
    /// offered. False: not kept (too many gaps, or no memory).
    [[nodiscard]] bool hold(sequence_number at, std::span<const std::byte> text,
                            sequence_span window, block_pool& pool);

    /// Gives up what is behind a gap.
    void drop_held() noexcept { held_.reset(); }

    /// Copies out up to `into.size()` readable bytes. Returns how many.
    std::uint32_t read(std::span<std::byte> into) noexcept;
    /// Copies out readable bytes behind the first `skip` of them; they stay. Returns how many.
    std::uint32_t peek(std::span<std::byte> into, std::uint32_t skip) const noexcept;
    /// The first readable bytes that lie together; empty when there are none.
    [[nodiscard]] std::span<const std::byte> view() const noexcept;
    /// Drops the first `count` readable bytes. Precondition: there are as many.
    void consume(std::uint32_t count) noexcept;

    [[nodiscard]] bool wants_compaction() const noexcept { return fresh_ != 0; }
    /// End of the turn: see above.
    void compact(block_pool& pool);

    /// What is wrong with it for a window of [nxt, edge); empty: nothing. For tests.
    [[nodiscard]] std::string_view violated_invariant(sequence_span window) const noexcept;

    void clear() noexcept;

private:
    static bool wastes_its_block(const slice& s) noexcept { return s.size() < s.capacity() / 2; }
    static slice copy_of(const slice& text, block_pool& pool) noexcept;

    ring_queue<slice> ready_;
    std::unique_ptr<held_text> held_;  // while there is a gap
    std::uint32_t size_ = 0;
    std::uint32_t fresh_ = 0;  // slices at the back of ready_ that came in this turn
    bool tail_is_chunk_ = false;
};

}  // namespace weft::net::tcp
