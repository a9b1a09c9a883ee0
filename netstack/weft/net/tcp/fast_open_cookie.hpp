#pragma once
// TCP Fast Open cookies of a server: a proof that the client was reached at its address before (RFC
// 7413 §4.1.2).
//
// A cookie is the keyed hash of the two addresses. Two keys count at any time, the current one and
// the one before it, so that a change of keys invalidates cookies gradually. Unless a listener has
// keys of its own (which the servers of a farm may share, §6.3.4), they follow from the stack's
// secret and change twice a day. Pure functions; called by demux.

#include <weft/base/instant.hpp>
#include <weft/net/tcp/keyed_hash.hpp>
#include <weft/net/wire/tcp_options.hpp>

#include <chrono>
#include <optional>

namespace weft::net::tcp {

struct fast_open_keys {
    hash_secret current;
    std::optional<hash_secret> previous = {};
};

/// How long the keys of `fast_open_keys_at` are current; for as long again they are the previous.
inline constexpr duration fast_open_key_period = std::chrono::hours{12};

/// The keys that follow from `secret`.
[[nodiscard]] fast_open_keys fast_open_keys_at(const hash_secret& secret, instant now) noexcept;

/// GetCookie() of the RFC: for the client at the tuple's remote address.
[[nodiscard]] wire::tcp_fast_open_cookie bake_fast_open_cookie(const hash_secret& key,
                                                               const four_tuple& tuple) noexcept;

enum class cookie_verdict : std::uint8_t { invalid, current, previous };

/// IsCookieValid() of the RFC, and of which key.
[[nodiscard]] cookie_verdict taste_fast_open_cookie(
    const fast_open_keys& keys, const four_tuple& tuple,
    const wire::tcp_fast_open_cookie& cookie) noexcept;

}  // namespace weft::net::tcp
