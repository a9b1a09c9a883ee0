#include "wire_test_bytes.hpp"

#include <weft/net/ip/fragmenter.hpp>
#include <weft/net/stack.hpp>
#include <weft/net/wire/checksum.hpp>
#include <weft/net/wire/ethernet.hpp>
#include <weft/net/wire/icmp.hpp>
#include <weft/net/wire/udp.hpp>

#include <doctest/doctest.h>

#include <cstdlib>
#include <random>

// The stack seen from its link: frames in, frames out, no transport.

using namespace std::chrono_literals;
using namespace weft::net;
using weft::instant;
using weft::test::byte_string;
using weft::test::hex;
using weft::test::pattern;
using weft::test::operator+;

namespace {

const mac_address our_mac = mac_address::parse("02:00:00:00:00:02").value();
const mac_address peer_mac = mac_address::parse("02:00:00:00:00:01").value();
constexpr ipv4_address our_ip{10, 0, 0, 2};
constexpr ipv4_address peer_ip{10, 0, 0, 1};
constexpr ipv4_address far_ip{192, 0, 2, 7};  // behind the gateway, which is 10.0.0.1

stack_options options_with(std::uint32_t mtu) {
    stack_options options;
    options.address = ip_prefix{our_ip, 24};
    options.gateway = peer_ip;
    options.mac = our_mac;
    options.device.mtu = mtu;
    return options;
}

/// A stack on a link whose other end is this test.
struct link_fixture {
    block_pool pool;
    stack ours;
    tx_slot slot;
    instant now{};

    explicit link_fixture(std::uint32_t mtu = 1500) : ours{options_with(mtu), pool} {
        (void)frames();  // its announcement
    }

    void receive(const byte_string& frame) {
        slice bytes = pool.allocate_for(frame.size());
        std::ranges::copy(frame, bytes.data());
        bytes.extend(static_cast<std::uint32_t>(frame.size()));
        ours.on_frame(std::move(bytes), {}, now);
    }
    void receive_packet(const byte_string& packet) {
        byte_string frame(wire::ethernet_header_bytes);
        wire::emit_ethernet({our_mac, peer_mac, wire::ethernet_type::ipv4}, frame.data());
        receive(frame + packet);
    }
    void receive_arp(const wire::arp_packet& arp) {
        byte_string frame(wire::ethernet_header_bytes + wire::arp_bytes);
        wire::emit_ethernet({our_mac, peer_mac, wire::ethernet_type::arp}, frame.data());
        wire::emit_arp(arp, frame.data() + wire::ethernet_header_bytes);
        receive(frame);
    }
    void introduce_peer() {
        receive_arp({wire::arp_operation::request, peer_mac, peer_ip, mac_address{}, our_ip});
        REQUIRE(frames().size() == 1);
    }
    void wait(weft::duration time) {
        now += time;
        ours.on_timeout(now);
    }

