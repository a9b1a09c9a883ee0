#pragma once
// A keyed hash of a connection's four-tuple: for initial sequence numbers (RFC 9293 §3.4.1,
// MUST-9), source ports (RFC 6056 §3.3.3) and the connection table, none of which a stranger may
// predict. SipHash-2-4 (Aumasson and Bernstein, 2012), over whole 64-bit words.

#include <weft/net/tcp/segment.hpp>

#include <cstdint>
#include <initializer_list>

namespace weft::net::tcp {

/// 128 random bits, made by whoever makes the stack.
struct hash_secret {
    std::uint64_t k0 = 0;
    std::uint64_t k1 = 0;
};

/// The hash of a message of whole words.
[[nodiscard]] std::uint64_t keyed_hash(const hash_secret& secret,
                                       std::initializer_list<std::uint64_t> words) noexcept;

/// The hash of a four-tuple; `purpose` keeps uses of one secret apart.
[[nodiscard]] std::uint64_t keyed_hash(const hash_secret& secret, const four_tuple& tuple,
                                       std::uint64_t purpose) noexcept;

}  // namespace weft::net::tcp
