#pragma once
// What Linux's TCP_INFO says of a socket, from what our connection knows of itself.

#include <linux/tcp.h>

namespace weft::net::posix {

class socket;

[[nodiscard]] tcp_info status_of(const socket& s) noexcept;

}  // namespace weft::net::posix
