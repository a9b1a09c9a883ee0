// TCP Fast Open, the client: RFC 7413 §4.1.3, §4.2.1, §4.2.2.

#include "fast_open_script.hpp"

#include <weft/net/tcp/fast_open_cache.hpp>

#include <doctest/doctest.h>

using namespace std::chrono_literals;
using namespace weft::test;
using weft::net::errc;
using weft::net::tcp::fast_open_outcome;
using weft::net::tcp::state;

namespace {

constexpr std::uint32_t y = 7000;  // the server's number
const fast_open_cookie given = cookie_of("8 bytes!");

script_options fast() {
    script_options o;
    o.connection.fast_open = true;
    return o;
}

/// Ends whatever there is without a word that counts.
void forgets(scripted_peer& peer) {
    if (peer.state() != state::closed) peer.aborts();
    peer.releases();
    (void)peer.sees_all();
}

/// A first connection brings a cookie and an MSS, and goes.
void gets_cookie(scripted_peer& peer, std::uint16_t mss = 1460,
                 const fast_open_cookie& cookie = given) {
    peer.opens_actively();
    const std::uint32_t x = peer.sees().seq;
    peer.sends(with_cookie(syn_ack(y, x + 1).with_mss(mss), cookie));
    REQUIRE(peer.sees() == ack(x + 1, y + 1));
    forgets(peer);
}

/// Opens with this text; returns our number.
std::uint32_t opens_with(scripted_peer& peer, const std::string& text) {
    peer.opens_actively();
    if (!text.empty()) peer.writes(text);
    const script_segment s = peer.sees();
    REQUIRE(s == with_text(syn(s.seq), text));
    return s.seq;
}

/// Whether another connection now would open with the option in its SYN.
bool tries_again(scripted_peer& peer) {
    peer.opens_actively();
    const bool tries = peer.sees().options.has_fast_open();
    forgets(peer);
    return tries;
}

}  // namespace

