#include <weft/net/tcp/fast_open_cookie.hpp>

#include <array>

namespace weft::net::tcp {
namespace {

hash_secret key_of(const hash_secret& secret, std::uint64_t count) noexcept {
    constexpr auto purpose = static_cast<std::uint64_t>(hash_purpose::fast_open_keys);
    return {keyed_hash(secret, {count, purpose, 0}), keyed_hash(secret, {count, purpose, 1})};
}

/// A word whose bytes, from the lowest up, are those of a message in their order.
std::uint64_t in_wire_order(std::uint64_t word) noexcept {
    std::uint64_t turned = 0;
    for (unsigned shift = 0; shift < 64; shift += 8) turned = turned << 8 | (word >> shift & 0xff);
    return turned;
}

}  // namespace

fast_open_keys fast_open_keys_at(const hash_secret& secret, instant now) noexcept {
    const auto count = static_cast<std::uint64_t>(now.time_since_epoch() / fast_open_key_period);
    return {key_of(secret, count), key_of(secret, count - 1)};
}

/// The message is the client's address and then ours, as the bytes of an IP header: servers that
/// share a key need not all be of one make.
wire::tcp_fast_open_cookie bake_fast_open_cookie(const hash_secret& key,
                                                 const four_tuple& tuple) noexcept {
    const ip_address& client = tuple.remote_address;
    const ip_address& server = tuple.local_address;
    std::uint64_t hash = 0;
    if (client.is_v4()) {
        const std::uint64_t both = std::uint64_t{client.v4().value()} << 32 | server.v4().value();
        hash = keyed_hash(key, {in_wire_order(both)});
    } else {
        hash =
            keyed_hash(key, {in_wire_order(client.v6().high()), in_wire_order(client.v6().low()),
                             in_wire_order(server.v6().high()), in_wire_order(server.v6().low())});
    }
    std::array<std::byte, 8> bytes;
    for (unsigned i = 0; i < 8; ++i) bytes[i] = static_cast<std::byte>(hash >> (8 * i));
    return wire::tcp_fast_open_cookie{bytes};
}

cookie_verdict taste_fast_open_cookie(const fast_open_keys& keys, const four_tuple& tuple,
                                      const wire::tcp_fast_open_cookie& cookie) noexcept {
    if (cookie == bake_fast_open_cookie(keys.current, tuple)) return cookie_verdict::current;
    if (keys.previous && cookie == bake_fast_open_cookie(*keys.previous, tuple)) {
        return cookie_verdict::previous;
    }
    return cookie_verdict::invalid;
}

}  // namespace weft::net::tcp
