#include <weft/net/tcp/syn_cookie.hpp>

#include "scripted_peer.hpp"

#include <doctest/doctest.h>

#include <random>

using namespace std::chrono_literals;
using namespace weft::test;
using weft::net::tcp::cookie_policy;
using weft::net::tcp::handshake;
using weft::net::tcp::segment;
using weft::net::tcp::sequence_number;
using weft::net::tcp::state;
using weft::net::tcp::syn_cookies;

namespace {

script_options with_cookies(cookie_policy policy, bool timestamps = true) {
    script_options o{.config = {}, .peer_timestamps = timestamps, .passive = true};
    o.config.syn_cookies = policy;
    return o;
}

scripted_peer listening(const script_options& o) { return in_state(state::listen, o); }

void flood(scripted_peer& peer, std::uint32_t address, std::uint16_t port, std::uint32_t seq) {
    peer.sends_from({weft::net::ipv4_address{address}, port}, syn(seq).with_mss(1460));
}

handshake offer(std::uint16_t mss = 1460) {
    segment syn;
    syn.seq = sequence_number{5000};
    syn.flags = tcp_flags::syn;
    syn.options.set_mss(mss).set_timestamps({77, 0}).set_window_scale(9).set_sack_permitted();
    return {scripted_peer::tuple(), syn, weft::instant{1000s}};
}

segment third_step(sequence_number iss, std::uint32_t echo) {
    segment ack;
    ack.flags = tcp_flags::ack;
    ack.seq = sequence_number{5001};
    ack.ack = iss + 1;
    ack.options.set_timestamps({80, echo});
    return ack;
}

}  // namespace

