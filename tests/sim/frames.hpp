#pragma once
// Whole frames for the tests of links and middleboxes.

#include <weft/net/io/wire_frame.hpp>
#include <weft/net/wire/ethernet.hpp>

#include <algorithm>
#include <cstdint>

namespace weft::sim::test {

inline constexpr net::ipv4_address here{10, 0, 0, 1};
inline constexpr net::ipv4_address there{10, 0, 0, 2};
inline const net::mac_address here_mac{{2, 0, 0, 0, 0, 1}};
inline const net::mac_address there_mac{{2, 0, 0, 0, 0, 2}};

inline net::wire::tcp_header make_header(std::uint16_t from, std::uint16_t to,
                                         std::uint32_t sequence = 0,
                                         net::wire::tcp_flags flags = {}) {
    net::wire::tcp_header header;
    header.source_port = from;
    header.destination_port = to;
    header.sequence = sequence;
    header.flags = flags;
    return header;
}

struct frame_settings {
    net::wire::tcp_header tcp = make_header(1000, 80);
    net::wire::tcp_options options = {};
    std::size_t text_bytes = 0;
    std::uint8_t ecn = net::wire::ecn::not_ect;
    bool dont_fragment = true;
    bool is_reply = false;  ///< from there to here
};

/// A TCP segment in an Ethernet frame, with right checksums; the text counts up.
inline net::wire_frame make_frame(net::block_pool& pool, const frame_settings& settings) {
    namespace wire = net::wire;
    const std::size_t tcp_bytes = wire::tcp_header_bytes + settings.options.encoded_bytes();
    const std::size_t total = wire::ipv4_header_bytes + tcp_bytes + settings.text_bytes;
    net::wire_frame made{.bytes = pool.allocate_for(wire::ethernet_header_bytes + total),
                         .offload = {}};
    made.bytes.extend(static_cast<std::uint32_t>(wire::ethernet_header_bytes + total));
    std::byte* at = made.bytes.data();
    at += wire::emit_ethernet({settings.is_reply ? here_mac : there_mac,
                               settings.is_reply ? there_mac : here_mac, wire::ethernet_type::ipv4},
                              at);
    wire::ipv4_header ip;
    ip.source = settings.is_reply ? there : here;
    ip.destination = settings.is_reply ? here : there;
    ip.protocol = wire::ip_protocol::tcp;
    ip.traffic_class = settings.ecn;
    ip.total_bytes = static_cast<std::uint16_t>(total);
    ip.identification = 100;
    ip.dont_fragment = settings.dont_fragment;
    at += wire::emit_ipv4(ip, at);
    std::byte* const text = at + wire::emit_tcp(settings.tcp, settings.options, at);
    for (std::size_t i = 0; i < settings.text_bytes; ++i) text[i] = static_cast<std::byte>(i);
    const std::span<const std::byte> payload{text, settings.text_bytes};
    wire::fill_tcp_checksum(ip.source, ip.destination, std::span{at, tcp_bytes},
                            wire::checksum_partial(payload), payload.size());
    return made;
}

/// The segment of a frame whose checksums have to be right.
inline net::segment_editor segment_of(const net::wire_frame& frame) {
    const auto found = net::segment_editor::find(frame);
    REQUIRE(found.has_value());
    return *found;
}

}  // namespace weft::sim::test
