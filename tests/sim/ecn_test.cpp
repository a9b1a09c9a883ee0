#include "two_hosts.hpp"

#include <weft/net/tcp/connection_info.hpp>

using namespace weft;
using namespace weft::sim::test;
using net::tcp::ecn_mode;

// Congestion told by marks instead of losses (RFC 3168), through a bottleneck that marks.

namespace {

constexpr std::size_t size = 2'000'000;

/// 20 Mbit/s, 20 ms there and back, and a queue that marks early.
net::link_options bottleneck(bool marks) {
    return {.delay = 10ms,
            .bits_per_second = 20'000'000,
            .queue = {.limit_bytes = 1'000'000,
                      .red = {.min_bytes = 15'000,
                              .max_bytes = 100'000,
                              .max_probability = 0.5,
                              .weight = 0.02},
                      .marks_ecn = marks}};
}

sim::host_settings with_ecn(ecn_mode mode) { return {.tcp = {.ecn = mode}}; }

task<> send_bulk(two_hosts& on, net::tcp::connection_info& sender,
                 net::tcp::connection_info& receiver, net::tcp::congestion_algorithm algorithm) {
    stream_pair streams;
    co_await open_pair(on, streams, {.congestion = algorithm});
    const std::string text = pattern(size);
    auto [written, read] =
        co_await when_all(write_and_shut_down(streams.client, text), read_to_end(streams.server));
    CHECK(written.has_value());
    REQUIRE(read.has_value());
    CHECK(*read == text);
    sender = streams.client.info();
    receiver = streams.server.info();
}

}  // namespace

TEST_SUITE("sim.ecn") {
TEST_CASE("a queue that marks slows the sender down without a loss (SHLD-8)") {
    for (const auto algorithm :
         {net::tcp::congestion_algorithm::cubic, net::tcp::congestion_algorithm::new_reno}) {
        CAPTURE(static_cast<int>(algorithm));
        two_hosts on{3, bottleneck(true), with_ecn(ecn_mode::request)};
        net::tcp::connection_info sender;
        net::tcp::connection_info receiver;
        on.world.run(send_bulk(on, sender, receiver, algorithm));
        CHECK(sender.has_ecn);
        CHECK(receiver.ecn_marks_received > 0);
        CHECK(sender.ecn_echoes_received > 0);
        CHECK(on.client.counters().tcp_ecn_reductions > 0);
        CHECK(on.client.counters().tcp_ecn_reductions <= receiver.ecn_marks_received);
        CHECK(sender.retransmitted_segments == 0);
        CHECK(on.world.device_of(on.client).statistics().marked > 0);
        on.settle();
    }
}

TEST_CASE("the same queue drops the packets of who has not agreed") {
    two_hosts on{3, bottleneck(true), with_ecn(ecn_mode::off)};
    net::tcp::connection_info sender;
    net::tcp::connection_info receiver;
    on.world.run(send_bulk(on, sender, receiver, net::tcp::congestion_algorithm::cubic));
    CHECK_FALSE(sender.has_ecn);
    CHECK(receiver.ecn_marks_received == 0);
    CHECK(sender.retransmitted_segments > 0);
    CHECK(on.world.device_of(on.client).statistics().marked == 0);
    on.settle();
}
}
