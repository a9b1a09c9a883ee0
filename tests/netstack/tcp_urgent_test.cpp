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
}
