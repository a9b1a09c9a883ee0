#include <weft/net/posix/socket.hpp>
#include <weft/net/posix/socket_status.hpp>

#include <array>
#include <chrono>

namespace weft::net::posix {
namespace {

/// The number that Linux gives to each state, in the order of tcp::state.
constexpr std::array<std::uint8_t, tcp::state_count> kernel_states{7, 10, 2,  3, 1, 4,
                                                                   5, 8,  11, 9, 6};

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
