#include <weft/net/ip/route_table.hpp>

#include <algorithm>

namespace weft::net::ip {
namespace {

bool can_be_hosts(const ip_prefix& prefix) noexcept {
    const ip_address& address = prefix.address();
    if (address.is_unspecified() || address.is_multicast() || address.is_broadcast() ||
        address.is_loopback()) {
        return false;
    }
    if (!address.is_v4()) {
        return true;
    }
    const auto broadcast = prefix.broadcast();  // /31 and /32 have none: both ends are hosts
    return address.v4().is_unicast() &&
           (!broadcast || (address.v4() != *broadcast && address != prefix.network()));
}

}  // namespace

bool route_table::add_address(const ip_prefix& address) {
    if (!can_be_hosts(address) || is_local(address.address())) {
        return false;
    }
    addresses_.push_back(address);
    insert({address, std::nullopt, address.address()});
    return true;
}

bool route_table::add_route(const ip_prefix& destination, const ip_address& gateway) {
    if (destination.address().is_v4() != gateway.is_v4() || !is_on_link(gateway) ||
        is_local(gateway) || is_broadcast(gateway)) {
        return false;
    }
    insert({destination, gateway, *source_for(gateway)});
    return true;
}

void route_table::insert(const route& added) {
    const auto shorter = std::find_if(routes_.begin(), routes_.end(), [&](const route& other) {
        return other.destination.length() < added.destination.length();
    });
    routes_.insert(shorter, added);
}

std::optional<next_hop> route_table::lookup(const ip_address& destination) const noexcept {
    if (destination.is_unspecified() || destination.is_loopback()) {
        return std::nullopt;
    }
    if (is_local(destination)) {
        return next_hop{destination, destination, hop_kind::local};
    }
    if (destination.is_broadcast() || destination.is_multicast()) {
        const auto source = source_for(destination);
        return source ? std::optional{next_hop{*source, destination, hop_kind::on_link}}
                      : std::nullopt;
    }
    for (const route& candidate : routes_) {
        if (candidate.destination.contains(destination)) {
            return candidate.gateway
                       ? next_hop{candidate.source, *candidate.gateway, hop_kind::gateway}
                       : next_hop{candidate.source, destination, hop_kind::on_link};
        }
    }
    return std::nullopt;
}

bool route_table::is_local(const ip_address& address) const noexcept {
    return std::any_of(addresses_.begin(), addresses_.end(),
                       [&](const ip_prefix& ours) { return ours.address() == address; });
}

bool route_table::is_broadcast(const ip_address& address) const noexcept {
    if (address.is_broadcast()) {
        return true;
    }
    return address.is_v4() &&
           std::any_of(addresses_.begin(), addresses_.end(), [&](const ip_prefix& ours) {
               const auto directed = ours.broadcast();
               return directed && (address == ip_address{*directed} || address == ours.network());
           });
}

bool route_table::is_on_link(const ip_address& address) const noexcept {
    return std::any_of(addresses_.begin(), addresses_.end(),
                       [&](const ip_prefix& ours) { return ours.contains(address); });
}

std::optional<ip_address> route_table::source_for(const ip_address& neighbor) const noexcept {
    std::optional<ip_address> first;
    for (const ip_prefix& ours : addresses_) {
        if (ours.contains(neighbor)) {
            return ours.address();
        }
        if (!first && ours.address().is_v4() == neighbor.is_v4()) {
            first = ours.address();
        }
    }
    return first;
}

}  // namespace weft::net::ip
