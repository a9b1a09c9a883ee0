// Boxes that change frames: what they do to one, and that connections work through them.

#include <weft/sim/ecn_bleacher.hpp>
#include <weft/sim/option_stripper.hpp>
#include <weft/sim/segment_splitter.hpp>
#include <weft/sim/sequence_shifter.hpp>

#include "two_hosts.hpp"

#include "frames.hpp"

using namespace weft;
using namespace weft::sim;
using namespace weft::sim::test;
namespace wire = net::wire;

namespace {

using way = net::middlebox::direction;

/// What comes out for one frame, of which only one comes out.
net::wire_frame through(net::middlebox& box, net::wire_frame frame, way along = way::forward) {
    net::wire_frames out;
    box.on_frame(std::move(frame), along, instant{}, out);
    REQUIRE(out.size() == 1);
    return std::move(out[0]);
}

frame_settings syn() {
    frame_settings made;
    made.tcp.flags = tcp_flags::syn;
    made.options.set_mss(1460).set_window_scale(7).set_sack_permitted().set_timestamps({1, 2});
    return made;
}

/// Bytes both ways through whatever is on the wire, to an orderly end.
task<> exchange(two_hosts& on, std::string up, std::string down) {
    stream_pair pair;
    co_await open_pair(on, pair);
    const auto [sent_up, sent_down, at_client, at_server] = co_await when_all(
        write_and_shut_down(pair.client, up), write_and_shut_down(pair.server, down),
        read_to_end(pair.client), read_to_end(pair.server));
    CHECK(sent_up.has_value());
    CHECK(sent_down.has_value());
    CHECK(at_client.value_or("") == down);
    CHECK(at_server.value_or("") == up);
}

void runs_clean(two_hosts& on, std::size_t bytes = 300'000) {
    on.world.run(exchange(on, pattern(bytes, 1), pattern(bytes, 2)));
    on.settle();
    CHECK(on.client.stack().tcp().connection_count() == 0);
    CHECK(on.server.stack().tcp().connection_count() == 0);
    CHECK(on.world.bytes_in_use() == 0);
}

}  // namespace

