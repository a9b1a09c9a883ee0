#pragma once
// Endpoints as the kernel wants them. IPv4 endpoints are AF_INET, others AF_INET6; what comes back
// mapped (RFC 4291 §2.5.5.2) from a socket for both families is an IPv4 endpoint again.

#include <weft/base/address.hpp>

#include <netinet/in.h>
#include <sys/socket.h>

namespace weft::kernel {

class socket_address {
public:
    /// Room for an answer of the kernel.
    socket_address() noexcept : bytes_{} { bytes_.v6.sin6_family = AF_UNSPEC; }
    /// `family` AF_INET6 gives an IPv4 endpoint in its mapped form.
    explicit socket_address(const endpoint& from, int family) noexcept;

    [[nodiscard]] static int family_of(const endpoint& of) noexcept {
        return of.address.is_v4() ? AF_INET : AF_INET6;
    }

    [[nodiscard]] sockaddr& get() noexcept { return bytes_.any; }
    [[nodiscard]] const sockaddr& get() const noexcept { return bytes_.any; }
    [[nodiscard]] socklen_t length() const noexcept {
        return bytes_.any.sa_family == AF_INET ? sizeof bytes_.v4 : sizeof bytes_.v6;
    }
    [[nodiscard]] static constexpr socklen_t capacity() noexcept { return sizeof(sockaddr_in6); }
    /// Nothing (`[::]:0`) when it is of another family.
    [[nodiscard]] endpoint to_endpoint() const noexcept;

private:
    union storage {
        sockaddr any;
        sockaddr_in v4;
        sockaddr_in6 v6;
    };
    storage bytes_;
};

}  // namespace weft::kernel
