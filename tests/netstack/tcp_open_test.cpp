#include "scripted_peer.hpp"

#include <doctest/doctest.h>

using namespace std::chrono_literals;
using namespace weft::test;
using weft::net::errc;
using weft::net::tcp::state;

TEST_SUITE("netstack.tcp.open") {
TEST_CASE("an active open ends in ESTABLISHED when the SYN is answered") {
    scripted_peer peer = in_state(state::syn_sent);
    peer.sends(syn_ack(5000, 1001));
    CHECK(peer.state() == state::established);
    CHECK(peer.sees() == ack(1001, 5001));
    CHECK(peer.path() == std::vector{state::syn_sent, state::established});
    CHECK(peer.counters.tcp_active_opens == 1);
}

TEST_CASE("a passive open makes a child that goes through SYN-RECEIVED, and the listener stays") {
    scripted_peer peer = in_state(state::listen);
    peer.sends(syn(5000));
    CHECK(peer.sees() == syn_ack(1000, 5001));
    CHECK_FALSE(peer.listener->can_accept());
    peer.sends(ack(5001, 1001));
    CHECK(peer.state() == state::established);
    CHECK(peer.path() == std::vector{state::listen, state::syn_received, state::established});
    REQUIRE(peer.listener->can_accept());
    peer.accepts();
    CHECK(peer.connection->is_passive());
    CHECK(peer.sees() == nothing);
    peer.writes("hi");
    CHECK(peer.sees() == data(1001, 5001, "hi"));
}

TEST_CASE("text and FIN on the ACK of the handshake are taken with it") {
    scripted_peer peer = in_state(state::syn_received, {.passive = true});
    peer.sends(fin_ack(5001, 1001, "all I had"));
    CHECK(peer.state() == state::close_wait);
    CHECK(peer.sees() == ack(1001, 5011));
    peer.accepts();
    CHECK(peer.reads() == "all I had");
    CHECK(peer.connection->is_read_finished());
}

TEST_CASE("text on a SYN,ACK is taken") {
    scripted_peer peer = in_state(state::syn_sent);
    script_segment s = syn_ack(5000, 1001);
    s.text = "early";
    peer.sends(s);
    CHECK(peer.sees() == ack(1001, 5006));
    CHECK(peer.reads() == "early");
}

TEST_CASE("crossing SYNs: both ends send SYN,ACK, and each takes the other's [MUST-10]") {
    scripted_peer peer = in_state(state::syn_sent);
    peer.sends(syn(5000));
    CHECK(peer.state() == state::syn_received);
    CHECK(peer.sees() == syn_ack(1000, 5001));
    // RFC 9293 figure 8: the peer, which is in SYN-RECEIVED as well, sends its SYN once more.
    peer.sends(syn_ack(5000, 1001));
    CHECK(peer.state() == state::established);
    CHECK(peer.sees() == nothing);
    peer.writes("hi");
    CHECK(peer.sees() == data(1001, 5001, "hi"));
}

TEST_CASE("crossing SYNs end with a plain ACK as well [MUST-10]") {
    scripted_peer peer = in_state(state::syn_received);
    peer.sends(ack(5001, 1001));
    CHECK(peer.state() == state::established);
}

TEST_CASE("two that keep sending SYN,ACK do not go on for ever [MUST-10]") {
    scripted_peer peer = in_state(state::syn_received);
    peer.sends(syn_ack(5000, 1001));
    peer.sends(syn_ack(5000, 1001));
    CHECK(peer.state() == state::established);
    CHECK(peer.sees_all().size() <= 1);
}

TEST_CASE(
    "an unanswered SYN is sent again after 1, 2, 4 ... seconds and given up after three "
    "minutes at the earliest [MUST-22] [MUST-23]") {
    scripted_peer peer = in_state(state::syn_sent);
    const weft::duration due[] = {1s, 3s, 7s, 15s, 31s, 63s, 123s};
    for (const weft::duration d : due) {
        const script_segment s = peer.waits_for_segment(100s);
        CHECK(s == syn(1000));
        CHECK(s.retransmission);
        CHECK(s.at >= d);
        CHECK(s.at < d + 1ms);
    }
    peer.waits(180s - peer.elapsed());
    CHECK(peer.state() == state::syn_sent);
    peer.waits(10s);
    CHECK(peer.state() == state::closed);
    CHECK(peer.connection->error() == errc::timed_out);
}

TEST_CASE("an unanswered SYN,ACK is sent again, and a child that nobody completes dies") {
    scripted_peer peer = in_state(state::syn_received, {.passive = true});
    CHECK(peer.waits_for_segment() == syn_ack(1000, 5001));
    CHECK(peer.waits_for_segment() == syn_ack(1000, 5001));
    CHECK(peer.elapsed() < 4s);
    peer.waits(10min);
    CHECK(peer.state() == state::closed);
    CHECK(peer.listener->pending() == 0);
    CHECK(peer.demux.connection_count() == 0);
}

TEST_CASE("a SYN that comes again means that our SYN,ACK was lost") {
    scripted_peer peer = in_state(state::syn_received, {.passive = true});
    peer.sends(syn(5000));
    CHECK(peer.sees() == syn_ack(1000, 5001));
    CHECK(peer.demux.connection_count() == 1);
}

TEST_CASE("a SYN,ACK is not sent again when its ACK came in the same turn as the SYN's copy") {
    scripted_peer peer = in_state(state::syn_received, {.passive = true});
    peer.sends(syn(5000));
    peer.sends(ack(5001, 1001));
    CHECK(peer.sees() == nothing);
}

TEST_CASE("a SYN,ACK that comes again means that our ACK was lost") {
    scripted_peer peer = in_state(state::established);
    peer.sends(syn_ack(5000, 1001));
    CHECK(peer.sees() == ack(1001, 5001));
}

TEST_CASE("our SYN is answered by a RST: refused [MUST-12]") {
    scripted_peer peer = in_state(state::syn_sent);
    peer.sends(rst_ack(0, 1001));
    CHECK(peer.state() == state::closed);
    CHECK(peer.connection->error() == errc::connection_refused);
    CHECK(peer.connection->error() == std::errc::connection_refused);
    CHECK(peer.counters.tcp_attempt_fails == 1);
}

TEST_CASE("an old SYN,ACK is answered with RST and changes nothing (RFC 9293 figure 9)") {
    scripted_peer peer = in_state(state::syn_sent);
    peer.sends(syn_ack(300, 91));
    CHECK(peer.sees() == rst(91));
    CHECK(peer.state() == state::syn_sent);
    peer.sends(syn_ack(5000, 1001));
    CHECK(peer.state() == state::established);
}

TEST_CASE("an old RST cannot end an attempt") {
    scripted_peer peer = in_state(state::syn_sent);
    peer.sends(rst_ack(0, 900));
    peer.sends(rst_ack(0, 1000));
    peer.sends(rst(5000));
    CHECK(peer.sees() == nothing);
    CHECK(peer.state() == state::syn_sent);
}

TEST_CASE(
    "a RST in SYN-RECEIVED returns a passive open to LISTEN and refuses an active one "
    "[MUST-11]") {
    scripted_peer passive = in_state(state::syn_received, {.passive = true});
    passive.sends(rst(5001));
    CHECK(passive.demux.connection_count() == 0);
    passive.sends(syn(7000));
    CHECK(passive.sees().has(tcp_flags::syn));
    CHECK_FALSE(passive.listener->can_accept());

    scripted_peer active = in_state(state::syn_received);
    active.sends(rst(5001));
    CHECK(active.state() == state::closed);
    CHECK(active.connection->error() == errc::connection_refused);
}

TEST_CASE("a listener and an attempt from the same port get along [MUST-41] [MUST-42]") {
    scripted_peer peer = in_state(state::syn_sent);
    const auto l = peer.demux.listen(scripted_peer::tuple().local(), {}, peer.now);
    REQUIRE(l);
    peer.sends(syn_ack(5000, 1001));
    CHECK(peer.state() == state::established);
    peer.demux.close(**l, peer.now);
    CHECK(peer.state() == state::established);
}

TEST_CASE("no two connections have one four-tuple, no two listeners one endpoint") {
    scripted_peer peer = in_state(state::syn_sent);
    const auto again = peer.demux.connect(scripted_peer::tuple().local(),
                                          scripted_peer::tuple().remote(), {}, peer.now);
    CHECK(again.error() == errc::address_in_use);
    scripted_peer other = in_state(state::listen);
    CHECK(other.demux.listen(scripted_peer::tuple().local(), {}, other.now).error() ==
          errc::address_in_use);
    CHECK(other.demux.listen({{}, 40000}, {}, other.now).error() == errc::address_in_use);
}

TEST_CASE("SYNs beyond the backlog are dropped and counted, and room is found again") {
    script_options o{.passive = true};
    o.config.syn_cookies = weft::net::tcp::cookie_policy::never;
    scripted_peer peer = in_state(state::closed, o);
    peer.listener =
        peer.demux.listen(scripted_peer::tuple().local(), {.backlog = 1}, peer.now).value();
    peer.sends(syn(5000));
    CHECK(peer.sees() == syn_ack(1000, 5001));
    peer.sends_from(81, syn(1));
    CHECK(peer.sees() == nothing);
    CHECK(peer.counters.tcp_backlog_overflow == 1);
    CHECK(peer.counters.tcp_syn_dropped == 1);
    peer.sends(ack(5001, 1001));
    peer.sends_from(81, syn(1));  // one waits to be accepted: full
    CHECK(peer.sees() == nothing);
    peer.accepts();
    peer.sends_from(81, syn(1));
    CHECK(peer.sees().has(tcp_flags::syn | tcp_flags::ack));
}

TEST_CASE(
    "a third step that finds the accept queue full is passed over, and counts when it comes "
    "again") {
    scripted_peer peer = in_state(state::closed, {.passive = true});
    peer.listener =
        peer.demux.listen(scripted_peer::tuple().local(), {.backlog = 2}, peer.now).value();
    const auto gives = [&](std::uint16_t port, const script_segment& s) {
        peer.sends_from(port, s);
        return peer.sees();
    };
    std::uint32_t iss[3];
    for (std::uint16_t i = 0; i < 2; ++i) {
        const auto port = static_cast<std::uint16_t>(90 + i);
        iss[i] = gives(port, syn(1)).seq;
    }
    (void)gives(90, ack(2, iss[0] + 1));  // one is complete, so a third SYN is taken
    iss[2] = gives(92, syn(1)).seq;
    (void)gives(91, ack(2, iss[1] + 1));
    CHECK(peer.listener->queued() == 2);
    (void)gives(92, ack(2, iss[2] + 1));
    CHECK(peer.listener->queued() == 2);
    CHECK(peer.listener->pending() == 1);
    peer.listener->accept().release(peer.now);
    (void)peer.sees_all();
    script_segment again;  // among what the one that was let go of says
    while (!again.has(tcp_flags::syn)) {
        again = peer.waits_for_segment(10s);
        REQUIRE_FALSE(again == nothing);
    }
    CHECK(again.seq == iss[2]);
    (void)gives(92, ack(2, iss[2] + 1));
    CHECK(peer.listener->queued() == 2);
    CHECK(peer.listener->pending() == 0);
}

TEST_CASE("a connection is promised to the first that waits, and to the next if that one leaves") {
    struct waiting : weft::operation {
        waiting() noexcept : operation{[](operation&) noexcept {}} {}
        void begin(weft::run_queue& queue, weft::net::tcp::listener& on) {
            park(queue, {}, on.waiters());
        }
        [[nodiscard]] bool is_told() const { return current_phase() == phase::posted; }
    };
    weft::run_queue queue;
    waiting first;
    waiting second;
    scripted_peer peer = in_state(state::listen);
    weft::net::tcp::listener& l = *peer.listener;
    first.begin(queue, l);
    peer.sends(syn(5000));
    (void)peer.sees();
    peer.sends(ack(5001, 1001));
    CHECK(first.is_told());
    CHECK(l.can_accept());
    CHECK_FALSE(l.can_accept_at_once());  // it would overtake the first
    second.begin(queue, l);
    l.call_next();
    CHECK_FALSE(second.is_told());
    l.on_called();  // the first will not come
    l.call_next();
    CHECK(second.is_told());
    l.on_called();
    CHECK(l.can_accept_at_once());
    l.accept().release(peer.now);
    CHECK_FALSE(l.can_accept_at_once());
}

TEST_CASE("closing a listener resets the children that nobody has accepted") {
    scripted_peer peer = in_state(state::syn_received, {.passive = true});
    peer.sends(ack(5001, 1001));
    peer.demux.close(*std::exchange(peer.listener, nullptr), peer.now);
    CHECK(peer.sees() == rst_ack(1001, 5001));
    CHECK(peer.demux.connection_count() == 0);
}

TEST_CASE("a child that is reset before it is accepted waits on, with its text and its error") {
    scripted_peer peer = in_state(state::syn_received, {.passive = true});
    peer.sends(ack(5001, 1001));
    peer.sends(data(5001, 1001, "last words"));
    (void)peer.sees_all();
    peer.sends(rst(5011));
    CHECK(peer.demux.connection_count() == 0);  // the four-tuple is free
    CHECK(peer.counters.tcp_current_established == 0);
    CHECK(peer.listener->queued() == 1);
    CHECK(peer.listener->pending() == 0);
    peer.sends(syn(9000));
    const script_segment answer = peer.sees();
    CHECK(answer.has(tcp_flags::syn | tcp_flags::ack));
    peer.sends(ack(9001, answer.seq + 1));
    CHECK(peer.listener->queued() == 2);

    peer.accepts();
    CHECK(peer.connection->state() == state::closed);
    CHECK(peer.connection->remote() == scripted_peer::tuple().remote());
    CHECK(peer.reads() == "last words");
    CHECK(peer.connection->error() == errc::connection_reset);
    peer.releases();
    CHECK(peer.sees() == nothing);
    peer.accepts();
    CHECK(peer.connection->state() == state::established);
}

TEST_CASE(
    "children that ended before they were accepted fill the backlog, and go with the listener") {
    script_options o{.passive = true};
    o.config.syn_cookies = weft::net::tcp::cookie_policy::never;
    scripted_peer peer = in_state(state::closed, o);
    peer.listener =
        peer.demux.listen(scripted_peer::tuple().local(), {.backlog = 3}, peer.now).value();
    for (std::uint16_t port = 1; port <= 5; ++port) {
        peer.sends_from(port, syn(1));
        const script_segment answer = peer.sees();
        if (answer == nothing) continue;
        peer.sends_from(port, ack(2, answer.seq + 1));
        peer.sends_from(port, data(2, answer.seq + 1, "text"));
        (void)peer.sees_all();
        peer.sends_from(port, rst(6));
    }
    CHECK(peer.listener->queued() == 3);
    CHECK(peer.counters.tcp_syn_dropped == 2);
    CHECK(peer.pool.charged_bytes() >= 3 * sizeof(weft::net::tcp::connection));
    peer.demux.close(*std::exchange(peer.listener, nullptr), peer.now);
    CHECK(peer.sees() == nothing);  // no more of them: they were reset
    CHECK(peer.pool.charged_bytes() == 0);
    CHECK(peer.pool.bytes_out() == 0);
}

TEST_CASE("what is written before the connection is open goes out when it is") {
    scripted_peer peer = in_state(state::syn_sent);
    CHECK(peer.writes("early") == 5);
    CHECK(peer.sees() == nothing);
    peer.sends(syn_ack(5000, 1001));
    CHECK(peer.sees() == data(1001, 5001, "early"));
}

TEST_CASE("the ISN moves one step every 4 microseconds and differs from peer to peer [MUST-8]") {
    scripted_peer peer = in_state(state::listen);
    peer.sends(syn(5000));
    const std::uint32_t first = peer.sees().seq;
    peer.sends(rst(5001));
    peer.now += 4s;
    peer.sends(syn(5000));
    CHECK(peer.sees().seq - first == 1'000'000);
    CHECK(first == 1000);
}

TEST_CASE("ephemeral ports lie in their range and are not handed out twice") {
    script_options o;
    o.config.ephemeral_port_first = 50'000;
    o.config.ephemeral_port_last = 50'009;
    scripted_peer peer = in_state(state::closed, o);
    std::vector<weft::net::tcp::connection*> made;
    std::uint32_t ports = 0;
    const weft::net::endpoint local{scripted_peer::tuple().local_address, 0};
    for (int i = 0; i < 10; ++i) {
        made.push_back(
            peer.demux.connect(local, scripted_peer::tuple().remote(), {}, peer.now).value());
        const auto port = made.back()->local().port;
        REQUIRE(port >= 50'000);
        REQUIRE(port <= 50'009);
        ports |= 1U << (port - 50'000);
    }
    CHECK(ports == 0x3ff);
    CHECK(peer.demux.connect(local, scripted_peer::tuple().remote(), {}, peer.now).error() ==
          errc::address_not_available);
    for (auto* c : made) c->release(peer.now);
}
}
