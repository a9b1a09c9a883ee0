#pragma once
// What a user may set: for one connection, and for a whole stack. Plain values; every figure has a
// unit in its type or its name, and its source.

#include <weft/base/instant.hpp>
#include <weft/net/tcp/fast_open_cookie.hpp>

#include <chrono>
#include <cstdint>
#include <optional>
#include <type_traits>

namespace weft::net::tcp {

/// Probes an idle connection (RFC 9293 §3.8.4). Off by default (MUST-25).
struct keepalive_options {
    bool enabled = false;
    duration idle = std::chrono::hours{2};         ///< before the first probe (MUST-28)
    duration interval = std::chrono::seconds{75};  ///< between unanswered probes
    std::uint8_t probes = 9;                       ///< unanswered, until timed_out (MUST-29)
};

/// Who decides how much may be in flight (RFC 9293 §3.8.2, MAY-18).
enum class congestion_algorithm : std::uint8_t {
    cubic,     ///< RFC 9438, with HyStart++ (RFC 9406)
    new_reno,  ///< RFC 5681, RFC 6582
    bbr,       ///< by measured rate and round-trip time, paced
};

/// Whether a connection finds out by itself what its path takes (RFC 4821).
enum class mtu_probing_mode : std::uint8_t {
    off,            ///< routers say (RFC 1191), or nobody does
    on_black_hole,  ///< once large packets vanish without a word, or to try a path anew
    always,         ///< from the start, from `base_mtu_bytes` upward
};

/// When a SYN is answered with a cookie and no record is kept of it (RFC 4987 §3.6).
enum class cookie_policy : std::uint8_t {
    on_overflow,  ///< when there is no room for a record
    always,       ///< never a record
    never,        ///< what there is no room for is dropped
};

/// Explicit congestion notification (RFC 3168, SHLD-8).
enum class ecn_mode : std::uint8_t {
    off,      ///< neither asked for nor agreed to
    accept,   ///< agreed to when the peer asks
    request,  ///< asked for, too
};

/// Of one connection; of a listener, for the connections it accepts.
struct connection_options {
    bool no_delay = false;  ///< turns Nagle's algorithm off (RFC 9293 §3.7.4, MUST-17)
    keepalive_options keepalive = {};
    congestion_algorithm congestion = congestion_algorithm::cubic;
    /// How long data, a SYN or a FIN may stay unacknowledged before the connection times out
    /// (R2, RFC 9293 §3.8.3, MUST-21). Zero: 5 minutes for data (§3.10.1), 3 for a SYN (MUST-23).
    duration user_timeout = duration::zero();
    /// 0: as large as the path needs, within config::send_buffer_initial_bytes and _max_bytes. Else
    /// that large, from the start and for good. Likewise `receive_buffer_bytes`.
    std::uint32_t send_buffer_bytes = 0;
    /// The Diffserv field of what is sent, IPv4's TOS or IPv6's traffic class (RFC 9293 §3.9.1.9,
    /// MUST-48). The two low bits are ECN's (RFC 3168) and are not looked at.
    std::uint8_t traffic_class = 0;
    std::uint8_t hop_limit = 0;  ///< IPv4's TTL (RFC 9293 §3.9.2, MUST-49); 0: config::hop_limit
    /// What did not end the connection is kept for take_soft_error() (RFC 9293 §3.9.1.8); off: it
    /// is not (SHLD-20).
    bool soft_errors = true;
    std::uint32_t receive_buffer_bytes = 0;
    /// After silence the congestion window is what it was, and paced until it has proved itself
    /// again (RFC 7661): for what sends now and then, much at a time. Off: it starts again from the
    /// initial window (RFC 5681 §4.1). BBR paces always and keeps its own.
    bool keep_window_when_idle = false;
    bool linger_abort = false;  ///< destroying the stream aborts instead of closing
    /// Of an active open: text may leave in the SYN, once the server has given us a cookie; until
    /// then one is asked for (RFC 7413). Only for programs whose first bytes do no harm when the
    /// server gets them twice (§6.1).
    bool fast_open = false;
    bool fast_open_cookieless = false;  ///< and without one, where the server needs none (§7.3)
};
static_assert(std::is_trivially_destructible_v<connection_options>);

struct listen_options {
    /// Connections that wait to be accepted, and as many handshakes under way. SYNs above the first
    /// limit are dropped, above the second answered as `config::syn_cookies` says; both are
    /// counted.
    std::uint32_t backlog = 1024;
    /// Connections that may be accepted, and read from and written to, on the strength of a SYN
    /// with a cookie, before the client has been heard again: PendingFastOpenRequests of RFC 7413
    /// §4.2. Beyond that handshakes are as ever. 0: all are, and no cookie is given out. Only for
    /// programs that may be asked the same thing twice (§2.1).
    std::uint32_t fast_open_queue = 0;
    bool fast_open_cookieless = false;  ///< such a SYN needs no cookie (RFC 7413 §7.3)
    /// What cookies are made with; nothing: keys of the stack's own.
    std::optional<fast_open_keys> fast_open_secret = {};
    connection_options connection = {};
};
static_assert(std::is_trivially_destructible_v<listen_options>);

/// Of a whole stack.
struct config {
    duration max_segment_lifetime = std::chrono::seconds{30};  ///< MSL (RFC 9293 §3.4.2)
    duration initial_rto = std::chrono::seconds{1};            ///< RFC 6298 §2.1
    /// Deviates: RFC 6298 §2.4 says 1 s. 200 ms is what deployed stacks use.
    duration min_rto = std::chrono::milliseconds{200};
    duration max_rto = std::chrono::seconds{60};           ///< RFC 6298 §2.5
    duration delayed_ack = std::chrono::milliseconds{40};  ///< MUST-40: below 0.5 s; 0: none is
    std::uint8_t quick_acks = 8;  ///< first segments of a peer, in slow start, that get an ACK each
    duration fin_wait_2_limit = std::chrono::seconds{60};  ///< for orphans only
    bool window_scaling = true;                            ///< RFC 7323 §2
    static constexpr std::uint8_t shift_by_buffer = 0xff;
    /// The shift that is offered (RFC 7323 §2.2, at most 14); by default the receive buffer's need.
    std::uint8_t window_shift = shift_by_buffer;
    bool timestamps = true;                ///< RFC 7323 §3
    bool selective_acknowledgment = true;  ///< RFC 2018
    bool tail_loss_probes = true;          ///< RFC 8985 §7, where SACK is in use
    /// Deviates: RFC 8985 §7.2 has no least PTO. But two round trips of 30 µs are shorter than a
    /// peer is off its processor or waits for an interrupt: probes of what is not lost. Linux: two
    /// ticks.
    duration min_tail_probe = std::chrono::milliseconds{2};
    ecn_mode ecn = ecn_mode::accept;  ///< RFC 3168
    /// Nagle's rule (SHLD-7): a short segment waits for an earlier short one only (RFC 9293
    /// appendix A.3), instead of for all that is unacknowledged.
    bool short_waits_for_short = false;
    mtu_probing_mode mtu_probing = mtu_probing_mode::on_black_hole;
    std::uint32_t base_mtu_bytes = 1024;  ///< what gets through nearly everywhere (RFC 4821 §7.2)
    /// A router's word makes packets no smaller than this; on a narrower path they may be cut.
    std::uint32_t least_mtu_bytes = 552;
    std::uint8_t black_hole_timeouts = 3;  ///< in a row, of a full packet, until it is one
    duration mtu_raise_interval = std::chrono::minutes{10};  ///< RFC 1191 §6.3, RFC 4821 §7.3
    // Buffers whose size follows the path: where they begin, and what they may grow to. The window
    // scale that our SYN offers is for the latter.
    std::uint32_t send_buffer_initial_bytes = 128U << 10;
    std::uint32_t send_buffer_max_bytes = 32U << 20;
    std::uint32_t receive_buffer_initial_bytes = 64U << 10;  ///< RFC 6928: 10 segments, and more
    std::uint32_t receive_buffer_max_bytes = 32U << 20;
    std::uint32_t max_connections = 1U << 20;
    std::uint32_t max_orphans = 16384;
    /// Handshakes that strangers have begun, of all listeners together (RFC 4987 §3.5); each costs
    /// about a hundred bytes.
    std::uint32_t max_half_open = 8192;
    cookie_policy syn_cookies = cookie_policy::on_overflow;
    /// How long a service is not opened fast after the first attempt that failed (RFC 7413
    /// §4.1.3.1); longer after more of them. Zero: it is tried each time.
    duration fast_open_pause = std::chrono::minutes{1};
    /// Connections in TIME-WAIT that nobody holds; each costs about a hundred bytes.
    std::uint32_t max_time_wait = 1U << 18;
    /// RFC 1337 §3 (F1). RFC 9293 §3.10.7.4 has a RST end the state, exactly at RCV.NXT.
    bool time_wait_ignores_resets = false;
    /// Between challenge ACKs of one connection (RFC 5961 §7), as Linux's tcp_invalid_ratelimit.
    duration challenge_ack_interval = std::chrono::milliseconds{500};
    /// Of the whole stack; 0: no limit. One that all share tells each of them what the others do
    /// (CVE-2016-5696); it is therefore never exactly this number.
    std::uint32_t challenge_acks_per_second = 0;
    std::uint16_t ephemeral_port_first = 32768;  ///< RFC 6056 §3.2
    std::uint16_t ephemeral_port_last = 65535;
    std::uint8_t initial_window_segments = 10;  ///< RFC 6928 §2
    std::uint8_t hop_limit = 64;  ///< of segments (MUST-49), those that no connection sends too
};

}  // namespace weft::net::tcp
