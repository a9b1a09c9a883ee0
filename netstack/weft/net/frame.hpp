#pragma once
// What crosses the line between a device and the stack: a received frame with what the device
// vouches for, and the slot that a frame to send is described in.

#include <weft/net/block_pool.hpp>

#include <algorithm>
#include <array>
#include <cassert>
#include <cstddef>
#include <cstdint>
#include <span>

namespace weft::net {

/// What a device knows of a received frame (from a virtio header, for instance).
struct rx_offload {
    bool checksum_verified = false;   ///< the transport checksum need not be looked at
    std::uint16_t segment_bytes = 0;  ///< 0: one segment; else payload bytes of each it was made of
    bool truncated = false;           ///< the device's buffer was shorter than the frame
};

/// What a device is asked to do to a frame on its way out.
struct tx_offload {
    bool needs_checksum = false;        ///< store the sum from `checksum_start` on
    std::uint16_t checksum_start = 0;   ///< bytes from the frame's start
    std::uint16_t checksum_offset = 0;  ///< bytes from `checksum_start` to the checksum field
    std::uint16_t segment_bytes = 0;    ///< nonzero: cut the payload into TCP segments of this size
    bool is_ipv6 = false;
};

/// How many TCP segments a frame with that much text is; `segment_bytes` 0: it is not cut.
[[nodiscard]] constexpr std::uint32_t segments_of(std::uint32_t text_bytes,
                                                  std::uint32_t segment_bytes) noexcept {
    if (segment_bytes == 0 || text_bytes <= segment_bytes) return 1;
    return (text_bytes + segment_bytes - 1) / segment_bytes;
}

/// What a device can do, and how large its frames are.
struct device_capabilities {
    enum class link_type : std::uint8_t { ethernet, raw_ip };
    link_type link = link_type::ethernet;
    std::uint32_t mtu = 1500;  ///< largest IP packet; where it varies, the smallest such figure
    bool checksum_offload = false;  ///< fills in transport checksums (tx_offload.needs_checksum)
    bool segmentation_offload = false;  ///< cuts TCP payloads (tx_offload.segment_bytes)
};

/// One frame to send: headers written in place, payload by reference. Owned by the device, which
/// calls `clear()` when the frame has left; until then the payload cannot change or go away.
struct tx_slot {
    static constexpr std::size_t header_capacity = 160;
    static constexpr std::size_t max_payload_slices = 20;

    std::array<std::byte, header_capacity> headers;
    std::uint32_t header_bytes = 0;
    std::uint32_t payload_count = 0;
    std::uint32_t payload_bytes = 0;
    tx_offload offload;
    std::array<slice, max_payload_slices> payload;

    [[nodiscard]] std::uint32_t frame_bytes() const noexcept {
        return header_bytes + payload_bytes;
    }
    [[nodiscard]] bool has_room() const noexcept { return payload_count < max_payload_slices; }
    [[nodiscard]] std::span<const slice> payload_slices() const noexcept {
        return std::span{payload}.first(payload_count);
    }

    /// Precondition: has_room().
    void append(slice part) noexcept {
        assert(has_room());
        payload_bytes += part.size();
        payload[payload_count++] = std::move(part);
    }

    /// Copies the frame's bytes out. Precondition: `out` holds frame_bytes().
    void copy_to(std::byte* out) const noexcept;

    void clear() noexcept {
        for (std::uint32_t i = 0; i < payload_count; ++i) payload[i].reset();
        header_bytes = payload_count = payload_bytes = 0;
        offload = {};
    }
};

inline void tx_slot::copy_to(std::byte* out) const noexcept {
    out = std::copy_n(headers.data(), header_bytes, out);
    for (const slice& part : payload_slices()) out = std::ranges::copy(part.bytes(), out).out;
}

}  // namespace weft::net
