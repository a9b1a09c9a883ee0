#pragma once
// `sockaddr` to and from an endpoint, with the answers that Linux gives to bad ones.

#include <netinet/in.h>
#include <sys/socket.h>

#include <weft/net/address.hpp>
#include <weft/net/posix/kernel_answer.hpp>

namespace weft::net::posix {

/// 0 and the endpoint; -EFAULT for none at all, -EINVAL when it is too short, -EAFNOSUPPORT when it
/// is of another family.
answer read_address(const sockaddr* from, socklen_t bytes, endpoint& into) noexcept;

/// Writes as much as there is room for, and how long it is in full. `-EINVAL` for a negative room,
/// -EFAULT for half a pair; nothing is written when `to` is null.
answer write_address(const endpoint& from, sockaddr* to, socklen_t* bytes) noexcept;

}  // namespace weft::net::posix
