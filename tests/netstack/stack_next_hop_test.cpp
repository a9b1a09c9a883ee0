#include "stack_link.hpp"

#include <weft/net/wire/icmp.hpp>

#include <doctest/doctest.h>

// What stands between a connection and its peer: the next hop's link address, and routers that say
// what they could not deliver.

using namespace std::chrono_literals;
using namespace weft::net;
using namespace weft::test;
using weft::test::operator+;

namespace {

constexpr auto S = tcp_flags::syn;
constexpr auto A = tcp_flags::ack;

byte_string echo_quench(const sent_frame& about) {
    byte_string m = hex("0400 0000 0000 0000");
    m.insert(m.end(), about.bytes.begin() + wire::ethernet_header_bytes,
             about.bytes.begin() + wire::ethernet_header_bytes + 28);
    wire::fill_icmp_checksum(m);
    return m;
}

byte_string unreachable(unsigned code, const sent_frame& about, unsigned mtu = 0) {
    byte_string m = echo_quench(about);
    m[0] = std::byte{3};
    m[1] = static_cast<std::byte>(code);
    put16(m, 2, 0);
    put16(m, 6, mtu);
    wire::fill_icmp_checksum(m);
    return m;
}

struct accepted_connection {
    tcp::connection* connection;
    std::uint32_t iss;  ///< ours
};

/// A handshake in three steps, from that port of the peer's.
accepted_connection opened_by_peer(stack_link& link, tcp::listener& l, std::uint16_t port = 4000) {
    link.receive_segment({tcp_header_of(port, 80, 5000, 0, S)});
    const std::uint32_t iss = link.segment().segment->header.sequence;
    link.receive_segment({tcp_header_of(port, 80, 5001, iss + 1, A)});
    return {&l.accept(), iss};
}

}  // namespace

