#pragma once
// The concept `listener`: a port that accepts connections, on whatever network.
//
// A movable handle of one loop. Destroying it, or close(), refuses what comes from then on and
// resets the connections that nobody has accepted.

#include <weft/awaitable.hpp>
#include <weft/base/address.hpp>
#include <weft/base/result.hpp>
#include <weft/stream.hpp>

#include <concepts>

namespace weft {

/// Semantics, for a model `l`:
/// - `accept()`: the oldest connection that is established. Any number may wait, first come first
///   served. Cancelling takes no connection. Errors (std::errc conditions): broken_pipe when the
///   listener was closed, operation_canceled.
/// - `close()`: no more connections; accepts that wait end with broken_pipe.
/// - `local_endpoint()`: with the port that was chosen, if none was asked for.
template <class Listener>
concept listener = std::movable<Listener> && std::default_initializable<Listener> &&
                   requires(Listener& l, const Listener& held) {
                       requires stream<typename await_result_t<decltype(l.accept())>::value_type>;
                       l.close();
                       static_cast<bool>(held);
                       { held.local_endpoint() } -> std::same_as<endpoint>;
                   };

}  // namespace weft
