#pragma once
// A stack on a link whose other end is the test: whole frames with TCP in them, in and out.

#include "wire_test_bytes.hpp"

#include <weft/net/stack.hpp>
#include <weft/net/wire/ethernet.hpp>

#include <optional>
#include <vector>

namespace weft::test {

using net::wire::tcp_flags;

/// A segment as the test writes it: header, raw options, text.
struct raw_segment {
    net::wire::tcp_header header;
    byte_string options = {};  ///< as on the wire, a multiple of four
    byte_string text = {};
};

/// A frame that the stack sent, read down to TCP; `segment` only if it is one.
struct sent_frame {
    byte_string bytes;
    net::wire::ethernet_header ethernet;
    std::optional<net::wire::ipv4_header> ip;
    std::optional<net::wire::tcp_segment_header> segment;
    byte_string text;
    bool checksum_is_valid = false;  ///< of the segment
};

struct stack_link {
    static constexpr net::ipv4_address our_ip{10, 0, 0, 2};
    static constexpr net::ipv4_address peer_ip{10, 0, 0, 1};
    static inline const net::mac_address our_mac{{2, 0, 0, 0, 0, 2}};
    static inline const net::mac_address peer_mac{{2, 0, 0, 0, 0, 1}};

    explicit stack_link(const net::device_capabilities& device = {}, const net::tcp::config& c = {},
                        std::size_t pool_bytes = std::size_t{1} << 26, unsigned prefix = 24,
                        const net::tcp::shard& shard = {});

    /// The peer is known: what goes to it needs no question.
    void introduce_peer();
    /// The same, and what is said then is left for frames().
    void hear_of_peer();
    void receive(const byte_string& frame, const net::rx_offload& offload = {});
    void receive_packet(const byte_string& packet, const net::rx_offload& offload = {});
    /// To the port of ours that the header names, with right checksums.
    void receive_segment(const raw_segment& s, net::ipv4_address from = peer_ip,
                         net::ipv4_address to = our_ip);
    std::vector<sent_frame> frames();
    /// The only TCP segment due; ARP beside it is passed over.
    sent_frame segment();
    void wait(duration time);

    net::block_pool pool;
    net::stack ours;
    net::tx_slot slot;
    instant now{std::chrono::seconds{1}};
};

net::wire::tcp_header tcp_header_of(std::uint16_t from, std::uint16_t to, std::uint32_t seq,
                                    std::uint32_t ack, tcp_flags flags);
byte_string tcp_bytes(const raw_segment& s, net::ipv4_address from, net::ipv4_address to);
/// The peer's answer to a question for its address.
byte_string arp_reply();
byte_string ip_packet(std::uint8_t protocol, const byte_string& payload, net::ipv4_address from,
                      net::ipv4_address to);

}  // namespace weft::test