TEST_SUITE("netstack.stack.tcp.next_hop") {
TEST_CASE("the first SYN asks for the next hop, and goes when the answer comes") {
    stack_link link;
    tcp::connection* c = link.ours.connect({stack_link::peer_ip, 80}, {}, link.now).value();
    auto seen = link.frames();
    REQUIRE(seen.size() == 1);
    CHECK(seen[0].ethernet.type == wire::ethernet_type::arp);
    CHECK(seen[0].ethernet.destination.is_broadcast());
    link.wait(100ms);
    CHECK(link.ours.counters().tcp_segments_sent == 0);
    link.receive(arp_reply());
    const sent_frame syn = link.segment();
    CHECK(syn.segment->header.flags == S);
    CHECK(syn.ethernet.destination == stack_link::peer_mac);
    c->release(link.now);
}

TEST_CASE("a next hop that never answers ends the attempt as unreachable") {
    stack_link link;
    tcp::connection* c = link.ours.connect({stack_link::peer_ip, 80}, {}, link.now).value();
    (void)link.frames();
    link.wait(10s);
    CHECK(c->state() == tcp::state::closed);
    CHECK(c->error() == errc::host_unreachable);
    CHECK(link.ours.counters().tcp_segments_sent == 0);
    c->release(link.now);
}

TEST_CASE("many connections wait for one next hop, and all go when it answers") {
    stack_link link;
    std::vector<tcp::connection*> all;
    for (int i = 0; i < 100; ++i) {
        all.push_back(link.ours.connect({stack_link::peer_ip, 80}, {}, link.now).value());
    }
    CHECK(link.frames().size() == 1);
    CHECK_FALSE(link.ours.tcp().transmitting());
    // One is let go of while it waits.
    all.back()->release(link.now);
    all.pop_back();
    link.receive(arp_reply());
    CHECK(link.frames().size() == 99);
    for (auto* c : all) c->release(link.now);
}

TEST_CASE(
    "more unknown next hops than can be asked for at once end as unreachable, not in a storm") {
    stack_link link{{}, {}, std::size_t{1} << 26, 16};
    std::vector<tcp::connection*> all;
    for (unsigned i = 1; i <= 2000; ++i) {
        const ipv4_address to{(10U << 24) + (1U << 8) + i};
        all.push_back(link.ours.connect({to, 80}, {}, link.now).value());
    }
    std::size_t questions = link.frames().size();
    CHECK(questions >= 256);
    CHECK(questions <= 2000);
    for (int second = 0; second < 20; ++second) {
        link.wait(1s);
        questions = link.frames().size();
        CHECK(questions <= 2000);
    }
    for (auto* c : all) {
        CHECK(c->state() == tcp::state::closed);
        c->release(link.now);
    }
}

TEST_CASE(
    "a neighbour through which a connection makes progress is not asked whether it is there, one "
    "that has gone silent is (RFC 4861 section 7.3.1)") {
    stack_link link;
    link.introduce_peer();
    tcp::listener* l = link.ours.listen({stack_link::our_ip, 80}, {}, link.now).value();
    const auto [connection, iss] = opened_by_peer(link, *l);
    tcp::connection& c = *connection;
    const auto asked = link.ours.counters().arp_requests_sent;
    // Towards us first, then from us: text that is new shows it as well as an acknowledgment.
    for (std::uint32_t i = 0; i < 60; ++i) {
        link.wait(3s);
        if (i < 30) {
            link.receive_segment({tcp_header_of(4000, 80, 5001 + i, iss + 1, A), {}, pattern(1)});
        } else {
            REQUIRE(c.write(pattern(1), link.now).has_value());
            (void)link.frames();
            link.receive_segment({tcp_header_of(4000, 80, 5031, iss + i - 28, A)});
        }
        (void)link.frames();
    }
    CHECK(link.ours.counters().arp_requests_sent == asked);
    CHECK(c.unacked_bytes() == 0);
    link.wait(40s);
    REQUIRE(c.write(pattern(1), link.now).has_value());
    (void)link.frames();
    CHECK(link.ours.counters().arp_requests_sent == asked + 1);
    c.abort(link.now);
    c.release(link.now);
    link.ours.close(*l, link.now);
}

TEST_CASE("acknowledgments that find no next hop are lost; they do not stay due for ever") {
    tcp::config plain;
    plain.timestamps = plain.selective_acknowledgment = false;
    stack_link link{{}, plain};
    link.introduce_peer();
    tcp::listener* l = link.ours.listen({stack_link::our_ip, 80}, {}, link.now).value();
    const auto [connection, iss] = opened_by_peer(link, *l);
    tcp::connection& c = *connection;
    // Text behind a gap is no progress: the next hop, old by now, is asked, does not answer, and is
    // forgotten. Later there is a duplicate ACK due for each segment, and nowhere to send them.
    const auto arrives = [&link, iss](std::uint32_t seq) {
        link.receive_segment({tcp_header_of(4000, 80, seq, iss + 1, A), {}, pattern(1)});
    };
    link.wait(40s);
    arrives(5003);
    (void)link.segment();
    link.wait(10s);
    for (const std::uint32_t seq : {5004U, 5005U, 5006U}) arrives(seq);
    const auto sent = link.ours.counters().tcp_segments_sent;
    (void)link.frames();
    link.wait(10s);
    CHECK(c.take_soft_error() == errc::host_unreachable);
    CHECK(c.state() == tcp::state::established);
    CHECK(link.ours.counters().tcp_segments_sent == sent);
    CHECK(c.violated_invariant() == "");

    // The next hop is back: what was due then is not sent now.
    link.introduce_peer();
    REQUIRE(c.write(pattern(1), link.now).has_value());
    const sent_frame only = link.segment();
    CHECK(only.text.size() == 1);
    CHECK(only.segment->header.acknowledgment == 5001);
    c.abort(link.now);
    c.release(link.now);
    link.ours.close(*l, link.now);
}

TEST_CASE("connections with much to say take turns") {
    stack_link link;
    link.introduce_peer();
    tcp::listener* l = link.ours.listen({stack_link::our_ip, 80}, {}, link.now).value();
    std::vector<tcp::connection*> both;
    for (const std::uint16_t port : {std::uint16_t{4000}, std::uint16_t{4001}}) {
        both.push_back(opened_by_peer(link, *l, port).connection);
    }
    for (auto* c : both) REQUIRE(c->write(pattern(8000), link.now).has_value());
    const auto seen = link.frames();
    REQUIRE(seen.size() >= 6);
    for (std::size_t i = 0; i + 1 < 6; ++i) {
        CHECK(seen[i].segment->header.destination_port !=
              seen[i + 1].segment->header.destination_port);
    }
    for (auto* c : both) {
        c->abort(link.now);
        c->release(link.now);
    }
    link.ours.close(*l, link.now);
}
}

