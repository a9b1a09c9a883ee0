#include <weft/sim/sequence_shifter.hpp>

#include <weft/net/io/random.hpp>
#include <weft/net/wire/icmp.hpp>

#include <utility>

namespace weft::sim {
namespace {

namespace wire = net::wire;

constexpr std::size_t sequence_at = 4;
constexpr std::size_t acknowledgment_at = 8;

void add_to(std::byte* at, std::uint32_t shift) noexcept {
    wire::store_be32(at, wire::load_be32(at) + shift);
}

}  // namespace

std::uint32_t sequence_shifter::shift_of(const flow& of) const noexcept {
    const std::uint64_t addresses = std::uint64_t{of.source.value()} << 32 | of.destination.value();
    const std::uint64_t ports = std::uint64_t{of.source_port} << 16 | of.destination_port;
    net::random_source mix{seed_ ^ net::random_source{addresses}.next() ^ ports};
    return static_cast<std::uint32_t>(mix.next() >> 32);
}

void sequence_shifter::edit_sack(const net::segment_editor& segment, std::uint32_t shift) noexcept {
    if (!segment.options().has_sack()) return;
    if (blocks_ == sack::left_alone) {
        broken_blocks_ += segment.options().sack_blocks().size();
        return;
    }
    std::span<std::byte> rest = segment.option_bytes();
    while (!rest.empty()) {
        const std::uint8_t kind = wire::load_u8(rest.data());
        if (kind == wire::tcp_option_kind::end_of_list) return;
        if (kind == wire::tcp_option_kind::no_operation) {
            rest = rest.subspan(1);
            continue;
        }
        const std::size_t length = wire::load_u8(rest.data() + 1);  // was parsed: is right
        if (kind == wire::tcp_option_kind::sack) {
            for (std::size_t at = 2; at + 4 <= length; at += 4) add_to(rest.data() + at, shift);
        }
        rest = rest.subspan(length);
    }
}

void sequence_shifter::edit_segment(const net::segment_editor& segment) noexcept {
    const wire::ipv4_header& packet = segment.packet().header();
    const flow sent{packet.source, packet.destination, segment.header().source_port,
                    segment.header().destination_port};
    const std::uint32_t back = 0 - shift_of(sent.reversed());
    std::byte* const at = segment.bytes().data();
    add_to(at + sequence_at, shift_of(sent));
    if (segment.header().flags.has(wire::tcp_flags::ack)) {
        add_to(at + acknowledgment_at, back);
        edit_sack(segment, back);
    }
    segment.seal();
}

void sequence_shifter::edit_quote(const net::packet_editor& packet) const noexcept {
    const auto message = wire::parse_icmp(packet.payload());
    if (!message || !message->is_error()) return;
    const wire::quoted_datagram& quoted = message->quoted;
    if (quoted.header.protocol != wire::ip_protocol::tcp || quoted.header.is_fragment()) return;
    const flow sent{quoted.header.source, quoted.header.destination, quoted.source_port(),
                    quoted.destination_port()};
    std::byte* const segment =
        packet.payload().data() + wire::icmp_header_bytes + quoted.header.header_bytes;
    add_to(segment + sequence_at, 0 - shift_of(sent));
    wire::fill_icmp_checksum(packet.payload());
}

void sequence_shifter::on_frame(net::wire_frame frame, direction, instant, net::wire_frames& out) {
    if (const auto segment = net::segment_editor::find(frame)) {
        edit_segment(*segment);
    } else if (const auto packet = net::packet_editor::find(frame);
               packet && packet->header().protocol == wire::ip_protocol::icmp &&
               !packet->header().is_fragment()) {
        edit_quote(*packet);
    }
    out.push_back(std::move(frame));
}

}  // namespace weft::sim
