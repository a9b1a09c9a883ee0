#include "udp_link.hpp"

#include <doctest/doctest.h>

#include <map>
#include <set>
#include <string>

// What comes in by UDP, seen from the link: RFC 768, RFC 1122 §4.1. What goes out is in
// udp_send_test.cpp.

using namespace std::chrono_literals;
using namespace weft::net;
using namespace weft::test;

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
