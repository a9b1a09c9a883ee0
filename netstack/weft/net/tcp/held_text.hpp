#pragma once
// Text that arrived behind a gap, until the gap is filled: which ranges of it are here, and the
// bytes, each at its place in pages that cover the window.
//
// It is copied on arrival. That bounds what a peer can make it hold, whatever it sends in whatever
// order: no more memory than the window that it was offered, and a page; and a list of ranges,
// which have gaps between them, so that their number is that of the gaps and not of the segments.
// What is kept for good is the first copy of an octet. RFC 9293 §3.10.7.4 seventh (SHLD-31); the
// ranges are what RFC 2018 reports. Attached to a receive buffer while there is a gap.

#include <weft/base/ring_queue.hpp>
#include <weft/net/block_pool.hpp>
#include <weft/net/tcp/sequence_number.hpp>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

namespace weft::net::tcp {

class held_text {
public:
    /// Enough for one segment in twenty lost of the widest window that is tuned (32 MiB); few
    /// enough that to put one between the others takes no longer than a segment does by itself.
    static constexpr std::uint32_t max_ranges = 4096;

    /// `window`: RCV.NXT, and the right edge that was offered.
    explicit held_text(sequence_span window) noexcept
        : base_{window.begin}, page_size_{page_size_for(window.size())} {}

    [[nodiscard]] bool empty() const noexcept { return ranges_.empty(); }
    [[nodiscard]] std::uint32_t ranges() const noexcept { return ranges_.size(); }

    /// Copies what of [at, at + text.size()) is not here yet. Precondition: it lies in the window,
    /// behind RCV.NXT. False: nothing was kept, for too many gaps or for want of memory.
    [[nodiscard]] bool keep(sequence_number at, std::span<const std::byte> text, block_pool& pool);

    /// The first range that ends after `at`; nothing when there is none.
    [[nodiscard]] std::optional<sequence_span> range_from(sequence_number at) const noexcept;

    /// Everything before `nxt` is in order now. Adds the text that joins up with it to `into`,
    /// forgets what lies before, and returns how many bytes it has added.
    std::uint32_t take_joined(sequence_number nxt, ring_queue<slice>& into);

    /// What is wrong with it for a window; empty: nothing. For tests.
    [[nodiscard]] std::string_view violated_invariant(sequence_span window) const noexcept;

private:
    /// A narrow window in small pages: one short segment behind a gap is not to cost 16 KiB.
    static constexpr std::uint32_t small_pages_up_to = 256U << 10;
    static block_size page_size_for(std::uint32_t window_bytes) noexcept {
        return window_bytes <= small_pages_up_to ? block_size::small : block_size::medium;
    }
    [[nodiscard]] std::uint32_t page_bytes() const noexcept {
        return static_cast<std::uint32_t>(page_size_);
    }
    [[nodiscard]] std::uint32_t page_of(sequence_number at) const noexcept {
        return (at - base_) / page_bytes();
    }

    /// Index of the first range that ends at `at` or after it.
    [[nodiscard]] std::uint32_t first_ending_from(sequence_number at) const noexcept;
    [[nodiscard]] bool make_pages(sequence_span for_text, block_pool& pool);
    void copy(sequence_number at, std::span<const std::byte> text) noexcept;

    ring_queue<sequence_span> ranges_;  // in order, with gaps between them
    ring_queue<slice> pages_;           // from base_ on; without a block where there is no text
    sequence_number base_;
    block_size page_size_;
};

}  // namespace weft::net::tcp
