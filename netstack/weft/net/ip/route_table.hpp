// Our addresses, and for a destination the next hop and the source address to use.
//
// A host's table (RFC 1122 §3.3.1): each local prefix is on-link, further routes go through
// gateways, the longest prefix wins, and of equals the first added. It is changed at configuration
// and searched once a connection, so it is a short sorted vector. It does not forward and learns no
// redirects.
#pragma once

#include <weft/net/address.hpp>

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

namespace weft::net::ip {

enum class hop_kind : std::uint8_t {
    local,    ///< the destination is ourselves
    on_link,  ///< the destination is a neighbour
    gateway,  ///< the next hop is a router
};

struct next_hop {
    ip_address source;   ///< the source address to use (RFC 1122 §3.3.4.3)
    ip_address address;  ///< what to resolve to a link address
    hop_kind kind = hop_kind::on_link;

    friend constexpr bool operator==(const next_hop&, const next_hop&) noexcept = default;
};

class route_table {
public:
    /// Adds an address of ours and makes its network on-link. Returns false, changing nothing, for
    /// an address that cannot be a host's (unspecified, multicast, broadcast) or is there already.
    bool add_address(const ip_prefix& address);

    /// Adds a route through `gateway`, which must be on-link at this time, otherwise returns false.
    bool add_route(const ip_prefix& destination, const ip_address& gateway);

    /// Nothing: no route, or a destination that no packet of ours may have (loopback, unspecified).
    /// A broadcast or multicast destination is on-link; whether it may be used is the transport's.
    [[nodiscard]] std::optional<next_hop> lookup(const ip_address& destination) const noexcept;

    [[nodiscard]] bool is_local(const ip_address& address) const noexcept;
    /// 255.255.255.255, or the directed broadcast of a local prefix, or its all-zeros form.
    [[nodiscard]] bool is_broadcast(const ip_address& address) const noexcept;
    /// On one of our links, ourselves included.
    [[nodiscard]] bool is_on_link(const ip_address& address) const noexcept;
    /// The address of ours that shares a link with `neighbor`, else the first of its family.
    [[nodiscard]] std::optional<ip_address> source_for(const ip_address& neighbor) const noexcept;

    [[nodiscard]] std::span<const ip_prefix> addresses() const noexcept { return addresses_; }

private:
    struct route {
        ip_prefix destination;
        std::optional<ip_address> gateway;
        ip_address source;
    };

    void insert(const route& added);

    std::vector<ip_prefix> addresses_;
    std::vector<route> routes_;  ///< longest prefix first
};

}  // namespace weft::net::ip
