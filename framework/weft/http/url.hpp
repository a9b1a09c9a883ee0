#pragma once
// http URLs of a client (RFC 3986, RFC 9110 §4.2): parsed strictly, and references resolved
// against them for redirects. Not a general URI library: scheme http, host and port, path and
// query; user information is refused (RFC 9110 §4.2.4), a fragment is dropped.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace weft::http {

struct url {
    std::string host;  ///< lower case; an IPv6 address stands without its brackets
    std::uint16_t port = 80;
    std::string target;  ///< path and query as they go into the request: never empty
    bool is_ipv6 = false;

    /// Host and port as they go into the Host field; the default port is left out.
    [[nodiscard]] std::string authority() const;
    [[nodiscard]] std::string to_string() const;
    friend bool operator==(const url&, const url&) = default;
};

/// Reads an absolute http URL.
[[nodiscard]] std::optional<url> parse_url(std::string_view text);

/// What a Location field means seen from `base` (RFC 3986 §5.2): absolute, `//host/…`, `/…`,
/// relative, or `?query`. Nothing when it is malformed or of another scheme.
[[nodiscard]] std::optional<url> resolve(const url& base, std::string_view reference);

}  // namespace weft::http