TEST_SUITE("netstack.tcp.syn_cookie") {
// client                                          listener, no room for a record
//   SYN 5000, MSS 1460, TS 100000, WS 9, SACK  →
//                                              ←   SYN 1000+…, ACK 5001, TS with the options in it
//   ACK, the same TS echoed                    →   the cookie proves it: ESTABLISHED
TEST_CASE("a cookie remembers MSS, window scale, SACK and the time, and the listener nothing") {
    scripted_peer peer = listening(with_cookies(cookie_policy::always));
    script_segment first = syn(5000).with_mss(1460).with_scale(9);
    first.options.set_sack_permitted();
    peer.sends(first);
    CHECK(peer.state() == state::listen);
    CHECK(peer.demux.connection_count() == 0);
    const script_segment answer = peer.sees();
    REQUIRE(answer.has(tcp_flags::syn | tcp_flags::ack));
    CHECK(answer.ack == 5001);
    CHECK(answer.window == 65535);
    CHECK(answer.options.mss() == 1460);
    CHECK(answer.options.has_window_scale());
    CHECK(answer.options.has_sack_permitted());
    CHECK(answer.options.timestamps().echo == 100'000);
    CHECK(peer.counters.tcp_syn_cookies_sent == 1);
    CHECK(peer.counters.tcp_passive_opens == 0);

    peer.waits(200ms);
    CHECK(peer.sees() == nothing);  // a cookie is not repeated
    peer.sends(ack(5001, answer.seq + 1)
                   .with_window(10)
                   .with_timestamps(100'200, answer.options.timestamps().value));
    CHECK(peer.path() == std::vector{state::listen, state::syn_received, state::established});
    CHECK(peer.counters.tcp_syn_cookies_received == 1);
    CHECK(peer.counters.tcp_passive_opens == 1);
    peer.accepts();
    CHECK(peer.connection->mss() == 1448);
    CHECK(peer.connection->peer_window() == 10U << 9);
    CHECK(peer.connection->smoothed_rtt() >= 200ms);
    CHECK(peer.connection->smoothed_rtt() < 265ms);
    peer.writes("hello");
    const script_segment text = peer.sees();
    CHECK(text == data(answer.seq + 1, 5001, "hello"));
    CHECK(text.options.timestamps().echo == 100'200);
}

TEST_CASE("without timestamps a cookie remembers the MSS, and nothing else is offered") {
    scripted_peer peer = listening(with_cookies(cookie_policy::always, false));
    script_segment first = syn(5000).with_mss(1400).with_scale(9);
    first.options.set_sack_permitted();
    peer.sends(first);
    const script_segment answer = peer.sees();
    CHECK_FALSE(answer.options.has_window_scale());
    CHECK_FALSE(answer.options.has_sack_permitted());
    CHECK_FALSE(answer.options.has_timestamps());
    peer.sends(ack(5001, answer.seq + 1).with_window(1000));
    peer.accepts();
    CHECK(peer.connection->mss() == 1400);
    CHECK(peer.connection->peer_window() == 1000);
}

TEST_CASE("text and FIN on the ACK that completes a cookie are taken") {
    scripted_peer peer = listening(with_cookies(cookie_policy::always));
    peer.sends(syn(5000));
    const script_segment answer = peer.sees();
    peer.sends(fin_ack(5001, answer.seq + 1, "all I had"));
    CHECK(peer.state() == state::close_wait);
    peer.accepts();
    CHECK(peer.reads() == "all I had");
}

TEST_CASE("an ACK that proves no cookie is answered with RST") {
    scripted_peer peer = listening(with_cookies(cookie_policy::always));
    peer.sends(ack(5001, 1001));
    CHECK(peer.sees() == rst(1001));
    CHECK(peer.counters.tcp_syn_cookies_invalid == 0);  // nobody can have one
    peer.sends(syn(5000));
    const script_segment answer = peer.sees();
    const std::uint32_t value = answer.options.timestamps().value;
    for (unsigned bit = 0; bit < 32; ++bit) {
        const std::uint32_t wrong = 1U << bit;
        peer.sends(ack(5001, (answer.seq ^ wrong) + 1).with_timestamps(100'100, value));
        CHECK(peer.sees().has(tcp_flags::rst));
        peer.sends(ack(5001 ^ wrong, answer.seq + 1).with_timestamps(100'100, value));
        CHECK(peer.sees().has(tcp_flags::rst));
    }
    for (unsigned bit = 0; bit < 6; ++bit) {  // nor may its options be altered
        peer.sends(ack(5001, answer.seq + 1).with_timestamps(100'100, value ^ 1U << bit));
        CHECK(peer.sees().has(tcp_flags::rst));
    }
    CHECK(peer.counters.tcp_syn_cookies_invalid == 70);
    CHECK(peer.demux.connection_count() == 0);
    peer.sends(ack(5001, answer.seq + 1).with_timestamps(100'100, value));
    CHECK(peer.state() == state::established);
}

TEST_CASE("a cookie counts for two minutes at least and three and a quarter at most") {
    const syn_cookies cookies{{1, 2}};
    for (const auto begin : {1000s, 1023s, 1024s, 1087s}) {
        handshake h = offer();
        const weft::instant then{begin};
        const sequence_number iss = cookies.bake(h, then);
        const std::uint32_t echo = syn_cookies::timestamp(h, 500'000);
        const auto counts = [&](std::chrono::seconds age) {
            const auto ms = static_cast<std::uint32_t>(std::chrono::milliseconds{age}.count());
            return cookies.taste(h.tuple, third_step(iss, echo), 500'000 + ms, then + age)
                .has_value();
        };
        CHECK(counts(0s));
        CHECK(counts(128s));
        CHECK_FALSE(counts(192s));
        CHECK_FALSE(counts(255s));
        CHECK_FALSE(counts(256s));  // its two bits of time come round, the proof does not
        CHECK_FALSE(counts(4000s));
    }
}

TEST_CASE("the MSS of a cookie is the largest of eight that the peer can take") {
    const syn_cookies cookies{{1, 2}};
    const std::pair<std::uint16_t, std::uint16_t> sizes[] = {
        {0, 536},     {1, 88},      {88, 88},     {535, 88},    {536, 536},   {1219, 536},
        {1220, 1220}, {1439, 1400}, {1460, 1460}, {8959, 1460}, {9000, 8960}, {65535, 8960}};
    for (const auto& [announced, kept] : sizes) {
        handshake h = offer(announced);
        const weft::instant now{1000s};
        const sequence_number iss = cookies.bake(h, now);
        const std::uint32_t echo = syn_cookies::timestamp(h, 0x7fff'ffff);
        const auto back = cookies.taste(h.tuple, third_step(iss, echo), 0x7fff'ffff, now);
        REQUIRE(back);
        CHECK(back->mss == kept);
        CHECK(back->scale == 9);
        CHECK(back->may_selectively_acknowledge);
        CHECK(back->iss == iss);
        CHECK(back->irs == sequence_number{5000});
    }
}

TEST_CASE("a timestamp with options in it is never ahead of the clock, and at most 64 ms behind") {
    handshake h = offer();
    for (std::uint32_t clock = 0xffff'ff00; clock != 0x100; ++clock) {
        const std::uint32_t value = syn_cookies::timestamp(h, clock);
        REQUIRE(clock - value < 64);
        REQUIRE((value & 63) == (syn_cookies::timestamp(h, 0) & 63));
    }
}

TEST_CASE("a cookie cannot be guessed, nor used by somebody else") {
    scripted_peer peer = listening(with_cookies(cookie_policy::always, false));
    peer.sends(syn(5000));
    const script_segment answer = peer.sees();
    std::mt19937 random{11};
    for (int i = 0; i < 100'000; ++i) {
        peer.sends(ack(5001, static_cast<std::uint32_t>(random())));
        if (i % 64 == 0) (void)peer.sees_all();
    }
    CHECK(peer.demux.connection_count() == 0);
    peer.sends_from(81, ack(5001, answer.seq + 1));  // stolen
    CHECK(peer.demux.connection_count() == 0);
}

TEST_CASE("cookies begin where the room for records ends") {
    script_options o = with_cookies(cookie_policy::on_overflow);
    scripted_peer peer = in_state(state::closed, o);
    peer.listener =
        peer.demux.listen(scripted_peer::tuple().local(), {.backlog = 3}, peer.now).value();
    for (std::uint32_t i = 0; i < 5; ++i) flood(peer, 0x0b000000 + i, 99, i);
    CHECK(peer.demux.half_open_count() == 3);
    CHECK(peer.counters.tcp_syn_cookies_sent == 2);
    CHECK(peer.counters.tcp_syn_dropped == 0);
    o.config.max_half_open = 2;
    scripted_peer small = in_state(state::listen, o);
    for (std::uint32_t i = 0; i < 5; ++i) flood(small, 0x0b000000 + i, 99, i);
    CHECK(small.demux.half_open_count() == 2);
    CHECK(small.counters.tcp_syn_cookies_sent == 3);
}

TEST_CASE("100,000 SYNs from nowhere hold back no client that means it") {
    scripted_peer peer = in_state(state::closed, with_cookies(cookie_policy::on_overflow));
    peer.listener =
        peer.demux.listen(scripted_peer::tuple().local(), {.backlog = 1024}, peer.now).value();
    std::mt19937 random{3};
    std::size_t most_bytes = 0;
    for (int i = 0; i < 100'000; ++i) {
        const auto address = static_cast<std::uint32_t>(random()) | 1U;
        flood(peer, address, static_cast<std::uint16_t>(random() | 1U),
              static_cast<std::uint32_t>(random()));
        if (i % 64 == 0) (void)peer.sees_all();
        if (i % 1000 == 0) peer.waits(10ms);
        most_bytes = std::max(most_bytes, peer.demux.half_open_bytes());
    }
    (void)peer.sees_all();
    CHECK(peer.demux.half_open_count() == 1024);
    CHECK(most_bytes <= 256 * 1024);
    CHECK(peer.pool.bytes_out() == 0);

    peer.sends(syn(5000));
    const script_segment answer = peer.sees();
    REQUIRE(answer.has(tcp_flags::syn | tcp_flags::ack));
    peer.sends(ack(5001, answer.seq + 1));
    REQUIRE(peer.listener->can_accept());
    peer.accepts();
    peer.sends(data(5001, answer.seq + 1, "a real question"));
    CHECK(peer.reads() == "a real question");
    CHECK(peer.sees() == ack(answer.seq + 1, 5016));
}

TEST_CASE("a cookie that finds the accept queue full is asked again, and counts then") {
    scripted_peer peer = in_state(state::closed, with_cookies(cookie_policy::always));
    peer.listener =
        peer.demux.listen(scripted_peer::tuple().local(), {.backlog = 1}, peer.now).value();
    peer.sends(syn(5000));
    const script_segment mine = peer.sees();
    peer.sends_from(81, syn(1));
    peer.sends_from(81, ack(2, peer.sees().seq + 1));
    REQUIRE(peer.listener->queued() == 1);

    peer.sends(ack(5001, mine.seq + 1));
    CHECK(peer.sees() == nothing);
    CHECK(peer.listener->queued() == 1);
    CHECK(peer.counters.tcp_backlog_overflow == 1);
    CHECK(peer.demux.half_open_count() == 1);
    CHECK(peer.waits_for_segment(2s) == mine);
    peer.listener->accept().release(peer.now);
    (void)peer.sees_all();
    peer.sends(data(5001, mine.seq + 1, "still here"));
    CHECK(peer.listener->queued() == 1);
    peer.accepts();
    CHECK(peer.reads() == "still here");
}

TEST_CASE("when the memory is short a SYN gets a cookie and no record") {
    script_options o = with_cookies(cookie_policy::on_overflow);
    o.pool_bytes = 64 * 1024;
    scripted_peer peer = listening(o);
    std::vector<weft::net::slice> others;
    while (peer.pool.bytes_out() <= o.pool_bytes / 8 * 7) {
        others.push_back(peer.pool.allocate_for(1500));
    }
    peer.sends(syn(5000));
    CHECK(peer.demux.half_open_count() == 0);
    CHECK(peer.counters.tcp_syn_cookies_sent == 1);
    const script_segment answer = peer.sees();
    others.clear();
    peer.sends(ack(5001, answer.seq + 1));
    CHECK(peer.state() == state::established);
}
}
