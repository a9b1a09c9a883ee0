// Wires that carry no large packets: what vanishes, what is answered, what passes in pieces.

#include <weft/net/io/memory_link.hpp>
#include <weft/net/io/packet_too_big.hpp>
#include <weft/net/wire/icmp.hpp>

#include <doctest/doctest.h>

#include "frames.hpp"

using namespace weft;
using namespace weft::net;
using namespace weft::sim::test;

namespace {

struct narrow_link {
    explicit narrow_link(oversize what) : line{1} {
        line.configure({.path_mtu = 1000, .too_big = what});
    }
    void put(wire_frame frame) { line.put(std::move(frame), pool, instant{}, back); }
    std::vector<wire_frame> arrived() {
        std::vector<wire_frame> all;
        while (line.next_arrival() != never) all.push_back(line.take_arrival());
        return all;
    }

    block_pool pool;
    memory_link line;
    wire_frames back;
};

constexpr std::size_t text_of(std::size_t packet_bytes) { return packet_bytes - 40; }

}  // namespace

TEST_SUITE("sim.path_mtu") {
TEST_CASE("a black hole swallows what is one byte too long and says nothing") {
    narrow_link w{oversize::vanishes};
    w.put(make_frame(w.pool, {.text_bytes = text_of(1000)}));
    w.put(make_frame(w.pool, {.text_bytes = text_of(1001)}));
    CHECK(w.arrived().size() == 1);
    CHECK(w.back.empty());
    CHECK(w.line.counters().too_long == 1);
}

TEST_CASE("a router's answer quotes the packet and names the MTU (RFC 1191 §4)") {
    narrow_link w{oversize::answered};
    w.put(make_frame(w.pool, {.tcp = make_header(1234, 80, 77), .text_bytes = text_of(1400)}));
    CHECK(w.arrived().empty());
    REQUIRE(w.back.size() == 1);
    CHECK(w.line.counters().answered == 1);

    const wire_frame& answer = w.back[0];
    const auto ethernet = wire::parse_ethernet(answer.bytes.bytes());
    REQUIRE(ethernet.has_value());
    CHECK(ethernet->destination == here_mac);
    const auto packet = packet_editor::find(answer);
    REQUIRE(packet.has_value());
    CHECK(packet->header().destination == here);
    const auto message = wire::parse_icmp(packet->payload());
    REQUIRE(message.has_value());
    const auto report = wire::report_of(*message);
    REQUIRE(report.has_value());
    CHECK(report->problem == wire::delivery_problem::packet_too_big);
    CHECK(report->next_hop_mtu == 1000);
    CHECK(report->source_port == 1234);
    CHECK(report->sequence == 77);
    CHECK(report->quoted_total_bytes == 1400);
}

TEST_CASE("no error is sent about an error (RFC 1122 §3.2.2)") {
    block_pool pool;
    wire_frame error = make_fragmentation_needed(make_frame(pool, {.text_bytes = 500}), 68, pool);
    REQUIRE(error.bytes);
    CHECK(!make_fragmentation_needed(error, 68, pool).bytes);
}

TEST_CASE("without DF a router sends fragments, which make up the packet (RFC 791 §3.2)") {
    narrow_link w{oversize::answered};
    const wire_frame whole =
        make_frame(w.pool, {.text_bytes = text_of(2500), .dont_fragment = false});
    wire_frame copy = whole;
    w.put(std::move(copy));
    CHECK(w.back.empty());
    CHECK(w.line.counters().fragmented == 1);
    const auto pieces = w.arrived();
    REQUIRE(pieces.size() == 3);
    std::vector<std::byte> together;
    for (std::size_t i = 0; i < pieces.size(); ++i) {
        const auto piece = packet_editor::find(pieces[i]);
        REQUIRE(piece.has_value());
        CHECK(piece->packet().size() <= 1000);
        CHECK(piece->header().fragment_offset_bytes == together.size());
        CHECK(piece->header().more_fragments == (i != 2));
        together.insert(together.end(), piece->payload().begin(), piece->payload().end());
    }
    CHECK(std::ranges::equal(together, packet_editor::find(whole)->payload()));
}

TEST_CASE("a large frame of an offloading device is judged by its segments") {
    narrow_link w{oversize::vanishes};
    wire_frame large =
        make_frame(w.pool, {.tcp = make_header(1000, 80, 1000,
                                               wire::tcp_flags::ack | wire::tcp_flags::fin |
                                                   wire::tcp_flags::psh | wire::tcp_flags::cwr),
                            .text_bytes = 2500});
    large.offload.segment_bytes = 900;
    w.put(std::move(large));
    const auto pieces = w.arrived();
    REQUIRE(pieces.size() == 3);
    std::uint32_t next = 1000;
    for (std::size_t i = 0; i < pieces.size(); ++i) {
        const segment_editor piece = segment_of(pieces[i]);
        CHECK(piece.header().sequence == next);
        CHECK(piece.packet().header().identification == 100 + i);
        CHECK(piece.header().flags.has(wire::tcp_flags::fin) == (i == 2));
        CHECK(piece.header().flags.has(wire::tcp_flags::psh) == (i == 2));
        CHECK(piece.header().flags.has(wire::tcp_flags::cwr) == (i == 0));
        CHECK(piece.bytes()[20] == static_cast<std::byte>(next - 1000));
        next += static_cast<std::uint32_t>(piece.text_bytes());
    }
    CHECK(next == 3500);
}
}
