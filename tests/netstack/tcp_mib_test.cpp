#include "scripted_peer.hpp"
#include "stack_link.hpp"

#include <doctest/doctest.h>

#include <map>
#include <string>

using namespace std::chrono_literals;
using namespace weft::net;
using namespace weft::test;
using weft::net::tcp::mib;
using weft::net::tcp::state;

// RFC 4022: each object moves by its event, and by nothing else.

namespace {

constexpr auto S = tcp_flags::syn;
constexpr auto A = tcp_flags::ack;

mib of(const scripted_peer& peer) { return mib::of(peer.counters, peer.options.config); }

}  // namespace

TEST_SUITE("netstack.tcp.mib") {
TEST_CASE("opens are counted where they begin, established connections while they are") {
    scripted_peer client = in_state(state::syn_sent);
    CHECK(of(client).active_opens == 1);
    CHECK(of(client).passive_opens == 0);
    CHECK(of(client).current_established == 0);
    client.sends(syn_ack(5000, 1001));
    CHECK(of(client).current_established == 1);

    scripted_peer server = in_state(state::syn_received, {.passive = true});
    CHECK(of(server).passive_opens == 1);
    CHECK(of(server).active_opens == 0);
    CHECK(of(server).current_established == 0);
    server.sends(ack(5001, 1001));
    server.accepts();
    CHECK(of(server).current_established == 1);
    server.sends(fin_ack(5001, 1001));
    CHECK(server.state() == state::close_wait);
    CHECK(of(server).current_established == 1);
    (void)server.closes();
    CHECK(of(server).current_established == 0);
    CHECK(of(server).established_resets == 0);
    CHECK(of(server).attempt_fails == 0);
}

TEST_CASE("an attempt fails from SYN-SENT and from SYN-RECEIVED") {
    scripted_peer refused = in_state(state::syn_sent);
    refused.sends(rst_ack(0, 1001));
    CHECK(of(refused).attempt_fails == 1);

    scripted_peer returned = in_state(state::syn_received, {.passive = true});
    returned.sends(rst(5001));  // back to LISTEN
    CHECK(of(returned).attempt_fails == 1);

    scripted_peer aborted = in_state(state::syn_received);
    aborted.aborts();
    CHECK(of(aborted).attempt_fails == 1);
    CHECK(of(aborted).established_resets == 0);
}

TEST_CASE("a direct way from ESTABLISHED or CLOSE-WAIT to CLOSED is a reset, whoever takes it") {
    for (const state s : {state::established, state::close_wait}) {
        scripted_peer by_peer = in_state(s);
        by_peer.sends(rst(s == state::established ? 5001 : 5002));
        CHECK(of(by_peer).established_resets == 1);
        CHECK(of(by_peer).current_established == 0);
        scripted_peer by_user = in_state(s);
        by_user.aborts();
        CHECK(of(by_user).established_resets == 1);
    }
    scripted_peer elsewhere = in_state(state::fin_wait_2);
    elsewhere.aborts();
    CHECK(of(elsewhere).established_resets == 0);
}

TEST_CASE("segments are counted as they are on the wire") {
    stack_link link{{.checksum_offload = true, .segmentation_offload = true}};
    link.introduce_peer();
    tcp::connection* c = link.ours.connect({stack_link::peer_ip, 80}, {}, link.now).value();
    const wire::tcp_header syn = link.segment().segment->header;
    CHECK(link.ours.mib().out_segments == 1);
    link.receive_segment({tcp_header_of(80, syn.source_port, 900, syn.sequence + 1, S | A)});
    CHECK(link.ours.mib().in_segments == 1);
    (void)link.segment();
    CHECK(link.ours.mib().out_segments == 2);

    const byte_string text = pattern(4000);
    CHECK(c->write(text, link.now).value() == 4000);
    CHECK(link.segment().text.size() == 3752);  // whole segments of 536: the rest waits (Nagle)
    CHECK(link.ours.mib().out_segments == 9);
    CHECK(link.ours.mib().retransmitted_segments == 0);

    const byte_string from_peer =
        tcp_bytes({tcp_header_of(80, syn.source_port, 901, syn.sequence + 1, A), {}, pattern(2500)},
                  stack_link::peer_ip, stack_link::our_ip);
    link.receive_packet(
        ip_packet(wire::ip_protocol::tcp, from_peer, stack_link::peer_ip, stack_link::our_ip),
        {.checksum_verified = true, .segment_bytes = 1000});
    CHECK(link.ours.mib().in_segments == 4);
    c->abort(link.now);
    (void)link.frames();
    CHECK(link.ours.mib().out_resets == 1);
    c->release(link.now);
}

TEST_CASE("what is sent again is counted apart") {
    stack_link link;
    link.introduce_peer();
    tcp::connection* c = link.ours.connect({stack_link::peer_ip, 80}, {}, link.now).value();
    (void)link.segment();
    link.now += 2s;
    link.ours.on_timeout(link.now);
    (void)link.segment();
    CHECK(link.ours.mib().out_segments == 1);
    CHECK(link.ours.mib().retransmitted_segments == 1);
    c->abort(link.now);
    c->release(link.now);
}

TEST_CASE("a segment in error is received, and an error") {
    stack_link link;
    link.introduce_peer();
    byte_string bad =
        tcp_bytes({tcp_header_of(4000, 80, 1, 0, S)}, stack_link::peer_ip, stack_link::our_ip);
    bad[4] ^= std::byte{1};
    const auto receive = [&](const byte_string& segment) {
        link.receive_packet(
            ip_packet(wire::ip_protocol::tcp, segment, stack_link::peer_ip, stack_link::our_ip));
    };
    receive(bad);
    receive(pattern(10));
    CHECK(link.ours.mib().in_segments == 2);
    CHECK(link.ours.mib().in_errors == 2);
    receive(tcp_bytes({tcp_header_of(4000, 80, 1, 0, S)}, stack_link::peer_ip, stack_link::our_ip));
    CHECK(link.ours.mib().in_segments == 3);
    CHECK(link.ours.mib().in_errors == 2);
    (void)link.frames();
    CHECK(link.ours.mib().out_resets == 1);
}

TEST_CASE("the objects have the names of RFC 4022, and the settings are among them") {
    tcp::config settings;
    settings.max_connections = 77;
    stack_counters counters;
    counters.tcp_current_established = 5;
    std::map<std::string, std::uint64_t, std::less<>> seen;
    mib::of(counters, settings).for_each([&](std::string_view name, std::uint64_t value) {
        CHECK(seen.emplace(name, value).second);
    });
    CHECK(seen.size() == 16);
    CHECK(seen["tcpRtoMin"] == 200);
    CHECK(seen["tcpRtoMax"] == 60'000);
    CHECK(seen["tcpMaxConn"] == 77);
    CHECK(seen["tcpCurrEstab"] == 5);
}
}
