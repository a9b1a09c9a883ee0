// TCP Fast Open (RFC 7413) between two hosts: the round trip that it saves, and what boxes on the
// path that do not know it make of it.

#include "two_hosts.hpp"

#include <weft/net/tcp/connection_info.hpp>
#include <weft/sim/option_stripper.hpp>

using namespace weft;
using namespace weft::sim::test;
using weft::sim::option_stripper;
using weft::sim::option_stripper_settings;
using outcome = net::tcp::fast_open_outcome;

namespace {

/// Echoes `count` connections, one after the other, each to its end.
task<> answers(tcp_listener& listening, int count) {
    for (int i = 0; i < count; ++i) {
        auto accepted = co_await listening.accept();
        REQUIRE(accepted.has_value());
        tcp_stream peer = std::move(*accepted);
        std::string buffer(4096, '\0');
        for (;;) {
            const auto n = co_await peer.read_some(bytes_of(buffer));
            REQUIRE(n.has_value());
            if (*n == 0) break;
            CHECK((co_await peer.write_all(bytes_of(buffer).first(*n))).has_value());
        }
        CHECK((co_await peer.shutdown()).has_value());
    }
}

struct answer {
    duration after{};  ///< from connect() to the answer's first byte
    outcome how = outcome::none;
};

/// Asks as often as that, and notes how long each answer took.
task<> asks(two_hosts& on, std::string text, std::vector<answer>& answers, int count,
            net::tcp::connection_options options) {
    for (int i = 0; i < count; ++i) {
        const instant begin = on.world.scheduler().now();
        auto opened =
            co_await on.client.connect(on.server_at(), options, bytes_of(std::string_view{text}));
        REQUIRE_MESSAGE(opened.has_value(), opened.error().message());
        tcp_stream stream = std::move(*opened);
        CHECK((co_await stream.readable()).has_value());
        answers.push_back({on.world.scheduler().now() - begin, stream.info().fast_open});
        CHECK((co_await stream.shutdown()).has_value());
        const auto all = co_await read_to_end(stream);
        CHECK(all.value_or("") == text);
    }
}

task<> talk(two_hosts& on, std::vector<answer>& into, int count, std::uint32_t queue,
            bool is_fast) {
    auto listening = on.server.listen(port, {.fast_open_queue = queue});
    REQUIRE(listening.has_value());
    net::tcp::connection_options options;
    options.fast_open = is_fast;
    co_await when_all(answers(*listening, count), asks(on, "question", into, count, options));
}

std::vector<answer> conversations(two_hosts& on, int count, std::uint32_t queue = 16,
                                  bool is_fast = true) {
    std::vector<answer> into;
    on.world.run(talk(on, into, count, queue, is_fast));
    return into;
}

/// Drops SYNs with text, as some firewalls do.
net::memory_device::fate no_text_in_syns(std::span<const std::byte> frame, instant) {
    const auto header = tcp_header_of(frame);
    const bool is_syn = header && header->flags == tcp_flags::syn;
    const std::size_t headers = is_syn ? 14U + 20U + header->data_offset_bytes : frame.size();
    return is_syn && frame.size() > headers ? net::memory_device::fate::drop
                                            : net::memory_device::fate::pass;
}

duration round_trips(const answer& a) {
    return std::chrono::round<std::chrono::milliseconds>(a.after);
}

}  // namespace

