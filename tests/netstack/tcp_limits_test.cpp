// What a stack does when something is used up: memory, connections, ports, orphans.

#include "scripted_peer.hpp"

#include <doctest/doctest.h>

using namespace std::chrono_literals;
using namespace weft::test;
using weft::net::errc;
using weft::net::tcp::connection;
using weft::net::tcp::cookie_policy;
using weft::net::tcp::state;

namespace {

/// Strangers with a port each, beside the script's peer; their ISN is 7000.
struct strangers {
    explicit strangers(scripted_peer& p) : peer{p} {}

    script_segment says(std::uint16_t port, const script_segment& s) {
        peer.sends_from(port, s);
        return peer.sees_last();
    }
    /// Both steps of a handshake; true when the second was answered.
    bool opens(std::uint16_t port) {
        const script_segment answer = says(port, syn(7000));
        if (!answer.has(tcp_flags::syn)) return false;
        (void)says(port, ack(7001, answer.seq + 1));
        return true;
    }

    scripted_peer& peer;
};

script_options listening_with(std::size_t pool_bytes, cookie_policy cookies) {
    script_options o{.passive = true, .pool_bytes = pool_bytes};
    o.config.syn_cookies = cookies;
    return o;
}

/// Takes blocks until less than an eighth of the memory is left.
std::vector<weft::net::slice> hoard_of(scripted_peer& peer) {
    std::vector<weft::net::slice> hoard;
    while (peer.pool.bytes_in_use() <= peer.pool.limit_bytes() / 8 * 7) {
        hoard.push_back(peer.pool.allocate_for(1500));
        REQUIRE(static_cast<bool>(hoard.back()));
    }
    return hoard;
}

weft::result<connection*> connects(scripted_peer& peer, std::uint16_t port = 1000) {
    weft::net::endpoint local = scripted_peer::tuple().local();
    local.port = port;
    return peer.demux.connect(local, scripted_peer::tuple().remote(), {}, peer.now);
}

}  // namespace

