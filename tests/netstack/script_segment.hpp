#pragma once
// A segment as a script of scripted_peer.hpp writes it, and sees it: plain sequence numbers, and
// the text as a string. Its functions make the usual kinds: syn(5000), data(5001, 1001, "hello").

#include <weft/base/instant.hpp>
#include <weft/net/wire/tcp.hpp>
#include <weft/net/wire/tcp_options.hpp>

#include <cstdint>
#include <initializer_list>
#include <optional>
#include <ostream>
#include <string>
#include <utility>

namespace weft::test {

using net::wire::tcp_flags;

/// A segment to send, or one that was seen. Compared by SEG.SEQ, SEG.ACK, control bits but PSH,
/// text.
struct script_segment {
    std::uint32_t seq = 0;
    std::uint32_t ack = 0;
    tcp_flags flags;
    std::string text;

    // Not compared.
    std::optional<std::uint16_t> window;  ///< as on the wire; when sending, the script's by default
    net::wire::tcp_options options;
    std::uint16_t urgent = 0;
    std::uint8_t traffic_class = 0;  ///< of the packet
    std::uint32_t segment_bytes = 0;
    bool retransmission = false;
    bool plain = false;  ///< when sending: no timestamps are added
    duration at{};       ///< when it left, since the script began

    [[nodiscard]] bool has(tcp_flags f) const { return flags.has(f); }
    [[nodiscard]] std::uint32_t end() const;

    script_segment with_window(std::uint16_t w) const;
    script_segment with_mss(std::uint16_t mss) const;
    script_segment with_scale(std::uint8_t shift) const;
    script_segment with_timestamps(std::uint32_t value, std::uint32_t echo) const;
    script_segment without_timestamps() const;
    /// Selective acknowledgment of [first, second), in this order.
    script_segment with_sack(
        std::initializer_list<std::pair<std::uint32_t, std::uint32_t>> blocks) const;
    script_segment with_urgent(std::uint16_t pointer) const;
    script_segment with(tcp_flags more) const;
    /// In a packet with that ECN codepoint.
    script_segment marked(std::uint8_t codepoint) const;
    /// As a device hands over what it put together of segments of `bytes` each.
    script_segment made_of(std::uint32_t bytes) const;

    friend bool operator==(const script_segment& a, const script_segment& b);
};
std::ostream& operator<<(std::ostream& out, const script_segment& s);

/// No segment.
inline const script_segment nothing{};

script_segment segment_with(tcp_flags flags, std::uint32_t seq, std::uint32_t ack,
                            std::string text = {});
script_segment syn(std::uint32_t seq);
script_segment syn_ack(std::uint32_t seq, std::uint32_t ack);
script_segment ack(std::uint32_t seq, std::uint32_t ack);
script_segment data(std::uint32_t seq, std::uint32_t ack, std::string text);
script_segment fin_ack(std::uint32_t seq, std::uint32_t ack, std::string text = {});
script_segment rst(std::uint32_t seq);
script_segment rst_ack(std::uint32_t seq, std::uint32_t ack);

/// `count` bytes of one long text, from its byte `from` on; neighbours differ.
std::string stream_text(std::size_t count, std::uint64_t from = 0);

}  // namespace weft::test
