#include "stack_link.hpp"

#include <weft/net/ip/fragmenter.hpp>

#include <doctest/doctest.h>

using namespace std::chrono_literals;
using namespace weft::net;
using namespace weft::test;
using weft::test::operator+;

// TCP in whole frames: addresses, checksums, options as bytes.

namespace {

constexpr auto S = tcp_flags::syn;
constexpr auto A = tcp_flags::ack;

raw_segment syn_to(std::uint16_t port, std::uint16_t from = 4000) {
    return {tcp_header_of(from, port, 5000, 0, S)};
}

/// A link with a listener on port 80.
struct serving : stack_link {
    tcp::listener* listener = nullptr;

    explicit serving(const device_capabilities& device = {}) : stack_link{device} {
        if (device.link == device_capabilities::link_type::ethernet) introduce_peer();
        listener = ours.listen({our_ip, 80}, {}, now).value();
    }
    ~serving() { ours.close(*listener, now); }
};

/// A connection to port 80, accepted; the peer's numbers start at 5000.
struct connected : serving {
    tcp::connection* connection = nullptr;
    std::uint32_t our_next = 0;

    explicit connected(const device_capabilities& device = {}) : serving{device} {
        receive_segment(syn_to(80));
        our_next = segment().segment->header.sequence + 1;
        receive_segment({tcp_header_of(4000, 80, 5001, our_next, A)});
        connection = &listener->accept();
    }
    ~connected() {
        connection->abort(now);
        connection->release(now);
    }
    raw_segment text(const byte_string& bytes, const byte_string& options = {}) const {
        return {tcp_header_of(4000, 80, 5001, our_next, A), options, bytes};
    }
};

byte_string mss_option(unsigned mss) {
    byte_string o = hex("0204 0000");
    put16(o, 2, mss);
    return o;
}

}  // namespace

TEST_SUITE("netstack.stack.tcp.addresses") {
TEST_CASE("a SYN to a broadcast or group address is dropped silently [MUST-57]") {
    serving link;
    for (const ipv4_address to : {ipv4_address{10, 0, 0, 255}, ipv4_address::broadcast(),
                                  ipv4_address{10, 0, 0, 0}, ipv4_address{224, 0, 0, 1}}) {
        link.receive_segment(syn_to(80), stack_link::peer_ip, to);
        link.receive_segment(syn_to(81), stack_link::peer_ip, to);
    }
    // To our address, but in a frame for everybody.
    const auto packet = ip_packet(wire::ip_protocol::tcp,
                                  tcp_bytes(syn_to(80), stack_link::peer_ip, stack_link::our_ip),
                                  stack_link::peer_ip, stack_link::our_ip);
    byte_string frame(wire::ethernet_header_bytes);
    wire::emit_ethernet({mac_address::broadcast(), stack_link::peer_mac, wire::ethernet_type::ipv4},
                        frame.data());
    link.receive(frame + packet);
    CHECK(link.frames().empty());
    CHECK(link.ours.tcp().connection_count() == 0);
    CHECK(link.ours.counters().tcp_bad_address > 0);
}

TEST_CASE("a SYN from an address that no host has is ignored [MUST-63]") {
    serving link;
    for (const ipv4_address from :
         {ipv4_address{10, 0, 0, 255}, ipv4_address::broadcast(), ipv4_address{224, 0, 0, 1},
          ipv4_address{127, 0, 0, 1}, ipv4_address{0, 0, 0, 0}, stack_link::our_ip}) {
        CAPTURE(from.to_string());
        link.receive_segment(syn_to(80), from);
        link.receive_segment(syn_to(81), from);
        CHECK(link.frames().empty());
    }
    CHECK(link.ours.tcp().connection_count() == 0);
    CHECK(link.ours.counters().ipv4_bad_source == 12);
}

TEST_CASE("an active open to what is no host is an error [MUST-46]") {
    serving link;
    for (const ipv4_address to : {ipv4_address{10, 0, 0, 255}, ipv4_address::broadcast(),
                                  ipv4_address{224, 0, 0, 1}, ipv4_address{0, 0, 0, 0}}) {
        CHECK(link.ours.connect({to, 80}, {}, link.now).error() == errc::invalid_endpoint);
    }
    CHECK(link.ours.connect({stack_link::peer_ip, 0}, {}, link.now).error() ==
          errc::invalid_endpoint);
    CHECK(link.ours.connect({ipv4_address{192, 0, 2, 1}, 80}, {}, link.now).error() ==
          errc::network_unreachable);
}

TEST_CASE(
    "an active open takes the local address it is given, or asks IP for one, and keeps it "
    "[MUST-43] [MUST-44] [MUST-45]") {
    serving link;
    CHECK(link.ours.connect({stack_link::peer_ip, 80}, {}, link.now, {ipv4_address{10, 0, 0, 9}, 0})
              .error() == errc::address_not_available);
    tcp::connection* c = link.ours.connect({stack_link::peer_ip, 80}, {}, link.now).value();
    CHECK(c->local().address == stack_link::our_ip);
    const sent_frame syn = link.segment();
    CHECK(syn.ip->source == stack_link::our_ip);
    const auto& h = syn.segment->header;
    link.receive_segment({tcp_header_of(80, h.source_port, 900, h.sequence + 1, S | A)});
    CHECK(link.segment().ip->source == stack_link::our_ip);
    c->abort(link.now);
    CHECK(link.segment().ip->source == stack_link::our_ip);
    c->release(link.now);
}

TEST_CASE("a closed port answers with RST, in the form that RFC 9293 section 3.10.7.1 says") {
    serving link;
    link.receive_segment(syn_to(81));
    sent_frame answer = link.segment();
    CHECK(answer.segment->header.flags == (tcp_flags::rst | A));
    CHECK(answer.segment->header.sequence == 0);
    CHECK(answer.segment->header.acknowledgment == 5001);
    CHECK(answer.segment->header.source_port == 81);
    CHECK(answer.checksum_is_valid);
    CHECK(answer.ethernet.destination == stack_link::peer_mac);
    link.receive_segment({tcp_header_of(4000, 81, 5000, 77, A), {}, pattern(10)});
    answer = link.segment();
    CHECK(answer.segment->header.flags == tcp_flags::rst);
    CHECK(answer.segment->header.sequence == 77);
    CHECK(answer.checksum_is_valid);
    CHECK(link.ours.counters().tcp_resets_sent == 2);
}
}

