// Stacks that share an address: what each keeps, what it passes on, what it does not answer.
#include "stack_link.hpp"

#include <doctest/doctest.h>
#include <weft/net/ip/fragmenter.hpp>
#include <weft/net/wire/checksum.hpp>
#include <weft/net/wire/icmp.hpp>
#include <weft/net/wire/udp.hpp>

#include <array>
#include <memory>
#include <vector>

namespace {

using namespace weft::net;
using weft::test::arp_reply;
using weft::test::byte_string;
using weft::test::ip_packet;
using weft::test::pattern;
using weft::test::raw_segment;
using weft::test::sent_frame;
using weft::test::stack_link;
using weft::test::tcp_bytes;
using weft::test::tcp_header_of;
using weft::test::operator+;

constexpr std::uint32_t shards = 3;
constexpr tcp::shard_map map{shards, 0x5eed};
constexpr ipv4_address our_ip = stack_link::our_ip;
constexpr ipv4_address peer_ip = stack_link::peer_ip;

/// A remote port whose connection to port 80 of ours belongs to `owner`.
std::uint16_t port_of(std::uint32_t owner) {
    std::uint16_t port = 40'000;
    while (tcp::shard_of(map, {our_ip, peer_ip, 80, port}) != owner) ++port;
    return port;
}

byte_string syn_packet(std::uint16_t from) {
    const raw_segment syn{tcp_header_of(from, 80, 1000, 0, wire::tcp_flags::syn)};
    return ip_packet(wire::ip_protocol::tcp, tcp_bytes(syn, peer_ip, our_ip), peer_ip, our_ip);
}

byte_string udp_bytes(std::uint16_t from, std::uint16_t to) {
    byte_string bytes(wire::udp_header_bytes);
    wire::emit_udp(peer_ip, our_ip, from, to, 0, 0, bytes.data());
    return bytes;
}

/// Three stacks; what they pass on lies there until it is carried.
struct shard_set {
    struct cargo {
        std::uint32_t to;
        shard_cargo what;
        byte_string bytes;
    };
    struct carrier final : shard_forwarder {
        bool forward(std::uint32_t to, shard_cargo what, std::span<const std::byte> bytes,
                     const rx_offload&) noexcept override {
            if (!has_room) return false;
            lying.push_back({to, what, {bytes.begin(), bytes.end()}});
            return true;
        }
        std::vector<cargo> lying;
        bool has_room = true;
    };

    shard_set() {
        for (std::uint32_t i = 0; i < shards; ++i) {
            links.push_back(std::make_unique<stack_link>(device_capabilities{}, tcp::config{},
                                                         std::size_t{1} << 26, 24U,
                                                         tcp::shard{map, i}));
            links.back()->ours.forward_to(&carriers[i]);
        }
    }
    /// To where it is for; returns how many.
    std::size_t carry() {
        std::size_t carried = 0;
        for (carrier& from : carriers) {
            const std::vector<cargo> all = std::exchange(from.lying, {});
            for (const cargo& each : all) {
                stack_link& to = *links[each.to];
                slice bytes = to.pool.allocate_for(each.bytes.size());
                std::ranges::copy(each.bytes, bytes.data());
                bytes.extend(static_cast<std::uint32_t>(each.bytes.size()));
                to.ours.on_forwarded(each.what, std::move(bytes), {}, to.now);
                ++carried;
            }
        }
        return carried;
    }
    stack_link& operator[](std::size_t i) { return *links[i]; }

    std::array<carrier, shards> carriers;
    std::vector<std::unique_ptr<stack_link>> links;
};

/// The segments it sends; a question for the peer's address beside them is passed over.
std::vector<sent_frame> segments(stack_link& of) {
    std::vector<sent_frame> all = of.frames();
    std::erase_if(all, [](const sent_frame& f) { return !f.segment; });
    return all;
}

/// The same of IP packets.
std::vector<sent_frame> packets(stack_link& of) {
    std::vector<sent_frame> all = of.frames();
    std::erase_if(all, [](const sent_frame& f) { return !f.ip; });
    return all;
}

/// The peer tells its address, to shard 0, and all learn it.
void introduce(shard_set& all) {
    all[0].hear_of_peer();
    CHECK(all[0].frames().size() == 1);
    CHECK(all.carry() == shards - 1);
}

}  // namespace

