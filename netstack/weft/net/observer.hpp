#pragma once
// What a stack lets others watch: each transition of a connection and each segment of it, as
// values.
//
// For ladders, traces and tests. A stack without an observer pays one branch. The calls come from
// inside protocol code: an observer records or prints, and calls nothing of the stack.

#include <weft/base/instant.hpp>
#include <weft/net/address.hpp>
#include <weft/net/tcp/state.hpp>
#include <weft/net/wire/tcp.hpp>

#include <cstdint>

namespace weft::net {

/// Names a connection as long as the stack lives; never used twice.
using connection_id = std::uint64_t;

struct transition_event {
    connection_id id = 0;
    endpoint local;
    endpoint remote;
    tcp::state from = tcp::state::closed;
    tcp::event on = tcp::event::open_active;
    tcp::state to = tcp::state::closed;
    instant at;
};

struct segment_event {
    enum class direction : std::uint8_t { sent, received };
    direction way = direction::sent;
    endpoint local;
    endpoint remote;
    wire::tcp_header header;
    wire::tcp_options options;
    std::uint32_t payload_bytes = 0;
    bool retransmission = false;  ///< of a sent segment
    instant at;
};

class observer {
public:
    virtual void on_transition(const transition_event& event) = 0;
    virtual void on_segment(const segment_event& event) = 0;

protected:
    ~observer() = default;
};

}  // namespace weft::net