TEST_SUITE("netstack.stack.tcp.icmp") {
TEST_CASE(
    "an ICMP error finds its connection: hard ones end an attempt, soft ones do not "
    "[MUST-54] [MUST-56] [SHLD-26]") {
    for (unsigned code = 0; code <= 15; ++code) {
        CAPTURE(code);
        stack_link link;
        link.introduce_peer();
        tcp::connection* c = link.ours.connect({stack_link::peer_ip, 80}, {}, link.now).value();
        const sent_frame syn = link.segment();
        link.receive_packet(ip_packet(wire::ip_protocol::icmp, unreachable(code, syn, 1400),
                                      stack_link::peer_ip, stack_link::our_ip));
        const bool is_hard = code == 2 || code == 3;
        CHECK((c->state() == tcp::state::closed) == is_hard);
        if (is_hard) CHECK(c->error() == errc::connection_refused);
        c->release(link.now);
    }
}

TEST_CASE("time exceeded and parameter problem are soft [MUST-56]") {
    for (const unsigned type : {11U, 12U}) {
        stack_link link;
        link.introduce_peer();
        tcp::connection* c = link.ours.connect({stack_link::peer_ip, 80}, {}, link.now).value();
        byte_string m = unreachable(0, link.segment());
        m[0] = static_cast<std::byte>(type);
        put16(m, 2, 0);
        wire::fill_icmp_checksum(m);
        link.receive_packet(
            ip_packet(wire::ip_protocol::icmp, m, stack_link::peer_ip, stack_link::our_ip));
        CHECK(c->state() == tcp::state::syn_sent);
        CHECK(link.ours.counters().icmp_error_delivered == 1);
        CHECK(c->take_soft_error());
        c->release(link.now);
    }
}

TEST_CASE("source quench is dropped [MUST-55]") {
    stack_link link;
    link.introduce_peer();
    tcp::connection* c = link.ours.connect({stack_link::peer_ip, 80}, {}, link.now).value();
    link.receive_packet(ip_packet(wire::ip_protocol::icmp, echo_quench(link.segment()),
                                  stack_link::peer_ip, stack_link::our_ip));
    CHECK(link.ours.counters().icmp_source_quench == 1);
    CHECK(c->state() == tcp::state::syn_sent);
    CHECK_FALSE(c->take_soft_error());
    c->release(link.now);
}

TEST_CASE("an error whose quotation is not ours, or old, is not believed") {
    stack_link link;
    link.introduce_peer();
    tcp::connection* c = link.ours.connect({stack_link::peer_ip, 80}, {}, link.now).value();
    sent_frame syn = link.segment();
    const auto seq_at = wire::ethernet_header_bytes + wire::ipv4_header_bytes + 4;
    syn.bytes[seq_at] ^= std::byte{0x40};
    link.receive_packet(ip_packet(wire::ip_protocol::icmp, unreachable(3, syn), stack_link::peer_ip,
                                  stack_link::our_ip));
    syn.bytes[seq_at] ^= std::byte{0x40};
    syn.bytes[wire::ethernet_header_bytes + 15] ^= std::byte{1};  // another source
    link.receive_packet(ip_packet(wire::ip_protocol::icmp, unreachable(3, syn), stack_link::peer_ip,
                                  stack_link::our_ip));
    CHECK(c->state() == tcp::state::syn_sent);
    CHECK(link.ours.counters().icmp_error_unmatched == 2);
    c->release(link.now);
}
}
