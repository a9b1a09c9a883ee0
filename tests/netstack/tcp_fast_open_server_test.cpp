// TCP Fast Open, the server: RFC 7413 §4.2.1, §4.2.2, §5.1.

#include "fast_open_script.hpp"

#include <doctest/doctest.h>

using namespace std::chrono_literals;
using namespace weft::test;
using weft::net::errc;
using weft::net::tcp::fast_open_outcome;
using weft::net::tcp::state;

namespace {

constexpr std::uint32_t x = 5000;  // the client's number

/// Opened by a SYN with a cookie and this text, and accepted: returns the number of our SYN,ACK.
std::uint32_t opens_fast(scripted_peer& peer, std::string text = "request") {
    listens(peer, {.fast_open_queue = 8});
    const fast_open_cookie cookie = ask_for_cookie(peer);
    const auto size = static_cast<std::uint32_t>(text.size());
    peer.sends(with_text(with_cookie(syn(x), cookie), std::move(text)));
    const script_segment answer = peer.sees();
    REQUIRE(answer == syn_ack(answer.seq, x + 1 + size));
    peer.accepts();
    return answer.seq;
}

}  // namespace

TEST_SUITE("netstack.tcp.fast_open.server") {
TEST_CASE("connection 1 of RFC 7413 §3: who asks for a cookie gets one with the SYN,ACK") {
    //  TCP A (Client)                                      TCP B (Server)
    //  #1 SYN-SENT       ----- <SYN,CookieOpt=NIL>  ---------->  SYN-RCVD
    //  #2 ESTABLISHED    <---- <SYN,ACK,CookieOpt=C> ----------  SYN-RCVD
    scripted_peer peer{state::closed};
    listens(peer, {.fast_open_queue = 8});
    peer.sends(with_cookie(syn(x)));
    const script_segment answer = peer.sees();
    CHECK(answer == syn_ack(answer.seq, x + 1));
    CHECK(answer.options.fast_open().bytes().size() == 8);
    CHECK(peer.counters.tcp_fast_open_cookie_requests == 1);
    CHECK(peer.demux.half_open_count() == 1);  // the handshake is as ever
    CHECK_FALSE(peer.listener->can_accept());

    const script_segment again = peer.waits_for_segment();  // §4.2.1
    CHECK(again == answer);
    CHECK_FALSE(again.options.has_fast_open());
    peer.sends(ack(x + 1, answer.seq + 1));
    peer.accepts();
    CHECK(peer.connection->fast_open() == fast_open_outcome::none);
}

TEST_CASE("connection 2 of RFC 7413 §3: text with a cookie is read and answered before the ACK") {
    //  #1 SYN-SENT       ----- <SYN=x,CookieOpt=C,DATA_A> ---->  SYN-RCVD
    //  #2 ESTABLISHED    <---- <SYN=y,ACK=x+len(DATA_A)+1> ----  SYN-RCVD
    //  #3 ESTABLISHED    <---- <ACK=x+len(DATA_A)+1,DATA_B>----  SYN-RCVD
    //  #4 ESTABLISHED    ----- <ACK=y+1>--------------------> ESTABLISHED
    //  #5 ESTABLISHED    --- <ACK=y+len(DATA_B)+1>----------> ESTABLISHED
    scripted_peer peer{state::closed};
    listens(peer, {.fast_open_queue = 8});
    const fast_open_cookie cookie = ask_for_cookie(peer);
    peer.sends(with_text(with_cookie(syn(x), cookie), "data a"));
    const script_segment answer = peer.sees();
    const std::uint32_t y = answer.seq;
    CHECK(answer == syn_ack(y, x + 7));
    CHECK_FALSE(answer.options.has_fast_open());

    peer.accepts();
    CHECK(peer.state() == state::syn_received);
    CHECK(peer.reads() == "data a");
    peer.writes("data b");
    CHECK(peer.sees() == data(y + 1, x + 7, "data b"));
    CHECK(peer.sees() == nothing);
    peer.sends(ack(x + 7, y + 1));
    CHECK(peer.state() == state::established);
    CHECK(peer.connection->unacked_bytes() == 6);
    peer.sends(ack(x + 7, y + 7));
    CHECK(peer.connection->unacked_bytes() == 0);
    CHECK(peer.sees() == nothing);
    CHECK(peer.connection->fast_open() == fast_open_outcome::text_acknowledged);
    CHECK(peer.counters.tcp_fast_open_passive == 1);
    CHECK(peer.listener->pending() == 0);
    CHECK(peer.listener->queued() == 0);
}

TEST_CASE("a cookie without text opens at once as well: the server may speak first") {
    scripted_peer peer{state::closed};
    const std::uint32_t y = opens_fast(peer, "");
    peer.writes("hello");
    CHECK(peer.sees() == data(y + 1, x + 1, "hello"));
    peer.sends(data(x + 1, y + 6, "hi"));
    CHECK(peer.sees() == ack(y + 6, x + 3));
    CHECK(peer.reads() == "hi");
}

TEST_CASE("a wrong cookie: the SYN alone is acknowledged, the text is not kept, a cookie comes") {
    scripted_peer peer{state::closed};
    listens(peer, {.fast_open_queue = 8});
    const fast_open_cookie right = ask_for_cookie(peer);
    for (const std::string_view wrong : {"8 bytes!", "4444", "sixteen bytes of"}) {
        peer.sends(with_text(with_cookie(syn(x), cookie_of(wrong)), "text"));
        const script_segment answer = peer.sees();
        CHECK(answer == syn_ack(answer.seq, x + 1));
        CHECK(answer.options.fast_open() == right);
        CHECK_FALSE(peer.listener->can_accept());
        peer.sends(rst(x + 1));
    }
    CHECK(peer.counters.tcp_fast_open_passive_failed == 3);
    CHECK(peer.counters.tcp_fast_open_passive == 0);

    peer.sends(with_text(with_cookie(syn(x), cookie_of("8 bytes!")), "text"));
    const std::uint32_t y = peer.sees().seq;
    peer.sends(data(x + 1, y + 1, "text"));  // the client repeats it
    peer.accepts();
    CHECK(peer.reads() == "text");
}

TEST_CASE("a cookie is of one address") {
    scripted_peer peer{state::closed};
    listens(peer, {.fast_open_queue = 8});
    const fast_open_cookie ours = ask_for_cookie(peer);
    weft::net::tcp::four_tuple tuple = scripted_peer::tuple();
    const weft::net::tcp::hash_secret key{1, 2};
    const auto cookie = bake_fast_open_cookie(key, tuple);
    tuple.remote_port = 1;
    CHECK(bake_fast_open_cookie(key, tuple) == cookie);
    tuple.remote_address = weft::net::ipv4_address{10, 0, 0, 7};
    CHECK(bake_fast_open_cookie(key, tuple) != cookie);
    CHECK(bake_fast_open_cookie({1, 3}, scripted_peer::tuple()) != cookie);
    CHECK(ask_for_cookie(peer) == ours);  // and the same as long as its key
}

TEST_CASE("cookies are those that other makes of server bake with the same key") {
    // The key a1a1a1a1-b2b2b2b2-c3c3c3c3-d4d4d4d4 in the notation of Linux.
    const weft::net::tcp::hash_secret key{0xb2b2'b2b2'a1a1'a1a1, 0xd4d4'd4d4'c3c3'c3c3};
    const weft::net::tcp::four_tuple tuple{weft::net::ipv4_address{192, 168, 0, 1},
                                           weft::net::ipv4_address{192, 0, 2, 1}, 8080, 4242};
    CHECK(bake_fast_open_cookie(key, tuple) == cookie_of("\x30\x21\xb9\xd8\x89\x01\x7e\xeb"));
}

TEST_CASE("cookies outlive one change of keys, which brings a new one, and no second") {
    scripted_peer peer{state::closed};
    listens(peer, {.fast_open_queue = 8});
    const fast_open_cookie old = ask_for_cookie(peer);
    peer.waits(weft::net::tcp::fast_open_key_period);
    peer.sends(with_text(with_cookie(syn(x), old), "text"));
    const script_segment answer = peer.sees();
    CHECK(answer == syn_ack(answer.seq, x + 5));
    const fast_open_cookie renewed = answer.options.fast_open();
    CHECK(renewed.bytes().size() == 8);
    CHECK(renewed != old);
    CHECK(peer.counters.tcp_fast_open_previous_key == 1);
    peer.sends(rst(x + 5));
    CHECK(ask_for_cookie(peer) == renewed);

    peer.waits(weft::net::tcp::fast_open_key_period);
    peer.sends(with_text(with_cookie(syn(x), old), "text"));
    CHECK(peer.sees().ack == x + 1);
    CHECK(peer.counters.tcp_fast_open_passive_failed == 1);
}

TEST_CASE("keys of a listener's own: the current one, the one before, and nobody else's") {
    scripted_peer peer{state::closed};
    const weft::net::tcp::hash_secret first{1, 2};
    const weft::net::tcp::hash_secret second{3, 4};
    listens(peer, {.fast_open_queue = 8, .fast_open_secret = {{first}}});
    const fast_open_cookie given = ask_for_cookie(peer);
    CHECK(given == bake_fast_open_cookie(first, scripted_peer::tuple()));
    peer.listener->set_fast_open_secret({second, first});
    peer.sends(with_cookie(syn(x), given));
    CHECK(peer.sees().options.fast_open() == bake_fast_open_cookie(second, scripted_peer::tuple()));
    CHECK(peer.listener->can_accept());
}

TEST_CASE("a listener without Fast Open ignores every cookie, and keeps no text") {
    scripted_peer peer{state::closed};
    listens(peer, {});
    peer.sends(with_cookie(syn(x)));
    CHECK_FALSE(peer.sees().options.has_fast_open());
    peer.sends(rst(x + 1));
    const auto cookie = bake_fast_open_cookie({1, 2}, scripted_peer::tuple());
    peer.sends(with_text(with_cookie(syn(x), cookie), "text"));
    const script_segment answer = peer.sees();
    CHECK(answer == syn_ack(answer.seq, x + 1));
    CHECK_FALSE(answer.options.has_fast_open());
    CHECK(peer.counters.tcp_fast_open_passive_failed == 0);
}

TEST_CASE("text in a SYN without the option is not delivered, Fast Open or not") {
    scripted_peer peer{state::closed};
    listens(peer, {.fast_open_queue = 8});
    peer.sends(with_text(syn(x), "text"));
    const script_segment answer = peer.sees();
    CHECK(answer == syn_ack(answer.seq, x + 1));
    CHECK_FALSE(answer.options.has_fast_open());
    CHECK_FALSE(peer.listener->can_accept());
}

TEST_CASE("beyond the limit of pending requests handshakes are as ever, until one has ended") {
    scripted_peer peer{state::closed};
    listens(peer, {.fast_open_queue = 2});
    const fast_open_cookie cookie = ask_for_cookie(peer);
    peer.sends(with_text(with_cookie(syn(x), cookie), "text"));
    const std::uint32_t y = peer.sees().seq;
    peer.sends_from(81, with_cookie(syn(1), cookie));
    (void)peer.sees();
    CHECK(peer.listener->queued() == 2);

    peer.sends_from(82, with_cookie(syn(1), cookie));
    const script_segment refused = peer.sees();
    CHECK(refused.has(tcp_flags::syn));
    CHECK_FALSE(refused.options.has_fast_open());  // nor is a cookie given out
    CHECK(peer.listener->queued() == 2);
    CHECK(peer.counters.tcp_fast_open_overflow == 1);

    peer.sends(ack(x + 5, y + 1));  // the third step
    peer.sends_from(83, with_cookie(syn(1), cookie));
    CHECK(peer.listener->queued() == 3);
    CHECK(peer.counters.tcp_fast_open_passive == 3);
}

TEST_CASE("a RST makes room only after a minute (RFC 7413 §5.1)") {
    scripted_peer peer{state::closed};
    listens(peer, {.fast_open_queue = 1});
    const fast_open_cookie cookie = ask_for_cookie(peer);
    peer.sends_from(81, with_cookie(syn(1), cookie));
    peer.sends_from(81, rst(2));
    CHECK(peer.demux.connection_count() == 0);
    peer.waits(59s);
    peer.sends_from(82, with_cookie(syn(1), cookie));
    CHECK(peer.counters.tcp_fast_open_overflow == 1);
    peer.waits(1s);
    peer.sends_from(83, with_cookie(syn(1), cookie));
    CHECK(peer.counters.tcp_fast_open_overflow == 1);
    CHECK(peer.counters.tcp_fast_open_passive == 2);
}

TEST_CASE("the backlog counts connections that are open fast; a full one takes no SYN") {
    scripted_peer peer{state::closed};
    listens(peer, {.backlog = 2, .fast_open_queue = 8});
    const fast_open_cookie cookie = ask_for_cookie(peer);
    for (std::uint16_t port = 1; port <= 3; ++port) {
        peer.sends_from(port, with_cookie(syn(1), cookie));
    }
    CHECK(peer.listener->queued() == 2);
    CHECK(peer.counters.tcp_syn_dropped == 1);
    peer.accepts();
    CHECK(peer.listener->queued() == 1);
}

TEST_CASE("where a handshake leaves no record it is as ever") {
    script_options o;
    o.config.syn_cookies = weft::net::tcp::cookie_policy::always;
    scripted_peer peer{state::closed, o};
    listens(peer, {.fast_open_queue = 8, .fast_open_secret = {{{1, 2}}}});
    const auto cookie = bake_fast_open_cookie({1, 2}, scripted_peer::tuple());
    peer.sends(with_text(with_cookie(syn(x), cookie), "text"));
    const script_segment answer = peer.sees();
    CHECK(answer == syn_ack(answer.seq, x + 1));
    CHECK_FALSE(answer.options.has_fast_open());
    CHECK(peer.demux.connection_count() == 0);
}

TEST_CASE("a SYN,ACK is repeated with neither cookie nor text; the text follows the handshake") {
    scripted_peer peer{state::closed};
    const std::uint32_t y = opens_fast(peer);
    peer.writes("answer");
    CHECK(peer.sees() == data(y + 1, x + 8, "answer"));
    const script_segment again = peer.waits_for_segment();
    CHECK(again == syn_ack(y, x + 8));
    CHECK(std::chrono::round<std::chrono::milliseconds>(again.at) == 1s);
    CHECK(again.retransmission);
    CHECK_FALSE(again.options.has_fast_open());
    peer.writes(", more");  // nothing else while it is in question that anybody hears us
    CHECK(peer.waits_for_segment() == syn_ack(y, x + 8));
    CHECK(std::chrono::round<std::chrono::milliseconds>(peer.elapsed()) == 3s);

    peer.sends(ack(x + 8, y + 1));
    CHECK(peer.state() == state::established);
    CHECK(peer.connection->congestion_window() <= 2 * 1460U);  // after one loss; RFC 5682 §2.1
    std::string text;
    for (std::uint32_t at = y + 1; text.size() < 12;) {
        const script_segment next = peer.waits_for_segment();
        REQUIRE_FALSE(next == nothing);
        if (next.seq != at) continue;
        text += next.text;
        at = next.end();
        peer.sends(ack(x + 8, at));
    }
    CHECK(text == "answer, more");
}

TEST_CASE("what leaves before the ACK is the initial window, and the peer's window") {
    const std::string much = stream_text(100'000);
    for (const std::uint16_t window : {std::uint16_t{65535}, std::uint16_t{5000}}) {
        script_options o;
        o.peer_window = window;
        scripted_peer peer{state::closed, o};
        opens_fast(peer);
        peer.writes(much);
        std::uint32_t sent = 0;
        for (const script_segment& s : peer.sees_all()) {
            sent += static_cast<std::uint32_t>(s.text.size());
        }
        CHECK(peer.state() == state::syn_received);
        CHECK(sent == (window == 5000 ? 4380 : 14'600));
    }
}

TEST_CASE("the ACK of the SYN opens no congestion window, that of text does") {
    scripted_peer peer{state::closed};
    const std::uint32_t y = opens_fast(peer);
    peer.writes(stream_text(20'000));
    (void)peer.sees_all();
    const std::uint32_t window = peer.connection->congestion_window();
    peer.sends(ack(x + 8, y + 1));
    CHECK(peer.connection->congestion_window() == window);
    peer.sends(ack(x + 8, y + 14'601));
    CHECK(peer.connection->congestion_window() > window);
}

TEST_CASE("Nagle's rule does not take the SYN for text") {
    scripted_peer peer{state::closed};
    const std::uint32_t y = opens_fast(peer);
    peer.writes("a");
    CHECK(peer.sees() == data(y + 1, x + 8, "a"));
    peer.writes("b");
    CHECK(peer.sees() == nothing);
}

TEST_CASE("the SYN again, with its text or without: the SYN,ACK again, nothing is read twice") {
    scripted_peer peer{state::closed};
    const std::uint32_t y = opens_fast(peer);
    peer.sends(with_text(syn(x), "request"));
    CHECK(peer.sees() == syn_ack(y, x + 8));
    peer.sends(syn(x));
    CHECK(peer.sees() == syn_ack(y, x + 8));
    peer.sends(with_text(syn(x), "request, and more than the first time"));
    CHECK(peer.sees() == syn_ack(y, x + 8));
    CHECK(peer.reads() == "request");
    CHECK(peer.state() == state::syn_received);
}

TEST_CASE("a FIN behind the text counts once the handshake is complete") {
    scripted_peer peer{state::closed};
    listens(peer, {.fast_open_queue = 8});
    const fast_open_cookie cookie = ask_for_cookie(peer);
    peer.sends(with_text(with_cookie(syn(x).with(tcp_flags::fin), cookie), "all of it"));
    const script_segment answer = peer.sees();
    CHECK(answer == syn_ack(answer.seq, x + 10));
    peer.accepts();
    CHECK(peer.reads() == "all of it");
    CHECK_FALSE(peer.connection->is_read_finished());
    peer.sends(ack(x + 11, answer.seq + 1));
    CHECK(peer.state() == state::close_wait);
    CHECK(peer.connection->is_read_finished());
    CHECK(peer.sees() == ack(answer.seq + 1, x + 11));
}

TEST_CASE("a server that answers and closes: the FIN goes with the answer") {
    scripted_peer peer{state::closed};
    const std::uint32_t y = opens_fast(peer);
    CHECK(peer.reads() == "request");
    peer.writes("answer");
    CHECK(peer.closes().has_value());
    CHECK(peer.sees() == fin_ack(y + 1, x + 8, "answer"));
    CHECK(peer.state() == state::fin_wait_1);
    peer.sends(ack(x + 8, y + 9));  // beyond what was sent: refused
    CHECK(peer.sees() == rst(y + 9));
    peer.sends(data(x + 8, y, "what is this"));  // not even our SYN is acknowledged
    CHECK(peer.sees() == rst(y));
    CHECK(peer.reads().empty());
    peer.sends(ack(x + 8, y + 8));
    CHECK(peer.state() == state::fin_wait_2);
    CHECK(peer.sees() == nothing);
}

TEST_CASE("a RST ends a connection that was accepted early, after what it had brought") {
    scripted_peer peer{state::closed};
    opens_fast(peer);
    peer.sends(rst(x + 8));
    CHECK(peer.state() == state::closed);
    CHECK(peer.connection->error() == errc::connection_reset);
    CHECK(peer.reads() == "request");
}

TEST_CASE(
    "one that is reset, or never heard again, before it is accepted is accepted all the same") {
    for (const bool is_reset : {true, false}) {
        CAPTURE(is_reset);
        scripted_peer peer{state::closed};
        listens(peer, {.fast_open_queue = 8});
        const fast_open_cookie cookie = ask_for_cookie(peer);
        peer.sends(with_text(with_cookie(syn(x), cookie), "request"));
        if (is_reset) {
            peer.sends(rst(x + 8));
        } else {
            peer.waits(3min);
        }
        CHECK(peer.demux.connection_count() == 0);
        CHECK(peer.listener->pending() == 0);
        (void)peer.sees_all();
        peer.accepts();
        CHECK(peer.reads() == "request");
        CHECK(peer.connection->error() == (is_reset ? errc::connection_reset : errc::timed_out));
        peer.releases();
        CHECK(peer.sees() == nothing);
        CHECK(peer.pool.charged_bytes() == 0);
    }
}

TEST_CASE("a client that is never heard again: the program is told, the queue has room") {
    scripted_peer peer{state::closed};
    opens_fast(peer);
    peer.waits(3min);
    CHECK(peer.connection->error() == errc::timed_out);
    CHECK(peer.counters.tcp_timeouts == 5);
    peer.releases();
    (void)peer.sees_all();
    const fast_open_cookie cookie = ask_for_cookie(peer);
    for (std::uint16_t port = 100; port < 108; ++port) {
        peer.sends_from(port, with_cookie(syn(1), cookie));
    }
    CHECK(peer.counters.tcp_fast_open_overflow == 0);
    CHECK(peer.counters.tcp_fast_open_passive == 9);
}

TEST_CASE("a listener that closes resets whom nobody accepted; who was accepted goes on") {
    scripted_peer peer{state::closed};
    const std::uint32_t y = opens_fast(peer);
    peer.sends_from(81, with_cookie(syn(1), ask_for_cookie(peer)));
    (void)peer.sees_all();
    CHECK(peer.demux.connection_count() == 2);
    peer.demux.close(*std::exchange(peer.listener, nullptr), peer.now);
    CHECK(peer.sees().has(tcp_flags::rst));
    CHECK(peer.demux.connection_count() == 1);
    peer.sends(ack(x + 8, y + 1));
    CHECK(peer.state() == state::established);
    CHECK(peer.reads() == "request");
}

TEST_CASE("the answer to text in a SYN is no window update") {
    scripted_peer peer{state::closed};
    const std::uint32_t y = opens_fast(peer);
    CHECK(peer.reads() == "request");
    CHECK(peer.sees() == nothing);
    peer.sends(ack(x + 8, y + 1));
    CHECK(peer.sees() == nothing);
}

TEST_CASE("a listener that needs no cookie takes every SYN with text (RFC 7413 §7.3)") {
    scripted_peer peer{state::closed};
    listens(peer, {.fast_open_queue = 8, .fast_open_cookieless = true});
    peer.sends(with_text(syn(x), "text"));
    CHECK(peer.sees().ack == x + 5);
    peer.accepts();
    CHECK(peer.reads() == "text");
}

TEST_CASE("beside TIME-WAIT the handshake is as ever: the SYN with text may be an old one") {
    for (const bool is_record : {false, true}) {
        CAPTURE(is_record);
        scripted_peer peer = in_state(state::time_wait, {.passive = true});
        if (is_record) peer.releases();
        peer.demux.close(*std::exchange(peer.listener, nullptr), peer.now);
        listens(peer, {.fast_open_queue = 8, .fast_open_cookieless = true});
        peer.sends(with_text(syn(9000), "again?"));
        const script_segment answer = peer.sees();
        CHECK(answer == syn_ack(answer.seq, 9001));
        CHECK_FALSE(peer.listener->can_accept());
        CHECK(peer.demux.time_wait_count() == (is_record ? 1 : 0));
        CHECK(peer.demux.half_open_count() == 1);
        peer.sends(rst(9001));  // it was
        CHECK(peer.demux.connection_count() == 1);
        CHECK(peer.demux.half_open_count() == 0);
    }
}
}