TEST_SUITE("sim.middlebox") {
TEST_CASE("a stripper takes the options it is told to, keeps the others, and the checksum right") {
    net::block_pool pool;
    option_stripper box{{.window_scale = true, .sack_permitted = true}};
    const net::wire_frame out = through(box, make_frame(pool, syn()));
    const net::segment_editor segment = segment_of(out);
    CHECK(!segment.options().has_window_scale());
    CHECK(!segment.options().has_sack_permitted());
    CHECK(segment.options().has_timestamps());
    CHECK(segment.options().mss() == 1460);
    CHECK(box.stripped() == 2);
}

TEST_CASE("a stripper of SYNs leaves other segments alone, and one of other segments SYNs") {
    net::block_pool pool;
    option_stripper syns{
        {.timestamps = true, .from = option_stripper_settings::segments::with_syn}};
    option_stripper others{
        {.timestamps = true, .from = option_stripper_settings::segments::without_syn}};
    frame_settings data;
    data.options.set_timestamps({1, 2});
    data.tcp.flags = tcp_flags::ack;
    CHECK(segment_of(through(syns, make_frame(pool, data))).options().has_timestamps());
    CHECK(!segment_of(through(syns, make_frame(pool, syn()))).options().has_timestamps());
    CHECK(!segment_of(through(others, make_frame(pool, data))).options().has_timestamps());
    CHECK(segment_of(through(others, make_frame(pool, syn()))).options().has_timestamps());
}

TEST_CASE("a stripper of one direction leaves the other alone; a clamp only lowers") {
    net::block_pool pool;
    option_stripper box{{.clamp_mss = 1200, .along = option_stripper_settings::directions::back}};
    CHECK(segment_of(through(box, make_frame(pool, syn()))).options().mss() == 1460);
    CHECK(segment_of(through(box, make_frame(pool, syn()), way::back)).options().mss() == 1200);
    option_stripper loose{{.clamp_mss = 1500}};
    CHECK(segment_of(through(loose, make_frame(pool, syn()))).options().mss() == 1460);
}

TEST_CASE("a shifter moves what one side says by one amount, and the answers back by the same") {
    net::block_pool pool;
    sequence_shifter box{9};
    frame_settings out;
    out.tcp.sequence = 5000;
    out.tcp.flags = tcp_flags::syn;
    const std::uint32_t shifted = segment_of(through(box, make_frame(pool, out))).header().sequence;
    CHECK(shifted != 5000);

    frame_settings back;
    back.tcp = make_header(80, 1000, 100, tcp_flags::ack);
    back.tcp.acknowledgment = shifted + 1;
    back.options.add_sack_block({shifted + 10, shifted + 20});
    back.is_reply = true;
    const net::wire_frame answer = through(box, make_frame(pool, back), way::back);
    const net::segment_editor segment = segment_of(answer);
    CHECK(segment.header().acknowledgment == 5001);
    CHECK(segment.header().sequence != 100);
    REQUIRE(segment.options().has_sack());
    CHECK(segment.options().sack_blocks()[0] == wire::sack_block{5010, 5020});

    sequence_shifter broken{9, sequence_shifter::sack::left_alone};
    const net::wire_frame wrong = through(broken, make_frame(pool, back), way::back);
    CHECK(segment_of(wrong).options().sack_blocks()[0].left == shifted + 10);
    CHECK(broken.broken_blocks() == 1);
}

TEST_CASE("a frame with a wrong checksum passes a box as it is") {
    net::block_pool pool;
    sequence_shifter box{9};
    net::wire_frame bad = make_frame(pool, syn());
    bad.bytes.data()[40] ^= std::byte{1};
    const std::vector<std::byte> before{bad.bytes.bytes().begin(), bad.bytes.bytes().end()};
    CHECK(std::ranges::equal(through(box, std::move(bad)).bytes.bytes(), before));
}

TEST_CASE("boxes on a wire are passed in their order, and in the other order on the way back") {
    two_hosts on;
    const wire_ends between = on.world.wire_between(on.client, on.server);
    // The second sees only what the first let through: no window scale is left to strip.
    const auto& near = on.world.insert<option_stripper>(
        between, option_stripper_settings{.window_scale = true,
                                          .along = option_stripper_settings::directions::forward});
    const auto& far =
        on.world.insert<option_stripper>(between, option_stripper_settings{.window_scale = true});
    runs_clean(on, 1000);
    CHECK(near.stripped() == 1);
    CHECK(far.stripped() == 0);  // a server does not offer what the client did not
}

TEST_CASE("connections work through a box that strips window scale") {
    two_hosts on;
    on.world.insert<option_stripper>(on.world.wire_between(on.client, on.server),
                                     option_stripper_settings{.window_scale = true});
    runs_clean(on);
}

TEST_CASE(
    "connections work through a box that strips window scale from the answer only, so that "
    "the ends disagree") {
    two_hosts on;
    on.world.insert<option_stripper>(
        on.world.wire_between(on.client, on.server),
        option_stripper_settings{.window_scale = true,
                                 .along = option_stripper_settings::directions::back});
    runs_clean(on);
}

TEST_CASE(
    "connections work through boxes that strip SACK-permitted, timestamps, MSS or all of it") {
    const option_stripper_settings each[] = {
        {.sack_permitted = true},
        {.timestamps = true},
        {.mss = true},
        {.clamp_mss = 500},
        {.sack_blocks = true},
        {.mss = true,
         .window_scale = true,
         .sack_permitted = true,
         .timestamps = true,
         .unknown = true},
    };
    for (const option_stripper_settings& settings : each) {
        CAPTURE(&settings - each);
        two_hosts on{1, {.loss = 0.01, .delay = 10ms}};
        const auto& box =
            on.world.insert<option_stripper>(on.world.wire_between(on.client, on.server), settings);
        runs_clean(on);
        CHECK(box.stripped() + box.clamped() > 0);
    }
}

TEST_CASE("connections work through a box that shifts sequence numbers, SACK or not") {
    for (const auto blocks :
         {sequence_shifter::sack::rewritten, sequence_shifter::sack::left_alone}) {
        for (std::uint64_t seed = 1; seed <= 5; ++seed) {
            CAPTURE(seed);
            two_hosts on{seed, {.loss = 0.02, .reorder = 0.05, .delay = 10ms}};
            on.world.insert<sequence_shifter>(on.world.wire_between(on.client, on.server), seed,
                                              blocks);
            runs_clean(on);
        }
    }
}

TEST_CASE("a path MTU is found through a box that shifts sequence numbers") {
    two_hosts on{1, {.delay = 10ms, .path_mtu = 1000, .too_big = net::oversize::answered}};
    on.world.insert<sequence_shifter>(on.world.wire_between(on.client, on.server), 3U);
    runs_clean(on);
    CHECK(on.world.device_of(on.client).statistics().answered > 0);
}

TEST_CASE("connections work through a box that cuts segments to crumbs") {
    two_hosts on{1, {.loss = 0.01, .delay = 10ms}};
    on.world.insert<segment_splitter>(on.world.wire_between(on.client, on.server), 100U);
    runs_clean(on, 100'000);
}

TEST_CASE("a bleacher takes marks and code points out, and SYN flags if it is told to") {
    net::block_pool pool;
    frame_settings made;
    made.ecn = wire::ecn::ce;
    made.tcp.flags = tcp_flags::syn | tcp_flags::ece | tcp_flags::cwr;
    ecn_bleacher field;
    const net::wire_frame bleached = through(field, make_frame(pool, made));
    CHECK(segment_of(bleached).packet().ecn() == wire::ecn::not_ect);
    CHECK(segment_of(bleached).header().flags == made.tcp.flags);
    CHECK(field.bleached() == 1);
    ecn_bleacher all{ecn_bleacher::syn_flags::cleared};
    CHECK(segment_of(through(all, make_frame(pool, made))).header().flags == tcp_flags::syn);
}
}
