#include <weft/net/tcp/state.hpp>

namespace weft::net::tcp {

std::string_view to_string(state s) noexcept {
    switch (s) {
        case state::closed: return "CLOSED";
        case state::listen: return "LISTEN";
        case state::syn_sent: return "SYN-SENT";
        case state::syn_received: return "SYN-RECEIVED";
        case state::established: return "ESTABLISHED";
        case state::fin_wait_1: return "FIN-WAIT-1";
        case state::fin_wait_2: return "FIN-WAIT-2";
        case state::close_wait: return "CLOSE-WAIT";
        case state::closing: return "CLOSING";
        case state::last_ack: return "LAST-ACK";
        case state::time_wait: return "TIME-WAIT";
    }
    return "?";
}

std::string_view to_string(event e) noexcept {
    switch (e) {
        case event::open_passive: return "passive OPEN";
        case event::open_active: return "active OPEN";
        case event::got_syn: return "SYN";
        case event::got_syn_ack: return "SYN,ACK";
        case event::syn_acked: return "ACK of SYN";
        case event::close_called: return "CLOSE";
        case event::fin_acked: return "ACK of FIN";
        case event::got_fin: return "FIN";
        case event::got_reset: return "RST";
        case event::abort_called: return "ABORT";
        case event::timed_out: return "timed out";
        case event::two_msl_passed: return "2 MSL passed";
        case event::reopened: return "new SYN";
    }
    return "?";
}

}  // namespace weft::net::tcp
