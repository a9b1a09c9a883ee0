#pragma once
// The concept `network`: where streams, listeners and datagram sockets come from. A server or a
// client is written once, as a template over it, and runs on the kernel's sockets, on Weft's own
// stack and in a simulation.
//
// The option types are the network's own; the common names among them mean the same everywhere
// (`no_delay`, `keepalive`, `user_timeout`, `linger_abort`; of listeners `backlog`), so that
// `network.connect(to, {.no_delay = true})` compiles on all.

#include <weft/awaitable.hpp>
#include <weft/base/address.hpp>
#include <weft/base/result.hpp>
#include <weft/datagram_socket.hpp>
#include <weft/io/scheduler.hpp>
#include <weft/listener.hpp>
#include <weft/stream.hpp>

#include <concepts>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace weft {

/// Semantics, for a model `n`:
/// - `connect(remote)`: completes when the connection is established. Any number may be under way;
///   cancelling gives the attempt up. Errors (std::errc conditions): connection_refused, timed_out,
///   host_unreachable, network_unreachable, address_not_available, invalid_argument (not the
///   address of one host), operation_canceled.
/// - `listen(local)`: an unspecified address is any of ours, port 0 lets one be chosen;
///   `listen(port)` is any address of ours. Errors: address_in_use, address_not_available.
/// - `bind(local)`: the same for datagrams.
/// - `scheduler()`: the loop that all of it belongs to.
template <class Network>
concept network = stream<typename Network::stream> && listener<typename Network::listener> &&
                  datagram_socket<typename Network::datagram_socket> &&
                  requires(Network& n, const endpoint& at, std::uint16_t port,
                           const typename Network::connect_options& to_connect,
                           const typename Network::listen_options& to_listen) {
                      { n.connect(at) } -> awaitable_of<result<typename Network::stream>>;
                      {
                          n.connect(at, to_connect)
                      } -> awaitable_of<result<typename Network::stream>>;
                      { n.listen(at) } -> std::same_as<result<typename Network::listener>>;
                      {
                          n.listen(at, to_listen)
                      } -> std::same_as<result<typename Network::listener>>;
                      { n.listen(port) } -> std::same_as<result<typename Network::listener>>;
                      { n.bind(at) } -> std::same_as<result<typename Network::datagram_socket>>;
                      { n.scheduler() } -> std::same_as<weft::scheduler&>;
                      { to_connect.no_delay } -> std::convertible_to<bool>;
                      { to_connect.user_timeout } -> std::convertible_to<duration>;
                      { to_connect.linger_abort } -> std::convertible_to<bool>;
                      { to_connect.keepalive.enabled } -> std::convertible_to<bool>;
                      { to_listen.backlog } -> std::convertible_to<std::uint32_t>;
                  };

/// A network that knows names. `resolve(host, service)`: the endpoints, best first, at least one;
/// an address or a port number is one too, and nobody is asked for it.
template <class Network>
concept resolving_network =
    network<Network> && requires(Network& n, std::string host, std::string service) {
        {
            n.resolve(std::move(host), std::move(service))
        } -> awaitable_of<result<std::vector<endpoint>>>;
    };

}  // namespace weft
