#include <weft/kernel/socket_address.hpp>

#include <array>
#include <cstring>

namespace weft::kernel {

socket_address::socket_address(const endpoint& from, int family) noexcept : bytes_{} {
    if (family == AF_INET) {
        bytes_.v4.sin_family = AF_INET;
        bytes_.v4.sin_port = htons(from.port);
        bytes_.v4.sin_addr.s_addr = htonl(from.address.v4().value());
        return;
    }
    bytes_.v6.sin6_family = AF_INET6;
    bytes_.v6.sin6_port = htons(from.port);
    const std::array<std::uint8_t, 16> address = from.address.v6().bytes();
    std::memcpy(bytes_.v6.sin6_addr.s6_addr, address.data(), address.size());
}

endpoint socket_address::to_endpoint() const noexcept {
    if (bytes_.any.sa_family == AF_INET) {
        return {ipv4_address{ntohl(bytes_.v4.sin_addr.s_addr)}, ntohs(bytes_.v4.sin_port)};
    }
    if (bytes_.any.sa_family != AF_INET6) return {};
    std::array<std::uint8_t, 16> address{};
    std::memcpy(address.data(), bytes_.v6.sin6_addr.s6_addr, address.size());
    return {ipv6_address{address}, ntohs(bytes_.v6.sin6_port)};
}

}  // namespace weft::kernel
