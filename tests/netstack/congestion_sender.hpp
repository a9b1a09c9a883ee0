#pragma once
// The acknowledgments of a connection, given to its congestion_control by hand: no segments, no
// path (that is tcp_path_model.hpp), and a clock that moves when it is told to.

#include <weft/net/tcp/congestion/congestion_control.hpp>

#include <algorithm>
#include <chrono>
#include <cstdint>

namespace weft::test {

struct congestion_sender {
    static constexpr std::uint32_t mss = 1000;

    net::tcp::congestion_control c;
    instant now{};
    std::uint32_t una = 0;
    std::uint32_t nxt = 0;
    duration least = {};  // of the path's round trips; zero: the sample's own

    explicit congestion_sender(
        net::tcp::congestion_algorithm a = net::tcp::congestion_algorithm::new_reno,
        std::uint32_t window = 10 * mss) {
        c.begin(a, mss, window, now);
    }
    void send(std::uint32_t bytes) { nxt += bytes; }
    void ack(std::uint32_t bytes, duration after = {}, bool limited = true, bool recovering = false,
             std::uint32_t lost = 0, duration rtt = std::chrono::milliseconds{100}) {
        now += after;
        una += bytes;
        net::tcp::ack_event e;
        e.now = now;
        e.mss = mss;
        e.delivered = e.cumulative = bytes;
        e.lost = lost;
        e.prior_in_flight = std::max(bytes, nxt - una + bytes);
        e.in_flight = nxt - una;
        e.was_window_limited = limited;
        e.is_recovering = recovering;
        e.rtt = e.smoothed_rtt = rtt;
        e.min_rtt = least == duration{} ? rtt : least;
        e.una = net::tcp::sequence_number{una};
        e.nxt = net::tcp::sequence_number{nxt};
        c.on_ack(e);
    }
    /// A flight of `bytes`, acknowledged a round trip later.
    void round(std::uint32_t bytes, bool limited) {
        send(bytes);
        ack(bytes, std::chrono::milliseconds{100}, limited);
    }
    void congestion(std::uint32_t flight) {
        c.on_congestion(net::tcp::congestion_cause::loss, flight, mss, now);
        c.set_window(c.threshold());
    }
};

/// Whose first slow start is long over.
inline congestion_sender after_slow_start(net::tcp::congestion_algorithm a, std::uint32_t window) {
    congestion_sender s{a, window};
    s.congestion(window);
    s.c.on_recovered(window, congestion_sender::mss, s.now);
    s.c.set_window(window);
    return s;
}

}  // namespace weft::test
