// The parsers of one packet: Ethernet, ARP, IPv4 (whole and quoted), ICMP, UDP, and the Internet
// checksum. What is parsed and emitted again is the same value; sums agree with a plain one.

#include "input.hpp"

#include <weft/net/wire/arp.hpp>
#include <weft/net/wire/checksum.hpp>
#include <weft/net/wire/ethernet.hpp>
#include <weft/net/wire/icmp.hpp>
#include <weft/net/wire/ipv4.hpp>
#include <weft/net/wire/udp.hpp>

#include <algorithm>
#include <array>
#include <vector>

using namespace weft::fuzz;
using namespace weft::net;
using namespace weft::net::wire;

namespace {

/// As RFC 1071 §1 says it, one word after the other.
std::uint16_t plain_sum(bytes_view bytes) {
    std::uint32_t sum = 0;
    for (std::size_t i = 0; i < bytes.size(); i += 2) {
        const unsigned low = i + 1 < bytes.size() ? std::to_integer<unsigned>(bytes[i + 1]) : 0U;
        sum += std::to_integer<unsigned>(bytes[i]) << 8 | low;
        sum = (sum & 0xffffU) + (sum >> 16);
    }
    return static_cast<std::uint16_t>(sum);
}

/// Zero and 0xffff are one number in ones' complement.
bool same_sum(std::uint16_t a, std::uint16_t b) { return a % 0xffff == b % 0xffff; }

void check_checksum(input& in) {
    const std::uint8_t pieces = in.byte();
    std::array<std::size_t, 8> cuts{};
    for (std::size_t& cut : cuts) cut = in.byte();
    const bytes_view all = in.rest();
    checksum_chain chain;
    bytes_view left = all;
    for (std::size_t i = 0; i < pieces % cuts.size(); ++i) {
        const std::size_t count = std::min(cuts[i], left.size());
        chain.add(left.first(count));
        left = left.subspan(count);
    }
    chain.add(left);
    require(same_sum(checksum_fold(chain.sum()), plain_sum(all)), "a chained sum is the sum");
    require(same_sum(checksum_fold(checksum_partial(all)), plain_sum(all)), "the sum is right");
}

void check_ethernet(bytes_view frame) {
    const auto header = parse_ethernet(frame);
    require(header.has_value() == (frame.size() >= ethernet_header_bytes), "14 bytes are enough");
    if (!header) return;
    std::array<std::byte, ethernet_header_bytes> out;
    require(emit_ethernet(*header, out.data()) == out.size(), "an Ethernet header has 14 bytes");
    require(std::ranges::equal(out, frame.first(out.size())), "Ethernet is emitted as it came");
}

void check_arp(bytes_view bytes) {
    const auto packet = parse_arp(bytes);
    if (!packet) return;
    std::array<std::byte, arp_bytes> out;
    require(emit_arp(*packet, out.data()) == out.size(), "ARP has 28 bytes");
    require(std::ranges::equal(out, bytes.first(out.size())), "ARP is emitted as it came");
}

void check_ipv4(std::vector<std::byte> packet, bool is_fixed) {
    if (is_fixed && packet.size() >= ipv4_header_bytes) {
        const std::size_t ihl = (std::to_integer<std::size_t>(packet[0]) & 0xf) * 4;
        if (ihl >= ipv4_header_bytes && ihl <= packet.size()) {
            store_be16(packet.data() + 10, 0);
            store_be16(packet.data() + 10,
                       checksum_finish(checksum_partial(bytes_view{packet}.first(ihl))));
        }
    }
    const auto quoted = parse_quoted_ipv4(packet);
    const auto header = parse_ipv4(packet);
    if (!header) return;
    require(quoted.has_value(), "what is a packet can be quoted");
    require(header->total_bytes <= packet.size(), "a packet ends within its frame");
    require(header->payload_in(packet).size() == header->payload_bytes(), "the payload is inside");
    require(plain_sum(bytes_view{packet}.first(header->header_bytes)) == 0xffff,
            "a header with a wrong sum is refused");
    std::array<std::byte, ipv4_header_bytes> out;
    ipv4_header plain = *header;
    plain.header_bytes = ipv4_header_bytes;
    require(emit_ipv4(plain, out.data()) == out.size(), "an emitted header has 20 bytes");
    std::vector<std::byte> again{out.begin(), out.end()};
    again.resize(std::max<std::size_t>(plain.total_bytes, again.size()));
    const auto second = parse_ipv4(again);
    require(second.has_value() && *second == plain, "an IPv4 header survives emitting");
}

void check_icmp(std::vector<std::byte> message, bool is_fixed) {
    if (is_fixed && message.size() >= icmp_header_bytes) fill_icmp_checksum(message);
    const auto parsed = parse_icmp(message);
    if (!parsed) return;
    require(plain_sum(message) == 0xffff, "a message with a wrong sum is refused");
    const auto report = report_of(*parsed);
    require(!report || parsed->is_error(), "only errors are reported");
    if (report && report->protocol == ip_protocol::tcp) {
        require(report->source_port == parsed->quoted.source_port(),
                "the ports are the quoted ones");
    }
    if (parsed->type == icmp_type::echo_request) {
        std::vector<std::byte> out(message.size());
        const std::uint32_t rest = std::uint32_t{parsed->identifier} << 16 | parsed->sequence;
        const std::size_t at = emit_icmp_header(parsed->type, parsed->code, rest, out.data());
        std::copy(message.begin() + static_cast<std::ptrdiff_t>(at), message.end(),
                  out.begin() + static_cast<std::ptrdiff_t>(at));
        fill_icmp_checksum(out);
        require(parse_icmp(out).has_value(), "an emitted echo is read again");
    }
}

void check_udp(input& in) {
    const ip_address from = ipv4_address{in.number()};
    const ip_address to = ipv4_address{in.number()};
    const bytes_view datagram = in.rest();
    const auto header = parse_udp(datagram);
    if (header) {
        require(header->length <= datagram.size(), "a datagram ends within its packet");
        (void)verify_udp_checksum(from, to, datagram);
    }
    if (datagram.size() > 65527) return;
    std::vector<std::byte> out(udp_header_bytes + datagram.size());
    std::ranges::copy(datagram, out.begin() + udp_header_bytes);
    emit_udp(from, to, 7, 9, checksum_partial(datagram), datagram.size(), out.data());
    require(parse_udp(out).has_value(), "an emitted datagram is read");
    require(verify_udp_checksum(from, to, out), "an emitted datagram's sum is right");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    input in{data, size};
    const std::uint8_t which = in.byte();
    const auto copy_of_rest = [&] {
        const bytes_view rest = in.rest();
        return std::vector<std::byte>{rest.begin(), rest.end()};
    };
    switch (which % 8) {
        case 0: check_checksum(in); break;
        case 1: check_ethernet(in.rest()); break;
        case 2: check_arp(in.rest()); break;
        case 3:
        case 4: check_ipv4(copy_of_rest(), which % 8 == 3); break;
        case 5:
        case 6: check_icmp(copy_of_rest(), which % 8 == 5); break;
        default: check_udp(in); break;
    }
    return 0;
}
