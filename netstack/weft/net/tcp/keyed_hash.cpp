#include <weft/net/tcp/keyed_hash.hpp>

#include <bit>

namespace weft::net::tcp {
namespace {

struct sip_state {
    std::uint64_t v0, v1, v2, v3;

    void round() noexcept {
        v0 += v1;
        v2 += v3;
        v1 = std::rotl(v1, 13) ^ v0;
        v3 = std::rotl(v3, 16) ^ v2;
        v0 = std::rotl(v0, 32);
        v2 += v1;
        v0 += v3;
        v1 = std::rotl(v1, 17) ^ v2;
        v3 = std::rotl(v3, 21) ^ v0;
        v2 = std::rotl(v2, 32);
    }

    void absorb(std::uint64_t word) noexcept {
        v3 ^= word;
        round();
        round();
        v0 ^= word;
    }
};

}  // namespace

std::uint64_t keyed_hash(const hash_secret& secret,
                         std::initializer_list<std::uint64_t> words) noexcept {
    sip_state s{secret.k0 ^ 0x736f6d6570736575, secret.k1 ^ 0x646f72616e646f6d,
                secret.k0 ^ 0x6c7967656e657261, secret.k1 ^ 0x7465646279746573};
    for (const std::uint64_t word : words) s.absorb(word);
    s.absorb(std::uint64_t{words.size() * 8 & 0xff} << 56);
    s.v2 ^= 0xff;
    for (int i = 0; i < 4; ++i) s.round();
    return s.v0 ^ s.v1 ^ s.v2 ^ s.v3;
}

std::uint64_t keyed_hash(const hash_secret& secret, const four_tuple& tuple,
                         hash_purpose purpose) noexcept {
    const auto& local = tuple.local_address.v6();
    const auto& remote = tuple.remote_address.v6();
    const std::uint64_t ports = static_cast<std::uint64_t>(purpose) << 32 |
                                std::uint64_t{tuple.local_port} << 16 | tuple.remote_port;
    if (tuple.remote_address.is_v4()) {  // the high halves are constant
        return keyed_hash(secret, {local.low(), remote.low(), ports});
    }
    return keyed_hash(secret, {local.high(), local.low(), remote.high(), remote.low(), ports});
}

}  // namespace weft::net::tcp
