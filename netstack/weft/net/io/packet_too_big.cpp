#include <weft/net/io/packet_too_big.hpp>

#include <weft/net/wire/ethernet.hpp>
#include <weft/net/wire/icmp.hpp>

#include <algorithm>
#include <cassert>

namespace weft::net {
namespace {

/// RFC 792 asks for 8 bytes of the transport header; more is allowed (RFC 1812 §4.3.2.3).
constexpr std::size_t quoted_transport_bytes = 64;

bool is_icmp_error(const packet_editor& packet) noexcept {
    if (packet.header().protocol != wire::ip_protocol::icmp || packet.payload().empty())
        return false;
    const auto type = static_cast<wire::icmp_type>(wire::load_u8(packet.payload().data()));
    return type != wire::icmp_type::echo_request && type != wire::icmp_type::echo_reply;
}

wire_frame blank(std::size_t packet_bytes, const wire_frame& like, block_pool& pool) {
    const std::size_t bytes = like.link_header_bytes() + packet_bytes;
    wire_frame made{.bytes = pool.allocate_for(bytes), .offload = {}, .link = like.link};
    if (made.bytes) made.bytes.extend(static_cast<std::uint32_t>(bytes));
    return made;
}

}  // namespace

wire_frame make_fragmentation_needed(const wire_frame& refused, std::uint32_t mtu,
                                     block_pool& pool) {
    const std::optional<packet_editor> packet = packet_editor::find(refused);
    if (!packet || is_icmp_error(*packet) || packet->header().fragment_offset_bytes != 0) return {};
    const wire::ipv4_header& about = packet->header();
    const std::size_t quoted =
        std::min(packet->packet().size(), about.header_bytes + quoted_transport_bytes);
    const std::size_t message_bytes = wire::icmp_header_bytes + quoted;
    wire_frame made = blank(wire::ipv4_header_bytes + message_bytes, refused, pool);
    if (!made.bytes) return {};

    std::byte* at = made.bytes.data();
    if (const auto ethernet = wire::parse_ethernet(refused.bytes.bytes());
        ethernet && refused.link_header_bytes() != 0) {
        at += wire::emit_ethernet({ethernet->source, ethernet->destination, ethernet->type}, at);
    }
    wire::ipv4_header header;
    header.source = about.destination;
    header.destination = about.source;
    header.protocol = wire::ip_protocol::icmp;
    header.total_bytes = static_cast<std::uint16_t>(wire::ipv4_header_bytes + message_bytes);
    at += wire::emit_ipv4(header, at);
    wire::emit_icmp_header(wire::icmp_type::destination_unreachable,
                           wire::unreachable_code::fragmentation_needed, mtu, at);
    std::ranges::copy(packet->packet().first(quoted), at + wire::icmp_header_bytes);
    wire::fill_icmp_checksum(std::span{at, message_bytes});
    return made;
}

void make_fragments(const wire_frame& whole, std::uint32_t mtu, block_pool& pool,
                    wire_frames& out) {
    const std::optional<packet_editor> packet = packet_editor::find(whole);
    assert(packet && !packet->header().dont_fragment);
    // Options are copied into the first fragment's place only: emit_ipv4 writes none.
    const std::size_t each = (mtu - wire::ipv4_header_bytes) / 8 * 8;
    const std::span<const std::byte> payload = packet->payload();
    for (std::size_t from = 0; from < payload.size(); from += each) {
        const std::size_t size = std::min(each, payload.size() - from);
        wire_frame piece = blank(wire::ipv4_header_bytes + size, whole, pool);
        if (!piece.bytes) return;
        std::byte* at = std::ranges::copy(whole.bytes.bytes().first(whole.link_header_bytes()),
                                          piece.bytes.data())
                            .out;
        wire::ipv4_header header = packet->header();
        header.fragment_offset_bytes =
            static_cast<std::uint16_t>(header.fragment_offset_bytes + from);
        header.more_fragments = header.more_fragments || from + size < payload.size();
        header.total_bytes = static_cast<std::uint16_t>(wire::ipv4_header_bytes + size);
        at += wire::emit_ipv4(header, at);
        std::ranges::copy(payload.subspan(from, size), at);
        out.push_back(std::move(piece));
    }
}

}  // namespace weft::net
