#include <weft/net/ip/arp.hpp>
#include <weft/net/ip/neighbor_cache.hpp>

#include <doctest/doctest.h>

#include <vector>

using namespace std::chrono_literals;
using namespace weft::net;
using namespace weft::net::ip;
using weft::instant;
using weft::never;

namespace {

const ip_address peer = ipv4_address{10, 0, 0, 1};
const mac_address peer_mac = mac_address::parse("02:00:00:00:00:01").value();
const mac_address other_mac = mac_address::parse("02:00:00:00:00:99").value();
const mac_address our_mac = mac_address::parse("02:00:00:00:00:02").value();
constexpr ipv4_address our_ip{10, 0, 0, 2};

ip_address host(unsigned n) { return ipv4_address{0x0a00'0000U + n}; }

instant at(weft::duration since_start) { return instant{since_start}; }

/// A cache in which `peer` was asked for and has answered at 0 s.
void resolve(neighbor_cache& cache) {
    (void)cache.lookup(peer, at(0s));
    (void)cache.poll_request(at(0s));
    cache.on_claim(peer, peer_mac, claim::confirm, at(0s));
}

/// Lets time pass in the steps that the cache asks for; returns the questions by their times.
std::vector<weft::duration> questions_until(neighbor_cache& cache, weft::duration end) {
    std::vector<weft::duration> times;
    instant now = at(0s);
    while (true) {
        while (cache.poll_request(now)) times.push_back(now.time_since_epoch());
        now = cache.next_timeout();
        if (now > at(end)) return times;
        cache.on_timeout(now);
    }
}

struct arp_fixture {
    neighbor_cache cache;
    route_table routes;
    stack_counters counters;

    arp_fixture() { REQUIRE(routes.add_address({our_ip, 24})); }

    std::optional<wire::arp_packet> receive(wire::arp_operation operation, mac_address sender_mac,
                                            ipv4_address sender, ipv4_address target) {
        return on_arp(cache, routes, our_mac,
                      {operation, sender_mac, sender, mac_address{}, target}, at(1s), counters);
    }
};

constexpr auto request = wire::arp_operation::request;
constexpr auto reply = wire::arp_operation::reply;

}  // namespace

TEST_SUITE("netstack.ip.neighbors") {
TEST_CASE("a first lookup asks, an answer resolves") {
    neighbor_cache cache;
    CHECK(cache.lookup(peer, at(0s)).status == resolution::waiting);
    CHECK(cache.state_of(peer, at(0s)) == neighbor_state::incomplete);
    const auto question = cache.poll_request(at(0s));
    REQUIRE(question);
    CHECK(question->target == peer);
    CHECK_FALSE(question->unicast_to);
    CHECK_FALSE(cache.poll_request(at(0s)));
    CHECK(cache.lookup(peer, at(10ms)).status == resolution::waiting);
    CHECK_FALSE(cache.poll_request(at(10ms)));  // once a second, however many ask
    cache.on_claim(peer, peer_mac, claim::confirm, at(20ms));
    CHECK(cache.lookup(peer, at(20ms)).status == resolution::resolved);
    CHECK(cache.lookup(peer, at(20ms)).mac == peer_mac);
    CHECK(cache.state_of(peer, at(20ms)) == neighbor_state::reachable);
    CHECK(cache.next_timeout() == never);
}

TEST_CASE("an unanswered question is asked three times a second apart, then given up") {
    neighbor_cache cache;
    (void)cache.lookup(peer, at(0s));
    CHECK(questions_until(cache, 1h) == std::vector<weft::duration>{0s, 1s, 2s});
    CHECK(cache.state_of(peer, at(3s)) == neighbor_state::failed);
    CHECK(cache.unresolved_count() == 1);
    CHECK(cache.lookup(peer, at(3s)).status == resolution::failed);
}

TEST_CASE("a failed neighbour is held down, then asked again") {
    neighbor_cache cache;
    (void)cache.lookup(peer, at(0s));
    (void)questions_until(cache, 1h);
    CHECK(cache.lookup(peer, at(5999ms)).status == resolution::failed);
    CHECK_FALSE(cache.has_request());
    CHECK(cache.lookup(peer, at(6s)).status == resolution::waiting);
    CHECK(cache.poll_request(at(6s)));
}

TEST_CASE("a failed neighbour that speaks up is usable at once") {
    neighbor_cache cache;
    (void)cache.lookup(peer, at(0s));
    (void)questions_until(cache, 1h);
    cache.on_claim(peer, peer_mac, claim::refresh, at(4s));
    CHECK(cache.lookup(peer, at(4s)).status == resolution::resolved);
}

TEST_CASE("a stale neighbour stays usable while it is probed by unicast") {
    neighbor_cache cache;
    resolve(cache);
    CHECK(cache.lookup(peer, at(29s)).status == resolution::resolved);
    CHECK_FALSE(cache.has_request());
    CHECK(cache.state_of(peer, at(30s)) == neighbor_state::stale);
    CHECK_FALSE(cache.has_request());  // not used: not probed
    CHECK(cache.lookup(peer, at(31s)).status == resolution::resolved);
    const auto probe = cache.poll_request(at(31s));
    REQUIRE(probe);
    CHECK(probe->unicast_to == peer_mac);
    CHECK(cache.state_of(peer, at(31s)) == neighbor_state::probe);
    cache.on_claim(peer, peer_mac, claim::confirm, at(31s));
    CHECK(cache.state_of(peer, at(31s)) == neighbor_state::reachable);
    CHECK(cache.next_timeout() == never);
}

TEST_CASE("a neighbour that answers no probe is forgotten and then asked for by broadcast") {
    neighbor_cache cache;
    resolve(cache);
    (void)cache.lookup(peer, at(31s));
    CHECK(questions_until(cache, 1h).size() == 3);
    CHECK(cache.size() == 0);
    CHECK(cache.lookup(peer, at(40s)).status == resolution::waiting);
    CHECK_FALSE(cache.poll_request(at(40s))->unicast_to);
}

TEST_CASE("a transport's progress confirms a neighbour without a probe") {
    neighbor_cache cache;
    resolve(cache);
    cache.on_reachability_confirmed(peer, at(29s));
    CHECK(cache.state_of(peer, at(50s)) == neighbor_state::reachable);
    cache.on_reachability_confirmed(host(77), at(29s));
    CHECK(cache.size() == 1);
}

TEST_CASE("a claim for another link address moves the neighbour and makes it stale") {
    neighbor_cache cache;
    resolve(cache);
    cache.on_claim(peer, other_mac, claim::refresh, at(1s));
    CHECK(cache.state_of(peer, at(1s)) == neighbor_state::stale);
    CHECK(cache.lookup(peer, at(1s)).mac == other_mac);
}

TEST_CASE("a claim for the known link address changes nothing") {
    neighbor_cache cache;
    resolve(cache);
    cache.on_claim(peer, peer_mac, claim::refresh, at(1s));
    CHECK(cache.state_of(peer, at(1s)) == neighbor_state::reachable);
}

TEST_CASE("waiters are woken by an answer, once each") {
    neighbor_cache cache;
    neighbor_waiter first;
    neighbor_waiter second;
    (void)cache.lookup(peer, at(0s));
    cache.park(peer, first);
    cache.park(peer, second);
    CHECK(cache.poll_woken() == nullptr);
    const auto before = cache.generation();
    cache.on_claim(peer, peer_mac, claim::confirm, at(1s));
    CHECK(cache.generation() != before);
    CHECK(cache.poll_woken() == &first);
    CHECK(cache.poll_woken() == &second);
    CHECK(cache.poll_woken() == nullptr);
}

TEST_CASE("waiters are woken when resolution fails") {
    neighbor_cache cache;
    neighbor_waiter waiter;
    (void)cache.lookup(peer, at(0s));
    cache.park(peer, waiter);
    (void)questions_until(cache, 1h);
    CHECK(cache.poll_woken() == &waiter);
    CHECK(cache.lookup(peer, at(3s)).status == resolution::failed);
}

TEST_CASE("a waiter that dies has left, one that parks too late is woken at once") {
    neighbor_cache cache;
    (void)cache.lookup(peer, at(0s));
    {
        neighbor_waiter gone;
        cache.park(peer, gone);
    }
    cache.on_claim(peer, peer_mac, claim::confirm, at(0s));
    CHECK(cache.poll_woken() == nullptr);
    neighbor_waiter late;
    cache.park(peer, late);
    CHECK(cache.poll_woken() == &late);
    neighbor_waiter left_behind;
    {
        neighbor_cache dies_first;
        (void)dies_first.lookup(peer, at(0s));
        dies_first.park(peer, left_behind);
    }
    CHECK_FALSE(left_behind.is_linked());
}

TEST_CASE("the least recently used entry gives way") {
    neighbor_cache cache{{.max_entries = 3}};
    for (unsigned i = 1; i <= 3; ++i) cache.on_claim(host(i), peer_mac, claim::create, at(0s));
    (void)cache.lookup(host(1), at(0s));
    (void)cache.lookup(host(4), at(0s));  // displaces 2
    CHECK(cache.size() == 3);
    CHECK(cache.evicted_count() == 1);
    CHECK_FALSE(cache.state_of(host(2), at(0s)));
    CHECK(cache.state_of(host(1), at(0s)));
}

TEST_CASE("a question displaces no other question; a claim does, and wakes who waits") {
    neighbor_cache cache{{.max_entries = 2}};
    neighbor_waiter waiter;
    (void)cache.lookup(host(1), at(0s));
    cache.park(host(1), waiter);
    (void)cache.lookup(host(2), at(0s));
    CHECK(cache.lookup(host(3), at(0s)).status == resolution::failed);
    CHECK(cache.poll_woken() == nullptr);
    CHECK(cache.evicted_count() == 0);
    cache.on_claim(host(4), peer_mac, claim::create, at(0s));  // displaces 1
    CHECK(cache.poll_woken() == &waiter);
    CHECK(cache.lookup(host(1), at(0s)).status == resolution::waiting);  // displaces 4
    CHECK(cache.lookup(host(4), at(0s)).status == resolution::failed);
}

TEST_CASE("ten thousand neighbours leave a bounded cache that still finds its own") {
    neighbor_cache cache{{.max_entries = 64}};
    for (unsigned i = 1; i <= 10'000; ++i) {
        cache.on_claim(host(i), peer_mac, claim::create, at(0s));
        CHECK(cache.state_of(host(i), at(0s)) == neighbor_state::stale);
    }
    CHECK(cache.size() == 64);
    for (unsigned i = 10'000 - 63; i <= 10'000; ++i) CHECK(cache.state_of(host(i), at(0s)));
}
}

TEST_SUITE("netstack.ip.arp") {
TEST_CASE("a request for our address is answered and its sender remembered") {
    arp_fixture f;
    const auto answer = f.receive(request, peer_mac, peer.v4(), our_ip);
    REQUIRE(answer);
    CHECK(*answer == wire::arp_packet{reply, our_mac, our_ip, peer_mac, peer.v4()});
    CHECK(f.cache.state_of(peer, at(1s)) == neighbor_state::stale);
}

TEST_CASE("a request for somebody else is not answered and adds nobody") {
    arp_fixture f;
    CHECK_FALSE(f.receive(request, peer_mac, peer.v4(), {10, 0, 0, 77}));
    CHECK(f.cache.size() == 0);
}

TEST_CASE("a gratuitous ARP updates an entry that exists and creates none") {
    arp_fixture f;
    for (const auto operation : {request, reply}) {
        CHECK_FALSE(f.receive(operation, peer_mac, peer.v4(), peer.v4()));
        CHECK(f.cache.size() == 0);
    }
    resolve(f.cache);
    CHECK_FALSE(f.receive(request, other_mac, peer.v4(), peer.v4()));
    CHECK(f.cache.lookup(peer, at(1s)).mac == other_mac);
}

TEST_CASE("a reply that nobody asked for creates no entry") {
    arp_fixture f;
    CHECK_FALSE(f.receive(reply, peer_mac, peer.v4(), our_ip));
    CHECK(f.cache.size() == 0);
}

TEST_CASE("a reply to our question makes the neighbour reachable") {
    arp_fixture f;
    (void)f.cache.lookup(peer, at(0s));
    const auto question = f.cache.poll_request(at(0s));
    REQUIRE(question);
    CHECK(make_arp_request(*question, our_mac, our_ip) ==
          wire::arp_packet{request, our_mac, our_ip, mac_address{}, peer.v4()});
    CHECK_FALSE(f.receive(reply, peer_mac, peer.v4(), our_ip));
    CHECK(f.cache.state_of(peer, at(1s)) == neighbor_state::reachable);
}

TEST_CASE("a sender that claims our address is counted as a conflict and never believed") {
    arp_fixture f;
    CHECK_FALSE(f.receive(request, other_mac, our_ip, peer.v4()));
    CHECK_FALSE(f.receive(request, other_mac, our_ip, our_ip));
    CHECK_FALSE(f.receive(reply, other_mac, our_ip, our_ip));
    CHECK(f.counters.arp_conflict == 3);
    CHECK(f.cache.size() == 0);
    CHECK_FALSE(f.receive(request, our_mac, our_ip, our_ip));  // our own announcement, reflected
    CHECK(f.counters.arp_conflict == 3);
}

TEST_CASE("a probe for our address is answered and nobody remembered") {
    arp_fixture f;
    const auto answer = f.receive(request, peer_mac, ipv4_address{}, our_ip);
    REQUIRE(answer);
    CHECK(answer->target_ip == ipv4_address{});
    CHECK(f.cache.size() == 0);
}

TEST_CASE("senders that cannot be one host are refused and counted") {
    arp_fixture f;
    CHECK_FALSE(f.receive(request, mac_address::broadcast(), peer.v4(), our_ip));
    CHECK_FALSE(
        f.receive(request, mac_address::parse("01:00:5e:00:00:01").value(), peer.v4(), our_ip));
    CHECK_FALSE(f.receive(request, mac_address{}, peer.v4(), our_ip));
    CHECK_FALSE(f.receive(request, peer_mac, {10, 0, 0, 255}, our_ip));
    CHECK_FALSE(f.receive(request, peer_mac, {224, 0, 0, 1}, our_ip));
    CHECK_FALSE(f.receive(request, peer_mac, {127, 0, 0, 1}, our_ip));
    CHECK(f.counters.arp_bad_sender == 6);
    CHECK(f.cache.size() == 0);
}

TEST_CASE("a sender of another network is answered and not remembered") {
    arp_fixture f;
    CHECK(f.receive(request, peer_mac, {192, 0, 2, 1}, our_ip));
    CHECK(f.cache.size() == 0);
}

TEST_CASE("an announcement asks for our own address") {
    CHECK(make_arp_announcement(our_mac, our_ip) ==
          wire::arp_packet{request, our_mac, our_ip, mac_address{}, our_ip});
}
}