TEST_SUITE("netstack.tcp.fast_open.client") {
TEST_CASE("without a cookie one is asked for, and the text follows the handshake") {
    scripted_peer peer{state::closed, fast()};
    peer.opens_actively();
    peer.writes("text");
    const script_segment s = peer.sees();
    CHECK(s == syn(s.seq));
    CHECK(s.options.has_fast_open());
    CHECK(s.options.fast_open().is_empty());
    peer.sends(with_cookie(syn_ack(y, s.seq + 1), given));
    CHECK(peer.sees() == data(s.seq + 1, y + 1, "text"));
    CHECK(peer.connection->fast_open() == fast_open_outcome::no_cookie);
}

TEST_CASE("who does not want it asks for nothing, and keeps no cookie that comes unasked") {
    scripted_peer peer{state::closed};
    peer.opens_actively();
    const script_segment s = peer.sees();
    CHECK_FALSE(s.options.has_fast_open());
    peer.sends(with_cookie(syn_ack(y, s.seq + 1), given));
    forgets(peer);
    peer.options.connection.fast_open = true;
    peer.opens_actively();
    CHECK(peer.sees().options.fast_open().is_empty());
}

TEST_CASE("connection 2 of RFC 7413 §3: text in the SYN, acknowledged with it") {
    //  #1 SYN-SENT       ----- <SYN=x,CookieOpt=C,DATA_A> ---->  SYN-RCVD
    //  #2 ESTABLISHED    <---- <SYN=y,ACK=x+len(DATA_A)+1> ----  SYN-RCVD
    //  #3 ESTABLISHED    <---- <ACK=x+len(DATA_A)+1,DATA_B>----  SYN-RCVD
    //  #4 ESTABLISHED    ----- <ACK=y+1>--------------------> ESTABLISHED
    //  #5 ESTABLISHED    --- <ACK=y+len(DATA_B)+1>----------> ESTABLISHED
    scripted_peer peer{state::closed, fast()};
    gets_cookie(peer);
    peer.opens_actively();
    peer.writes("data a");
    const script_segment first = peer.sees();
    const std::uint32_t x = first.seq;
    CHECK(first == with_text(syn(x), "data a"));
    CHECK(first.options.fast_open() == given);
    CHECK_FALSE(first.has(tcp_flags::psh));
    CHECK(peer.state() == state::syn_sent);
    CHECK(peer.connection->unacked_bytes() == 7);  // in flight, as any text
    peer.sends(syn_ack(y, x + 7));
    CHECK(peer.state() == state::established);
    CHECK(peer.sees() == ack(x + 7, y + 1));
    peer.sends(data(y + 1, x + 7, "data b"));
    CHECK(peer.sees() == ack(x + 7, y + 7));
    CHECK(peer.reads() == "data b");
    CHECK(peer.connection->unacked_bytes() == 0);
    CHECK(peer.connection->fast_open() == fast_open_outcome::text_acknowledged);
    CHECK(peer.counters.tcp_fast_open_active == 1);
    CHECK(peer.counters.tcp_retransmitted_segments == 0);
    CHECK(peer.counters.tcp_bytes_sent == 6);
}

TEST_CASE("a SYN,ACK with text: it is read") {
    scripted_peer peer{state::closed, fast()};
    gets_cookie(peer);
    const std::uint32_t x = opens_with(peer, "question");
    peer.sends(with_text(syn_ack(y, x + 9), "answer"));
    CHECK(peer.sees() == ack(x + 9, y + 7));
    CHECK(peer.reads() == "answer");
}

TEST_CASE("a SYN,ACK of the SYN alone: the text is in the first ACK, and the window is as ever") {
    scripted_peer peer{state::closed, fast()};
    gets_cookie(peer);
    const std::uint32_t x = opens_with(peer, "text");
    peer.sends(with_cookie(syn_ack(y, x + 1), cookie_of("a newer cookie..")));
    const script_segment again = peer.sees();
    CHECK(again == data(x + 1, y + 1, "text"));
    CHECK(again.retransmission);
    CHECK(again.at == peer.elapsed());
    CHECK(peer.sees() == nothing);
    CHECK(peer.connection->congestion_window() == 14'600);
    CHECK(peer.connection->fast_open() == fast_open_outcome::text_not_acknowledged);
    CHECK(peer.counters.tcp_fast_open_active_failed == 1);
    peer.sends(ack(y + 1, x + 5));
    CHECK(peer.connection->unacked_bytes() == 0);

    forgets(peer);
    peer.opens_actively();
    CHECK(peer.sees().options.fast_open() == cookie_of("a newer cookie.."));
}

TEST_CASE("a SYN,ACK of part of the text: the rest follows at once") {
    scripted_peer peer{state::closed, fast()};
    gets_cookie(peer);
    const std::uint32_t x = opens_with(peer, "eighteen bytes....");
    peer.sends(syn_ack(y, x + 10));
    CHECK(peer.sees() == data(x + 10, y + 1, "bytes...."));
    CHECK(peer.connection->fast_open() == fast_open_outcome::text_not_acknowledged);
    forgets(peer);
    CHECK(tries_again(peer));  // text gets through
}

TEST_CASE("a SYN,ACK of more than was sent is refused, and nothing is learned from it") {
    scripted_peer peer{state::closed, fast()};
    gets_cookie(peer);
    const std::uint32_t x = opens_with(peer, "text");
    peer.sends(with_cookie(syn_ack(y, x + 6).with_mss(500), cookie_of("bad!")));
    CHECK(peer.sees() == rst(x + 6));
    CHECK(peer.state() == state::syn_sent);
    forgets(peer);
    peer.opens_actively();
    CHECK(peer.sees().options.fast_open() == given);
}

TEST_CASE("a SYN carries as much as the server's MSS leaves beside 40 bytes of options") {
    for (const auto& [mss, fits] : {std::pair{1460, 1420}, {1000, 960}, {9000, 1420}, {536, 496}}) {
        scripted_peer peer{state::closed, fast()};
        gets_cookie(peer, static_cast<std::uint16_t>(mss));
        const std::string text = stream_text(5000);
        peer.opens_actively();
        CHECK(peer.connection->syn_text_room() == static_cast<std::uint32_t>(fits));
        peer.writes(text);
        const script_segment first = peer.sees();
        CHECK(first.text == text.substr(0, static_cast<std::size_t>(fits)));
        const std::uint32_t x = first.seq;
        const auto taken = static_cast<std::uint32_t>(fits);
        peer.sends(syn_ack(y, x + 1 + taken).with_mss(static_cast<std::uint16_t>(mss)));
        std::string rest;
        for (const script_segment& s : peer.sees_all()) rest += s.text;
        CHECK(rest.substr(0, 1000) == text.substr(taken, 1000));
    }
}

TEST_CASE("a path that takes less than the server does") {
    scripted_peer peer{state::closed, fast()};
    gets_cookie(peer);
    peer.options.path_mtu = 1000;
    peer.opens_actively();
    CHECK(peer.connection->syn_text_room() == 1000 - 40 - 40);
}

TEST_CASE("the largest cookie stands beside all other options of a SYN") {
    script_options o = fast();
    o.config = {};
    o.peer_timestamps = o.peer_sack = true;
    o.peer_scale = 7;
    scripted_peer peer{state::closed, o};
    gets_cookie(peer, 1460, cookie_of("sixteen bytes of"));
    peer.opens_actively();
    const auto options = peer.sees().options;
    CHECK(options.has_timestamps());
    CHECK(options.has_window_scale());
    CHECK(options.has_sack_permitted());
    CHECK(options.fast_open().bytes().size() == 16);
    CHECK(options.encoded_bytes() == 40);
}

TEST_CASE("after a timeout the SYN has neither text nor option; Fast Open pauses") {
    scripted_peer peer{state::closed, fast()};
    gets_cookie(peer);
    const std::uint32_t x = opens_with(peer, "text");
    const script_segment again = peer.waits_for_segment();
    CHECK(again == syn(x));
    CHECK_FALSE(again.options.has_fast_open());
    peer.sends(syn_ack(y, x + 1));
    CHECK(peer.sees() == data(x + 1, y + 1, "text"));
    CHECK(peer.connection->fast_open() == fast_open_outcome::syn_repeated);
    CHECK(peer.connection->congestion_window() == 1460);  // RFC 5681 §3.1
    peer.sends(ack(y + 1, x + 5));
    forgets(peer);

    CHECK_FALSE(tries_again(peer));
    CHECK(peer.counters.tcp_fast_open_paused == 1);
    peer.waits(59s);
    CHECK_FALSE(tries_again(peer));
    peer.waits(1s);
    const std::uint32_t second = opens_with(peer, "text");  // and the next pause is longer
    (void)peer.waits_for_segment();
    peer.sends(syn_ack(y, second + 1));
    forgets(peer);
    peer.waits(119s);
    CHECK_FALSE(tries_again(peer));
    peer.waits(1s);
    CHECK(tries_again(peer));
}

TEST_CASE("a timeout that only seemed one: the answer tells that the first SYN arrived") {
    scripted_peer peer{state::closed, fast()};
    gets_cookie(peer);
    std::uint32_t x = opens_with(peer, "text");
    (void)peer.waits_for_segment();
    peer.sends(syn_ack(y, x + 5));
    CHECK(peer.sees() == ack(x + 5, y + 1));
    CHECK(peer.connection->fast_open() == fast_open_outcome::text_acknowledged);
    forgets(peer);
    CHECK(tries_again(peer));

    x = opens_with(peer, "text");
    (void)peer.waits_for_segment();
    peer.sends(with_cookie(syn_ack(y, x + 1), given));
    forgets(peer);
    CHECK(tries_again(peer));
}

TEST_CASE("a request for a cookie that is lost, or not answered, is not repeated for a while") {
    for (const bool is_lost : {true, false}) {
        scripted_peer peer{state::closed, fast()};
        peer.opens_actively();
        const std::uint32_t x = peer.sees().seq;
        if (is_lost) {
            const script_segment again = peer.waits_for_segment();
            CHECK(again == syn(x));
            CHECK_FALSE(again.options.has_fast_open());
        }
        peer.sends(syn_ack(y, x + 1));
        forgets(peer);
        CHECK_FALSE(tries_again(peer));
        peer.waits(1min);
        CHECK(tries_again(peer));
    }
}

TEST_CASE("a server that never answers is not asked that way again, nor one behind an ICMP error") {
    scripted_peer peer{state::closed, fast()};
    gets_cookie(peer);
    opens_with(peer, "text");
    peer.waits(3min + 1s);
    CHECK(peer.connection->error() == errc::timed_out);
    forgets(peer);
    CHECK_FALSE(tries_again(peer));
    peer.waits(1min);
    const std::uint32_t x = opens_with(peer, "text");
    peer.icmp(errc::host_unreachable, true, x);
    CHECK(peer.state() == state::closed);
    forgets(peer);
    CHECK_FALSE(tries_again(peer));
}

TEST_CASE("a port that is closed says nothing of Fast Open") {
    scripted_peer peer{state::closed, fast()};
    gets_cookie(peer);
    const std::uint32_t x = opens_with(peer, "text");
    peer.sends(rst_ack(0, x + 5));
    CHECK(peer.connection->error() == errc::connection_refused);
    forgets(peer);
    CHECK(tries_again(peer));
}

TEST_CASE("a router for which the SYN is too big: it leaves again at once, without text") {
    scripted_peer peer{state::closed, fast()};
    gets_cookie(peer);
    const std::uint32_t x = opens_with(peer, stream_text(1420));
    peer.icmp_too_big(840, x - 1, 1480);  // about nothing of ours
    CHECK(peer.sees() == nothing);
    peer.icmp_too_big(840, x, 1480);
    CHECK(peer.sees() == syn(x));
    peer.icmp_too_big(840, x, 1480);
    CHECK(peer.sees() == nothing);
    peer.sends(syn_ack(y, x + 1));
    CHECK(peer.sees() == data(x + 1, y + 1, stream_text(1420)));
}

TEST_CASE("SYNs with text that cross: both are acknowledged without it, which follows (MUST-10)") {
    scripted_peer peer{state::closed, fast()};
    gets_cookie(peer);
    const std::uint32_t x = opens_with(peer, "ours");
    peer.sends(with_text(with_cookie(syn(y), cookie_of("8 BYTES.")), "theirs"));
    const script_segment answer = peer.sees();
    CHECK(answer == syn_ack(x, y + 1));
    CHECK_FALSE(answer.options.has_fast_open());
    peer.sends(with_text(syn_ack(y, x + 1), "theirs"));
    CHECK(peer.state() == state::established);
    CHECK(peer.reads() == "theirs");
    CHECK(peer.sees() == data(x + 1, y + 7, "ours"));
    peer.sends(ack(y + 7, x + 5));
    CHECK(peer.connection->unacked_bytes() == 0);
}

TEST_CASE("SYNs that cross, and the peer has taken our text with ours") {
    scripted_peer peer{state::closed, fast()};
    gets_cookie(peer);
    const std::uint32_t x = opens_with(peer, "ours");
    peer.sends(syn(y));
    (void)peer.sees();
    peer.sends(ack(y + 1, x + 5));
    CHECK(peer.state() == state::established);
    CHECK(peer.sees() == nothing);
    CHECK(peer.connection->fast_open() == fast_open_outcome::text_acknowledged);
}

TEST_CASE("a SYN that is held leaves with the first text") {
    scripted_peer peer{state::closed, fast()};
    gets_cookie(peer);
    peer.opens_actively();
    peer.connection->hold_syn();
    CHECK(peer.connection->is_syn_held());
    CHECK(peer.sees() == nothing);
    peer.waits(1h);
    CHECK(peer.sees() == nothing);
    peer.writes("text");
    CHECK_FALSE(peer.connection->is_syn_held());
    const script_segment first = peer.sees();
    CHECK(first == with_text(syn(first.seq), "text"));
    peer.connection->send_held_syn();
    CHECK(peer.sees() == nothing);

    forgets(peer);
    peer.opens_actively();
    peer.connection->hold_syn();
    peer.connection->send_held_syn();
    CHECK(peer.sees().has(tcp_flags::syn));
}

TEST_CASE("a cookie with nothing to say yet: the server may answer early all the same") {
    scripted_peer peer{state::closed, fast()};
    gets_cookie(peer);
    const std::uint32_t x = opens_with(peer, "");
    peer.sends(with_text(syn_ack(y, x + 1), "hello"));
    CHECK(peer.reads() == "hello");
    forgets(peer);
    CHECK(tries_again(peer));
}

TEST_CASE("without a cookie text leaves in the SYN only where the user says so (§7.3)") {
    script_options o = fast();
    o.connection.fast_open_cookieless = true;
    scripted_peer peer{state::closed, o};
    peer.opens_actively();
    CHECK(peer.connection->syn_text_room() == 536 - 40);
    peer.writes("text");
    const script_segment first = peer.sees();
    CHECK(first == with_text(syn(first.seq), "text"));
    CHECK_FALSE(first.options.has_fast_open());
    peer.sends(syn_ack(y, first.seq + 5));
    CHECK(peer.connection->fast_open() == fast_open_outcome::text_acknowledged);
}
}

TEST_SUITE("netstack.tcp.fast_open.cache") {
TEST_CASE("cookies are an address's, failures a service's") {
    weft::net::tcp::fast_open_cache cache;
    const weft::instant now{};
    weft::net::tcp::four_tuple web = scripted_peer::tuple();
    weft::net::tcp::four_tuple mail = web;
    mail.remote_port = 25;
    cache.learn(web, given, 1400);
    REQUIRE(cache.look_up(mail, now).has_value());
    CHECK(cache.look_up(mail, now)->cookie == given);
    CHECK(cache.look_up(mail, now)->mss == 1400);
    cache.on_failure(mail, 1min, now);
    CHECK_FALSE(cache.look_up(mail, now).has_value());
    CHECK(cache.look_up(web, now).has_value());
    cache.on_success(mail);
    CHECK(cache.look_up(mail, now).has_value());
    web.local_address = weft::net::ipv4_address{10, 0, 0, 9};
    CHECK(cache.look_up(web, now)->cookie.is_empty());
}

TEST_CASE("pauses double, up to an hour and a bit, and begin anew after a long silence") {
    weft::net::tcp::fast_open_cache cache;
    const weft::net::tcp::four_tuple path = scripted_peer::tuple();
    weft::instant now{};
    for (const auto pause : {1min, 2min, 4min, 8min, 16min, 32min, 64min, 64min}) {
        cache.on_failure(path, 1min, now);
        CHECK_FALSE(cache.look_up(path, now + pause - 1s).has_value());
        CHECK(cache.look_up(path, now + pause).has_value());
        now += pause;
    }
    now += 24h;
    cache.on_failure(path, 1min, now);
    CHECK(cache.look_up(path, now + 1min).has_value());
}

TEST_CASE("what was not looked at for the longest time gives way") {
    using weft::net::tcp::fast_open_cache;
    fast_open_cache cache;
    weft::net::tcp::four_tuple path = scripted_peer::tuple();
    const auto at = [&](std::uint32_t i) {
        path.remote_address = weft::net::ipv4_address{0x0b00'0000 + i};
        return path;
    };
    for (std::uint32_t i = 0; i < fast_open_cache::most_entries; ++i) cache.learn(at(i), given, 1);
    CHECK_FALSE(cache.look_up(at(0), {})->cookie.is_empty());
    for (std::uint32_t i = 0; i < 10; ++i) cache.learn(at(1'000'000 + i), given, 1);
    CHECK(cache.size() == fast_open_cache::most_entries);
    CHECK_FALSE(cache.look_up(at(0), {})->cookie.is_empty());
    CHECK(cache.look_up(at(1), {})->cookie.is_empty());
    CHECK_FALSE(cache.look_up(at(11), {})->cookie.is_empty());
}
}
