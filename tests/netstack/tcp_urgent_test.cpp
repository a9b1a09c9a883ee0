#include "scripted_peer.hpp"

#include <doctest/doctest.h>

using namespace std::chrono_literals;
using namespace weft::test;
using weft::net::tcp::state;
using weft::net::tcp::wait;

// RFC 9293 §3.8.5. Urgent data is read in line; what is told is where it ends.

namespace {

bool is_told(scripted_peer& peer) {
    return (peer.connection->take_signals() & 1U << static_cast<unsigned>(wait::readable)) != 0;
}

}  // namespace

TEST_SUITE("netstack.tcp.urgent") {
TEST_CASE(
    "the pointer names the octet behind the urgent data, counted from SEG.SEQ [MUST-30] "
    "[MUST-33] [MUST-62]") {
    scripted_peer peer = in_state(state::established);
    peer.sends(data(5001, 1001, "abcdef").with_urgent(4));
    CHECK(peer.connection->urgent_bytes() == 4);
    CHECK(peer.reads(3) == "abc");
    CHECK(peer.connection->urgent_bytes() == 1);
    CHECK(peer.reads(2) == "de");
    CHECK(peer.connection->urgent_bytes() == 0);
    CHECK(peer.reads() == "f");
}

TEST_CASE(
    "urgent data may be longer than a segment, and the user hears of it before it is here "
    "[MUST-31] [MUST-32]") {
    scripted_peer peer = in_state(state::established);
    (void)is_told(peer);
    peer.sends(ack(5001, 1001).with_urgent(20'000));
    CHECK(is_told(peer));
    CHECK(peer.connection->urgent_bytes() == 20'000);
    peer.sends(data(5001, 1001, stream_text(1000)));
    CHECK(peer.connection->urgent_bytes() == 20'000);
    (void)peer.reads();
    CHECK(peer.connection->urgent_bytes() == 19'000);
}

TEST_CASE("the user is told when the pointer advances [MUST-32]") {
    scripted_peer peer = in_state(state::established);
    peer.sends(data(5001, 1001, "ab").with_urgent(2));
    CHECK(is_told(peer));
    peer.sends(data(5003, 1001, "cd").with_urgent(2));
    CHECK(is_told(peer));
    CHECK(peer.connection->urgent_bytes() == 4);
}

TEST_CASE("the pointer of a segment that is partly old counts from its own number [MUST-62]") {
    scripted_peer peer = in_state(state::established);
    peer.sends(data(5001, 1001, "abcdef"));
    CHECK(peer.reads(6) == "abcdef");
    peer.sends(data(5003, 1001, "cdefghij").with_urgent(6));  // up to 5009: "gh"
    CHECK(peer.connection->urgent_bytes() == 2);
}

TEST_CASE("a pointer to what was read long ago says nothing") {
    scripted_peer peer = in_state(state::established);
    peer.sends(data(5001, 1001, "abcdef"));
    CHECK(peer.reads(6) == "abcdef");
    peer.sends(data(5003, 1001, "cdefgh").with_urgent(2));
    CHECK(peer.connection->urgent_bytes() == 0);
    CHECK(peer.reads() == "gh");
    peer.sends(data(5009, 1001, "i").with_urgent(0));
    CHECK(peer.connection->urgent_bytes() == 0);
}

TEST_CASE("after the peer's FIN the URG bit is ignored") {
    scripted_peer peer = in_state(state::close_wait);
    peer.sends(ack(5002, 1001).with_urgent(100));
    CHECK(peer.connection->urgent_bytes() == 0);
}

// ---- what we send

TEST_CASE("urgent data leaves with URG and a pointer to the octet after it (MUST-30) (MUST-62)") {
    scripted_peer peer = in_state(state::established);
    peer.writes_urgent("hurry");
    const script_segment seen = peer.sees();
    CHECK(seen == data(1001, 5001, "hurry").with_urgent(5));
    CHECK(seen.urgent == 5);
    CHECK(seen.has(tcp_flags::psh));
    peer.sends(ack(5001, 1006));
    peer.writes("no hurry");
    const script_segment after = peer.sees();
    CHECK(after == data(1006, 5001, "no hurry"));
    CHECK(after.urgent == 0);
}

TEST_CASE("urgent data does not overtake, and Nagle does not hold it (MUST-30)") {
    scripted_peer peer = in_state(state::established);
    peer.writes("in flight ");
    CHECK(peer.sees() == data(1001, 5001, "in flight "));
    peer.writes("waits ");
    CHECK(peer.sees() == nothing);
    peer.writes_urgent("!");
    const script_segment seen = peer.sees();
    CHECK(seen == data(1011, 5001, "waits !").with_urgent(7));
    CHECK(seen.urgent == 7);
}

TEST_CASE("a closed window does not keep the news of urgent data back (MUST-30)") {
    scripted_peer peer = in_state(state::established);
    peer.sends(ack(5001, 1001).with_window(0));
    peer.writes("stuck");
    CHECK(peer.sees() == nothing);
    peer.writes_urgent("!");
    const script_segment seen = peer.sees();
    CHECK(seen == ack(1001, 5001).with_urgent(6));
    CHECK(seen.urgent == 6);
    CHECK(peer.sees() == nothing);
    // The probe of the window tells it again.
    const script_segment probe = peer.waits_for_segment();
    CHECK(probe == data(1001, 5001, "s").with_urgent(6));
    CHECK(probe.urgent == 6);
}

TEST_CASE(
    "of urgent data longer than the field can say each segment announces as much as it can, up to "
    "the end (MUST-31)") {
    constexpr std::uint32_t size = 200'000;
    scripted_peer peer =
        in_state(state::established, {.config = {.timestamps = false}, .peer_scale = 7});
    peer.sends(ack(5001, 1001).with_window(4000));
    CHECK(peer.writes_urgent(stream_text(size)) == size);
    std::uint32_t told = 0;
    std::string arrived;
    while (arrived.size() < size) {
        const std::vector<script_segment> flight = peer.sees_all();
        REQUIRE(!flight.empty());
        for (const script_segment& s : flight) {
            REQUIRE(s.seq == 1001 + arrived.size());
            REQUIRE(s.has(tcp_flags::urg));
            REQUIRE(s.urgent == std::min(1001 + size - s.seq, 0xffffU));
            REQUIRE(s.seq + s.urgent >= told);  // it never goes back
            told = s.seq + s.urgent;
            arrived += s.text;
        }
        peer.sends(ack(5001, 1001 + static_cast<std::uint32_t>(arrived.size())).with_window(4000));
    }
    CHECK(told == 1001 + size);
    CHECK(arrived == stream_text(size));
    peer.writes("calm");
    CHECK_FALSE(peer.sees().has(tcp_flags::urg));
}

TEST_CASE("what is sent again is as urgent as it was; what lies behind the urgent data is not") {
    scripted_peer peer = in_state(state::established);
    peer.writes_urgent("ab");
    peer.connection->set_no_delay(true, peer.now);
    CHECK(peer.sees() == data(1001, 5001, "ab").with_urgent(2));
    peer.writes("cd");
    CHECK(peer.sees() == data(1003, 5001, "cd"));
    peer.waits(3s);
    const script_segment again = peer.sees();
    CHECK(again.retransmission);
    CHECK(again.seq == 1001);
    CHECK(again.has(tcp_flags::urg));
    CHECK(again.urgent == 2);
}

TEST_CASE("a device that cuts frames gets none with an urgent pointer to cut (MUST-62)") {
    scripted_peer peer = in_state(state::established, {.offload_bytes = 60'000});
    peer.writes_urgent(stream_text(5000));
    std::uint32_t next = 1001;
    for (const script_segment& s : peer.sees_all()) {
        CHECK(s.seq == next);
        CHECK(s.text.size() <= 1460);
        CHECK(s.segment_bytes == 0);
        CHECK(s.seq + s.urgent == 6001);
        next = s.end();
    }
    CHECK(next == 6001);
    peer.sends(ack(5001, 6001));
    peer.writes(stream_text(5000));
    CHECK(peer.sees().segment_bytes == 1460);
}

TEST_CASE("urgent data written before the connection stands leaves once it does") {
    scripted_peer peer = in_state(state::syn_sent);
    peer.writes_urgent("early");
    peer.sends(syn_ack(5000, 1001));
    const script_segment seen = peer.sees();
    CHECK(seen == data(1001, 5001, "early").with_urgent(5));
    CHECK(seen.urgent == 5);
}

TEST_CASE("a second urgent write moves the pointer on, never back (MUST-32)") {
    scripted_peer peer = in_state(state::established);
    peer.sends(ack(5001, 1001).with_window(0));
    peer.writes_urgent("one");
    CHECK(peer.sees().urgent == 3);
    peer.writes("plain");
    peer.writes_urgent("two");
    CHECK(peer.sees().urgent == 11);
}

// ---- what the user is told

TEST_CASE("news of urgent data is told once for each time that the pointer moves (MUST-32)") {
    scripted_peer peer = in_state(state::established);
    CHECK_FALSE(peer.connection->has_urgent_news());
    peer.sends(data(5001, 1001, "ab").with_urgent(4));
    CHECK(peer.connection->has_urgent_news());
    peer.connection->take_urgent_news();
    peer.sends(data(5003, 1001, "c").with_urgent(2));  // the same end
    CHECK_FALSE(peer.connection->has_urgent_news());
    peer.sends(data(5004, 1001, "d").with_urgent(9));
    CHECK(peer.connection->has_urgent_news());
    CHECK(peer.connection->urgent_bytes() == 12);
    // What has been read is no news any more.
    peer.sends(data(5005, 1001, stream_text(8)));
    CHECK(peer.reads().size() == 12);
    CHECK_FALSE(peer.connection->has_urgent_news());
    CHECK(peer.connection->urgent_bytes() == 0);
}
}
