#include "sack_sender.hpp"

#include <weft/net/tcp/rack.hpp>

using namespace std::chrono_literals;
using namespace weft::test;

// Loss detection by time and SACK: RFC 8985 §6, RFC 6675, RFC 2018 §5.

TEST_SUITE("netstack.tcp.rack") {
TEST_CASE("three segments behind a gap: the missing one goes again at once, and no other") {
    sack_sender s;
    s.begins_with(10, 10);
    s.acks(0, {{1, 2}});
    s.acks(0, {{1, 3}});
    CHECK(s.sends_now().empty());
    s.acks(0, {{1, 4}});
    CHECK(s.sends_now() == "0R");
    CHECK(s.peer.counters.tcp_sack_recoveries == 1);
    s.acks(10);
    CHECK(s.peer.connection->sending()->recovery.phase() == weft::net::tcp::recovery_phase::open);
    CHECK(s.peer.counters.tcp_retransmitted_segments == 1);
}

TEST_CASE("fewer than three wait a quarter of the round trip for reordering, then it is lost") {
    sack_sender s;
    s.begins_with(10, 10);
    const auto now = s.peer.elapsed();
    s.acks(0, {{1, 2}});
    const script_segment again = s.peer.waits_for_segment();
    CHECK(again.seq == sack_sender::at(0));
    CHECK(again.at - now >= 25ms);
    CHECK(again.at - now <= 26ms);
    CHECK(s.peer.counters.tcp_timeouts == 0);
}

TEST_CASE("segments that only changed places are not sent again") {
    sack_sender s;
    s.begins_with(10, 10);
    s.acks(0, {{1, 2}});
    s.peer.waits(10ms);
    s.acks(2);
    s.peer.waits(50ms);
    CHECK(s.sends_now().empty());
    CHECK(s.peer.connection->sending()->recovery.rack().reordering_seen());
}

TEST_CASE("once reordering was seen, three segments behind a gap are no proof: time is") {
    sack_sender s;
    s.begins_with(10, 10);
    s.acks(0, {{1, 2}});
    s.acks(2);  // out of order, in the same moment
    s.acks(2, {{3, 6}});
    CHECK(s.sends_now().empty());
    s.peer.waits(30ms);
    CHECK(s.sends_now() == "2R");
}

TEST_CASE("two gaps are repaired in one recovery; nothing that arrived is sent again") {
    sack_sender s;
    s.begins_with(10, 10);
    s.acks(2);
    s.acks(2, {{3, 5}});
    s.acks(2, {{6, 8}, {3, 5}});
    CHECK(s.sends_now() == "2R 5R");
    s.acks(2, {{6, 10}, {3, 5}});
    CHECK(s.sends_now().empty());
    s.peer.waits(100ms);
    s.acks(5, {{6, 10}});
    s.acks(10);
    s.peer.waits(10s);
    CHECK(s.sends_now().empty());
    CHECK(s.peer.counters.tcp_fast_retransmits == 1);
    CHECK(s.peer.counters.tcp_retransmitted_segments == 2);
}

TEST_CASE(
    "a retransmission that is lost too is found by what was sent after it, not by the timer") {
    sack_sender s;
    s.begins_with(30, 10);
    s.acks(0, {{1, 4}});
    CHECK(s.sends_now().substr(0, 2) == "0R");
    s.peer.waits(50ms);
    s.acks(0, {{1, 10}});
    const std::string fresh = s.sends_now();  // what the reduction lets go
    REQUIRE(fresh.find("10") != std::string::npos);
    s.peer.waits(100ms);
    s.acks(0, {{1, 11}});
    CHECK(s.sends_now().substr(0, 2) == "0R");
    CHECK(s.peer.counters.tcp_lost_retransmissions == 1);
    CHECK(s.peer.counters.tcp_timeouts == 0);
}

TEST_CASE("the window counts what is in flight: SACKed segments make room, one for one") {
    sack_sender s;
    s.begins_with(30, 10);
    s.acks(0, {{1, 2}});
    CHECK(s.sends_now() == "10");
    s.acks(0, {{1, 3}});
    CHECK(s.sends_now() == "11");
}

TEST_CASE("a block of what was never sent is rejected and counted") {
    sack_sender s;
    s.begins_with(10, 10);
    s.acks(0, {{11, 14}});
    s.acks(0, {{3, 2}});
    CHECK(s.sends_now().empty());
    CHECK(s.peer.counters.tcp_sack_blocks_rejected == 2);
}

TEST_CASE("a D-SACK of what is older than any window of the peer is rejected and counted") {
    sack_sender s;
    s.begins_with(10, 10);
    s.acks(10);
    const std::uint32_t una = sack_sender::at(10);
    const auto reports = [&](std::uint32_t left) {
        s.peer.sends(ack(5001, una).with_sack({{left, left + 1000}}));
    };
    reports(una - 65535 - 1);
    CHECK(s.peer.counters.tcp_sack_blocks_rejected == 1);
    CHECK(s.peer.counters.tcp_duplicate_sacks_received == 0);
    reports(una - 0x4000'0000);
    CHECK(s.peer.counters.tcp_sack_blocks_rejected == 2);
    CHECK(s.peer.counters.tcp_duplicate_sacks_received == 0);
    reports(una - 65535);
    CHECK(s.peer.counters.tcp_sack_blocks_rejected == 2);
    CHECK(s.peer.counters.tcp_duplicate_sacks_received == 1);
}

TEST_CASE("where a box strips the blocks, three duplicates are enough") {
    sack_sender s;
    s.begins_with(10, 10);
    s.acks(0);
    s.acks(0);
    CHECK(s.sends_now().empty());
    s.acks(0);
    CHECK(s.sends_now() == "0R");
    s.peer.waits(100ms);
    s.acks(3);  // a partial acknowledgment
    CHECK(s.sends_now() == "3R");
    s.acks(10);
    CHECK(s.peer.connection->sending()->recovery.phase() == weft::net::tcp::recovery_phase::open);
    CHECK(s.peer.counters.tcp_timeouts == 0);
}

TEST_CASE("after a timeout only what the peer lacks is sent again") {
    sack_sender s;
    s.begins_with(10, 10);
    s.peer.waits(200ms);  // the tail loss probe
    CHECK(s.sends_now() == "9R");
    const script_segment first = s.peer.waits_for_segment();
    CHECK(first.seq == sack_sender::at(0));
    CHECK(s.peer.counters.tcp_timeouts == 1);
    s.peer.waits(100ms);
    std::string again;
    s.acks(1, {{5, 10}});
    for (std::uint32_t next = 2; next <= 5; ++next) {
        again += s.sends_now() + '|';
        s.peer.waits(100ms);
        s.acks(next == 5 ? 10 : next, {{5, 10}});
    }
    CHECK(again == "1R 2R|3R 4R|||");
}

TEST_CASE("a peer that takes back what it had selectively acknowledged gets it again") {
    sack_sender s;
    s.begins_with(3, 3);
    s.acks(0, {{1, 3}});
    s.peer.waits(30ms);
    CHECK(s.sends_now() == "0R");
    s.acks(1);  // an honest peer would acknowledge all three
    const script_segment again = s.peer.waits_for_segment();
    CHECK(again.seq == sack_sender::at(1));
    CHECK(s.peer.counters.tcp_sacks_reneged == 1);
}

TEST_CASE("section 6.2: the reordering window grows with each round of D-SACKs, up to the SRTT") {
    using namespace weft;
    using namespace weft::net::tcp;
    rack r;
    const rack::situation s{.smoothed_rtt = 100ms};
    r.begin(sequence_number{0});
    r.on_rtt(100ms, instant{});
    CHECK(r.reordering_window({.smoothed_rtt = 100ms, .sacked_segments = 3}) == duration::zero());
    CHECK(r.reordering_window(s) == 25ms);
    r.on_spurious_recovery();
    CHECK(r.reordering_window({.smoothed_rtt = 100ms, .sacked_segments = 3}) == 25ms);
    r.on_dsack(sequence_number{10}, sequence_number{100});
    CHECK(r.reordering_window(s) == 50ms);
    r.on_dsack(sequence_number{50}, sequence_number{150});  // the same round
    CHECK(r.reordering_window(s) == 50ms);
    r.on_dsack(sequence_number{100}, sequence_number{200});
    CHECK(r.reordering_window(s) == 75ms);
    r.on_dsack(sequence_number{200}, sequence_number{300});
    r.on_dsack(sequence_number{300}, sequence_number{400});
    CHECK(r.reordering_window(s) == 100ms);  // SRTT
    for (int recoveries = 0; recoveries < 16; ++recoveries) r.on_recovery_end();
    CHECK(r.reordering_window(s) == 25ms);
}

TEST_CASE("section 6.2: in a recovery nothing is waited for where no reordering was seen") {
    using namespace weft;
    using namespace weft::net::tcp;
    rack r;
    r.begin(sequence_number{0});
    r.on_rtt(100ms, instant{});
    CHECK(r.reordering_window({.smoothed_rtt = 100ms, .is_recovering = true}) == duration::zero());
    CHECK(r.reordering_window({.smoothed_rtt = 100ms}) == 25ms);
}

TEST_CASE(
    "section 6.2: what arrives sooner after its retransmission than any path is the original") {
    using namespace weft;
    using namespace weft::net::tcp;
    for (const auto& [rtt, lost] : {std::pair{50ms, 0U}, std::pair{150ms, 1000U}}) {
        rack r;
        r.begin(sequence_number{0});
        r.on_rtt(100ms, instant{});
        sent_ranges ranges;
        ranges.sent(sequence_number{0}, sequence_number{1000}, instant{100ms});
        sent_range again;
        again.begin = sequence_number{1000};
        again.end = sequence_number{2000};
        again.sent_at = instant{200ms};
        again.flags = sent_range::retransmitted;
        r.on_delivered(again, true, again.sent_at + rtt);
        CHECK(r.detect_loss(ranges, {.now = instant{10s}, .smoothed_rtt = 100ms}).lost_bytes ==
              lost);
    }
}

TEST_CASE("a path that has become slower is believed after ten minutes at the most") {
    using namespace weft;
    using namespace weft::net::tcp;
    rack r;
    r.on_rtt(50ms, instant{1h});
    r.on_rtt(100ms, instant{1h + 6min});
    CHECK(r.min_rtt() == 50ms);
    r.on_rtt(100ms, instant{1h + 12min});
    CHECK(r.min_rtt() == 100ms);
}
}
