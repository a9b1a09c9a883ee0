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

/// Keeps the uses of one secret apart: what one of them shows tells nothing of the others.
enum class hash_purpose : std::uint8_t {
    table,             ///< where a four-tuple is found
    initial_sequence,  ///< RFC 9293 §3.4.1
    timestamp_offset,  ///< RFC 7323 §5.4
    source_port,       ///< RFC 6056 §3.3.3
    challenge_limit,   ///< RFC 5961 §7
    syn_cookie,        ///< RFC 4987 §3.6
    fast_open_keys,    ///< RFC 7413 §4.1.2
};

[[nodiscard]] std::uint64_t keyed_hash(const hash_secret& secret, const four_tuple& tuple,
                                       hash_purpose purpose) noexcept;

}  // namespace weft::net::tcp
