#include "sack_sender.hpp"

#include <weft/net/tcp/connection_info.hpp>

using namespace std::chrono_literals;
using namespace weft::test;
using weft::net::tcp::recovery_phase;

// Recoveries that were needless: F-RTO (RFC 5682), the Eifel detection (RFC 3522) and D-SACK
// (RFC 2883 §5), and that all of it is taken back (RFC 4015).

namespace {

recovery_phase phase_of(const sack_sender& s) {
    return s.peer.connection->sending()->recovery.phase();
}

script_options with_timestamps() {
    script_options options = sack_sender::with_sack();
    options.config.timestamps = options.peer_timestamps = true;
    return options;
}

/// Ten are in flight when the peer reports the second to the fourth: the first goes out again.
void repeats_the_first(sack_sender& s) {
    s.begins_with(10, 10);
    CHECK(s.peer.connection->congestion_window() == 10 * full_segment);
    s.acks(0, {{1, 4}});
    CHECK(s.sends_now() == "0R");
}

}  // namespace

TEST_SUITE("netstack.tcp.spurious") {
TEST_CASE("RFC 5682 section 2.1: a path that stalls; the timeout is taken back after two ACKs") {
    sack_sender s{sack_sender::without_sack()};
    s.begins_with(30, 10);
    const script_segment again = s.peer.waits_for_segment();
    CHECK(again.seq == sack_sender::at(0));
    CHECK(phase_of(s) == recovery_phase::loss);
    s.acks(1);  // of the original
    CHECK(s.sends_now() == "10 11");
    s.acks(2);  // and so is this
    CHECK(phase_of(s) == recovery_phase::open);
    CHECK(s.peer.counters.tcp_spurious_timeouts == 1);
    CHECK(s.peer.connection->congestion_window() >= 10 * full_segment);
    for (std::uint32_t next = 3; next <= 10; ++next) s.acks(next);
    CHECK(s.sends_now().find('R') == std::string::npos);
    CHECK(s.peer.counters.tcp_retransmitted_segments == 1);
}

TEST_CASE("RFC 5682 section 2.1: a duplicate in the second step, and it was a loss") {
    sack_sender s{sack_sender::without_sack()};
    s.begins_with(30, 10);
    CHECK(s.peer.waits_for_segment().seq == sack_sender::at(0));
    s.acks(1);
    CHECK(s.sends_now() == "10 11");
    s.acks(1);  // a duplicate: the new ones arrived, segment 1 did not
    CHECK(s.sends_now().substr(0, 2) == "1R");
    CHECK(s.peer.counters.tcp_spurious_timeouts == 0);
}

TEST_CASE("RFC 5682 section 2.1: with nothing new to send the usual recovery goes on") {
    sack_sender s{sack_sender::without_sack()};
    s.begins_with(10, 10);
    CHECK(s.peer.waits_for_segment().seq == sack_sender::at(0));
    s.acks(1);
    CHECK(s.sends_now() == "1R 2R");
}

TEST_CASE("RFC 5682 section 3.1: a SACK of what left before the timeout takes it back") {
    sack_sender s;
    s.begins_with(30, 10);
    s.peer.waits(110ms);
    CHECK(s.sends_now() == "10");  // the tail loss probe
    CHECK(s.peer.waits_for_segment().seq == sack_sender::at(0));
    CHECK(s.peer.counters.tcp_timeouts == 1);
    s.acks(1);
    CHECK(s.sends_now() == "11 12");
    s.acks(1, {{2, 3}});
    CHECK(s.peer.counters.tcp_spurious_timeouts == 1);
    CHECK(phase_of(s) == recovery_phase::open);
}

TEST_CASE("RFC 3522: an echo from before the retransmission, and the reduction is taken back") {
    sack_sender s{with_timestamps()};
    s.begins_with(10, 10);
    const std::uint32_t before = s.peer.connection->congestion_window();
    s.acks(0, {{1, 4}});
    const script_segment again = s.peer.sees();
    REQUIRE(again.seq == sack_sender::at(0));
    CHECK(phase_of(s) == recovery_phase::recovery);
    s.peer.waits(5ms);
    // The original was only late; its timestamp is a round trip older.
    const std::uint32_t original = again.options.timestamps().value - 100;
    s.peer.sends(ack(5001, 1001 + 4 * 1448).with_timestamps(200'000, original));
    CHECK(phase_of(s) == recovery_phase::open);
    CHECK(s.peer.counters.tcp_spurious_recoveries == 1);
    CHECK(s.peer.connection->congestion_window() >= before);
    CHECK(s.peer.connection->slow_start_threshold() > 0x3fff'ffff);
}

TEST_CASE("RFC 3522: an echo of the retransmission confirms the loss") {
    sack_sender s{with_timestamps()};
    s.begins_with(10, 10);
    s.acks(0, {{1, 4}});
    const script_segment again = s.peer.sees();
    s.peer.waits(100ms);
    s.peer.sends(
        ack(5001, 1001 + 4 * 1448).with_timestamps(200'000, again.options.timestamps().value));
    CHECK(phase_of(s) == recovery_phase::recovery);
    CHECK(s.peer.counters.tcp_spurious_recoveries == 0);
}

TEST_CASE(
    "RFC 2883 section 5: every retransmission reported as a duplicate, and all is taken back") {
    sack_sender s;
    repeats_the_first(s);
    s.acks(10);
    CHECK(s.peer.connection->congestion_window() < 10 * full_segment);
    s.acks(10, {{0, 1}});  // D-SACK
    CHECK(s.peer.counters.tcp_duplicate_sacks_received == 1);
    CHECK(s.peer.counters.tcp_spurious_recoveries == 1);
    CHECK(s.peer.connection->congestion_window() >= 10 * full_segment);
}

TEST_CASE("one of two retransmissions reported as a duplicate: the other was needed") {
    sack_sender s;
    s.begins_with(10, 10);
    s.acks(0, {{2, 6}});
    std::string again = s.sends_now();
    s.acks(0, {{2, 10}});
    again += ' ' + s.sends_now();
    CHECK(again == "0R 1R");
    s.acks(10);
    s.acks(10, {{0, 1}});
    CHECK(s.peer.counters.tcp_spurious_recoveries == 0);
}

TEST_CASE("a duplicate of what this recovery has not sent again says nothing of the recovery") {
    sack_sender s;
    repeats_the_first(s);
    s.acks(0, {{2, 3}, {1, 4}});  // an earlier recovery's, or the path made two of one
    CHECK(s.peer.counters.tcp_duplicate_sacks_received == 1);
    CHECK(s.peer.counters.tcp_spurious_recoveries == 0);
    CHECK(phase_of(s) == recovery_phase::recovery);
}

TEST_CASE("RFC 3042: the first two duplicates let a new segment go each, without SACK too") {
    sack_sender s{sack_sender::without_sack()};
    s.begins_with(30, 10);
    s.acks(0);
    CHECK(s.sends_now() == "10");
    s.acks(0);
    CHECK(s.sends_now() == "11");
    s.acks(0);
    CHECK(s.sends_now() == "0R");
    // RFC 5681 §3.2: what limited transmit has sent does not count.
    CHECK(s.peer.connection->slow_start_threshold() == 5 * full_segment);
}

TEST_CASE(
    "RFC 5682 section 3.1: a SACK of what left after the timeout tells nothing: it was a loss") {
    sack_sender s;
    s.begins_with(30, 10);
    s.peer.waits(110ms);
    CHECK(s.sends_now() == "10");  // the tail loss probe
    CHECK(s.peer.waits_for_segment().seq == sack_sender::at(0));
    s.acks(1);
    CHECK(s.sends_now() == "11 12");
    s.acks(1, {{11, 12}});
    CHECK(s.peer.counters.tcp_spurious_timeouts == 0);
    CHECK(phase_of(s) == recovery_phase::loss);
    CHECK(s.sends_now().substr(0, 2) == "1R");
}

TEST_CASE(
    "RFC 5682 section 2.1: another timeout before the first is recovered from is not doubted") {
    sack_sender s{sack_sender::without_sack()};
    s.begins_with(30, 10);
    CHECK(s.peer.waits_for_segment().seq == sack_sender::at(0));
    s.acks(1);
    CHECK(s.sends_now() == "10 11");
    s.acks(1);  // a loss
    CHECK(s.sends_now().substr(0, 2) == "1R");
    s.acks(2);  // progress, and then nothing more
    CHECK(s.sends_now().substr(0, 2) == "2R");
    CHECK(s.peer.waits_for_segment().seq == sack_sender::at(2));
    CHECK(s.peer.counters.tcp_timeouts == 2);
    s.acks(3);
    CHECK(s.sends_now().substr(0, 2) == "3R");  // no new text to ask with
}

TEST_CASE("a probe from before a timeout that was needless is no repair (RFC 8985 section 7.3)") {
    sack_sender s;
    s.begins_with(10, 10);
    s.peer.waits(110ms);
    CHECK(s.sends_now() == "9R");  // the tail loss probe
    CHECK(s.peer.waits_for_segment().seq == sack_sender::at(0));
    s.writes_segments(10);
    s.acks(1);
    CHECK(s.sends_now() == "10 11");
    s.acks(1, {{2, 3}});
    CHECK(s.peer.counters.tcp_spurious_timeouts == 1);
    s.acks(11);
    CHECK(s.peer.counters.tcp_tail_probe_repairs == 0);
}

TEST_CASE("after a needless recovery three segments behind a gap are no proof any more") {
    sack_sender s;
    repeats_the_first(s);
    s.acks(4, {{0, 1}});  // it came twice
    CHECK(s.peer.counters.tcp_spurious_recoveries == 1);
    s.acks(4, {{5, 8}});
    CHECK(s.sends_now().find('R') == std::string::npos);
    CHECK(phase_of(s) == recovery_phase::open);
}

TEST_CASE("an echo of long ago gives no round-trip time, whoever sent it") {
    script_options options = sack_sender::without_sack();
    options.config.timestamps = options.peer_timestamps = true;
    sack_sender s{options};
    s.writes_segments(1);
    (void)s.peer.sees_all();
    const script_segment again = s.peer.waits_for_segment();
    REQUIRE(again.retransmission);
    const std::uint32_t long_ago = again.options.timestamps().value - 1'200'000;
    s.peer.sends(ack(5001, again.end()).with_timestamps(200'000, long_ago));
    CHECK(s.peer.connection->info(s.peer.now).smoothed_rtt <= 100ms);
}
}
