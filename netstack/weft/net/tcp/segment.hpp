#pragma once
// Segments as the state machine sees them: one that arrived, one that is about to leave.

#include <weft/net/block_pool.hpp>
#include <weft/net/tcp/sequence_number.hpp>
#include <weft/net/wire/tcp.hpp>

#include <cstdint>

namespace weft::net::tcp {

using wire::tcp_flags;

/// The two ends of a connection; local is ours.
struct four_tuple {
    ip_address local_address;
    ip_address remote_address;
    std::uint16_t local_port = 0;
    std::uint16_t remote_port = 0;

    [[nodiscard]] endpoint local() const noexcept { return {local_address, local_port}; }
    [[nodiscard]] endpoint remote() const noexcept { return {remote_address, remote_port}; }
    friend constexpr bool operator==(const four_tuple&, const four_tuple&) noexcept = default;
};

/// A segment that arrived, checksum verified. SEG.* of RFC 9293 §3.3.1.
struct segment {
    sequence_number seq;
    sequence_number ack;
    std::uint16_t wnd = 0;  ///< as on the wire, unscaled
    std::uint16_t up = 0;
    tcp_flags flags;
    std::uint8_t traffic_class = 0;  ///< of the packet: Diffserv and, in the two low bits, ECN
    wire::tcp_options options;
    slice text;
    bool text_refused = false;        ///< it had text, which a closed window kept out
    std::uint32_t segment_bytes = 0;  ///< payload bytes of each segment a device put together; or 0

    [[nodiscard]] bool has(tcp_flags f) const noexcept { return flags.has(f); }
    /// SEG.LEN: the text, and one each for SYN and FIN.
    [[nodiscard]] std::uint32_t len() const noexcept {
        return text.size() + (has(tcp_flags::syn) ? 1U : 0U) + (has(tcp_flags::fin) ? 1U : 0U);
    }
    /// How many segments the peer sent for this one.
    [[nodiscard]] std::uint32_t count() const noexcept {
        return segment_bytes == 0 ? 1U : (text.size() + segment_bytes - 1) / segment_bytes;
    }
};

/// A segment without a connection or text: RST, a cookie, or an acknowledgment from no TCB.
struct reply {
    four_tuple tuple;
    std::uint32_t sequence = 0;
    std::uint32_t acknowledgment = 0;
    tcp_flags flags;
    std::uint8_t traffic_class = 0;
    std::uint8_t hop_limit = 0;  ///< 0: config::hop_limit
    std::uint16_t window = 0;    ///< as on the wire
    wire::tcp_options options = {};
};

/// A segment to send: header and options; the text is already in the slot's payload.
struct outgoing {
    wire::tcp_header header;
    wire::tcp_options options;
    std::uint16_t segment_bytes = 0;  ///< nonzero: to be cut into segments of this size
    bool retransmission = false;
    bool may_fragment = false;  ///< routers may cut it: the path takes less than we send
    std::uint8_t traffic_class = 0;  ///< of the packet: Diffserv and, in the two low bits, ECN
    std::uint8_t hop_limit = 0;
};

}  // namespace weft::net::tcp
