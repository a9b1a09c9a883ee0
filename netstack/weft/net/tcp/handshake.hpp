#pragma once
// What the first two steps of a passive handshake have settled: all that a TCB needs to go on from
// SYN-RECEIVED. Kept by the SYN cache, rebuilt from a SYN cookie, or made of the SYN at once when
// it carries text that may be taken (RFC 7413). A plain value.

#include <weft/base/instant.hpp>
#include <weft/net/observer.hpp>
#include <weft/net/tcp/segment.hpp>

#include <cstdint>

namespace weft::net::tcp {

class listener;

struct handshake {
    four_tuple tuple;
    connection_id id = 0;
    listener* parent = nullptr;
    instant first_sent_at;  ///< our SYN,ACK; before it was sent: when the SYN came
    instant sent_at;        ///< the same, for the last time
    sequence_number iss;
    sequence_number irs;
    std::uint32_t ts_recent = 0;  ///< TSval of the peer's SYN
    std::uint16_t mss = 0;        ///< as the peer announced; 0: it did not
    std::uint16_t wnd = 0;        ///< as on the wire
    std::uint8_t scale = 0;       ///< the peer's window scale
    std::uint8_t sent = 0;        ///< SYN,ACKs sent, up to 255
    bool has_scale : 1 = false;
    bool has_timestamps : 1 = false;
    bool may_selectively_acknowledge : 1 = false;
    bool has_ecn : 1 = false;        ///< an ECN-setup SYN (RFC 3168 §6.1.1)
    bool is_timed : 1 = true;        ///< `sent_at` is known
    bool offers_cookie : 1 = false;  ///< our SYN,ACK brings one (RFC 7413)

    handshake() noexcept = default;
    /// Of the SYN that begins it; our ISS is still to be chosen.
    handshake(const four_tuple& t, const segment& syn, instant now) noexcept
        : tuple{t},
          first_sent_at{now},
          sent_at{now},
          irs{syn.seq},
          ts_recent{syn.options.timestamps().value},
          mss{syn.options.mss()},
          wnd{syn.wnd},
          scale{syn.options.window_scale()},
          has_scale{syn.options.has_window_scale()},
          has_timestamps{syn.options.has_timestamps()},
          may_selectively_acknowledge{syn.options.has_sack_permitted()},
          has_ecn{syn.has(tcp_flags::ece) && syn.has(tcp_flags::cwr)} {}

    /// The SYN again, as far as it matters.
    [[nodiscard]] segment syn() const noexcept {
        segment s;
        s.seq = irs;
        s.wnd = wnd;
        s.flags = has_ecn ? tcp_flags::syn | tcp_flags::ece | tcp_flags::cwr : tcp_flags::syn;
        if (mss != 0) s.options.set_mss(mss);
        if (has_scale) s.options.set_window_scale(scale);
        if (has_timestamps) s.options.set_timestamps({ts_recent, 0});
        if (may_selectively_acknowledge) s.options.set_sack_permitted();
        return s;
    }
};

}  // namespace weft::net::tcp
