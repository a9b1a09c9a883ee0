#pragma once
// What the kernel under a ring can do beyond Linux 6.1, which every ring needs.
//
// Found out when the ring is made: an older kernel makes the constructor throw, with a text that
// says so; a feature that is missing here has a way without it. Nothing else compares versions.
// `ring::options::abilities` leaves a ring fewer, so that tests go those ways on a younger kernel.

#include <string>
#include <string_view>

namespace weft {

struct ring_abilities {
    bool zero_copy_send = false;    ///< IORING_OP_SEND_ZC
    bool zero_copy_report = false;  ///< it tells whether it copied after all (Linux 6.2)
    bool read_multishot = false;    ///< IORING_OP_READ_MULTISHOT (Linux 6.7)
    bool truncate = false;          ///< IORING_OP_FTRUNCATE (Linux 6.9)
    bool receive_limit = false;     ///< a multishot receive that ends after so many bytes (6.17)
    bool busy_poll = false;         ///< NAPI busy polling by the ring (Linux 6.9)
};

/// As a limit: none.
inline constexpr ring_abilities every_ability{true, true, true, true, true, true};
/// What Linux 6.1 offers, and so the least that any ring has.
inline constexpr ring_abilities linux_6_1_abilities{.zero_copy_send = true};

/// What both have.
[[nodiscard]] constexpr ring_abilities common(const ring_abilities& a,
                                              const ring_abilities& b) noexcept {
    return {.zero_copy_send = a.zero_copy_send && b.zero_copy_send,
            .zero_copy_report = a.zero_copy_report && b.zero_copy_report,
            .read_multishot = a.read_multishot && b.read_multishot,
            .truncate = a.truncate && b.truncate,
            .receive_limit = a.receive_limit && b.receive_limit,
            .busy_poll = a.busy_poll && b.busy_poll};
}

/// What to tell somebody whose kernel, of this release, refused to make a ring: why, and what to
/// do.
[[nodiscard]] std::string why_no_ring(int error, std::string_view release);

}  // namespace weft
