#include <weft/net/posix/socket_address.hpp>

#include <arpa/inet.h>

#include <algorithm>
#include <cstring>

namespace weft::net::posix {

answer read_address(const sockaddr* from, socklen_t bytes, endpoint& into) noexcept {
    if (from == nullptr) return -EFAULT;
    if (bytes < sizeof(sockaddr_in)) return -EINVAL;
    sockaddr_in in;
    std::memcpy(&in, from, sizeof in);
    if (in.sin_family != AF_INET) return -EAFNOSUPPORT;
    into = {ipv4_address{ntohl(in.sin_addr.s_addr)}, ntohs(in.sin_port)};
    return 0;
}

answer write_address(const endpoint& from, sockaddr* to, socklen_t* bytes) noexcept {
    if (to == nullptr) return 0;
    if (bytes == nullptr) return -EFAULT;
    if (static_cast<int>(*bytes) < 0) return -EINVAL;
    sockaddr_in in{};
    in.sin_family = AF_INET;
    in.sin_port = htons(from.port);
    const bool is_any = from.address.is_unspecified() || !from.address.is_v4();
    in.sin_addr.s_addr = is_any ? htonl(INADDR_ANY) : htonl(from.address.v4().value());
    std::memcpy(to, &in, std::min<std::size_t>(*bytes, sizeof in));
    *bytes = sizeof in;
    return 0;
}

}  // namespace weft::net::posix
