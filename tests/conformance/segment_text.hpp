#pragma once
// TCP segments as a script writes them, and their packets.
//
//     S. 0 ack 1 win 65535 <mss 1460,nop,nop,sackOK,nop,wscale 5>
//     P. 1+1000 ack 1            1000 bytes from sequence number 1 on
//     .U 1+1 ack 1 urg 1
//
// Flags in the order F S R P . U E W, where the dot is ACK; sequence numbers count from the initial
// one of the side they belong to. In what is expected, a missing `win`, `urg` or `<...>` is not
// looked at. `TS ecr 7` stands for a timestamp of any value. Options are told byte for byte, in
// their order.

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace weft::conformance {

struct text_segment {
    std::string flags;
    std::uint32_t seq = 0;
    std::uint32_t size = 0;
    std::optional<std::uint32_t> ack;
    std::optional<std::uint32_t> window;
    std::optional<std::uint32_t> urgent;
    std::optional<std::string> options;
};

/// Throws std::invalid_argument.
[[nodiscard]] text_segment parse_segment(std::string_view text);
[[nodiscard]] std::string to_string(const text_segment& s);

struct ends {
    std::uint32_t local_address = 0xc0a80001;   ///< 192.168.0.1, the side under test
    std::uint32_t remote_address = 0xc0000201;  ///< 192.0.2.1
    std::uint16_t local_port = 8080;
    std::uint16_t remote_port = 8080;
};

/// Where the numbers of each side begin.
struct origins {
    std::uint32_t ours = 0;   ///< of the side under test
    std::uint32_t peers = 0;  ///< of the script's side
};

/// The IP packet of a segment from the script's side.
[[nodiscard]] std::vector<std::byte> to_packet(const text_segment& s, const ends& e,
                                               const origins& o, std::uint8_t traffic_class = 0);

/// What a packet from the side under test holds.
struct parsed_packet {
    std::string problem;  ///< a checksum, a length or a reserved bit that is wrong
    ends from;
    std::uint32_t raw_seq = 0;
    std::uint8_t protocol = 0;
    std::uint8_t traffic_class = 0;
    std::optional<std::uint32_t> timestamp;
    text_segment segment;  ///< with everything in it
};
[[nodiscard]] parsed_packet parse_packet(std::span<const std::byte> packet, const origins& o);

/// The one's complement sum, as IP and TCP have it; 0 for what holds its own valid sum.
[[nodiscard]] std::uint16_t internet_checksum(std::span<const std::byte> bytes,
                                              std::uint32_t initial = 0);

}  // namespace weft::conformance
