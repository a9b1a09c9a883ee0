#include "udp_link.hpp"

#include <doctest/doctest.h>


// What goes out by UDP, seen from the link: fragments, broadcasts, neighbours that do not answer.

using namespace std::chrono_literals;
using namespace weft::net;
using namespace weft::test;

TEST_SUITE("netstack.udp") {
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
}
