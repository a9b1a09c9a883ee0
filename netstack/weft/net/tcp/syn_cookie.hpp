#pragma once
// SYN cookies: the second step of a handshake that leaves nothing behind (RFC 4987 §3.6).
//
// The initial sequence number of our SYN,ACK says what the third step has to prove: a keyed hash of
// the four-tuple, the peer's number, the time and the options. The MSS is kept in it as one of
// eight; window scale, SACK and ECN in the low six bits of our timestamp, when the peer sends
// timestamps, and are off otherwise. A cookie counts for two to three minutes. Holds only a secret;
// called by demux when there is no room for a record (syn_cache.hpp), or always, as configured.

#include <weft/net/tcp/handshake.hpp>
#include <weft/net/tcp/keyed_hash.hpp>

#include <chrono>
#include <optional>

namespace weft::net::tcp {

class syn_cookies {
public:
    /// The time in a cookie is counted in these.
    static constexpr duration period = std::chrono::seconds{64};
    /// How many of them a cookie counts after that in which it was made.
    static constexpr std::uint32_t most_periods = 2;

    explicit syn_cookies(const hash_secret& secret) noexcept : secret_{secret} {}

    /// The ISS that stands for `h`. What it cannot remember is taken out of `h`.
    [[nodiscard]] sequence_number bake(handshake& h, instant now) const noexcept;
    /// `clock` with the options of `h` in its low bits, and not later.
    [[nodiscard]] static std::uint32_t timestamp(const handshake& h, std::uint32_t clock) noexcept;

    /// The handshake that `ack` completes; nothing when it proves no cookie of ours. `clock` is
    /// what our timestamps to this peer say now.
    [[nodiscard]] std::optional<handshake> taste(const four_tuple& tuple, const segment& ack,
                                                 std::uint32_t clock, instant now) const noexcept;

private:
    [[nodiscard]] std::uint32_t proof(const four_tuple& tuple, sequence_number irs,
                                      std::uint32_t count, std::uint32_t mss_index,
                                      std::uint32_t options) const noexcept;

    hash_secret secret_;
};

}  // namespace weft::net::tcp
