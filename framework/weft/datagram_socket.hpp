#pragma once
// The concept `datagram_socket`: messages to and from anybody (UDP), on whatever network.
//
// A movable handle of one loop. At most one receive and one send wait at a time, side by side. A
// buffer belongs to the caller and stays where it is until its operation has completed. Nothing
// promises that a datagram arrives, once, or in order.

#include <weft/awaitable.hpp>
#include <weft/base/address.hpp>
#include <weft/base/result.hpp>

#include <concepts>
#include <cstddef>
#include <span>

namespace weft {

/// What came: so many bytes into the buffer, from there.
struct datagram {
    std::size_t bytes = 0;
    endpoint from;
    bool truncated = false;  ///< the buffer was too small; the rest of the datagram is gone
};

/// Semantics, for a model `s`:
/// - `send_to(bytes, to)`: completes when the network has taken the datagram, with its size; an
///   empty one is a datagram too. Errors (std::errc conditions): message_size when it is larger
///   than UDP can carry, host_unreachable, network_unreachable, invalid_argument (no such address).
/// - `receive_from(into)`: the oldest datagram that waits, or the next that comes. An empty one has
///   0 bytes. Cancelling takes none.
/// - `close()`: the port is free again; operations that wait end with broken_pipe.
template <class Socket>
concept datagram_socket = std::movable<Socket> && std::default_initializable<Socket> &&
                          requires(Socket& s, const Socket& held, std::span<std::byte> into,
                                   std::span<const std::byte> from, const endpoint& to) {
                              { s.send_to(from, to) } -> awaitable_of<result<std::size_t>>;
                              { s.receive_from(into) } -> awaitable_of<result<datagram>>;
                              s.close();
                              static_cast<bool>(held);
                              { held.local_endpoint() } -> std::same_as<endpoint>;
                          };

}  // namespace weft
