#pragma once
// A frame on a wire in memory, and an editor for the packet in it: what links and middleboxes use
// that look into frames and change them.
//
// An editor writes in place and keeps the checksums right. What it cannot read (not IPv4, a wrong
// checksum, a fragment where TCP is wanted) it does not find: such a frame passes unchanged.

#include <weft/net/block_pool.hpp>
#include <weft/net/frame.hpp>
#include <weft/net/wire/ipv4.hpp>
#include <weft/net/wire/tcp.hpp>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

namespace weft::net {

/// Its block is shared with nobody.
struct wire_frame {
    slice bytes;
    rx_offload offload;
    device_capabilities::link_type link = device_capabilities::link_type::ethernet;

    [[nodiscard]] std::size_t link_header_bytes() const noexcept;
};

/// Frames in the order they go on in.
using wire_frames = std::vector<wire_frame>;

/// An IPv4 packet in a frame.
class packet_editor {
public:
    /// Nothing when the frame holds no IPv4 packet with a right header checksum.
    [[nodiscard]] static std::optional<packet_editor> find(const wire_frame& in) noexcept;

    [[nodiscard]] const wire::ipv4_header& header() const noexcept { return header_; }
    /// Header and payload, without a short frame's padding.
    [[nodiscard]] std::span<std::byte> packet() const noexcept { return packet_; }
    [[nodiscard]] std::span<std::byte> payload() const noexcept {
        return packet_.subspan(header_.header_bytes);
    }
    [[nodiscard]] std::uint8_t ecn() const noexcept {
        return header_.traffic_class & wire::ecn::mask;
    }
    /// Sets the two ECN bits, and the header checksum by the difference (RFC 1624).
    void set_ecn(std::uint8_t bits) noexcept;

private:
    packet_editor(const wire::ipv4_header& header, std::span<std::byte> packet) noexcept
        : header_{header}, packet_{packet} {}

    wire::ipv4_header header_;
    std::span<std::byte> packet_;
};

/// A TCP segment in a frame.
class segment_editor {
public:
    /// Nothing when the frame holds no whole TCP segment with a right checksum. One that the device
    /// vouches for counts as right.
    [[nodiscard]] static std::optional<segment_editor> find(const wire_frame& in) noexcept;

    [[nodiscard]] const packet_editor& packet() const noexcept { return packet_; }
    [[nodiscard]] const wire::tcp_header& header() const noexcept { return parsed_.header; }
    [[nodiscard]] const wire::tcp_options& options() const noexcept { return parsed_.options; }
    /// Header, options and text.
    [[nodiscard]] std::span<std::byte> bytes() const noexcept { return packet_.payload(); }
    /// The options' bytes, padding included.
    [[nodiscard]] std::span<std::byte> option_bytes() const noexcept;
    [[nodiscard]] std::size_t text_bytes() const noexcept {
        return bytes().size() - header().data_offset_bytes;
    }

    /// Sums the segment anew, after bytes were changed; not when the device vouches for it.
    void seal() const noexcept;

private:
    segment_editor(const packet_editor& packet, const wire::tcp_segment_header& parsed,
                   bool is_vouched) noexcept
        : packet_{packet}, parsed_{parsed}, is_vouched_{is_vouched} {}

    packet_editor packet_;
    wire::tcp_segment_header parsed_;
    bool is_vouched_;
};

/// Cuts a TCP segment with more text than `segment_bytes` into several, as a device with
/// segmentation offload does, and appends them to `out`: sequence numbers, lengths and
/// identifications go up, FIN and PSH stay with the last piece, CWR with the first. What is no such
/// segment is appended as it is.
void cut_segment(wire_frame frame, std::size_t segment_bytes, block_pool& pool, wire_frames& out);

}  // namespace weft::net
