#pragma once
// The checks of RFC 9293 §3.10.7.4 that need no more of a connection than a few numbers, and what a
// segment that fails them is answered with. Pure functions, used where there is a TCB (connection)
// and where a record stands in for one (syn_cache, time_wait).

#include <weft/net/tcp/segment.hpp>
#include <weft/net/tcp/sequence_number.hpp>

#include <cstdint>
#include <optional>

namespace weft::net::tcp {

/// What a segment that is dropped is answered with.
enum class answer : std::uint8_t {
    none,
    acknowledge,  ///< an ACK
    challenge,    ///< an ACK, as often as RFC 5961 §7 allows: answering answers makes ACK loops
};

/// PAWS, of a connection with timestamps: an old duplicate carries an old one (RFC 7323 §5.3 R1; of
/// a segment without any §3.2). Nothing: it passes.
[[nodiscard]] inline std::optional<answer> check_paws(const segment& seg,
                                                      std::uint32_t ts_recent) noexcept {
    if (seg.has(tcp_flags::rst)) return std::nullopt;
    if (!seg.options.has_timestamps()) return answer::none;
    if (!is_older_timestamp(seg.options.timestamps().value, ts_recent)) return std::nullopt;
    return seg.len() == 0 ? answer::challenge : answer::acknowledge;
}

/// "First, check sequence number", for a window that begins at RCV.NXT.
///
/// Deviates: a segment without text is also taken at the window's right edge, where a peer stands
/// that has used the window up; its acknowledgment would be lost otherwise. Of a RST the edge is
/// outside (RFC 5961 §3), unless the window is closed (MUST-66).
[[nodiscard]] inline bool is_acceptable(const segment& seg, const sequence_span& window) noexcept {
    const std::uint32_t len = seg.len();
    if (len != 0) return window.holds(seg.seq) || window.holds(seg.seq + (len - 1));
    const bool may_be_edge = window.size() == 0 || !seg.has(tcp_flags::rst);
    return seg.seq - window.begin < window.size() + (may_be_edge ? 1U : 0U);
}

/// What the RFC's "if an incoming segment is not acceptable, an acknowledgment should be sent in
/// reply" makes of one. Text or a FIN that comes again has not been heard to be acknowledged.
[[nodiscard]] inline answer answer_to_unacceptable(const segment& seg) noexcept {
    if (seg.has(tcp_flags::rst)) return answer::none;
    return seg.has(tcp_flags::fin) || !seg.text.empty() ? answer::acknowledge : answer::challenge;
}

}  // namespace weft::net::tcp
