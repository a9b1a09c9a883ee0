#pragma once
// One connection of ours against a peer that a test plays by hand.
//
// A real tcp::demux over a network that only records, on virtual time. The script speaks of
// segments with plain sequence numbers: the start of time is chosen so that our ISS is what the
// test asked for. `sends()` hands a segment in, `sees()` takes the next one out, `waits()` lets
// time pass and keeps what left meanwhile, each with its time. `in_state()` drives a connection
// into any of the eleven states by legal segments and calls.

#include "script_segment.hpp"

#include <weft/net/tcp/demux.hpp>

#include <algorithm>
#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace weft::test {

struct script_options {
    net::tcp::config config{.window_scaling = false, .timestamps = false};
    /// Buffers that stay as they are, so that a script can count on them.
    net::tcp::connection_options connection{.congestion = net::tcp::congestion_algorithm::new_reno,
                                            .send_buffer_bytes = 1U << 20,
                                            .receive_buffer_bytes = 1U << 20};
    std::uint32_t iss = 1000;       ///< ours
    std::uint32_t irs = 5000;       ///< the peer's
    std::uint16_t peer_mss = 1460;  ///< in the peer's SYN; 0: no MSS option
    std::uint16_t peer_window = 65535;
    std::optional<std::uint8_t> peer_scale = {};
    bool peer_timestamps = false;
    bool peer_sack = false;    ///< the peer permits selective acknowledgment
    duration handshake_rtt{};  ///< how long our SYN's answer takes
    bool passive = false;
    std::uint32_t max_segment_bytes = 1480;  ///< of the network below us: MTU 1500
    std::uint32_t path_mtu = 65535;          ///< what is known of the path; connections learn it
    std::uint32_t offload_bytes = 0;
    std::size_t pool_bytes = std::size_t{1} << 28;
};

class scripted_peer final : private net::tcp::network_layer, private net::observer {
public:
    /// Drives a connection into `s`. In LISTEN there is a listener, in CLOSED nothing.
    explicit scripted_peer(net::tcp::state s, const script_options& options = {});
    ~scripted_peer();
    scripted_peer(const scripted_peer&) = delete;
    scripted_peer& operator=(const scripted_peer&) = delete;

    // the peer
    void sends(const script_segment& s);
    /// A stranger's, from the peer's host or another; nothing is added to what he says.
    void sends_from(std::uint16_t port, const script_segment& s);
    void sends_from(const net::endpoint& stranger, const script_segment& s);
    /// For another connection of ours.
    void sends_on(const net::tcp::four_tuple& other, const script_segment& s);
    /// The next segment that has left; `nothing` when there is none.
    script_segment sees();
    std::vector<script_segment> sees_all();
    /// The last segment that has left; those before it are passed over.
    script_segment sees_last();

    // time
    /// Time passes, timers fire, and what leaves is kept for sees().
    void waits(duration d);
    /// Time passes until a segment leaves, at most `limit`.
    script_segment waits_for_segment(duration limit = std::chrono::hours{1});
    [[nodiscard]] duration elapsed() const { return now - start_; }

    // our side
    /// From CLOSED: our SYN is due.
    void opens_actively();
    std::uint32_t writes(std::string_view text);
    std::uint32_t writes_urgent(std::string_view text);
    std::string reads(std::size_t most = std::size_t{1} << 24);
    result<void> closes() { return connection->close(now); }
    void aborts() { connection->abort(now); }
    /// The last handle goes.
    void releases();
    /// Takes the connection that the listener has completed.
    void accepts();
    void icmp(net::errc kind, bool is_hard, std::uint32_t quoted_seq);
    /// A router says that a packet of `quoted_bytes` was too big; `mtu` 0: it does not say for
    /// what.
    void icmp_too_big(std::uint32_t mtu, std::uint32_t quoted_seq,
                      std::uint32_t quoted_bytes = 1500);
    [[nodiscard]] net::tcp::state state() const { return state_; }
    /// Every state since the script began, in order.
    [[nodiscard]] const std::vector<net::tcp::state>& path() const { return path_; }

    static net::tcp::four_tuple tuple();

    net::stack_counters counters;
    net::block_pool pool;
    net::tcp::demux demux;
    net::tcp::connection* connection = nullptr;  ///< while somebody holds it or its listener does
    net::tcp::listener* listener = nullptr;
    instant now;
    script_options options;

private:
    void opens(net::tcp::state target);
    void leaves_established(net::tcp::state target);
    void flush();
    void note_timestamp();
    net::tcp::segment segment_of(const script_segment& s);
    script_segment take(const net::tcp::outgoing& out, const net::tx_slot& slot) const;

    // network_layer
    void send_reply(const net::tcp::reply& r, instant) noexcept override;
    std::uint32_t max_segment_to(const net::ip_address&, instant) const noexcept override {
        return std::min(options.path_mtu - 20U, options.max_segment_bytes);
    }
    std::uint32_t max_segment_of_link() const noexcept override {
        return options.max_segment_bytes;
    }
    void learn_path_mtu(const net::ip_address&, std::uint32_t mtu_bytes,
                        instant) noexcept override {
        options.path_mtu = mtu_bytes;
    }
    std::uint32_t max_offload_bytes() const noexcept override { return options.offload_bytes; }
    // observer
    void on_transition(const net::transition_event& e) override;
    void on_segment(const net::segment_event&) override {}

    instant start_;
    std::deque<script_segment> left_;
    std::deque<script_segment> replies_;
    net::tcp::state state_ = net::tcp::state::closed;
    std::vector<net::tcp::state> path_;
    net::tx_slot slot_;
    std::uint32_t last_timestamp_ = 0;
    bool held_ = false;
};

inline scripted_peer in_state(net::tcp::state s, const script_options& options = {}) {
    return scripted_peer{s, options};
}

}  // namespace weft::test
