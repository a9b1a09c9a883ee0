#include <weft/net/tcp/proportional_rate_reduction.hpp>

#include <doctest/doctest.h>

#include <string>

using weft::net::tcp::proportional_rate_reduction;

// The two examples of RFC 6937 §3.1: twenty segments in flight, a new threshold of ten. Limited
// transmit has sent two more before the third acknowledgment begins the recovery.

namespace {

/// What leaves after each of `acks` acknowledgments of one segment: "1 0 1".
std::string sent_by_ack(int acks, std::uint32_t pipe) {
    proportional_rate_reduction prr;
    prr.begin(20, 10);
    std::string sent;
    for (int i = 0; i < acks; ++i) {
        if (i != 0) --pipe;  // what was acknowledged
        const std::uint32_t window = prr.on_ack(1, pipe, 1);
        const std::uint32_t count = window - pipe;
        prr.on_sent(count);
        pipe += count;
        sent += (i == 0 ? "" : " ") + std::to_string(count);
    }
    return sent;
}

}  // namespace

TEST_SUITE("netstack.tcp.prr") {
TEST_CASE("one loss: the reduction is spread over the round trip, a segment for every other ACK") {
    // Segments 3 to 16 of the first diagram.
    CHECK(sent_by_ack(14, 18) == "1 0 1 0 1 0 1 0 1 0 1 0 1 0");
}

TEST_CASE("fifteen losses of twenty: two for each acknowledgment, as in slow start") {
    // Segments 17 to 19 of the second diagram, PRR-SSRB; four are left in the network.
    CHECK(sent_by_ack(3, 4) == "2 2 2");
}

TEST_CASE("the window never ends above the threshold") {
    proportional_rate_reduction prr;
    prr.begin(22, 10);
    std::uint32_t pipe = 4;
    for (int i = 0; i < 100; ++i) {
        const std::uint32_t window = prr.on_ack(1, pipe, 1);
        CHECK(window <= 10);
        prr.on_sent(window - pipe);
        pipe = window - 1;
    }
}
}
