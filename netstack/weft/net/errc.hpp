#pragma once
// The errors of `weft::net`, as std::error_code. Each maps to the std::errc condition that a kernel
// socket reports in the same place, so one comparison serves all networks.

#include <system_error>

namespace weft::net {

enum class errc {
    connection_refused = 1,  ///< our SYN was answered with a RST, or a hard ICMP error
    connection_reset,        ///< the peer sent a RST (RFC 9293 §3.10.7.4 second)
    connection_aborted,      ///< this side aborted (RFC 9293 §3.10.5)
    timed_out,               ///< R2: retransmissions, probes or keep-alives unanswered (§3.8.3)
    not_connected,           ///< the call needs a connection that exists
    closing,                 ///< our direction was closed before (RFC 9293 §3.10.2, §3.10.4)
    unreachable_state,       ///< no path in the table leads to the awaited state
    host_unreachable,        ///< the next hop does not answer, or ICMP says so
    network_unreachable,     ///< no route
    address_in_use,          ///< the local endpoint is taken
    address_not_available,   ///< the local address is not ours, or no port is free
    invalid_endpoint,        ///< multicast, broadcast or unspecified (MUST-46)
    no_buffers,              ///< the stack's memory or connection limit is reached
    busy,                    ///< such an operation is already waiting
    stack_stopped,           ///< the host was stopped
    end_of_stream,           ///< read_exactly: the peer closed before all bytes came
    message_too_large,       ///< more than a datagram holds
    broadcast_not_allowed,   ///< UDP to a broadcast address, without asking for it
};

[[nodiscard]] const std::error_category& error_category() noexcept;

[[nodiscard]] inline std::error_code make_error_code(errc e) noexcept {
    return {static_cast<int>(e), error_category()};
}

}  // namespace weft::net

template <>
struct std::is_error_code_enum<weft::net::errc> : std::true_type {};
