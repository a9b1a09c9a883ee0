#pragma once
// What a connection needs once it sends text: congestion control, loss recovery, rate samples,
// pacing and the size of packets, in one block.
//
// Attached to the connection before its first text leaves and given back with the connection's
// end, so that one which only listens, or only receives, does not pay for it.

#include <weft/net/tcp/congestion/congestion_control.hpp>
#include <weft/net/tcp/delivery_rate.hpp>
#include <weft/net/tcp/loss_recovery.hpp>
#include <weft/net/tcp/pacer.hpp>
#include <weft/net/tcp/path_mtu.hpp>

namespace weft::net::tcp {

struct transmission {
    congestion_control congestion;
    loss_recovery recovery;
    delivery_rate rate;
    pacer pace;
    path_mtu path;
    instant probe_at = never;  ///< the next tail loss probe
    instant pace_at = never;   ///< when what the pacer holds back may leave
    sequence_number short_end;  ///< of the last segment that was not full (RFC 9293 appendix A.3)
    bool probe_due = false;

    [[nodiscard]] instant next_timeout() const noexcept {
        const instant a = probe_at < pace_at ? probe_at : pace_at;
        return recovery.reorder_at() < a ? recovery.reorder_at() : a;
    }
};

}  // namespace weft::net::tcp
