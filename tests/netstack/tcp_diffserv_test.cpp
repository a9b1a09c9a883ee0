#include "scripted_peer.hpp"
#include "stack_link.hpp"

#include <doctest/doctest.h>

using namespace std::chrono_literals;
using namespace weft::net;
using namespace weft::test;
using weft::net::tcp::state;

// What TCP asks of IP: the Diffserv field (RFC 9293 §3.9.1.9), the TTL (§3.9.2), and the
// identification of what is sent twice (§3.8.1).

namespace {

constexpr auto S = tcp_flags::syn;
constexpr auto A = tcp_flags::ack;

wire::ipv4_header with_class(std::uint8_t value, std::size_t payload_bytes) {
    wire::ipv4_header header;
    header.source = stack_link::peer_ip;
    header.destination = stack_link::our_ip;
    header.protocol = wire::ip_protocol::tcp;
    header.traffic_class = value;
    header.total_bytes = static_cast<std::uint16_t>(wire::ipv4_header_bytes + payload_bytes);
    return header;
}

/// A connection of ours to port 80 of the peer, established.
struct client : stack_link {
    tcp::connection* connection = nullptr;
    sent_frame syn;
    std::uint32_t our_next = 0;
    std::uint16_t port = 0;

    explicit client(const tcp::connection_options& options = {}, const tcp::config& config = {})
        : stack_link{{}, config} {
        introduce_peer();
        connection = ours.connect({peer_ip, 80}, options, now).value();
        syn = segment();
        port = syn.segment->header.source_port;
        our_next = syn.segment->header.sequence + 1;
    }
    ~client() {
        if (connection->state() != state::closed) connection->abort(now);
        connection->release(now);
    }
    sent_frame opens() {
        receive_segment({tcp_header_of(80, port, 900, our_next, S | A)});
        return segment();
    }
    void receive_with_class(std::uint8_t value, const raw_segment& s) {
        const byte_string segment = tcp_bytes(s, peer_ip, our_ip);
        byte_string packet(wire::ipv4_header_bytes);
        wire::emit_ipv4(with_class(value, segment.size()), packet.data());
        receive_packet(packet + segment);
    }
    sent_frame writes(std::string_view text) {
        REQUIRE(connection->write(std::as_bytes(std::span{text}), now).value() == text.size());
        return segment();
    }
};

}  // namespace

TEST_SUITE("netstack.tcp.diffserv") {
TEST_CASE("each segment has the Diffserv field that the user set, unchanged (MUST-48) (SHLD-22)") {
    for (const int value : {0, 0x20, 0xb8, 0xfc}) {
        CAPTURE(value);
        client link{{.traffic_class = static_cast<std::uint8_t>(value)}};
        CHECK(link.syn.ip->traffic_class == value);
        CHECK(link.opens().ip->traffic_class == value);
        CHECK((link.writes("text").ip->traffic_class & ~3) == value);
        link.connection->abort(link.now);
        const sent_frame reset = link.segment();
        CHECK(reset.segment->header.flags.has(tcp_flags::rst));
        CHECK(reset.ip->traffic_class == value);
    }
}

TEST_CASE("a listener's connections send with the listener's Diffserv field (MUST-48)") {
    stack_link link;
    link.introduce_peer();
    const tcp::listen_options options{.connection = {.traffic_class = 0x48, .hop_limit = 7}};
    tcp::listener* listener = link.ours.listen({stack_link::our_ip, 80}, options, link.now).value();
    link.receive_segment({tcp_header_of(4000, 80, 5000, 0, S)});
    const sent_frame answer = link.segment();
    CHECK(answer.segment->header.flags == (S | A));
    CHECK(answer.ip->traffic_class == 0x48);
    CHECK(answer.ip->ttl == 7);
    link.ours.close(*listener, link.now);
}

TEST_CASE("the Diffserv field can be changed during the connection (SHLD-21)") {
    client link;
    (void)link.opens();
    CHECK((link.writes("one").ip->traffic_class & ~3) == 0);
    link.connection->set_no_delay(true, link.now);
    link.connection->set_traffic_class(0x88);
    CHECK((link.writes("two").ip->traffic_class & ~3) == 0x88);
    CHECK(link.connection->traffic_class() == 0x88);
}

TEST_CASE("the two bits of ECN are not the user's to set") {
    client link{{.traffic_class = 0xff}};
    CHECK(link.syn.ip->traffic_class == 0xfc);
    link.connection->set_traffic_class(0x03);
    CHECK(link.opens().ip->traffic_class == 0);
}

TEST_CASE("the Diffserv field of the peer's last segment is told (MAY-9)") {
    client link;
    link.receive_with_class(0x20, {tcp_header_of(80, link.port, 900, link.our_next, S | A)});
    (void)link.segment();
    CHECK(link.connection->received_traffic_class() == 0x20);
    link.receive_with_class(0xb9,
                            {tcp_header_of(80, link.port, 901, link.our_next, A), {}, pattern(4)});
    CHECK(link.connection->received_traffic_class() == 0xb8);
    // One that is not acceptable is not the peer's word.
    link.receive_with_class(
        0x60, {tcp_header_of(80, link.port, 500'000, link.our_next, A), {}, pattern(4)});
    CHECK(link.connection->received_traffic_class() == 0xb8);
    (void)link.frames();
}

TEST_CASE("the TTL of segments is the user's or the stack's (MUST-49)") {
    client plain;
    CHECK(plain.syn.ip->ttl == 64);
    client link{{.hop_limit = 3}, {.hop_limit = 200}};
    CHECK(link.syn.ip->ttl == 3);
    CHECK(link.opens().ip->ttl == 3);
    link.connection->set_hop_limit(0);
    CHECK(link.writes("text").ip->ttl == 200);
    link.connection->set_hop_limit(9);
    link.connection->abort(link.now);
    CHECK(link.segment().ip->ttl == 9);
    // What no connection sends: the stack's figure, and no class of a stranger's choice.
    link.receive_with_class(0xb8, {tcp_header_of(4000, 81, 5000, 0, S)});
    const sent_frame refusal = link.segment();
    CHECK(refusal.segment->header.flags.has(tcp_flags::rst));
    CHECK(refusal.ip->ttl == 200);
    CHECK(refusal.ip->traffic_class == 0);
}

TEST_CASE("a packet that is sent again keeps its IPv4 identification (MAY-4)") {
    client link;
    (void)link.opens();
    const sent_frame first = link.writes("text");
    link.now += 3s;
    link.ours.on_timeout(link.now);
    const sent_frame again = link.segment();
    CHECK(again.text == first.text);
    CHECK(again.ip->identification == first.ip->identification);
    CHECK(again.ip->dont_fragment);  // atomic: the field says nothing (RFC 6864 section 4.1)
}

TEST_CASE("what did not end the connection is not kept for a user who does not ask (SHLD-20)") {
    scripted_peer deaf = in_state(state::established, {.connection = {.soft_errors = false}});
    deaf.writes("text");
    (void)deaf.sees();
    deaf.icmp(errc::host_unreachable, false, 1001);
    deaf.waits(60s);  // R1 is passed, too
    CHECK(!deaf.connection->take_soft_error());

    scripted_peer peer = in_state(state::established);
    peer.writes("text");
    (void)peer.sees();
    peer.icmp(errc::host_unreachable, false, 1001);
    peer.connection->set_soft_errors(false);
    CHECK(!peer.connection->take_soft_error());
    peer.connection->set_soft_errors(true);
    peer.icmp(errc::host_unreachable, false, 1001);
    CHECK(peer.connection->take_soft_error() == make_error_code(errc::host_unreachable));
}
}
