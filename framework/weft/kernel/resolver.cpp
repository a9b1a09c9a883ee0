#include <weft/kernel/resolver.hpp>

#include <netdb.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <memory>
#include <optional>

namespace weft::kernel {
namespace {

class category final : public std::error_category {
public:
    [[nodiscard]] const char* name() const noexcept override { return "getaddrinfo"; }
    [[nodiscard]] std::string message(int code) const override { return ::gai_strerror(code); }
    [[nodiscard]] std::error_condition default_error_condition(int code) const noexcept override {
        switch (code) {
            case EAI_AGAIN: return std::errc::resource_unavailable_try_again;
            case EAI_MEMORY: return std::errc::not_enough_memory;
            case EAI_FAMILY: return std::errc::address_family_not_supported;
            default: return {code, *this};
        }
    }
};

std::optional<endpoint> endpoint_of(const ::addrinfo& from) noexcept {
    if (from.ai_family == AF_INET) {
        sockaddr_in address{};
        std::memcpy(&address, from.ai_addr, sizeof address);
        return endpoint{ipv4_address{ntohl(address.sin_addr.s_addr)}, ntohs(address.sin_port)};
    }
    if (from.ai_family != AF_INET6) return std::nullopt;
    sockaddr_in6 address{};
    std::memcpy(&address, from.ai_addr, sizeof address);
    if (address.sin6_scope_id != 0) return std::nullopt;
    std::array<std::uint8_t, 16> bytes{};
    std::memcpy(bytes.data(), &address.sin6_addr, bytes.size());
    return endpoint{ipv6_address{bytes}, ntohs(address.sin6_port)};
}

::addrinfo hints_of(resolve_options wanted) noexcept {
    ::addrinfo hints{};
    switch (wanted.family) {
        case resolve_options::addresses::any: hints.ai_family = AF_UNSPEC; break;
        case resolve_options::addresses::v4: hints.ai_family = AF_INET; break;
        case resolve_options::addresses::v6: hints.ai_family = AF_INET6; break;
    }
    const bool datagrams = wanted.protocol == resolve_options::transport::udp;
    hints.ai_socktype = datagrams ? SOCK_DGRAM : SOCK_STREAM;
    if (wanted.to_listen) hints.ai_flags |= AI_PASSIVE;
    if (wanted.numeric) hints.ai_flags |= AI_NUMERICHOST;
    if (wanted.configured) hints.ai_flags |= AI_ADDRCONFIG;
    return hints;
}

const char* or_null(const std::string& text) noexcept {
    return text.empty() ? nullptr : text.c_str();
}

}  // namespace

const std::error_category& resolve_category() noexcept {
    static const category only;
    return only;
}

std::error_code make_error_code(resolve_errc code) noexcept {
    return {static_cast<int>(code), resolve_category()};
}

result<resolver::endpoints> resolver::look_up(const std::string& host, const std::string& service,
                                              resolve_options wanted) {
    if (host.find('\0') != std::string::npos || service.find('\0') != std::string::npos) {
        return resolve_errc{EAI_NONAME};
    }
    const ::addrinfo hints = hints_of(wanted);
    ::addrinfo* raw = nullptr;
    const int error = ::getaddrinfo(or_null(host), or_null(service), &hints, &raw);
    if (error == EAI_SYSTEM) return std::error_code{errno, std::generic_category()};
    if (error != 0) return resolve_errc{error};
    const std::unique_ptr<::addrinfo, decltype(&::freeaddrinfo)> found{raw, &::freeaddrinfo};
    endpoints all;
    for (const ::addrinfo* one = found.get(); one != nullptr; one = one->ai_next) {
        if (const std::optional<endpoint> usable = endpoint_of(*one)) all.push_back(*usable);
    }
    if (all.empty()) return resolve_errc{EAI_ADDRFAMILY};
    return all;
}

}  // namespace weft::kernel
