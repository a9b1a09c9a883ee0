#include "stack_link.hpp"

#include <weft/net/ip/fragments.hpp>
#include <weft/net/udp/mib.hpp>
#include <weft/net/wire/arp.hpp>
#include <weft/net/wire/checksum.hpp>
#include <weft/net/wire/icmp.hpp>
#include <weft/net/wire/udp.hpp>

#include <doctest/doctest.h>

#include <map>
#include <set>
#include <string>

// UDP seen from the link: RFC 768, RFC 1122 §4.1.

using namespace std::chrono_literals;
using namespace weft::net;
using namespace weft::test;

namespace {

constexpr std::uint16_t our_port = 53;
constexpr std::uint16_t peer_port = 4000;
constexpr ipv4_address our_ip = stack_link::our_ip;
constexpr ipv4_address peer_ip = stack_link::peer_ip;
constexpr ipv4_address net_broadcast{10, 0, 0, 255};

byte_string udp_bytes(const byte_string& payload, std::uint16_t to_port = our_port,
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

byte_string bytes_of(const udp::received_datagram& d) {
    const auto bytes = d.payload.bytes();
    return {bytes.begin(), bytes.end()};
}

}  // namespace

TEST_SUITE("netstack.udp") {
TEST_CASE("a datagram is queued for the socket of its port, with whom it came from") {
    udp_link link;
    udp::socket& s = link.bind();
    const byte_string sent = pattern(100);
    link.arrives(sent);
    CHECK(link.ours.udp().pop_signaled() == &s);
    REQUIRE(s.queued() == 1);
    const udp::received_datagram got = s.receive();
    CHECK(bytes_of(got) == sent);
    CHECK(got.from == endpoint{peer_ip, peer_port});
    CHECK(got.to == ip_address{our_ip});
    CHECK_FALSE(s.can_receive());
    CHECK(link.counters().udp_received == 1);
}

TEST_CASE("an empty datagram is a datagram") {
    udp_link link;
    udp::socket& s = link.bind();
    link.arrives({});
    REQUIRE(s.queued() == 1);
    CHECK(s.receive().payload.empty());
    link.introduce_peer();
    REQUIRE(link.ours.send(s, {}, {peer_ip, peer_port}).has_value());
    CHECK(link.datagram().payload.empty());
    CHECK(link.counters().udp_sent == 1);
}

TEST_CASE("a checksum of zero means none, a wrong one drops the datagram without a word") {
    udp_link link;
    link.introduce_peer();
    udp::socket& s = link.bind();
    byte_string without = udp_bytes(pattern(9));
    put16(without, 6, 0);
    link.receive_packet(ip_packet(wire::ip_protocol::udp, without, peer_ip, our_ip));
    CHECK(s.queued() == 1);
    byte_string wrong = udp_bytes(pattern(9));
    wrong[8] ^= std::byte{1};
    link.receive_packet(ip_packet(wire::ip_protocol::udp, wrong, peer_ip, our_ip));
    CHECK(s.queued() == 1);
    CHECK(link.counters().udp_bad_checksum == 1);
    CHECK(link.packets().empty());
    link.receive_packet(ip_packet(wire::ip_protocol::udp, wrong, peer_ip, our_ip),
                        {.checksum_verified = true});
    CHECK(s.queued() == 2);
}

TEST_CASE("a length that cannot be drops the datagram, and bytes beyond the length are not its") {
    udp_link link;
    link.introduce_peer();
    udp::socket& s = link.bind();
    for (const unsigned length : {0U, 7U, 200U}) {
        byte_string bytes = udp_bytes(pattern(20));
        put16(bytes, 4, length);
        link.receive_packet(ip_packet(wire::ip_protocol::udp, bytes, peer_ip, our_ip));
    }
    link.receive_packet(ip_packet(wire::ip_protocol::udp, pattern(7), peer_ip, our_ip));
    CHECK(s.queued() == 0);
    CHECK(link.counters().udp_malformed == 4);
    CHECK(link.packets().empty());
    const byte_string padded = udp_bytes(pattern(20)) + pattern(5, 9);
    link.receive_packet(ip_packet(wire::ip_protocol::udp, padded, peer_ip, our_ip));
    REQUIRE(s.queued() == 1);
    CHECK(bytes_of(s.receive()) == pattern(20));
}

TEST_CASE("a datagram for a closed port is answered with port unreachable, at a limited rate") {
    udp_link link;
    link.introduce_peer();
    link.arrives(pattern(5), 9);
    CHECK(link.icmp() ==
          std::pair{wire::icmp_type::destination_unreachable, wire::unreachable_code::port});
    for (int i = 0; i < 1000; ++i) {
        link.arrives(pattern(5), 9);
        (void)link.frames();
    }
    CHECK(link.counters().udp_no_port == 1001);
    CHECK(link.counters().icmp_errors_sent < 50);
    CHECK(link.counters().icmp_errors_limited > 950);
}

TEST_CASE("a closed socket's port is closed, and can be bound again") {
    udp_link link;
    link.introduce_peer();
    udp::socket& s = link.bind();
    CHECK(link.ours.bind_udp({{}, our_port}, {}).error() == errc::address_in_use);
    CHECK(link.ours.bind_udp({our_ip, our_port}, {}).error() == errc::address_in_use);
    CHECK(link.ours.bind_udp({peer_ip, 99}, {}).error() == errc::address_not_available);
    link.arrives(pattern(5));
    link.ours.close(s);
    link.arrives(pattern(5));
    CHECK(link.counters().udp_no_port == 1);
    link.bind();
    CHECK(link.ours.udp().socket_count() == 1);
}

TEST_CASE("ports that nobody asked for are different, in range, and not in a row") {
    udp_link link;
    std::set<std::uint16_t> ports;
    int neighbors = 0;
    std::uint16_t last = 0;
    for (int i = 0; i < 200; ++i) {
        const udp::socket& s = link.bind(0);
        CHECK(s.local().port >= 32768);
        CHECK(ports.insert(s.local().port).second);
        neighbors += s.local().port == last + 1 ? 1 : 0;
        last = s.local().port;
    }
    CHECK(neighbors < 10);
}

TEST_CASE("when every port is taken, there is none left to choose") {
    tcp::config few;
    few.ephemeral_port_first = 40'000;
    few.ephemeral_port_last = 40'003;
    stack_link link{{}, few};
    for (int i = 0; i < 4; ++i) CHECK(link.ours.bind_udp({}, {}).has_value());
    CHECK(link.ours.bind_udp({}, {}).error() == errc::address_not_available);
}

TEST_CASE("the receive queue is bounded, and what comes above it is dropped and counted") {
    udp_link link;
    udp::socket& s = link.bind(our_port, {.receive_buffer_bytes = 16 * 1024});
    for (int i = 0; i < 1000; ++i) link.arrives(pattern(100, static_cast<unsigned>(i)));
    CHECK(s.queued_bytes() <= 16 * 1024);
    CHECK(s.queued() > 50);  // small ones cost little more than they are long
    CHECK(link.counters().udp_queue_overflow == 1000 - s.queued());
    CHECK(link.counters().udp_received == s.queued());
    CHECK(link.pool.bytes_out() <= 64 * 1024);
    for (unsigned i = 0; s.queued() != 0; ++i) CHECK(bytes_of(s.receive()) == pattern(100, i));
    CHECK(link.pool.bytes_out() == 0);
    link.arrives(pattern(1000));
    CHECK(s.queued() == 1);
}

TEST_CASE("one datagram is taken however small the receive buffer is") {
    udp_link link;
    udp::socket& s = link.bind(our_port, {.receive_buffer_bytes = 1});
    link.arrives(pattern(1400));
    link.arrives(pattern(1));
    CHECK(s.queued() == 1);
    CHECK(link.counters().udp_queue_overflow == 1);
}

TEST_CASE("a small datagram in a large block does not hold the block") {
    udp_link link;
    udp::socket& s = link.bind();
    const byte_string packet =
        ip_packet(wire::ip_protocol::udp, udp_bytes(pattern(100)), peer_ip, our_ip);
    byte_string frame(wire::ethernet_header_bytes);
    wire::emit_ethernet({link.our_mac, link.peer_mac, wire::ethernet_type::ipv4}, frame.data());
    frame = frame + packet;
    for (int i = 0; i < 64; ++i) {
        slice block = link.pool.allocate(block_size::large);
        std::ranges::copy(frame, block.data());
        block.extend(static_cast<std::uint32_t>(frame.size()));
        link.ours.on_frame(std::move(block), {}, link.now);
    }
    CHECK(s.queued() == 64);
    CHECK(link.pool.bytes_out() < 64 * 1024);
}

TEST_CASE("beyond the memory limit a datagram is dropped and counted, and a send says so") {
    udp_link link{{}, 8 * 1024};
    udp::socket& s = link.bind();
    std::vector<slice> all;
    while (slice block = link.pool.allocate(block_size::small)) all.push_back(std::move(block));
    all.pop_back();  // for the frame
    link.arrives(pattern(100));
    CHECK(s.queued() == 0);
    CHECK(link.counters().udp_memory_dropped == 1);
    all.push_back(link.pool.allocate(block_size::small));
    CHECK(link.ours.send(s, pattern(10), {peer_ip, 9}).error() == errc::no_buffers);
}

TEST_CASE("a datagram goes out whole, or in fragments of the link's MTU") {
    for (const std::uint32_t mtu : {1500U, 576U, 68U, 9000U, 65535U}) {
        for (const std::size_t size : {1UL, 500UL, 1472UL, 1473UL, 20'000UL, 65'507UL}) {
            CAPTURE(mtu);
            CAPTURE(size);
            udp_link link{{.mtu = mtu}};
            link.introduce_peer();
            udp::socket& s = link.bind();
            const byte_string sent = pattern(size);
            if (mtu == 68 && size > 5000) continue;  // more pieces than a datagram may have
            REQUIRE(*link.ours.send(s, sent, {peer_ip, peer_port}) == size);
            const seen_datagram seen = link.datagram();
            CHECK(seen.payload == sent);
            CHECK(seen.udp.source_port == our_port);
            CHECK(seen.udp.destination_port == peer_port);
            CHECK(seen.ip.source == our_ip);
            CHECK(seen.ip.ttl == 64);
            CHECK(link.counters().udp_sent == 1);
            CHECK(s.unsent_bytes() == 0);
            CHECK(link.pool.bytes_out() == 0);
        }
    }
}

TEST_CASE("the checksum of a datagram is stored, whatever the device could do") {
    udp_link link{{.checksum_offload = true, .segmentation_offload = true}};
    link.introduce_peer();
    REQUIRE(link.ours.send(link.bind(), pattern(700), {peer_ip, peer_port}).has_value());
    CHECK(link.datagram().payload == pattern(700));
}

TEST_CASE("what a datagram cannot be, and where it cannot go, is refused") {
    udp_link link;
    udp::socket& s = link.bind();
    const byte_string large(65'508);
    const endpoint peer{peer_ip, peer_port};
    CHECK(link.ours.send(s, large, peer).error() == errc::message_too_large);
    CHECK(make_error_code(errc::message_too_large) == std::errc::message_size);
    CHECK(link.ours.send(s, {}, {peer_ip, 0}).error() == errc::invalid_endpoint);
    CHECK(link.ours.send(s, {}, {ipv4_address{}, 9}).error() == errc::invalid_endpoint);
    CHECK(link.ours.send(s, {}, {ipv4_address{224, 0, 0, 1}, 9}).error() == errc::invalid_endpoint);
    CHECK(link.ours.send(s, {}, {ipv4_address{192, 0, 2, 1}, 9}).error() ==
          errc::network_unreachable);
    CHECK(link.ours.send(s, {}, {our_ip, 9}).error() == errc::network_unreachable);
    CHECK(link.ours.send(s, {}, {net_broadcast, 9}).error() == errc::broadcast_not_allowed);
    CHECK(make_error_code(errc::broadcast_not_allowed) == std::errc::permission_denied);
    CHECK(link.packets().empty());
    CHECK(s.unsent_bytes() == 0);
}

TEST_CASE("a broadcast goes to everybody's link address, and only from who asked for it") {
    udp_link link;
    udp::socket& s = link.bind(our_port, {.allow_broadcast = true});
    for (const ipv4_address to : {net_broadcast, ipv4_address::broadcast()}) {
        REQUIRE(link.ours.send(s, pattern(3), {to, 67}).has_value());
        const auto sent = link.frames();
        REQUIRE(sent.size() == 1);
        CHECK(sent[0].ethernet.destination.is_broadcast());
        CHECK(sent[0].ip->destination == to);
        CHECK(sent[0].ip->source == our_ip);
    }
}

TEST_CASE("a broadcast reaches a socket that is bound to no address, and is never answered") {
    udp_link link;
    link.introduce_peer();
    udp::socket& any = link.bind(1000);
    udp::socket& bound = link.bind(1001, {}, our_ip);
    link.arrives(pattern(3), 1000, peer_ip, net_broadcast);
    link.arrives(pattern(3), 1000, peer_ip, ipv4_address::broadcast());
    link.arrives(pattern(3), 1001, peer_ip, net_broadcast);
    link.arrives(pattern(3), 1002, peer_ip, net_broadcast);
    CHECK(any.queued() == 2);
    CHECK(any.receive().to == ip_address{net_broadcast});
    CHECK(bound.queued() == 0);
    CHECK(link.packets().empty());
    CHECK(link.counters().udp_no_port == 2);
}

TEST_CASE("a datagram to one host in a frame to a group is dropped (RFC 1122 3.3.6)") {
    udp_link link;
    udp::socket& s = link.bind();
    byte_string frame(wire::ethernet_header_bytes);
    wire::emit_ethernet({mac_address::broadcast(), link.peer_mac, wire::ethernet_type::ipv4},
                        frame.data());
    link.receive(frame + ip_packet(wire::ip_protocol::udp, udp_bytes(pattern(3)), peer_ip, our_ip));
    CHECK(s.queued() == 0);
    CHECK(link.counters().udp_bad_address == 1);
}

TEST_CASE("a connected socket hears its peer only") {
    udp_link link;
    link.introduce_peer();
    udp::socket& s = link.bind();
    link.arrives(pattern(1));
    REQUIRE(link.ours.connect(s, {peer_ip, peer_port}).has_value());
    CHECK(s.queued() == 0);  // who said that before is not known to be the peer
    CHECK(s.local().address == ip_address{our_ip});
    link.arrives(pattern(2));
    CHECK(s.queued() == 1);
    link.arrives(pattern(3), our_port, peer_ip, our_ip, peer_port + 1);
    link.arrives(pattern(3), our_port, ipv4_address{10, 0, 0, 9});
    CHECK(s.queued() == 1);
    CHECK(link.counters().udp_no_port == 2);
    CHECK(link.ours.connect(s, {peer_ip, 0}).error() == errc::invalid_endpoint);
}

TEST_CASE("port unreachable is an error of the connected socket that it is about, once") {
    udp_link link;
    udp::socket& s = link.bind();
    const endpoint us{our_ip, our_port};
    const endpoint peer{peer_ip, peer_port};
    link.hears_error(wire::unreachable_code::port, us, peer);
    CHECK_FALSE(s.has_error());
    CHECK(link.counters().icmp_error_unmatched == 1);
    REQUIRE(link.ours.connect(s, peer).has_value());
    link.hears_error(wire::unreachable_code::port, us, {peer_ip, peer_port + 1});
    link.hears_error(wire::unreachable_code::port, {our_ip, our_port + 1}, peer);
    link.hears_error(wire::unreachable_code::port, {peer_ip, our_port}, peer);
    CHECK_FALSE(s.has_error());
    CHECK(link.counters().icmp_error_unmatched == 4);
    link.hears_error(wire::unreachable_code::port, us, peer);
    CHECK(link.ours.udp().pop_signaled() == &s);
    CHECK(s.can_receive());
    CHECK(s.take_error() == errc::connection_refused);
    CHECK_FALSE(s.take_error());
    CHECK(link.counters().icmp_error_delivered == 1);
}

TEST_CASE("what a router says need not last is told to who asks") {
    udp_link link;
    udp::socket& s = link.bind();
    const endpoint us{our_ip, our_port};
    const endpoint peer{peer_ip, peer_port};
    REQUIRE(link.ours.connect(s, peer).has_value());
    link.hears_error(wire::unreachable_code::host, us, peer);
    CHECK_FALSE(s.has_error());
    CHECK(s.take_soft_error() == errc::host_unreachable);
    CHECK_FALSE(s.take_soft_error());
    link.hears_error(wire::unreachable_code::network, us, peer);
    CHECK(s.take_soft_error() == errc::network_unreachable);
    link.hears_error(wire::time_exceeded_code::in_transit, us, peer,
                     wire::icmp_type::time_exceeded);
    CHECK(s.take_soft_error() == errc::host_unreachable);
    link.hears_error(wire::unreachable_code::fragmentation_needed, us, peer);
    CHECK_FALSE(s.take_soft_error());
    CHECK(link.counters().icmp_mtu_ignored == 1);
}

TEST_CASE("a datagram waits for its neighbour, and holds up nobody else's") {
    udp_link link;
    link.introduce_peer();
    udp::socket& s = link.bind();
    REQUIRE(link.ours.send(s, pattern(10), {ipv4_address{10, 0, 0, 77}, 9}).has_value());
    REQUIRE(link.ours.send(s, pattern(20), {peer_ip, peer_port}).has_value());
    const auto sent = link.frames();
    REQUIRE(sent.size() >= 2);
    int questions = 0;
    int datagrams = 0;
    for (const sent_frame& f : sent) {
        questions +=
            f.ethernet.type == wire::ethernet_type::arp && f.ethernet.destination.is_broadcast();
        datagrams += f.ip.has_value();
    }
    CHECK(questions == 1);
    CHECK(datagrams == 1);
    CHECK(link.ours.udp().aside_count() == 1);
    CHECK(s.unsent_bytes() != 0);
    // It answers.
    byte_string answer(wire::ethernet_header_bytes + wire::arp_bytes);
    const mac_address other{{2, 0, 0, 0, 0, 77}};
    wire::emit_ethernet({link.our_mac, other, wire::ethernet_type::arp}, answer.data());
    wire::emit_arp(
        {wire::arp_operation::reply, other, ipv4_address{10, 0, 0, 77}, link.our_mac, our_ip},
        answer.data() + wire::ethernet_header_bytes);
    link.receive(answer);
    CHECK(link.ours.is_transmit_pending());
    const auto late = link.frames();
    REQUIRE(late.size() == 1);
    CHECK(late[0].ethernet.destination == other);
    CHECK(s.unsent_bytes() == 0);
}

TEST_CASE("the latest few datagrams are kept for a neighbour, and sent in order") {
    udp_link link;
    udp::socket& s = link.bind();
    for (unsigned i = 0; i < 10; ++i) {
        REQUIRE(link.ours.send(s, pattern(10 + i), {peer_ip, peer_port}).has_value());
    }
    (void)link.frames();
    CHECK(link.ours.udp().aside_count() == 4);
    CHECK(link.counters().neighbor_queue_dropped == 6);
    link.receive(arp_reply());
    const auto sent = link.packets();
    REQUIRE(sent.size() == 4);
    for (unsigned i = 0; i < 4; ++i) CHECK(sent[i].ip->total_bytes == 28 + 16 + i);
    CHECK(s.unsent_bytes() == 0);
}

TEST_CASE("no more is set aside than there is room for, however many neighbours are silent") {
    udp_link link;
    udp::socket& s = link.bind();
    for (std::uint8_t host = 10; host < 210; ++host) {
        REQUIRE(
            link.ours.send(s, pattern(9), {ipv4_address{10, 0, 0, host}, peer_port}).has_value());
    }
    (void)link.frames();
    CHECK(link.ours.udp().aside_count() == udp::demux::max_aside);
    CHECK(link.counters().neighbor_queue_dropped == 200 - udp::demux::max_aside);
    link.wait(10s);
    CHECK(link.ours.udp().aside_count() == 0);
    CHECK(s.unsent_bytes() == 0);
    CHECK(link.pool.bytes_out() == 0);
}

TEST_CASE("a neighbour that never answers is an error of a connected socket") {
    udp_link link;
    udp::socket& connected = link.bind(1000);
    udp::socket& free = link.bind(1001);
    REQUIRE(link.ours.connect(connected, {peer_ip, peer_port}).has_value());
    REQUIRE(link.ours.send(connected, pattern(10), {peer_ip, peer_port}).has_value());
    REQUIRE(link.ours.send(free, pattern(10), {peer_ip, peer_port}).has_value());
    (void)link.frames();
    link.wait(5s);
    CHECK(connected.take_error() == errc::host_unreachable);
    CHECK_FALSE(free.has_error());
    CHECK(link.counters().udp_not_sent == 2);
}

TEST_CASE("a socket that is closed still sends what was queued, also to who has to be asked for") {
    udp_link link;
    udp::socket& s = link.bind();
    REQUIRE(link.ours.send(s, pattern(10), {peer_ip, peer_port}).has_value());
    link.ours.close(s);
    CHECK(link.ours.udp().socket_count() == 1);
    CHECK(link.packets().empty());
    link.bind();  // the port is free meanwhile
    link.receive(arp_reply());
    CHECK(link.datagram().payload == pattern(10));
    CHECK(link.ours.udp().socket_count() == 1);
    CHECK(link.pool.bytes_out() == 0);
}

TEST_CASE("sockets take turns, a fragment each, and TCP's replies go between them") {
    udp_link link;
    link.introduce_peer();
    udp::socket& a = link.bind(1000);
    udp::socket& b = link.bind(1001);
    const endpoint to{peer_ip, peer_port};
    REQUIRE(link.ours.send(a, pattern(6000), to).has_value());
    REQUIRE(link.ours.send(b, pattern(10), to).has_value());
    const auto sent = link.packets();
    REQUIRE(sent.size() == 6);
    CHECK(sent[0].ip->more_fragments);
    CHECK_FALSE(sent[1].ip->is_fragment());
    CHECK(sent[0].ip->identification != sent[1].ip->identification);
}

TEST_CASE("hop limit and traffic class are those asked for, without the bits of ECN") {
    udp_link link;
    link.introduce_peer();
    udp::socket& s = link.bind(our_port, {.hop_limit = 3, .traffic_class = 0xbb});
    REQUIRE(link.ours.send(s, pattern(1), {peer_ip, peer_port}).has_value());
    const seen_datagram seen = link.datagram();
    CHECK(seen.ip.ttl == 3);
    CHECK(seen.ip.traffic_class == 0xb8);
}

TEST_CASE("the counters are there by the names of RFC 4113") {
    udp_link link;
    link.introduce_peer();
    udp::socket& s = link.bind(our_port, {.receive_buffer_bytes = 1});
    link.arrives(pattern(5));
    link.arrives(pattern(5));  // overflow
    link.arrives(pattern(5), 9);
    byte_string wrong = udp_bytes(pattern(9));
    wrong[8] ^= std::byte{1};
    link.receive_packet(ip_packet(wire::ip_protocol::udp, wrong, peer_ip, our_ip));
    REQUIRE(link.ours.send(s, pattern(3000), {peer_ip, peer_port}).has_value());
    (void)link.frames();
    std::map<std::string, std::uint64_t> by_name;
    link.ours.udp_mib().for_each(
        [&](std::string_view name, std::uint64_t value) { by_name[std::string{name}] = value; });
    CHECK(by_name["udpInDatagrams"] == 1);
    CHECK(by_name["udpNoPorts"] == 1);
    CHECK(by_name["udpInErrors"] == 2);
    CHECK(by_name["udpOutDatagrams"] == 1);
    CHECK(by_name["udpHCInDatagrams"] == 1);
    CHECK(by_name["udpHCOutDatagrams"] == 1);
    CHECK(by_name.size() == 6);
}
}
