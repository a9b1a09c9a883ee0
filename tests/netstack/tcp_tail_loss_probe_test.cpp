#include "sack_sender.hpp"

using namespace std::chrono_literals;
using namespace weft::test;

// RFC 8985 §7.

TEST_SUITE("netstack.tcp.tail_loss_probe") {
TEST_CASE("the last three of ten are lost: a probe after two round trips shows it, no timeout") {
    sack_sender s;
    s.begins_with(10, 10);
    s.acks(7);
    const auto now = s.peer.elapsed();
    const script_segment probe = s.peer.waits_for_segment();
    CHECK(probe.seq == sack_sender::at(9));
    CHECK(probe.at - now >= 200ms);
    CHECK(probe.at - now <= 201ms);
    s.peer.waits(100ms);
    s.acks(7, {{9, 10}});
    CHECK(s.sends_now() == "7R 8R");
    s.peer.waits(100ms);
    s.acks(10);
    CHECK(s.peer.counters.tcp_timeouts == 0);
    CHECK(s.peer.counters.tcp_tail_probes == 1);
}

TEST_CASE("the probe is new text if there is any, one segment beyond the window") {
    sack_sender s;
    s.begins_with(12, 10);
    s.peer.waits(110ms);
    CHECK(s.sends_now() == "10");
    CHECK(s.peer.connection->bytes_in_flight() == 11 * full_segment);
}

TEST_CASE("there is one probe at a time, and then the timeout") {
    sack_sender s;
    s.begins_with(10, 10);
    s.peer.waits(200ms);
    CHECK(s.sends_now() == "9R");
    const script_segment next = s.peer.waits_for_segment();
    CHECK(next.seq == sack_sender::at(0));
    CHECK(s.peer.counters.tcp_timeouts == 1);
    CHECK(s.peer.counters.tcp_tail_probes == 1);
}

TEST_CASE("one segment in flight waits for a delayed acknowledgment as well, or for the timeout") {
    sack_sender s;
    s.writes_segments(1);
    CHECK(s.sends_now() == "0");
    const auto sent = s.peer.elapsed();
    const script_segment probe = s.peer.waits_for_segment();
    // 2 x 100 ms + 200 ms is later than the timeout, 100 ms + 4 x 50 ms: there is the probe.
    CHECK(probe.at - sent >= 300ms);
    CHECK(probe.at - sent <= 301ms);
    CHECK(s.peer.counters.tcp_tail_probes == 1);
    CHECK(s.peer.counters.tcp_timeouts == 0);
}

TEST_CASE(
    "over a round trip of microseconds the probe waits two milliseconds, or what is configured") {
    for (const auto least : {2ms, 10ms}) {
        script_options options = sack_sender::with_sack();
        options.handshake_rtt = 50us;
        options.config.min_tail_probe = least;
        sack_sender s{options};
        s.writes_segments(10);
        CHECK(s.peer.sees_all().size() == 10);
        s.peer.waits(50us);
        s.acks(7);
        const auto now = s.peer.elapsed();
        const script_segment probe = s.peer.waits_for_segment();
        CHECK(probe.seq == sack_sender::at(9));
        CHECK(probe.at - now >= least);
        CHECK(probe.at - now <= least + 1ms);
        CHECK(s.peer.counters.tcp_tail_probes == 1);
    }
}

TEST_CASE("an acknowledgment a millisecond late over a round trip of microseconds: no probe") {
    script_options options = sack_sender::with_sack();
    options.handshake_rtt = 50us;
    sack_sender s{options};
    s.writes_segments(10);
    CHECK(s.peer.sees_all().size() == 10);
    s.peer.waits(1ms);
    s.acks(10);
    CHECK(s.peer.counters.tcp_tail_probes == 0);
}

TEST_CASE("a loss that only the probe has repaired still reduces the window (section 7.4.2)") {
    sack_sender s;
    s.begins_with(10, 10);
    s.acks(9);
    const std::uint32_t before = s.peer.connection->congestion_window();
    const script_segment probe = s.peer.waits_for_segment();
    CHECK(probe.seq == sack_sender::at(9));
    s.peer.waits(100ms);
    s.acks(10);
    CHECK(s.peer.connection->congestion_window() >= before);  // may still have been a duplicate
    s.peer.writes(stream_text(full_segment));
    (void)s.peer.sees_all();
    s.peer.waits(100ms);
    s.acks(11);
    CHECK(s.peer.counters.tcp_tail_probe_repairs == 1);
    CHECK(s.peer.connection->slow_start_threshold() < before);
}

TEST_CASE("a probe that the peer reports as a duplicate was no repair") {
    sack_sender s;
    s.begins_with(10, 10);
    s.acks(9);
    CHECK(s.peer.waits_for_segment().seq == sack_sender::at(9));
    s.acks(10);             // of the original, late
    s.acks(10, {{9, 10}});  // of the probe: D-SACK
    s.peer.writes(stream_text(full_segment));
    (void)s.peer.sees_all();
    s.acks(11);
    CHECK(s.peer.counters.tcp_tail_probe_repairs == 0);
    CHECK(s.peer.connection->slow_start_threshold() > 0x3fff'ffff);
}

TEST_CASE("without SACK there are no probes") {
    sack_sender s{sack_sender::without_sack()};
    s.begins_with(10, 10);
    const script_segment first = s.peer.waits_for_segment();
    CHECK(first.seq == sack_sender::at(0));
    CHECK(s.peer.counters.tcp_tail_probes == 0);
}
}