    std::vector<byte_string> frames() {
        std::vector<byte_string> out;
        while (ours.poll_frame(slot, now)) {
            out.emplace_back(slot.frame_bytes());
            slot.copy_to(out.back().data());
            slot.clear();
            REQUIRE(out.size() < 1000);
        }
        slot.clear();
        return out;
    }
    /// The IPv4 packets among the frames due, which all go to the peer's link address.
    std::vector<byte_string> packets() {
        std::vector<byte_string> out;
        for (const byte_string& frame : frames()) {
            const auto header = wire::parse_ethernet(frame);
            REQUIRE(header);
            REQUIRE(header->source == our_mac);
            if (header->type != wire::ethernet_type::ipv4) continue;
            CHECK(header->destination == peer_mac);
            out.emplace_back(frame.begin() + wire::ethernet_header_bytes, frame.end());
        }
        return out;
    }
};

byte_string packet(std::uint8_t protocol, const byte_string& payload, ipv4_address from = peer_ip,
                   ipv4_address to = our_ip) {
    wire::ipv4_header header;
    header.source = from;
    header.destination = to;
    header.protocol = protocol;
    header.total_bytes = static_cast<std::uint16_t>(wire::ipv4_header_bytes + payload.size());
    byte_string out(wire::ipv4_header_bytes);
    wire::emit_ipv4(header, out.data());
    return out + payload;
}

byte_string echo_request(std::size_t data_bytes) {
    auto message = hex("0800 0000 1234 0001") + pattern(data_bytes);
    wire::fill_icmp_checksum(message);
    return message;
}

byte_string syn_to_closed_port() {
    byte_string segment(wire::tcp_header_bytes);
    wire::emit_tcp({40000, 9, 1000, 0, wire::tcp_flags::syn, 0, 65535, 0}, {}, segment.data());
    return segment;
}

byte_string with_tcp_checksum(byte_string segment, ipv4_address from) {
    wire::fill_tcp_checksum(from, our_ip, segment, 0, 0);
    return segment;
}

byte_string udp_datagram(ipv4_address from, const byte_string& payload) {
    byte_string out(wire::udp_header_bytes);
    wire::emit_udp(from, our_ip, 40000, 9, wire::checksum_partial(payload), payload.size(),
                   out.data());
    return out + payload;
}

/// Puts the fragments of a reply together again.
std::optional<ip::reassembled_datagram> reassemble(const std::vector<byte_string>& packets) {
    stack_counters counters;
    ip::fragment_store store{counters};
    for (const byte_string& bytes : packets) {
        const auto header = wire::parse_ipv4(bytes);
        REQUIRE(header);
        if (auto whole = store.on_fragment(*header, header->payload_in(bytes), {})) return whole;
    }
    return std::nullopt;
}

}  // namespace