TEST_SUITE("netstack.stack.tcp.bytes") {
TEST_CASE("every segment of ours has a right checksum, whatever its length [MUST-2]") {
    connected link;
    std::size_t checked = 0;
    std::uint32_t una = link.our_next;
    for (std::size_t size = 1; size < 3000; size += 97) {
        const byte_string text = pattern(size, static_cast<unsigned>(size));
        REQUIRE(link.connection->write(text, link.now).value() == size);
        for (const sent_frame& f : link.frames()) {
            CHECK(f.checksum_is_valid);
            una = f.segment->header.sequence + static_cast<std::uint32_t>(f.text.size());
            ++checked;
        }
        link.receive_segment({tcp_header_of(4000, 80, 5001, una, A)});
    }
    CHECK(checked > 30);
}

TEST_CASE(
    "a device that completes checksums gets the pseudo-header's sum and the place "
    "[MUST-2]") {
    connected link{{.checksum_offload = true}};
    const byte_string text = pattern(101);
    REQUIRE(link.connection->write(text, link.now).has_value());
    REQUIRE(link.ours.poll_frame(link.slot, link.now));
    const tx_offload o = link.slot.offload;
    REQUIRE(o.needs_checksum);
    byte_string frame(link.slot.frame_bytes());
    link.slot.copy_to(frame.data());
    link.slot.clear();
    // What the device does: sum from there on, store the complement.
    const auto rest = std::span{frame}.subspan(o.checksum_start);
    wire::store_be16(rest.data() + o.checksum_offset,
                     wire::checksum_finish(wire::checksum_partial(rest)));
    CHECK(wire::verify_tcp_checksum(stack_link::our_ip, stack_link::peer_ip, rest));
}

TEST_CASE(
    "a segment with a wrong checksum is dropped and counted; one that the device vouches "
    "for is not summed [MUST-3]") {
    connected link;
    byte_string bytes = tcp_bytes(link.text(pattern(10)), stack_link::peer_ip, stack_link::our_ip);
    bytes.back() ^= std::byte{1};
    const byte_string packet =
        ip_packet(wire::ip_protocol::tcp, bytes, stack_link::peer_ip, stack_link::our_ip);
    link.receive_packet(packet);
    CHECK(link.ours.counters().tcp_bad_checksum == 1);
    CHECK(link.connection->readable_bytes() == 0);
    CHECK(link.frames().empty());
    link.receive_packet(packet, {.checksum_verified = true});
    CHECK(link.connection->readable_bytes() == 10);
}

TEST_CASE("short segments, bad offsets and bad options leave their own counters [MUST-7]") {
    connected link;
    const auto& counters = link.ours.counters();
    const auto gives = [&](const byte_string& bytes) {
        link.receive_packet(
            ip_packet(wire::ip_protocol::tcp, bytes, stack_link::peer_ip, stack_link::our_ip));
    };
    gives(pattern(19));
    CHECK(counters.tcp_too_short == 1);
    byte_string bytes = tcp_bytes(link.text({}), stack_link::peer_ip, stack_link::our_ip);
    bytes[12] = std::byte{0x40};
    gives(bytes);
    bytes[12] = std::byte{0xf0};
    gives(bytes);
    CHECK(counters.tcp_bad_data_offset == 2);
    for (const char* options : {"0200 0000", "0201 0000", "05ff 0000", "0101 0102"}) {
        link.receive_segment(link.text(pattern(5), hex(options)));
    }
    CHECK(counters.tcp_bad_options == 4);
    CHECK(link.connection->readable_bytes() == 0);
    CHECK(link.frames().empty());
    link.receive_segment(link.text(pattern(5)));
    CHECK(link.connection->readable_bytes() == 5);
}

TEST_CASE(
    "options may stand on any segment, unaligned, unknown ones are skipped, what follows "
    "the end is padding [MUST-4] [MUST-5] [MUST-6] [MUST-64] [MUST-68]") {
    connected link;
    link.receive_segment(link.text(pattern(5), hex("01 fd 06 f989 beef 00 ffffffffffffff 00")));
    CHECK(link.connection->readable_bytes() == 5);
    CHECK(link.ours.counters().tcp_bad_options == 0);

    serving other;
    raw_segment syn = syn_to(80);
    syn.options = hex("01 1e 03 00 01") + mss_option(777) + hex("01 00 ff");
    other.receive_segment(syn);
    const std::uint32_t seq = other.segment().segment->header.sequence;
    other.receive_segment({tcp_header_of(4000, 80, 5001, seq + 1, A)});
    tcp::connection& c = other.listener->accept();
    CHECK(c.mss() == 777);
    c.abort(other.now);
    c.release(other.now);
}

TEST_CASE("our headers are padded with zeros or NOPs to whole words [MUST-69]") {
    serving link;
    for (const char* options : {"", "0303 0700", "0402 0000", "080a 0000 0001 0000 0000 0000"}) {
        raw_segment syn = syn_to(80, 4001);
        syn.options = hex(options);
        link.receive_segment(syn);
        const sent_frame answer = link.segment();
        CHECK(answer.segment->header.data_offset_bytes % 4 == 0);
        CHECK(answer.bytes.size() == wire::ethernet_header_bytes + wire::ipv4_header_bytes +
                                         answer.segment->header.data_offset_bytes);
        link.receive_segment({tcp_header_of(4001, 80, 5001, 0, tcp_flags::rst)});
    }
}

TEST_CASE("IP options are skipped [MUST-50]") {
    connected link;
    const byte_string segment =
        tcp_bytes(link.text(pattern(7)), stack_link::peer_ip, stack_link::our_ip);
    byte_string packet =
        ip_packet(wire::ip_protocol::tcp, segment, stack_link::peer_ip, stack_link::our_ip);
    const byte_string router_alert = hex("9404 0000");
    packet.insert(packet.begin() + 20, router_alert.begin(), router_alert.end());
    packet[0] = std::byte{0x46};
    put16(packet, 2, static_cast<unsigned>(packet.size()));
    put16(packet, 10, 0);
    put16(packet, 10,
          wire::checksum_finish(wire::checksum_partial(wire::bytes_view{packet}.first(24))));
    link.receive_packet(packet);
    CHECK(link.connection->readable_bytes() == 7);
}

TEST_CASE("a segment in fragments is put together and taken") {
    connected link;
    const byte_string segment =
        tcp_bytes(link.text(pattern(1000)), stack_link::peer_ip, stack_link::our_ip);
    wire::ipv4_header header;
    header.source = stack_link::peer_ip;
    header.destination = stack_link::our_ip;
    header.protocol = wire::ip_protocol::tcp;
    header.identification = 7;
    ip::fragmenter pieces{header, segment, 300};
    while (const auto piece = pieces.next()) {
        byte_string bytes(wire::ipv4_header_bytes);
        wire::emit_ipv4(piece->header, bytes.data());
        bytes.insert(bytes.end(), piece->payload.begin(), piece->payload.end());
        link.receive_packet(bytes);
    }
    CHECK(link.ours.counters().datagrams_reassembled == 1);
    CHECK(link.connection->readable_bytes() == 1000);
}

TEST_CASE("a short frame's padding is no text") {
    connected link;
    byte_string packet = ip_packet(
        wire::ip_protocol::tcp, tcp_bytes(link.text({}), stack_link::peer_ip, stack_link::our_ip),
        stack_link::peer_ip, stack_link::our_ip);
    packet.resize(46);
    link.receive_packet(packet);
    CHECK(link.connection->readable_bytes() == 0);
    CHECK(link.ours.counters().tcp_bad_checksum == 0);
}

TEST_CASE("a frame that the device has cut is counted and not read") {
    connected link;
    link.receive_packet(
        ip_packet(wire::ip_protocol::tcp,
                  tcp_bytes(link.text(pattern(9)), stack_link::peer_ip, stack_link::our_ip),
                  stack_link::peer_ip, stack_link::our_ip),
        {.truncated = true});
    CHECK(link.ours.counters().truncated_frames == 1);
    CHECK(link.connection->readable_bytes() == 0);
}

TEST_CASE("without Ethernet frames are packets") {
    connected link{{.link = device_capabilities::link_type::raw_ip}};
    link.receive_segment(link.text(pattern(9)));
    CHECK(link.connection->readable_bytes() == 9);
    CHECK(link.segment().checksum_is_valid);
}
}