TEST_SUITE("netstack.stack.shard") {
TEST_CASE("a shard never resets a connection that belongs to another: it passes the segment on") {
    shard_set all;
    introduce(all);
    for (std::uint32_t owner = 0; owner < shards; ++owner) {
        for (std::uint32_t receiver = 0; receiver < shards; ++receiver) {
            all[receiver].receive_packet(syn_packet(port_of(owner)));
            if (receiver == owner) continue;
            CHECK(all[receiver].frames().empty());
            CHECK(all[receiver].ours.counters().shard_passed_on > 0);
            CHECK(all.carry() == 1);
        }
        // Nobody listens: each copy is refused, by the owner.
        const std::vector<sent_frame> answers = segments(all[owner]);
        CHECK(answers.size() == shards);
        for (const sent_frame& each : answers) {
            CHECK(each.segment->header.flags.has(wire::tcp_flags::rst));
        }
        CHECK(all[owner].ours.counters().tcp_no_connection == shards);
    }
}

TEST_CASE("a segment that cannot be passed on is lost and counted, and not answered") {
    shard_set all;
    all.carriers[0].has_room = false;
    all[0].receive_packet(syn_packet(port_of(1)));
    CHECK(all[0].frames().empty());
    CHECK(all[0].ours.counters().shard_refused == 1);
    all[0].ours.forward_to(nullptr);
    all[0].receive_packet(syn_packet(port_of(1)));
    CHECK(all[0].frames().empty());
    CHECK(all[0].ours.counters().shard_refused == 2);
}

TEST_CASE("shard 0 answers ARP for all, and all learn from it, whoever received it") {
    shard_set all;
    all[1].hear_of_peer();
    CHECK(all[1].frames().empty());
    CHECK(all.carry() == 1);
    CHECK(all[0].frames().size() == 1);
    CHECK(all.carry() == shards - 1);
    for (std::uint32_t i = 1; i < shards; ++i) CHECK(all[i].frames().empty());
    for (std::uint32_t i = 0; i < shards; ++i) {
        const auto opened = all[i].ours.connect({peer_ip, 9}, {}, all[i].now);
        REQUIRE(opened);
        CHECK(all[i].segment().ethernet.destination == stack_link::peer_mac);  // no question
        (*opened)->abort(all[i].now);
        (*opened)->release(all[i].now);
        (void)all[i].frames();
    }
}

TEST_CASE("the answer to a shard's own question reaches it by way of shard 0") {
    shard_set all;
    const auto opened = all[2].ours.connect({peer_ip, 9}, {}, all[2].now);
    REQUIRE(opened);
    CHECK(all[2].frames().at(0).ethernet.type == wire::ethernet_type::arp);
    all[0].receive(arp_reply());
    CHECK(all.carry() == shards - 1);
    CHECK(all[2].segment().segment.value().header.flags.has(wire::tcp_flags::syn));
    (*opened)->abort(all[2].now);
    (*opened)->release(all[2].now);
}

TEST_CASE("fragments come together at shard 0, and the whole goes to its owner") {
    shard_set all;
    introduce(all);
    raw_segment long_one{tcp_header_of(port_of(2), 80, 1000, 0, wire::tcp_flags::syn)};
    long_one.text = pattern(3000);
    const byte_string segment = tcp_bytes(long_one, peer_ip, our_ip);
    wire::ipv4_header header;
    header.source = peer_ip;
    header.destination = our_ip;
    header.protocol = wire::ip_protocol::tcp;
    header.identification = 77;
    ip::fragmenter cut{header, segment, 1000};
    std::size_t pieces = 0;
    while (const auto piece = cut.next()) {
        byte_string packet(wire::ipv4_header_bytes);
        wire::emit_ipv4(piece->header, packet.data());
        packet.insert(packet.end(), piece->payload.begin(), piece->payload.end());
        all[1].receive_packet(packet);  // the wrong one, as without a program in the kernel
        ++pieces;
    }
    CHECK(pieces == 4);
    CHECK(all.carry() == pieces);  // 1 → 0
    CHECK(all[0].ours.counters().datagrams_reassembled == 1);
    CHECK(all.carry() == 1);  // 0 → 2
    CHECK(all[2].ours.counters().tcp_no_connection == 1);
    CHECK(all[2].ours.counters().tcp_bad_checksum == 0);
    CHECK(segments(all[2]).size() == 1);
    CHECK(segments(all[0]).empty());
}

TEST_CASE("an ICMP error goes to the shard whose segment it quotes, a ping stays at shard 0") {
    shard_set all;
    introduce(all);
    const auto opened = all[1].ours.connect({peer_ip, 9}, {}, all[1].now);
    REQUIRE(opened);
    const sent_frame syn = all[1].segment();
    byte_string error(8);
    error[0] = std::byte{3};  // destination unreachable: host
    error[1] = std::byte{1};
    error.insert(error.end(), syn.bytes.begin() + wire::ethernet_header_bytes,
                 syn.bytes.begin() + wire::ethernet_header_bytes + 28);
    const auto seal = [](byte_string& message) {
        message[2] = message[3] = std::byte{0};
        wire::store_be16(message.data() + 2,
                         wire::checksum_finish(wire::checksum_partial(message)));
    };
    seal(error);
    all[0].receive_packet(ip_packet(wire::ip_protocol::icmp, error, peer_ip, our_ip));
    CHECK(all[0].ours.counters().icmp_error_unmatched == 0);
    CHECK(all.carry() == 1);
    CHECK(all[1].ours.counters().icmp_error_delivered == 1);

    byte_string ping(16);
    ping[0] = std::byte{8};
    seal(ping);
    all[2].receive_packet(ip_packet(wire::ip_protocol::icmp, ping, peer_ip, our_ip));
    CHECK(all[2].frames().empty());
    CHECK(all.carry() == 1);
    CHECK(all[0].ours.counters().icmp_echo_replied == 1);
    (*opened)->abort(all[1].now);
    (*opened)->release(all[1].now);
}

TEST_CASE("a datagram goes to the socket of the shard whose it is, or is refused by that shard") {
    shard_set all;
    introduce(all);
    const auto datagram_from = [](std::uint16_t from, std::uint16_t to) {
        return ip_packet(wire::ip_protocol::udp, udp_bytes(from, to), peer_ip, our_ip);
    };
    std::vector<udp::socket*> bound;
    for (std::uint32_t i = 0; i < shards; ++i) {
        const auto made = all[i].ours.bind_udp({our_ip, 80}, {});
        REQUIRE(made);
        bound.push_back(*made);
    }
    for (std::uint32_t owner = 0; owner < shards; ++owner) {
        for (std::uint32_t receiver = 0; receiver < shards; ++receiver) {
            all[receiver].receive_packet(datagram_from(port_of(owner), 80));
            CHECK(all.carry() == (receiver == owner ? 0 : 1));
        }
        CHECK(bound[owner]->queued() == shards);
        // Nobody has the port above it.
        std::uint16_t from = 1;
        while (tcp::shard_of(map, {our_ip, peer_ip, 81, from}) != owner) ++from;
        const std::uint32_t other = (owner + 1) % shards;
        all[other].receive_packet(datagram_from(from, 81));
        CHECK(all[other].frames().empty());
        CHECK(all.carry() == 1);
        CHECK(all[owner].ours.counters().udp_no_port == 1);
        CHECK(packets(all[owner]).size() == 1);
    }
    for (std::uint32_t i = 0; i < shards; ++i) all[i].ours.close(*bound[i]);
}

TEST_CASE("UDP ports that are chosen, and all above the first of them, are one shard's") {
    shard_set all;
    introduce(all);
    for (std::uint32_t i = 0; i < shards; ++i) {
        stack& here = all[i].ours;
        std::vector<udp::socket*> opened;
        for (int n = 0; n < 200; ++n) {
            const auto made = here.bind_udp({our_ip, 0}, {});
            REQUIRE(made);
            CHECK((*made)->local().port % shards == i);
            opened.push_back(*made);
        }
        // It hears whomever it talks to.
        all[(i + 1) % shards].receive_packet(ip_packet(
            wire::ip_protocol::udp, udp_bytes(9, opened.front()->local().port), peer_ip, our_ip));
        CHECK(all.carry() == 1);
        CHECK(opened.front()->queued() == 1);
        CHECK(here.connect(*opened.back(), {peer_ip, 9}));
        for (udp::socket* each : opened) here.close(*each);
        const auto foreign = static_cast<std::uint16_t>(50'002 + i);
        CHECK(foreign % shards != i);
        CHECK(here.bind_udp({our_ip, foreign}, {}).error() == errc::address_not_available);
        const auto common = here.bind_udp({our_ip, 80}, {});
        REQUIRE(common);
        CHECK(here.connect(**common, {peer_ip, port_of((i + 1) % shards)}).error() ==
              errc::address_not_available);
        CHECK(here.connect(**common, {peer_ip, port_of(i)}));
        here.close(**common);
    }
}

TEST_CASE("an ICMP error about a datagram goes to the shard whose socket has sent it") {
    shard_set all;
    introduce(all);
    const auto made = all[2].ours.bind_udp({our_ip, 0}, {});
    REQUIRE(made);
    REQUIRE(all[2].ours.connect(**made, {peer_ip, 9}));
    REQUIRE(all[2].ours.send(**made, pattern(20), {peer_ip, 9}));
    const std::vector<sent_frame> sent = packets(all[2]);
    REQUIRE(sent.size() == 1);
    byte_string error(8);
    error[0] = std::byte{3};  // destination unreachable: port
    error[1] = std::byte{3};
    error.insert(error.end(), sent[0].bytes.begin() + wire::ethernet_header_bytes,
                 sent[0].bytes.begin() + wire::ethernet_header_bytes + 28);
    wire::store_be16(error.data() + 2, wire::checksum_finish(wire::checksum_partial(error)));
    all[0].receive_packet(ip_packet(wire::ip_protocol::icmp, error, peer_ip, our_ip));
    CHECK(all.carry() == 1);
    CHECK(all[2].ours.counters().icmp_error_delivered == 1);
    all[2].ours.close(**made);
}

TEST_CASE("TCP in a group's frame is dropped where it arrives (MUST-57)") {
    shard_set all;
    byte_string frame(wire::ethernet_header_bytes);
    wire::emit_ethernet({mac_address::broadcast(), stack_link::peer_mac, wire::ethernet_type::ipv4},
                        frame.data());
    all[0].receive(frame + syn_packet(port_of(1)));
    CHECK(all.carry() == 0);
    CHECK(all[0].ours.counters().tcp_bad_address == 1);
}

TEST_CASE("connect takes ports whose connections belong to its shard, and no other") {
    shard_set all;
    for (std::uint32_t i = 0; i < shards; ++i) {
        std::vector<tcp::connection*> opened;
        for (int n = 0; n < 200; ++n) {
            const auto made = all[i].ours.connect({peer_ip, 80}, {}, all[i].now);
            REQUIRE(made);
            CHECK(tcp::shard_of(map, (*made)->tuple()) == i);
            opened.push_back(*made);
        }
        for (tcp::connection* each : opened) {
            each->abort(all[i].now);
            each->release(all[i].now);
        }
        std::uint16_t foreign = 50'000;
        while (tcp::shard_of(map, {our_ip, peer_ip, foreign, 80}) == i) ++foreign;
        CHECK(all[i].ours.connect({peer_ip, 80}, {}, all[i].now, {our_ip, foreign}).error() ==
              errc::address_not_available);
    }
}
}
