#pragma once
// How often one connection may send a challenge ACK (RFC 5961 §7), or answer a segment without text
// that is not acceptable: a peer that is confused, or somebody who plays it, gets one in an
// interval, and two that answer each other's answers do not go on for ever.
//
// A limit that all connections share would tell each of them what is sent on the others
// (CVE-2016-5696); this one tells a stranger nothing that he has not caused himself.

#include <weft/base/instant.hpp>

#include <chrono>
#include <cstdint>

namespace weft::net::tcp {

class challenge_throttle {
public:
    [[nodiscard]] bool admits(instant now, duration interval) const noexcept {
        return at_ms_ == 0 || to_ms(now.time_since_epoch()) - at_ms_ >= to_ms(interval);
    }
    void note(instant now) noexcept {
        const std::uint32_t ms = to_ms(now.time_since_epoch());
        at_ms_ = ms == 0 ? 1 : ms;
    }

private:
    static std::uint32_t to_ms(duration d) noexcept {
        return static_cast<std::uint32_t>(
            std::chrono::duration_cast<std::chrono::milliseconds>(d).count());
    }

    std::uint32_t at_ms_ = 0;  ///< when the last one was sent, modulo 2^32; 0: none was
};

}  // namespace weft::net::tcp
