#pragma once
// The habits that a suite of scripts assumes of the host under test, from one line of text:
// "mtu=1500, timestamps=off, receive_buffer=65535". docs/packetdrill.md lists the keys.

#include <weft/net/posix/network.hpp>

#include <string_view>

namespace weft::conformance {

/// Keys and values joined by '=', separated by commas, semicolons or blanks; none at all gives the
/// stack's own habits. Throws std::invalid_argument with a sentence that names the offender.
[[nodiscard]] net::posix::network_options parse_profile(std::string_view text);

}  // namespace weft::conformance
