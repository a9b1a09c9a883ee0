#pragma once
// The TCP state machine: eleven states, the events that move them, and one table.
//
// A transition that is not in this table does not exist. `connection::apply()` is the only writer
// of a connection's state and asks `next_state()`. The diagram in docs/ is generated from the
// table. RFC 9293 §3.3.2 and §3.10.

#include <array>
#include <cstdint>
#include <optional>
#include <string_view>

namespace weft::net::tcp {

/// RFC 9293 §3.3.2.
enum class state : std::uint8_t {
    closed,
    listen,
    syn_sent,
    syn_received,
    established,
    fin_wait_1,
    fin_wait_2,
    close_wait,
    closing,
    last_ack,
    time_wait,
};

inline constexpr std::size_t state_count = 11;

enum class event : std::uint8_t {
    open_passive,    ///< a listener, or its child, begins
    open_active,     ///< OPEN call; our SYN goes out
    got_syn,         ///< a SYN without an acceptable ACK
    got_syn_ack,     ///< a SYN that acknowledges ours
    syn_acked,       ///< our SYN, sent from SYN-RECEIVED, was acknowledged
    close_called,    ///< CLOSE call; our FIN follows the queued data
    fin_acked,       ///< our FIN was acknowledged
    got_fin,         ///< the peer's FIN was reached in order
    got_reset,       ///< an acceptable RST
    abort_called,    ///< ABORT call, or the end of an orphan
    timed_out,       ///< R2, or an unreachable peer
    two_msl_passed,  ///< the TIME-WAIT timeout
    reopened,        ///< a new SYN takes over a connection in TIME-WAIT
};

inline constexpr std::size_t event_count = 13;

struct transition {
    state from;
    event on;
    state to;
    std::string_view section;  ///< of RFC 9293
};

/// Everything that moves a connection.
inline constexpr auto transitions = [] {
    using enum state;
    using enum event;
    return std::to_array<transition>({
        {closed, open_passive, listen, "3.10.1"},
        {closed, open_active, syn_sent, "3.10.1"},

        {listen, got_syn, syn_received, "3.10.7.2"},
        {listen, close_called, closed, "3.10.4"},
        {listen, abort_called, closed, "3.10.5"},

        {syn_sent, got_syn_ack, established, "3.10.7.3"},
        {syn_sent, got_syn, syn_received, "3.10.7.3"},  // simultaneous open (MUST-10)
        {syn_sent, close_called, closed, "3.10.4"},
        {syn_sent, got_reset, closed, "3.10.7.3"},
        {syn_sent, abort_called, closed, "3.10.5"},
        {syn_sent, timed_out, closed, "3.10.8"},

        {syn_received, syn_acked, established, "3.10.7.4 fifth"},
        {syn_received, close_called, fin_wait_1, "3.10.4"},
        {syn_received, got_reset, closed, "3.10.7.4 second"},  // of a child: back to LISTEN
        {syn_received, abort_called, closed, "3.10.5"},
        {syn_received, timed_out, closed, "3.10.8"},

        {established, close_called, fin_wait_1, "3.10.4"},
        {established, got_fin, close_wait, "3.10.7.4 eighth"},
        {established, got_reset, closed, "3.10.7.4 second"},
        {established, abort_called, closed, "3.10.5"},
        {established, timed_out, closed, "3.10.8"},

        {fin_wait_1, fin_acked, fin_wait_2, "3.10.7.4 fifth"},
        {fin_wait_1, got_fin, closing, "3.10.7.4 eighth"},
        {fin_wait_1, got_reset, closed, "3.10.7.4 second"},
        {fin_wait_1, abort_called, closed, "3.10.5"},
        {fin_wait_1, timed_out, closed, "3.10.8"},

        {fin_wait_2, got_fin, time_wait, "3.10.7.4 eighth"},
        {fin_wait_2, got_reset, closed, "3.10.7.4 second"},
        {fin_wait_2, abort_called, closed, "3.10.5"},
        {fin_wait_2, timed_out, closed, "3.10.8"},

        {close_wait, close_called, last_ack, "3.10.4"},
        {close_wait, got_reset, closed, "3.10.7.4 second"},
        {close_wait, abort_called, closed, "3.10.5"},
        {close_wait, timed_out, closed, "3.10.8"},

        {closing, fin_acked, time_wait, "3.10.7.4 fifth"},
        {closing, got_reset, closed, "3.10.7.4 second"},
        {closing, abort_called, closed, "3.10.5"},
        {closing, timed_out, closed, "3.10.8"},

        {last_ack, fin_acked, closed, "3.10.7.4 fifth"},
        {last_ack, got_reset, closed, "3.10.7.4 second"},
        {last_ack, abort_called, closed, "3.10.5"},
        {last_ack, timed_out, closed, "3.10.8"},

        {time_wait, two_msl_passed, closed, "3.10.8"},
        {time_wait, got_reset, closed, "3.10.7.4 second"},
        {time_wait, abort_called, closed, "3.10.5"},
        {time_wait, reopened, closed, "3.10.7.4 fourth"},  // MAY-2; a new child takes the SYN
    });
}();

namespace detail {
inline constexpr std::uint8_t no_state = 0xff;
inline constexpr auto next_states = [] {
    std::array<std::array<std::uint8_t, event_count>, state_count> to{};
    for (auto& row : to) row.fill(no_state);
    for (const transition& t : transitions) {
        to[static_cast<std::size_t>(t.from)][static_cast<std::size_t>(t.on)] =
            static_cast<std::uint8_t>(t.to);
    }
    return to;
}();
}  // namespace detail

/// Where `on` leads from `from`; nothing when the table has no such row.
[[nodiscard]] constexpr std::optional<state> next_state(state from, event on) noexcept {
    const std::uint8_t to =
        detail::next_states[static_cast<std::size_t>(from)][static_cast<std::size_t>(on)];
    if (to == detail::no_state) return std::nullopt;
    return static_cast<state>(to);
}

/// A set of states, one bit each.
using state_mask = std::uint16_t;
[[nodiscard]] constexpr state_mask mask_of(state s) noexcept {
    return static_cast<state_mask>(1U << static_cast<unsigned>(s));
}
[[nodiscard]] constexpr bool is_one_of(state s, state_mask mask) noexcept {
    return (mask_of(s) & mask) != 0;
}
template <class... States>
[[nodiscard]] constexpr bool is_one_of(state s, state first, States... more) noexcept {
    return is_one_of(s, static_cast<state_mask>((mask_of(first) | ... | mask_of(more))));
}

/// Every state that some path in the table leads to from `from`, `from` itself not counted unless
/// a path comes back to it. CLOSED is an end: a connection does not open twice.
[[nodiscard]] constexpr state_mask reachable_from(state from) noexcept {
    state_mask reached = 0;
    state_mask frontier = mask_of(from);
    while (frontier != 0) {
        state_mask next = 0;
        for (const transition& t : transitions) {
            if (is_one_of(t.from, frontier) && (t.from != state::closed || t.from == from)) {
                next = static_cast<state_mask>(next | mask_of(t.to));
            }
        }
        frontier = static_cast<state_mask>(next & ~reached);
        reached = static_cast<state_mask>(reached | next);
    }
    return reached;
}

/// As the RFC writes it: "SYN-SENT".
[[nodiscard]] std::string_view to_string(state s) noexcept;
[[nodiscard]] std::string_view to_string(event e) noexcept;

}  // namespace weft::net::tcp
