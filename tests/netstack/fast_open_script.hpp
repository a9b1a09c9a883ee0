#pragma once
// What the tests of TCP Fast Open have in common: segments with a cookie, and a listener that gives
// cookies out.

#include "scripted_peer.hpp"

#include <cstdint>
#include <string_view>

namespace weft::test {

using fast_open_cookie = net::wire::tcp_fast_open_cookie;

inline fast_open_cookie cookie_of(std::string_view bytes) {
    return fast_open_cookie{std::as_bytes(std::span{bytes})};
}

inline script_segment with_cookie(script_segment s, const fast_open_cookie& cookie = {}) {
    s.options.set_fast_open(cookie);
    return s;
}

inline script_segment with_text(script_segment s, std::string text) {
    s.text = std::move(text);
    return s;
}

/// A listener of the script's, with a queue of that length.
inline void listens(scripted_peer& peer, const net::tcp::listen_options& options) {
    net::tcp::listen_options with = options;
    with.connection = peer.options.connection;
    peer.listener = peer.demux.listen(scripted_peer::tuple().local(), with, peer.now).value();
}

/// Asks the listener for a cookie, and leaves nothing behind.
inline fast_open_cookie ask_for_cookie(scripted_peer& peer) {
    peer.sends(with_cookie(syn(77)));
    const fast_open_cookie given = peer.sees().options.fast_open();
    peer.sends(rst(78));
    return given;
}

}  // namespace weft::test