TEST_SUITE("netstack.tcp.limits") {
TEST_CASE("connections take at most half of the memory, and those that exist go on") {
    scripted_peer peer =
        in_state(state::established, listening_with(128 * 1024, cookie_policy::never));
    strangers others{peer};
    std::uint16_t count = 0;
    while (count < 1000 && others.opens(static_cast<std::uint16_t>(2000 + count))) ++count;
    CHECK(count >= 64 * 1024 / 800);
    CHECK(count <= 64 * 1024 / sizeof(connection));
    CHECK(peer.pool.charged_bytes() <= 64 * 1024);
    CHECK(peer.counters.tcp_memory_refused == 1);
    CHECK(peer.counters.tcp_syn_dropped == 1);
    CHECK(connects(peer).error() == errc::no_buffers);
    CHECK(peer.counters.tcp_memory_refused == 2);

    // Nobody who is connected notices.
    for (std::uint32_t i = 0; i < 20; ++i) {
        peer.sends(data(5001 + i * 1000, 1001, stream_text(1000)));
        CHECK((peer.reads() == stream_text(1000)));
    }
    peer.writes(stream_text(1000));
    (void)peer.sees_all();
    CHECK(peer.connection->unacked_bytes() == 1000);

    // Some go, another comes.
    CHECK_FALSE(others.opens(5000));
    for (std::uint16_t port = 2000; port < 2004; ++port) {
        (void)others.says(port, rst(7001));
        peer.listener->accept().release(peer.now);
    }
    CHECK(others.opens(5000));
}

TEST_CASE("with cookies, a SYN for which there is no memory is answered and not remembered") {
    scripted_peer peer =
        in_state(state::established, listening_with(128 * 1024, cookie_policy::on_overflow));
    strangers others{peer};
    const auto hoard = hoard_of(peer);
    const std::size_t used = peer.pool.bytes_in_use();
    for (std::uint16_t port = 2000; port < 3000; ++port) {
        CHECK(others.says(port, syn(7000)).has(tcp_flags::syn | tcp_flags::ack));
    }
    CHECK(peer.pool.bytes_in_use() == used);
    CHECK(peer.counters.tcp_memory_refused == 1000);
    CHECK(peer.counters.tcp_syn_cookies_sent == 1000);
    CHECK(peer.counters.tcp_backlog_overflow == 0);
}

TEST_CASE("a third step for which there is no memory counts when it comes again") {
    for (const cookie_policy policy : {cookie_policy::never, cookie_policy::always}) {
        scripted_peer peer = in_state(state::listen, listening_with(128 * 1024, policy));
        peer.sends(syn(5000));
        const script_segment answer = peer.sees();
        auto hoard = hoard_of(peer);
        peer.sends(ack(5001, answer.seq + 1));
        CHECK(peer.sees() == nothing);
        CHECK_FALSE(peer.listener->can_accept());
        CHECK(peer.counters.tcp_memory_refused == 1);
        CHECK(peer.demux.half_open_count() == 1);
        hoard.clear();
        CHECK(peer.waits_for_segment(2s) == answer);  // so that a peer with nothing to say comes
        peer.sends(ack(5001, answer.seq + 1));
        CHECK(peer.listener->can_accept());
    }
}

TEST_CASE("an attempt to connect without memory is an error, and works when there is some again") {
    script_options o;
    o.pool_bytes = 128 * 1024;
    scripted_peer peer = in_state(state::closed, o);
    auto hoard = hoard_of(peer);
    CHECK(connects(peer).error() == errc::no_buffers);
    CHECK(peer.demux.connection_count() == 0);
    CHECK(peer.sees() == nothing);
    hoard.clear();
    const auto opened = connects(peer);
    REQUIRE(opened.has_value());
    CHECK(peer.sees().has(tcp_flags::syn));
    (*opened)->release(peer.now);
}

TEST_CASE("what connections, half-open ones and TIME-WAIT take of the memory is given back") {
    scripted_peer peer = in_state(state::established, {.passive = true});
    const std::size_t before = peer.pool.charged_bytes();
    CHECK(before >= sizeof(connection));
    (void)strangers{peer}.says(2000, syn(7000));
    CHECK(peer.pool.charged_bytes() == before + sizeof(weft::net::tcp::half_open));
    (void)strangers{peer}.says(2000, rst(7001));
    CHECK(peer.pool.charged_bytes() == before);
    REQUIRE(peer.closes());
    (void)peer.sees();
    peer.sends(fin_ack(5001, 1002));
    peer.releases();
    CHECK(peer.sees() == ack(1002, 5002));
    CHECK(peer.pool.charged_bytes() == sizeof(weft::net::tcp::time_wait_record));
    peer.waits(61s);
    CHECK(peer.pool.charged_bytes() == 0);
}

TEST_CASE("at the limit of connections SYNs are dropped and connect fails, until one ends") {
    script_options o{.passive = true};
    o.config.max_connections = 10;
    scripted_peer peer = in_state(state::established, o);
    strangers others{peer};
    for (std::uint16_t port = 2000; port < 2009; ++port) CHECK(others.opens(port));
    CHECK_FALSE(others.opens(3000));
    CHECK(peer.counters.tcp_syn_dropped == 1);
    CHECK(connects(peer).error() == errc::no_buffers);
    peer.sends(data(5001, 1001, "goes on"));
    CHECK(peer.reads() == "goes on");
    (void)peer.sees_all();

    // One that ends in TIME-WAIT makes room as well as any.
    REQUIRE(peer.closes());
    (void)peer.sees();
    peer.sends(fin_ack(5008, 1002));
    peer.releases();
    (void)peer.sees();
    REQUIRE(peer.demux.time_wait_count() == 1);
    CHECK(others.opens(3000));
    CHECK_FALSE(others.opens(3001));
}

TEST_CASE("handshakes count against the limit of connections; beyond it there are cookies") {
    script_options o{.passive = true};
    o.config.max_connections = 3;
    scripted_peer peer = in_state(state::listen, o);
    strangers others{peer};
    std::uint32_t iss[4];
    for (std::uint16_t i = 0; i < 4; ++i) {
        const script_segment answer = others.says(2000 + i, syn(7000));
        CHECK(answer.has(tcp_flags::syn | tcp_flags::ack));
        iss[i] = answer.seq;
    }
    CHECK(peer.demux.half_open_count() == 3);
    CHECK(peer.counters.tcp_syn_cookies_sent == 1);
    for (std::uint16_t i = 0; i < 4; ++i) {
        (void)others.says(2000 + i, ack(7001, iss[i] + 1));
    }
    CHECK(peer.listener->queued() == 3);
    CHECK(peer.demux.connection_count() == 3);
}

TEST_CASE("a cookie that comes back when all is full finds no room, and breaks nothing") {
    script_options o{.passive = true};
    o.config.max_connections = 2;
    o.config.syn_cookies = cookie_policy::always;
    scripted_peer peer = in_state(state::closed, o);
    peer.listener =
        peer.demux.listen(scripted_peer::tuple().local(), {.backlog = 2}, peer.now).value();
    strangers others{peer};
    std::uint32_t iss[3];
    for (std::uint16_t i = 0; i < 3; ++i) iss[i] = others.says(2000 + i, syn(7000)).seq;
    for (std::uint16_t i = 0; i < 3; ++i) {
        (void)others.says(2000 + i, ack(7001, iss[i] + 1));
    }
    CHECK(peer.listener->queued() == 2);
    CHECK(peer.demux.connection_count() == 2);
    connection& accepted = peer.listener->accept();
    (void)others.says(2002, ack(7001, iss[2] + 1));
    CHECK(peer.demux.connection_count() == 2);
    accepted.abort(peer.now);
    accepted.release(peer.now);
    (void)peer.sees_all();
    (void)others.says(2002, ack(7001, iss[2] + 1));
    CHECK(peer.listener->queued() == 2);
}

TEST_CASE("ports in TIME-WAIT are used up until it ends") {
    script_options o;
    o.config.ephemeral_port_first = 50'000;
    o.config.ephemeral_port_last = 50'003;
    scripted_peer peer = in_state(state::closed, o);
    const weft::net::endpoint local{scripted_peer::tuple().local_address, 0};
    const auto opens = [&] {
        return peer.demux.connect(local, scripted_peer::tuple().remote(), {}, peer.now);
    };
    for (int i = 0; i < 4; ++i) {
        connection* c = opens().value();
        peer.sends_on(c->tuple(), syn_ack(7000, peer.sees_last().end()));
        (void)peer.sees();
        REQUIRE(c->close(peer.now).has_value());
        peer.sends_on(c->tuple(), fin_ack(7001, peer.sees_last().end()));
        REQUIRE(c->state() == state::time_wait);
        c->release(peer.now);
        (void)peer.sees_all();
    }
    CHECK(peer.demux.time_wait_count() == 4);
    CHECK(opens().error() == errc::address_not_available);
    peer.waits(61s);
    const auto opened = opens();
    REQUIRE(opened.has_value());
    (*opened)->release(peer.now);
}

TEST_CASE("of a hundred that nobody holds in FIN-WAIT-2 ten stay, and those not for ever") {
    script_options o{.passive = true};
    o.config.max_orphans = 10;
    scripted_peer peer = in_state(state::listen, o);
    strangers others{peer};
    for (std::uint16_t port = 2000; port < 2100; ++port) {
        const script_segment answer = others.says(port, syn(7000));
        (void)others.says(port, ack(7001, answer.seq + 1));
        peer.listener->accept().release(peer.now);
        const script_segment last = peer.sees_last();
        if (last.has(tcp_flags::fin)) (void)others.says(port, ack(7001, last.end()));
        CHECK(peer.demux.orphan_count() <= 10);
    }
    CHECK(peer.demux.connection_count() == 10);
    CHECK(peer.counters.tcp_orphans_killed == 90);
    peer.waits(o.config.fin_wait_2_limit + 1s);
    CHECK(peer.demux.connection_count() == 0);
    CHECK(peer.pool.charged_bytes() == 0);
}
}
