#pragma once
// A user of UDP beside the connections of a watched_stack: one socket that everybody may write to
// and one that has a peer. Datagrams come from and go to the hostile peer.
//
// Checked: what is received is what was sent, as long as nothing was forged; queues keep to their
// limits; no more is unsent than was queued.

#include "hostile_peer.hpp"

namespace weft::fuzz {

class udp_user {
public:
    static constexpr std::uint16_t open_port = 53;
    static constexpr std::uint16_t connected_port = 54;

    udp_user(watched_stack& ours, hostile_peer& peer) : ours_{ours}, peer_{peer} {}

    /// One call of the user, or one datagram or error of the peer, as the input says.
    void step(input& in);
    void check();
    void close();

private:
    static constexpr std::uint32_t buffer_bytes = 32 * 1024;

    void open(input& in);
    void send(net::udp::socket& from, input& in);
    void receive(net::udp::socket& at);

    watched_stack& ours_;
    hostile_peer& peer_;
    net::udp::socket* open_ = nullptr;
    net::udp::socket* connected_ = nullptr;
};

}  // namespace weft::fuzz
