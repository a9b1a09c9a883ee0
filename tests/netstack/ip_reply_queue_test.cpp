#include <weft/net/ip/reply_queue.hpp>

#include <doctest/doctest.h>

#include <algorithm>

using namespace std::chrono_literals;
using namespace weft::net;
using namespace weft::net::ip;
using weft::instant;

namespace {

const mac_address peer_mac = mac_address::parse("02:00:00:00:00:01").value();

ip_address host(unsigned n) { return ipv4_address{0x0a00'0000U + n}; }
instant at(weft::duration since_start) { return instant{since_start}; }

struct fixture {
    stack_counters counters;
    neighbor_cache cache;
    reply_queue queue{counters};

    /// Queues a packet whose bytes are all `mark`.
    bool push(unsigned to, unsigned mark, std::size_t size = 40) {
        const auto room = queue.push(host(to), size);
        std::fill(room.begin(), room.end(), static_cast<std::byte>(mark));
        return !room.empty();
    }
    /// The mark of the next packet, or -1.
    int poll(instant now = at(0s)) {
        const auto ready = queue.poll(&cache, now);
        return ready ? std::to_integer<int>(ready->packet.front()) : -1;
    }
    void resolve(unsigned who) {
        (void)cache.lookup(host(who), at(0s));
        cache.on_claim(host(who), peer_mac, claim::confirm, at(0s));
    }
};

}  // namespace

TEST_SUITE("netstack.ip.reply_queue") {
TEST_CASE("packets to a resolved neighbour come out in order with its link address") {
    fixture f;
    f.resolve(1);
    f.push(1, 7, 40);
    f.push(1, 8, 1500);
    const auto first = f.queue.poll(&f.cache, at(0s));
    REQUIRE(first);
    CHECK(first->mac == peer_mac);
    CHECK(first->next_hop == host(1));
    CHECK(first->packet.size() == 40);
    CHECK(f.poll() == 8);
    CHECK(f.poll() == -1);
    CHECK(f.queue.is_empty());
}

TEST_CASE("a packet waits for its neighbour without holding up the others") {
    fixture f;
    f.resolve(2);
    f.push(1, 10);
    f.push(2, 20);
    CHECK(f.poll() == 20);
    CHECK(f.poll() == -1);
    CHECK(f.cache.has_request());
    f.push(2, 21);
    CHECK(f.poll() == 21);
    f.cache.on_claim(host(1), peer_mac, claim::confirm, at(1s));
    CHECK(f.poll(at(1s)) == 10);
    CHECK(f.queue.is_empty());
}

TEST_CASE("a neighbour that never answers takes its packets with it") {
    fixture f;
    f.push(1, 10);
    f.push(1, 11);
    CHECK(f.poll() == -1);
    for (int second = 0; second <= 3; ++second) {
        f.cache.on_timeout(at(std::chrono::seconds{second}));
        (void)f.cache.poll_request(at(std::chrono::seconds{second}));
    }
    CHECK(f.poll(at(3s)) == -1);
    CHECK(f.queue.is_empty());
    CHECK(f.counters.neighbor_queue_dropped == 2);
}

TEST_CASE("of the packets that wait for one neighbour the latest four are kept") {
    fixture f;
    for (unsigned mark = 1; mark <= 6; ++mark) f.push(1, mark);
    CHECK(f.poll() == -1);
    CHECK(f.queue.size() == 4);
    f.push(1, 7);
    CHECK(f.poll() == -1);
    CHECK(f.counters.neighbor_queue_dropped == 3);
    f.resolve(1);
    for (const int mark : {4, 5, 6, 7, -1}) CHECK(f.poll() == mark);
}

TEST_CASE("a full queue refuses packets and counts them") {
    fixture f;
    for (unsigned i = 0; i < reply_queue::max_packets; ++i) CHECK(f.push(i + 1, i));
    CHECK_FALSE(f.queue.has_room(1, 40));
    CHECK_FALSE(f.push(99, 99));
    CHECK(f.counters.reply_queue_dropped == 1);
}

TEST_CASE("bytes are bounded too, and given back as packets leave") {
    fixture f;
    f.resolve(1);
    CHECK(f.push(1, 1, 65'535));
    CHECK(f.push(1, 2, 65'535));
    CHECK_FALSE(f.push(1, 3, 1500));
    CHECK(f.poll() == 1);
    CHECK(f.push(1, 3, 1500));
}

TEST_CASE("without neighbours every packet is ready") {
    fixture f;
    f.push(1, 5);
    const auto ready = f.queue.poll(nullptr, at(0s));
    REQUIRE(ready);
    CHECK(ready->packet.front() == std::byte{5});
    CHECK_FALSE(f.queue.poll(nullptr, at(0s)));
}

TEST_CASE("many rounds of queueing and polling lose and mix nothing") {
    fixture f;
    f.resolve(1);
    unsigned pushed = 0;
    unsigned polled = 0;
    for (unsigned round = 0; round < 500; ++round) {
        for (unsigned i = 0; i < round % 5; ++i, ++pushed)
            f.push(1, pushed % 256, 30 + pushed % 400);
        for (unsigned i = 0; i < (round + 2) % 5; ++i) {
            const int mark = f.poll();
            if (mark < 0) break;
            REQUIRE(mark == static_cast<int>(polled++ % 256));
        }
    }
    while (f.poll() >= 0) ++polled;
    CHECK(pushed == polled);
}
}
