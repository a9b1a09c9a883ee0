#include <weft/net/io/wire_frame.hpp>

#include <weft/net/wire/ethernet.hpp>

#include <algorithm>
#include <utility>

namespace weft::net {
namespace {

void store_tcp_checksum(const wire::ipv4_header& header, std::span<std::byte> segment) noexcept {
    std::byte* const at = segment.data() + wire::tcp_checksum_offset;
    wire::store_be16(at, 0);
    const std::uint64_t pseudo =
        wire::pseudo_header_sum(header.source, header.destination, wire::ip_protocol::tcp,
                                static_cast<std::uint32_t>(segment.size()));
    wire::store_be16(at, wire::checksum_finish(wire::checksum_partial(segment, pseudo)));
}

}  // namespace

std::size_t wire_frame::link_header_bytes() const noexcept {
    return link == device_capabilities::link_type::ethernet ? wire::ethernet_header_bytes : 0;
}

// ---- IPv4

std::optional<packet_editor> packet_editor::find(const wire_frame& in) noexcept {
    const std::span<std::byte> frame = in.bytes.bytes();
    const std::size_t at = in.link_header_bytes();
    if (frame.size() < at) return std::nullopt;
    if (at != 0) {
        const auto ethernet = wire::parse_ethernet(frame);
        if (!ethernet || ethernet->type != wire::ethernet_type::ipv4) return std::nullopt;
    }
    const auto parsed = wire::parse_ipv4(frame.subspan(at));
    if (!parsed) return std::nullopt;
    return packet_editor{*parsed, frame.subspan(at, parsed->total_bytes)};
}

void packet_editor::set_ecn(std::uint8_t bits) noexcept {
    constexpr std::size_t checksum_at = 10;
    std::byte* const at = packet_.data();
    const std::uint16_t before = wire::load_be16(at);  // version, length, traffic class
    const auto after = static_cast<std::uint16_t>((before & ~unsigned{wire::ecn::mask}) | bits);
    wire::store_be16(at, after);
    wire::store_be16(at + checksum_at,
                     wire::checksum_update(wire::load_be16(at + checksum_at), before, after));
    header_.traffic_class = static_cast<std::uint8_t>(after & 0xffU);
}

// ---- TCP

std::optional<segment_editor> segment_editor::find(const wire_frame& in) noexcept {
    const std::optional<packet_editor> packet = packet_editor::find(in);
    if (!packet) return std::nullopt;
    const wire::ipv4_header& header = packet->header();
    if (header.protocol != wire::ip_protocol::tcp || header.is_fragment()) return std::nullopt;
    const bool is_vouched = in.offload.checksum_verified;
    if (!is_vouched &&
        !wire::verify_tcp_checksum(header.source, header.destination, packet->payload())) {
        return std::nullopt;
    }
    const auto parsed = wire::parse_tcp(packet->payload());
    if (!parsed) return std::nullopt;
    return segment_editor{*packet, *parsed, is_vouched};
}

std::span<std::byte> segment_editor::option_bytes() const noexcept {
    return bytes().subspan(wire::tcp_header_bytes,
                           header().data_offset_bytes - wire::tcp_header_bytes);
}

void segment_editor::seal() const noexcept {
    if (!is_vouched_) store_tcp_checksum(packet_.header(), bytes());
}

// ---- cutting

namespace {

constexpr std::size_t sequence_at = 4;
constexpr std::size_t flags_at = 13;
constexpr std::size_t urgent_at = 18;

/// Makes the headers that were copied to the front of `piece` say what this piece is.
void set_headers(std::span<std::byte> packet, const segment_editor& whole, std::size_t from,
                 std::size_t text, std::size_t number) noexcept {
    using wire::tcp_flags;
    const wire::ipv4_header& header = whole.packet().header();
    std::byte* const ip = packet.data();
    wire::store_be16(ip + 2, static_cast<unsigned>(packet.size()));
    wire::store_be16(ip + 4, header.identification + static_cast<unsigned>(number));
    wire::store_be16(ip + 10, 0);
    wire::store_be16(
        ip + 10, wire::checksum_finish(wire::checksum_partial(packet.first(header.header_bytes))));

    std::byte* const tcp = ip + header.header_bytes;
    wire::store_be32(tcp + sequence_at, whole.header().sequence + static_cast<std::uint32_t>(from));
    tcp_flags flags = whole.header().flags;
    if (from + text != whole.text_bytes()) flags = flags & ~(tcp_flags::fin | tcp_flags::psh);
    if (from != 0) flags = flags & ~tcp_flags::cwr;
    const std::size_t urgent = whole.header().urgent_pointer;
    if (flags.has(tcp_flags::urg) && urgent <= from) flags = flags & ~tcp_flags::urg;
    wire::store_u8(tcp + flags_at, flags.bits);
    wire::store_be16(tcp + urgent_at, static_cast<unsigned>(urgent > from ? urgent - from : 0));
}

}  // namespace

void cut_segment(wire_frame frame, std::size_t segment_bytes, block_pool& pool, wire_frames& out) {
    const std::optional<segment_editor> whole = segment_editor::find(frame);
    if (!whole || segment_bytes == 0 || whole->text_bytes() <= segment_bytes ||
        whole->header().flags.has_any(wire::tcp_flags::syn | wire::tcp_flags::rst)) {
        frame.offload.segment_bytes = 0;
        out.push_back(std::move(frame));
        return;
    }
    const std::span<std::byte> text = whole->bytes().subspan(whole->header().data_offset_bytes);
    const auto headers_bytes = static_cast<std::size_t>(text.data() - frame.bytes.data());
    std::size_t number = 0;
    for (std::size_t from = 0; from < text.size(); from += segment_bytes, ++number) {
        const std::size_t size = std::min(segment_bytes, text.size() - from);
        wire_frame piece{.bytes = pool.allocate_for(headers_bytes + size),
                         .offload = {.checksum_verified = frame.offload.checksum_verified},
                         .link = frame.link};
        if (!piece.bytes) return;
        piece.bytes.extend(static_cast<std::uint32_t>(headers_bytes + size));
        std::byte* const end =
            std::ranges::copy(frame.bytes.bytes().first(headers_bytes), piece.bytes.data()).out;
        std::ranges::copy(text.subspan(from, size), end);
        const std::span<std::byte> packet = piece.bytes.bytes().subspan(piece.link_header_bytes());
        set_headers(packet, *whole, from, size, number);
        if (!piece.offload.checksum_verified) {
            const wire::ipv4_header& header = whole->packet().header();
            store_tcp_checksum(header, packet.subspan(header.header_bytes));
        }
        out.push_back(std::move(piece));
    }
}

}  // namespace weft::net
