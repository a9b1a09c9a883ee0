#include "scripted_peer.hpp"
#include "stack_link.hpp"

#include <weft/net/tcp/connection_info.hpp>
#include <weft/net/wire/arp.hpp>

#include <doctest/doctest.h>

#include <algorithm>

using namespace std::chrono_literals;
using namespace weft::net;
using namespace weft::test;
using weft::net::tcp::congestion_algorithm;
using weft::net::tcp::state;

// What TCP does about data that does not get through: advice to IP, and who paces it.

TEST_SUITE("netstack.requirements.delivery") {
TEST_CASE(
    "at R1 IP asks whether the next hop is still there, at R2 the connection ends (MUST-20)") {
    stack_link link;
    link.introduce_peer();
    tcp::connection* c = link.ours.connect({stack_link::peer_ip, 80}, {}, link.now).value();
    const wire::tcp_header syn = link.segment().segment->header;
    link.receive_segment({tcp_header_of(80, syn.source_port, 900, syn.sequence + 1,
                                        tcp_flags::syn | tcp_flags::ack)});
    (void)link.frames();
    link.receive(arp_reply());
    CHECK(c->write(pattern(10), link.now).value() == 10);
    (void)link.segment();
    const std::uint64_t asked = link.ours.counters().arp_requests_sent;

    // What is known of the neighbour stays good for 30 s: only R1 makes the stack ask.
    const weft::instant start = link.now;
    int retransmissions = 0;
    while (link.ours.counters().arp_requests_sent == asked && link.now - start < 25s) {
        link.now = std::max(link.now, link.ours.next_timeout());
        link.ours.on_timeout(link.now);
        for (const sent_frame& f : link.frames()) {
            if (f.segment && !f.text.empty()) ++retransmissions;
        }
    }
    CHECK(link.ours.counters().arp_requests_sent == asked + 1);
    CHECK(link.now - start < 25s);
    CHECK(retransmissions >= 3);  // SHLD-10
    CHECK(c->state() == state::established);
    CHECK(c->take_soft_error() == errc::timed_out);
    // The neighbour answers; it is the host behind it that does not, until R2.
    link.receive(arp_reply());
    while (c->state() != state::closed && link.now - start < 10min) {
        link.now = std::max(link.now, link.ours.next_timeout());
        link.ours.on_timeout(link.now);
        for (const sent_frame& f : link.frames()) {
            if (f.ethernet.type == wire::ethernet_type::arp) link.receive(arp_reply());
        }
    }
    CHECK(c->error() == errc::timed_out);
    CHECK(link.now - start >= 100s);
    c->release(link.now);
}

TEST_CASE("a user chooses the congestion control of a connection (MAY-18)") {
    constexpr std::uint32_t mss = 1460;
    for (const auto algorithm :
         {congestion_algorithm::cubic, congestion_algorithm::new_reno, congestion_algorithm::bbr}) {
        CAPTURE(static_cast<int>(algorithm));
        scripted_peer peer =
            in_state(state::established, {.connection = {.congestion = algorithm}});
        peer.writes(stream_text(40 * mss));
        CHECK(peer.sees_all().size() == 10);
        CHECK(peer.connection->info(peer.now).congestion == algorithm);
        for (int i = 0; i < 3; ++i) peer.sends(ack(5001, 1001));
        // Half of what was in flight (RFC 5681 §3.1), or 0.7 (RFC 9438 §4.6). What follows is each
        // algorithm's own: tcp_cubic_test.cpp, tcp_bbr_test.cpp.
        const std::uint32_t threshold = peer.connection->slow_start_threshold();
        if (algorithm == congestion_algorithm::cubic) CHECK(threshold == 7 * mss);
        if (algorithm == congestion_algorithm::new_reno) CHECK(threshold == 5 * mss);
        CHECK((peer.connection->info(peer.now).pacing_rate != 0) ==
              (algorithm == congestion_algorithm::bbr));
    }
}
}
