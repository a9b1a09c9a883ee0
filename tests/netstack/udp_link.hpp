#pragma once
// One stack with UDP sockets on a link whose other end is the test: datagrams come in, and what
// goes out is taken apart and its checksums are verified.

#include "stack_link.hpp"

#include <doctest/doctest.h>
#include <weft/net/ip/fragments.hpp>
#include <weft/net/udp/mib.hpp>
#include <weft/net/wire/arp.hpp>
#include <weft/net/wire/checksum.hpp>
#include <weft/net/wire/icmp.hpp>
#include <weft/net/wire/udp.hpp>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <utility>
#include <vector>

namespace weft::test {

using namespace weft::net;

inline constexpr std::uint16_t our_port = 53;
inline constexpr std::uint16_t peer_port = 4000;
inline constexpr ipv4_address our_ip = stack_link::our_ip;
inline constexpr ipv4_address peer_ip = stack_link::peer_ip;
inline constexpr ipv4_address net_broadcast{10, 0, 0, 255};

inline byte_string udp_bytes(const byte_string& payload, std::uint16_t to_port = our_port,
                             ipv4_address from = peer_ip, ipv4_address to = our_ip,
                             std::uint16_t from_port = peer_port) {
    byte_string out(wire::udp_header_bytes);
    wire::emit_udp(from, to, from_port, to_port, wire::checksum_partial(payload), payload.size(),
                   out.data());
    return out + payload;
}

struct seen_datagram {
    wire::ipv4_header ip;
    wire::udp_header udp;
    byte_string payload;
};

/// A stack with sockets on a link whose other end is the test.
struct udp_link : stack_link {
    explicit udp_link(const device_capabilities& device = {}, std::size_t pool_bytes = 1U << 26)
        : stack_link{device, {}, pool_bytes} {
        (void)frames();  // its announcement
    }

    udp::socket& bind(std::uint16_t port = our_port, const udp::socket_options& options = {},
                      const ip_address& address = ip_address{}) {
        const auto made = ours.bind_udp({address, port}, options);
        REQUIRE(made.has_value());
        return **made;
    }
    void arrives(const byte_string& payload, std::uint16_t to_port = our_port,
                 ipv4_address from = peer_ip, ipv4_address to = our_ip,
                 std::uint16_t from_port = peer_port) {
        receive_packet(ip_packet(wire::ip_protocol::udp,
                                 udp_bytes(payload, to_port, from, to, from_port), from, to));
    }
    /// The frames due that are IPv4, without the others.
    std::vector<sent_frame> packets() {
        auto all = frames();
        std::erase_if(all, [](const sent_frame& f) { return !f.ip; });
        return all;
    }
    /// The only datagram due, put together from its fragments, with its checksum verified.
    seen_datagram datagram() {
        counters_scratch = {};
        ip::fragment_store store{counters_scratch};
        std::optional<seen_datagram> seen;
        for (const sent_frame& f : packets()) {
            REQUIRE_FALSE(seen.has_value());
            const auto packet =
                std::span{f.bytes}.subspan(is_raw ? 0 : wire::ethernet_header_bytes);
            CHECK(packet.size() <= ours.options().device.mtu);
            CHECK_FALSE(f.ip->dont_fragment);
            if (!f.ip->is_fragment()) {
                seen = read(*f.ip, f.ip->payload_in(packet));
            } else if (const auto whole = store.on_fragment(*f.ip, f.ip->payload_in(packet), now)) {
                seen = read(whole->header, whole->payload);
            }
        }
        REQUIRE(seen.has_value());
        return *seen;
    }
    static seen_datagram read(const wire::ipv4_header& ip, wire::bytes_view bytes) {
        REQUIRE(ip.protocol == wire::ip_protocol::udp);
        const auto udp = wire::parse_udp(bytes);
        REQUIRE(udp);
        CHECK(udp->length == bytes.size());
        CHECK(udp->checksum != 0);
        CHECK(wire::verify_udp_checksum(ip.source, ip.destination, bytes));
        return {ip, *udp, byte_string(bytes.begin() + wire::udp_header_bytes, bytes.end())};
    }
    /// The type and code of the only ICMP message due.
    std::pair<wire::icmp_type, std::uint8_t> icmp() {
        const auto all = packets();
        REQUIRE(all.size() == 1);
        REQUIRE(all[0].ip->protocol == wire::ip_protocol::icmp);
        const auto message = wire::parse_icmp(all[0].ip->payload_in(
            wire::bytes_view{all[0].bytes}.subspan(wire::ethernet_header_bytes)));
        REQUIRE(message);
        return {message->type, message->code};
    }
    /// An ICMP error about a datagram of ours from `from` to `to`.
    void hears_error(std::uint8_t code, const endpoint& from, const endpoint& to,
                     wire::icmp_type type = wire::icmp_type::destination_unreachable) {
        byte_string quoted =
            ip_packet(wire::ip_protocol::udp,
                      udp_bytes({}, to.port, from.address.v4(), to.address.v4(), from.port),
                      from.address.v4(), to.address.v4());
        byte_string message(wire::icmp_header_bytes);
        wire::emit_icmp_header(type, code, 0, message.data());
        message = message + quoted;
        wire::fill_icmp_checksum(message);
        receive_packet(ip_packet(wire::ip_protocol::icmp, message, peer_ip, our_ip));
    }
    [[nodiscard]] const stack_counters& counters() const { return ours.counters(); }

    stack_counters counters_scratch;
    bool is_raw = false;
};

inline byte_string bytes_of(const udp::received_datagram& d) {
    const auto bytes = d.payload.bytes();
    return {bytes.begin(), bytes.end()};
}

}  // namespace weft::test
