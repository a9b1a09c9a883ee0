#include <weft/net/posix/socket.hpp>
#include <weft/net/posix/socket_status.hpp>

#include <weft/net/tcp/connection_info.hpp>

#include <array>
#include <chrono>

namespace weft::net::posix {
namespace {

/// The number that Linux gives to each state, in the order of tcp::state.
constexpr std::array<std::uint8_t, tcp::state_count> kernel_states{7, 10, 2,  3, 1, 4,
                                                                   5, 8,  11, 9, 6};

/// Why text did not leave in the SYN, or was not taken with it.
unsigned client_failure(tcp::fast_open_outcome how) noexcept {
    switch (how) {
        case tcp::fast_open_outcome::none:
        case tcp::fast_open_outcome::text_acknowledged: break;
        case tcp::fast_open_outcome::no_cookie: return TFO_COOKIE_UNAVAILABLE;
        case tcp::fast_open_outcome::text_not_acknowledged: return TFO_DATA_NOT_ACKED;
        case tcp::fast_open_outcome::syn_repeated: return TFO_SYN_RETRANSMITTED;
    }
    return TFO_STATUS_UNSPEC;
}

std::uint32_t microseconds(duration d) noexcept {
    return static_cast<std::uint32_t>(
        std::chrono::duration_cast<std::chrono::microseconds>(d).count());
}

}  // namespace

tcp_info status_of(const socket& s) noexcept {
    tcp_info status{};
    const auto number_of = [](tcp::state at) {
        return kernel_states[static_cast<std::size_t>(at)];
    };
    const tcp::connection* c = s.connection();
    if (c == nullptr) {
        status.tcpi_state = number_of(s.is_listening() ? tcp::state::listen : tcp::state::closed);
        return status;
    }
    const tcp::connection_info info = c->info(network::now());
    const auto bit = [](bool is_set, int which) {
        return static_cast<std::uint8_t>(is_set ? which : 0);
    };
    using tcp::fast_open_outcome;
    status.tcpi_options = static_cast<std::uint8_t>(
        bit(info.has_timestamps, TCPI_OPT_TIMESTAMPS) |
        bit(info.has_selective_acknowledgment, TCPI_OPT_SACK) |
        bit(info.has_window_scaling, TCPI_OPT_WSCALE) | bit(info.has_ecn, TCPI_OPT_ECN) |
        bit(info.fast_open == fast_open_outcome::text_acknowledged, TCPI_OPT_SYN_DATA));
    status.tcpi_snd_wscale = info.send_scale & 15;
    status.tcpi_rcv_wscale = info.receive_scale & 15;
    status.tcpi_fastopen_client_fail = client_failure(info.fast_open) & 3;
    const std::uint32_t mss = c->mss();
    const auto segments = [mss](std::uint32_t bytes) { return (bytes + mss - 1) / mss; };
    status.tcpi_state = number_of(c->state());
    status.tcpi_rto = microseconds(c->rto());
    status.tcpi_snd_mss = mss;
    status.tcpi_rtt = microseconds(c->smoothed_rtt());
    status.tcpi_unacked = segments(c->unacked_bytes());
    status.tcpi_snd_cwnd = segments(c->congestion_window());
    status.tcpi_snd_ssthresh = segments(c->slow_start_threshold());
    status.tcpi_notsent_bytes = c->queued_bytes() - c->sent_bytes();
    return status;
}

}  // namespace weft::net::posix
