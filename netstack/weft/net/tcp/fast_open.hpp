#pragma once
// What a connection that opens fast (RFC 7413) keeps until its SYN is acknowledged, and how it went
// for the rest of its life. Plain values; connection_fast_open.cpp uses them.

#include <weft/net/wire/tcp_options.hpp>

#include <cstdint>

namespace weft::net::tcp {

class listener;

/// How text in our SYN, or in the peer's, fared.
enum class fast_open_outcome : std::uint8_t {
    none,                   ///< there was none, and none was wanted
    no_cookie,              ///< there was none, for want of a cookie
    text_acknowledged,      ///< all of it, by the SYN,ACK
    text_not_acknowledged,  ///< it followed the handshake
    syn_repeated,           ///< it followed the handshake, which took a second SYN
};

struct fast_open_state {
    /// Our first SYN has the option with this; of a SYN,ACK an empty one means that it has not.
    wire::tcp_fast_open_cookie cookie;
    bool has_option = true;       ///< false: opened without a cookie (§7.3)
    std::uint16_t most_text = 0;  ///< bytes that our SYN may carry
    listener* counted = nullptr;  ///< of a child: where it is pending; it may be gone before it
};

}  // namespace weft::net::tcp