TEST_SUITE("sim.fast_open") {
TEST_CASE("the second connection has its answer a round trip earlier") {
    two_hosts on{1, {.delay = 10ms}};
    on.get_acquainted();
    const auto answers = conversations(on, 3);
    CHECK(round_trips(answers[0]) == 40ms);
    CHECK(answers[0].how == outcome::no_cookie);
    CHECK(round_trips(answers[1]) == 20ms);
    CHECK(answers[1].how == outcome::text_acknowledged);
    CHECK(round_trips(answers[2]) == 20ms);
    CHECK(on.server.counters().tcp_fast_open_passive == 2);
    CHECK(on.client.counters().tcp_fast_open_active == 2);
    CHECK(on.client.counters().tcp_retransmitted_segments == 0);
    CHECK(on.server.counters().tcp_retransmitted_segments == 0);
    on.settle();
    CHECK(on.world.bytes_in_use() == 0);
    CHECK(on.server.stack().tcp().connection_count() == 0);
}

TEST_CASE("who does not ask for it, or a server that does not offer it, has none") {
    for (const bool is_clients : {true, false}) {
        two_hosts on{1, {.delay = 10ms}};
        on.get_acquainted();
        for (const answer& a : conversations(on, 3, is_clients ? 0 : 16, is_clients)) {
            CHECK(round_trips(a) == 40ms);
        }
        CHECK(on.server.counters().tcp_fast_open_passive == 0);
    }
}

TEST_CASE(
    "a firewall that drops SYNs with text: still connected, and not tried again for a while") {
    two_hosts on{1, {.delay = 10ms}};
    on.get_acquainted();
    CHECK(conversations(on, 1)[0].how == outcome::no_cookie);
    on.world.device_of(on.client).set_filter(no_text_in_syns);
    const auto answers = conversations(on, 2);
    CHECK(answers[0].after > 1s);  // the SYN's timeout
    CHECK(answers[0].how == outcome::syn_repeated);
    CHECK(round_trips(answers[1]) == 40ms);
    CHECK(answers[1].how == outcome::no_cookie);
    CHECK(on.client.counters().tcp_fast_open_paused == 1);

    on.world.device_of(on.client).set_filter({});
    on.world.run_for(2min);
    const auto later = conversations(on, 1);
    CHECK(round_trips(later[0]) == 20ms);
    CHECK(later[0].how == outcome::text_acknowledged);
}

TEST_CASE("a box that strips the option from SYNs: connected as ever, without a timeout") {
    two_hosts on{1, {.delay = 10ms}};
    on.get_acquainted();
    CHECK(conversations(on, 2)[1].how == outcome::text_acknowledged);
    on.world.insert<option_stripper>(
        on.world.wire_between(on.client, on.server),
        option_stripper_settings{.unknown = true,
                                 .along = option_stripper_settings::directions::forward});
    const auto answers = conversations(on, 2);
    CHECK(answers[0].how == outcome::text_not_acknowledged);
    CHECK(round_trips(answers[0]) == 40ms);
    CHECK(answers[1].how == outcome::no_cookie);
    CHECK(round_trips(answers[1]) == 40ms);
    CHECK(on.server.counters().tcp_fast_open_passive == 1);
    CHECK(on.client.counters().tcp_fast_open_paused == 1);
}

TEST_CASE("a box that strips the option from SYN,ACKs: no cookie arrives, and none is asked for") {
    two_hosts on{1, {.delay = 10ms}};
    on.get_acquainted();
    on.world.insert<option_stripper>(
        on.world.wire_between(on.client, on.server),
        option_stripper_settings{.unknown = true,
                                 .along = option_stripper_settings::directions::back});
    for (const answer& a : conversations(on, 3)) CHECK(round_trips(a) == 40ms);
    CHECK(on.client.counters().tcp_fast_open_paused == 2);
    CHECK(on.server.counters().tcp_fast_open_cookie_requests == 1);
}

TEST_CASE("a lost SYN,ACK, a lost third step: everything arrives once") {
    for (const tcp_flags lost : {tcp_flags::syn | tcp_flags::ack, tcp_flags::ack}) {
        two_hosts on{1, {.delay = 10ms}};
        on.get_acquainted();
        CHECK(conversations(on, 1)[0].how == outcome::no_cookie);
        auto& from = lost == tcp_flags::ack ? on.client : on.server;
        on.world.device_of(from).set_filter(drop_flags{lost, 1});
        const auto answers = conversations(on, 1);
        CHECK(answers[0].how == outcome::text_acknowledged);
        CHECK((answers[0].after > 1s) == lost.has(tcp_flags::syn));  // the SYN,ACK's timeout
        CHECK(on.server.counters().tcp_fast_open_passive == 1);
        CHECK(on.world.device_of(from).statistics().filtered == 1);
        on.settle();
        CHECK(on.world.bytes_in_use() == 0);
    }
}

TEST_CASE("text larger than a SYN, both ways on a lossy wire: whole, and in order") {
    two_hosts on{7, {.loss = 0.05, .reorder = 0.1, .reorder_by = 5ms, .delay = 10ms}};
    std::vector<answer> into;
    const auto run = [](two_hosts& on_, std::vector<answer>& into_) -> task<> {
        auto listening = on_.server.listen(port, {.fast_open_queue = 16});
        REQUIRE(listening.has_value());
        net::tcp::connection_options options;
        options.fast_open = true;
        co_await when_all(answers(*listening, 20), asks(on_, pattern(3000), into_, 20, options));
    };
    on.world.run(run(on, into));
    CHECK(into.size() == 20);
    CHECK(on.server.counters().tcp_fast_open_passive > 0);
    on.settle();
    CHECK(on.world.bytes_in_use() == 0);
}

TEST_CASE("first text that the send buffer does not hold is refused, and nothing connects") {
    two_hosts on;
    const auto run = [](two_hosts& on_) -> task<> {
        net::tcp::connection_options options;
        options.send_buffer_bytes = 4096;
        const std::string text(5000, 'x');
        const auto opened =
            co_await on_.client.connect(on_.server_at(), options, bytes_of(std::string_view{text}));
        CHECK(opened.error() == net::errc::no_buffers);
    };
    on.world.run(run(on));
    CHECK(on.client.stack().tcp().connection_count() == 0);
}
}