TEST_SUITE("netstack.ip.stack") {
TEST_CASE("a stack announces its address once") {
    block_pool pool;
    stack ours{options_with(1500), pool};
    tx_slot slot;
    REQUIRE(ours.poll_frame(slot, {}));
    byte_string frame(slot.frame_bytes());
    slot.copy_to(frame.data());
    slot.clear();
    CHECK(wire::parse_ethernet(frame)->destination.is_broadcast());
    const auto arp = wire::parse_arp(wire::bytes_view{frame}.subspan(wire::ethernet_header_bytes));
    CHECK(arp->sender_ip == our_ip);
    CHECK(arp->target_ip == our_ip);
    CHECK_FALSE(ours.poll_frame(slot, {}));
}

TEST_CASE("a ping is answered with its data") {
    link_fixture link;
    link.introduce_peer();
    link.receive_packet(packet(wire::ip_protocol::icmp, echo_request(56)));
    const auto replies = link.packets();
    REQUIRE(replies.size() == 1);
    const auto header = wire::parse_ipv4(replies[0]);
    REQUIRE(header);
    CHECK(header->destination == peer_ip);
    const auto message = wire::parse_icmp(header->payload_in(replies[0]));
    REQUIRE(message);
    CHECK(message->type == wire::icmp_type::echo_reply);
    CHECK(link.ours.counters().icmp_echo_replied == 1);
    CHECK(link.ours.counters().frames_sent == 4);  // announcement, ARP reply, echo reply, probe
}

TEST_CASE("a ping larger than the MTU is answered in fragments, up to the largest") {
    for (const auto& [size, mtu] : {std::pair{4000U, 1500U},
                                    {1472U, 576U},
                                    {20000U, 576U},
                                    {65507U, 1500U},
                                    {8972U, 9000U}}) {
        CAPTURE(size);
        link_fixture link{mtu};
        link.introduce_peer();
        const auto request = echo_request(size);
        wire::ipv4_header header;
        header.source = peer_ip;
        header.destination = our_ip;
        header.protocol = wire::ip_protocol::icmp;
        header.identification = 99;
        ip::fragmenter pieces{header, request, 1500};
        while (const auto piece = pieces.next()) {
            byte_string bytes(wire::ipv4_header_bytes);
            wire::emit_ipv4(piece->header, bytes.data());
            link.receive_packet(bytes + byte_string(piece->payload.begin(), piece->payload.end()));
        }
        const auto replies = link.packets();
        for (const byte_string& reply : replies) CHECK(reply.size() <= mtu);
        byte_string answer;
        if (replies.size() == 1) {
            answer.assign(replies[0].begin() + wire::ipv4_header_bytes, replies[0].end());
        } else {
            const auto whole = reassemble(replies);
            REQUIRE(whole);
            answer = whole->payload;
        }
        REQUIRE(answer.size() == request.size());
        CHECK(wire::parse_icmp(answer)->type == wire::icmp_type::echo_reply);
        CHECK(std::equal(answer.begin() + 4, answer.end(), request.begin() + 4));
    }
}

TEST_CASE("a reply waits until its next hop answers, and the question goes out at once") {
    link_fixture link;
    link.receive_packet(
        packet(wire::ip_protocol::tcp, with_tcp_checksum(syn_to_closed_port(), far_ip), far_ip));
    const auto asked = link.frames();
    REQUIRE(asked.size() == 1);
    const auto arp =
        wire::parse_arp(wire::bytes_view{asked[0]}.subspan(wire::ethernet_header_bytes));
    REQUIRE(arp);
    CHECK(arp->target_ip == peer_ip);  // the gateway
    link.receive_arp({wire::arp_operation::reply, peer_mac, peer_ip, our_mac, our_ip});
    const auto replies = link.packets();
    REQUIRE(replies.size() == 1);
    CHECK(wire::parse_ipv4(replies[0])->destination == far_ip);
    CHECK(link.ours.counters().tcp_resets_sent == 1);
}

TEST_CASE("a reply to a next hop that never answers is dropped and counted") {
    link_fixture link;
    link.receive_packet(packet(wire::ip_protocol::icmp, echo_request(8), far_ip));
    CHECK(link.frames().size() == 1);
    for (int second = 1; second <= 3; ++second) {
        link.wait(1s);
        CHECK(link.frames().size() == (second < 3 ? 1U : 0U));
    }
    CHECK(link.ours.counters().neighbor_unresolved == 1);
    CHECK(link.ours.counters().neighbor_queue_dropped == 1);
    CHECK(link.ours.next_timeout() == weft::never);
}

TEST_CASE("a datagram for a port or a protocol that nobody serves is answered with an error") {
    link_fixture link;
    link.introduce_peer();
    link.receive_packet(packet(wire::ip_protocol::udp, udp_datagram(peer_ip, pattern(5))));
    link.receive_packet(packet(132, pattern(40)));
    const auto errors = link.packets();
    REQUIRE(errors.size() == 2);
    const auto port = wire::parse_icmp(wire::bytes_view{errors[0]}.subspan(20));
    REQUIRE(port);
    CHECK(port->code == wire::unreachable_code::port);
    CHECK(port->quoted.source_port() == 40000);
    const auto protocol = wire::parse_icmp(wire::bytes_view{errors[1]}.subspan(20));
    REQUIRE(protocol);
    CHECK(protocol->code == wire::unreachable_code::protocol);
    CHECK(link.ours.counters().icmp_errors_sent == 2);
}

TEST_CASE("an empty datagram whose header is all options is answered without being misread") {
    link_fixture link;
    link.introduce_peer();
    for (const unsigned protocol : {131U, 132U}) {
        auto bytes = packet(static_cast<std::uint8_t>(protocol), {});
        bytes.resize(60, std::byte{1});  // 40 no-operations
        bytes[0] = std::byte{0x4f};
        weft::test::put16(bytes, 2, 60);
        weft::test::put16(bytes, 10, 0);
        weft::test::put16(bytes, 10, wire::checksum_finish(wire::checksum_partial(bytes)));
        link.receive_packet(bytes);
    }
    CHECK(link.packets().size() == 2);
}

TEST_CASE("what the link delivers wrongly is counted by its name and answered by nothing") {
    link_fixture link;
    link.introduce_peer();
    const auto& counters = link.ours.counters();
    link.receive(hex("020000000002"));
    CHECK(counters.ethernet_too_short == 1);
    link.receive(hex("020000000002 020000000001 8100 0001"));
    CHECK(counters.ethernet_unknown_type == 1);
    link.receive(hex("020000000077 020000000001 0800 0001"));
    CHECK(counters.ethernet_not_for_us == 1);
    link.receive(hex("020000000002 020000000001 0806 0001"));
    CHECK(counters.arp_malformed == 1);
    link.receive_arp({wire::arp_operation::request, peer_mac, our_ip, mac_address{}, peer_ip});
    CHECK(counters.arp_conflict == 1);
    link.receive_packet(hex("45"));
    CHECK(counters.ipv4_too_short == 1);
    auto bytes = packet(wire::ip_protocol::icmp, echo_request(8));
    bytes[8] ^= std::byte{1};
    link.receive_packet(bytes);
    CHECK(counters.ipv4_bad_checksum == 1);
    link.receive_packet(packet(wire::ip_protocol::icmp, echo_request(8), peer_ip, far_ip));
    CHECK(counters.ipv4_not_for_us == 1);
    link.receive_packet(packet(wire::ip_protocol::icmp, echo_request(8), {127, 0, 0, 1}));
    CHECK(counters.ipv4_bad_source == 1);
    link.receive_packet(packet(wire::ip_protocol::icmp, echo_request(8), peer_ip, {10, 0, 0, 255}));
    link.receive_packet(packet(wire::ip_protocol::icmp, hex("0800 0000 0000 0000")));
    CHECK(counters.icmp_bad_checksum == 1);
    link.receive_packet(packet(wire::ip_protocol::tcp, syn_to_closed_port()));
    CHECK(counters.tcp_bad_checksum == 1);
    CHECK(link.frames().empty());
    CHECK(counters.icmp_echo_replied == 0);
}

TEST_CASE("an incomplete datagram is told to its sender after a minute") {
    link_fixture link;
    link.introduce_peer();
    auto bytes = packet(wire::ip_protocol::udp, udp_datagram(peer_ip, pattern(16)));
    wire::ipv4_header header = *wire::parse_ipv4(bytes);
    header.more_fragments = true;
    wire::emit_ipv4(header, bytes.data());
    link.receive_packet(bytes);
    CHECK(link.ours.next_timeout() == link.now + 60s);
    link.wait(60s);
    CHECK(link.ours.counters().fragments_timed_out == 1);
    const auto frames = link.packets();
    REQUIRE(frames.size() == 1);
    const auto message = wire::parse_icmp(wire::bytes_view{frames[0]}.subspan(20));
    REQUIRE(message);
    CHECK(message->type == wire::icmp_type::time_exceeded);
    CHECK(message->code == wire::time_exceeded_code::in_reassembly);
    CHECK(message->quoted.source_port() == 40000);
}

TEST_CASE("a flood of requests leaves the stack's queues and memory bounded") {
    link_fixture link;
    link.introduce_peer();
    for (int i = 0; i < 10'000; ++i) {
        link.receive_packet(packet(wire::ip_protocol::icmp, echo_request(1400)));
        link.receive_arp({wire::arp_operation::request, peer_mac, peer_ip, mac_address{}, our_ip});
    }
    CHECK(link.frames().size() == 64 + 64 + 1);  // ARP, echoes and a probe of the peer
    CHECK(link.ours.counters().reply_queue_dropped == 20'000 - 128);
    CHECK(link.pool.bytes_out() == 0);
}

TEST_CASE("a million mutated frames leave counters, no crash and no memory behind") {
    const char* const given = std::getenv("WEFT_SEED");
    const auto seed = given != nullptr ? static_cast<unsigned>(std::strtoul(given, nullptr, 10))
                                       : std::random_device{}();
    MESSAGE("WEFT_SEED=" << seed);
    std::minstd_rand random{seed};
    link_fixture link;
    link.introduce_peer();
    REQUIRE(link.ours.listen({our_ip, 80}, {}, link.now).has_value());
    auto to_listener = syn_to_closed_port();
    weft::test::put16(to_listener, 2, 80);
    auto with_options = to_listener + hex("0204 05b4 0103 0307");  // MSS, window scale
    with_options[12] = std::byte{0x70};
    auto fragment = packet(wire::ip_protocol::udp, pattern(64));
    weft::test::put16(fragment, 6, 0x2000);
    // Without a checksum, so that most of what is changed still asks for a port (RFC 768).
    auto datagram = packet(wire::ip_protocol::udp, udp_datagram(peer_ip, pattern(30)));
    weft::test::put16(datagram, 26, 0);
    auto unreachable = hex("0303 0000 0000 0000") +
                       packet(wire::ip_protocol::tcp, syn_to_closed_port(), our_ip, peer_ip);
    const std::vector<byte_string> good{
        packet(wire::ip_protocol::icmp, echo_request(20)),
        packet(wire::ip_protocol::icmp, unreachable),
        packet(wire::ip_protocol::tcp, syn_to_closed_port()),
        fragment,
        packet(wire::ip_protocol::tcp, to_listener),
        packet(wire::ip_protocol::tcp, with_options),
        datagram,
    };
    byte_string bytes;
    for (int i = 0; i < 1'000'000; ++i) {
        bytes = good[random() % good.size()];
        for (auto changes = random() % 5; changes > 0; --changes) {
            bytes[random() % bytes.size()] = static_cast<std::byte>(random() >> 8 & 0xff);
        }
        if (random() % 8 == 0) bytes.resize(random() % (bytes.size() + 10));
        if (bytes.size() >= wire::ipv4_header_bytes && random() % 8 != 0) {
            const std::size_t header = std::to_integer<unsigned>(bytes[0] & std::byte{0xf}) * 4;
            weft::test::put16(bytes, 10, 0);
            weft::test::put16(bytes, 10,
                              wire::checksum_finish(wire::checksum_partial(
                                  wire::bytes_view{bytes}.first(std::min(header, bytes.size())))));
            const std::span<std::byte> rest = std::span{bytes}.subspan(wire::ipv4_header_bytes);
            if (bytes[9] == std::byte{1} && rest.size() >= wire::icmp_header_bytes) {
                wire::fill_icmp_checksum(rest);
            } else if (bytes[9] == std::byte{6} && rest.size() >= wire::tcp_header_bytes) {
                wire::fill_tcp_checksum(wire::load_ipv4(bytes.data() + 12), our_ip, rest, 0, 0);
            }
        }
        link.receive_packet(bytes);
        if (i % 16 == 0) {
            while (link.ours.poll_frame(link.slot, link.now)) link.slot.clear();
            link.slot.clear();
            link.now += 1ms;
            if (link.ours.next_timeout() <= link.now) link.ours.on_timeout(link.now);
        }
    }
    const auto& counters = link.ours.counters();
    for (const std::uint64_t reached :
         {counters.icmp_echo_replied, counters.icmp_error_unmatched, counters.tcp_resets_sent,
          counters.tcp_bad_options, counters.tcp_passive_opens, counters.fragments_received,
          counters.udp_no_port, counters.ipv4_bad_header_length, counters.ipv4_bad_total_length,
          counters.ipv4_bad_options, counters.ipv4_bad_checksum, counters.icmp_errors_limited}) {
        CHECK(reached > 0);
    }
    for (int second = 0; second < 600; ++second) {
        link.wait(1s);
        (void)link.frames();
    }
    CHECK(link.pool.bytes_out() == 0);
}
}
