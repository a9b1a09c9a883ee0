#include <weft/net/tcp/path_mtu.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <vector>

// What a connection believes of its path, without a connection: RFC 1191, RFC 5927 §7.2, RFC 4821.

using namespace std::chrono_literals;
using namespace weft;
using namespace weft::net::tcp;

namespace {

using verdict = path_mtu::verdict;

/// A path with a sender that has text without end; the test says what the path takes.
struct walk {
    explicit walk(std::uint32_t most = 1500,
                  mtu_probing_mode mode = mtu_probing_mode::on_black_hole,
                  std::uint32_t known = 65535) {
        settings.mtu_probing = mode;
        path.begin(most, std::min(most, known), settings, now);
    }

    /// A full packet leaves.
    sequence_number sends(std::uint32_t bytes = 0) {
        const sequence_number begin = next;
        const std::uint32_t packet = bytes == 0 ? path.current() : bytes;
        next += packet - 40;
        path.on_sent(next, packet);
        return begin;
    }
    void peer_has_all() { path.on_acknowledged(next, settings, now); }
    verdict router_says(std::uint32_t mtu, sequence_number about, std::uint32_t quoted = 1500) {
        return path.on_packet_too_big(mtu, quoted, about, settings, now);
    }
    bool times_out(std::uint32_t bytes = 0) {
        return path.on_timeout(bytes == 0 ? path.current() : bytes, settings, now) !=
               path_mtu::timeout_effect::none;
    }
    /// Sends a probe if one is due and says what became of it on a path that takes `takes`.
    std::uint32_t probes(std::uint32_t takes) {
        const std::uint32_t size = path.next_probe(settings, now);
        if (size == 0) return 0;
        const sequence_number begin = next;
        next += size - 40;
        path.on_probe_sent(begin, next, size);
        if (size <= takes) {
            peer_has_all();
        } else {
            path.on_probe_lost(1s, settings, now);
        }
        sends();  // what follows is of the size that was found
        if (path.current() <= takes) peer_has_all();
        return size;
    }
    /// Probes until none is due for a minute. Returns the sizes.
    std::vector<std::uint32_t> searches(std::uint32_t takes) {
        std::vector<std::uint32_t> sizes;
        for (duration quiet{}; quiet < 1min; quiet += 1s) {
            const std::uint32_t size = probes(takes);
            if (size != 0) {
                sizes.push_back(size);
                quiet = {};
            }
            now += 1s;
        }
        return sizes;
    }

    config settings{.black_hole_timeouts = 2};
    path_mtu path;
    sequence_number next{1};
    instant now{1h};
};

}  // namespace

TEST_SUITE("netstack.tcp.path_mtu.search") {
TEST_CASE("initial discovery: each router's word is taken at once (RFC 5927 section 7.3.1)") {
    walk w{4464};
    CHECK(w.path.current() == 4464);
    sequence_number sent = w.sends();                            // 4.
    CHECK(w.router_says(2048, sent, 4464) == verdict::reduced);  // 5.
    CHECK(w.path.current() == 2048);
    sent = w.sends();                                            // 6.
    CHECK(w.router_says(1500, sent, 2048) == verdict::reduced);  // 7.
    CHECK(w.path.current() == 1500);
    sent = w.sends();  // 8.
    w.peer_has_all();  // 9.
    CHECK(w.path.current() == 1500);
    CHECK_FALSE(w.path.is_full_size());
}

TEST_CASE("a path that narrows: the word counts once the packet times out (section 7.3.2)") {
    walk w;
    w.sends();
    w.peer_has_all();
    const sequence_number sent = w.sends();                 // 2.
    CHECK(w.router_says(1492, sent) == verdict::deferred);  // 3.
    CHECK(w.path.current() == 1500);
    CHECK(w.times_out());             // 4.
    CHECK(w.path.current() == 1492);  // 5.
}

TEST_CASE("an attack on a connection that makes progress does nothing (section 7.3.4)") {
    walk w;
    w.sends();
    w.peer_has_all();
    const sequence_number first = w.sends();                   // 1.
    w.sends();                                                 // 2. to 4.
    CHECK(w.router_says(68, first) == verdict::deferred);      // 5.
    w.path.on_acknowledged(first + 1460U, w.settings, w.now);  // 6.
    CHECK_FALSE(w.times_out());
    CHECK(w.path.current() == 1500);
}

TEST_CASE("an attack on one that has sent only small packets is implausible (section 7.3.5)") {
    walk w;
    w.sends(140);
    w.peer_has_all();
    const sequence_number sent = w.sends(140);
    CHECK(w.router_says(150, sent, 190) == verdict::implausible);
    CHECK(w.path.current() == 1500);
}

TEST_CASE("what is larger than anything of ours, or less than any network, is implausible") {
    walk w;
    const sequence_number sent = w.sends();
    for (const std::uint32_t mtu : {1500U, 1501U, 9000U, 65535U, 67U, 1U}) {
        CHECK(w.router_says(mtu, sent) == verdict::implausible);
    }
    CHECK(w.path.current() == 1500);
}

TEST_CASE("a very narrow path: packets are no smaller than the floor, and may be cut instead") {
    walk w;
    CHECK(w.router_says(296, w.sends()) == verdict::reduced);
    CHECK(w.path.current() == 552);
    CHECK(w.path.may_fragment());
    w.settings.least_mtu_bytes = 68;
    CHECK(w.router_says(296, w.sends()) == verdict::reduced);
    CHECK(w.path.current() == 296);
    CHECK_FALSE(w.path.may_fragment());
}

TEST_CASE("a router that does not say: the next plateau below the packet (RFC 1191 section 5)") {
    walk w{4352};
    CHECK(w.router_says(0, w.sends(), 4352) == verdict::reduced);
    CHECK(w.path.current() == 2002);
    CHECK(w.router_says(0, w.sends(), 2002) == verdict::reduced);
    CHECK(w.path.current() == 1500);
    // One that adds the header's length to the packet's.
    CHECK(w.router_says(0, w.sends(), 1520) == verdict::reduced);
    CHECK(w.path.current() == 1492);
    CHECK(w.router_says(0, w.sends(), 0) == verdict::reduced);
    CHECK(w.path.current() == 1480);
}

TEST_CASE("one timeout is congestion, two of a full packet are a black hole (RFC 4821 7.7)") {
    walk w;
    w.sends();
    CHECK_FALSE(w.times_out());
    CHECK(w.times_out());
    CHECK(w.path.current() == 1024);
    w.sends();
    CHECK(w.times_out());
    CHECK(w.path.current() == 576);
    CHECK(w.times_out());
    CHECK(w.path.current() == 552);
    CHECK_FALSE(w.times_out());
    CHECK(w.path.current() == 552);
}

TEST_CASE("timeouts with progress between them, or of small packets, are no black hole") {
    walk w;
    for (int i = 0; i < 10; ++i) {
        w.sends();
        CHECK_FALSE(w.times_out());
        w.peer_has_all();
    }
    for (int i = 0; i < 10; ++i) CHECK_FALSE(w.times_out(140));
    CHECK(w.path.current() == 1500);
}

TEST_CASE("without probing nothing but a router's word makes packets smaller") {
    walk w{1500, mtu_probing_mode::off};
    w.sends();
    for (int i = 0; i < 10; ++i) CHECK_FALSE(w.times_out());
    CHECK(w.router_says(1400, w.sends()) == verdict::reduced);
    CHECK(w.path.next_probe(w.settings, w.now) == 0);
    CHECK(w.path.current() == 1400);
    // RFC 1191 §6.3: after ten minutes as large as the link takes, at once.
    w.now += 10min;
    CHECK(w.path.next_probe(w.settings, w.now) == 0);
    CHECK(w.path.current() == 1500);
}

TEST_CASE("the search after a black hole finds what the path takes, and rests for ten minutes") {
    for (std::uint32_t takes = 600; takes < 1500; takes += 7) {
        CAPTURE(takes);
        walk w;
        for (int i = 0; w.path.current() > takes; ++i) {
            REQUIRE(i < 5);
            w.sends();
            w.times_out();
        }
        w.sends();
        w.peer_has_all();
        const auto sizes = w.searches(takes);
        CHECK(w.path.current() <= takes);
        CHECK(w.path.current() + 16 > takes);
        CHECK(sizes.size() <= 10);
        // What was lost is not tried again, nor anything above it.
        std::uint32_t lost = 65535;
        for (const std::uint32_t size : sizes) {
            CHECK(size < lost);
            if (size > takes) lost = size;
        }
        CHECK(w.path.next_probe(w.settings, w.now) == 0);
        w.now += 10min;
        CHECK(w.path.next_probe(w.settings, w.now) == 1500);
    }
}

TEST_CASE("sizes that links have are tried first: a tunnel's MTU is found exactly") {
    for (const std::uint32_t takes : {1006U, 1280U, 1400U, 1460U, 1480U}) {
        CAPTURE(takes);
        walk w;
        for (int i = 0; w.path.current() > takes; ++i) {
            REQUIRE(i < 5);
            w.sends();
            w.times_out();
        }
        w.searches(takes);
        CHECK(w.path.current() == takes);
    }
}

TEST_CASE("after an outage one probe brings the size back that had got through before") {
    walk w;
    w.sends();
    w.peer_has_all();
    w.sends();
    CHECK_FALSE(w.times_out());
    CHECK(w.times_out());
    CHECK(w.times_out());
    CHECK(w.path.current() == 576);
    w.sends();
    w.peer_has_all();
    CHECK(w.searches(1500) == std::vector<std::uint32_t>{1500});
    CHECK(w.path.is_full_size());
    CHECK(w.path.next_probe(w.settings, w.now + 1h) == 0);
}

TEST_CASE("from the start, if asked to: upward from the base, the whole first (RFC 4821 7.2)") {
    walk w{1500, mtu_probing_mode::always};
    CHECK(w.path.current() == 1024);
    CHECK(w.searches(1500) == std::vector<std::uint32_t>{1500});
    walk jumbo{9000, mtu_probing_mode::always};
    const auto sizes = jumbo.searches(1500);
    CHECK(sizes.front() == 9000);
    CHECK(jumbo.path.current() == 1500);
    CHECK(sizes.size() <= 10);
    walk narrow{576, mtu_probing_mode::always};
    CHECK(narrow.path.current() == 576);
    CHECK(narrow.searches(576).empty());
}

TEST_CASE("between a lost probe and the next lies the pause that was asked for (7.6.2)") {
    walk w{1500, mtu_probing_mode::always};
    const std::uint32_t size = w.path.next_probe(w.settings, w.now);
    w.path.on_probe_sent(w.next, w.next + size, size);
    CHECK(w.path.is_probing());
    CHECK(w.path.next_probe(w.settings, w.now + 1h) == 0);
    w.path.on_probe_lost(5s, w.settings, w.now);
    CHECK_FALSE(w.path.is_probing());
    CHECK(w.path.search_high() == 1499);
    CHECK(w.path.next_probe(w.settings, w.now + 4s) == 0);
    CHECK(w.path.next_probe(w.settings, w.now + 5s) != 0);
}

TEST_CASE("a probe lost among others is sent again, of the same size (7.6.4)") {
    walk w{1500, mtu_probing_mode::always};
    const std::uint32_t size = w.path.next_probe(w.settings, w.now);
    w.path.on_probe_sent(w.next, w.next + size, size);
    w.path.on_probe_inconclusive(2s, w.now);
    CHECK(w.path.next_probe(w.settings, w.now + 1s) == 0);
    CHECK(w.path.next_probe(w.settings, w.now + 2s) == size);
}

TEST_CASE("a router's word about a probe says what to try next (7.6.2)") {
    walk w{9000, mtu_probing_mode::always};
    const std::uint32_t size = w.path.next_probe(w.settings, w.now);
    const sequence_number begin = w.next;
    w.path.on_probe_sent(begin, begin + size, size);
    CHECK(w.router_says(4352, begin, size) == verdict::probe_failed);
    CHECK(w.path.current() == 1024);
    CHECK(w.path.next_probe(w.settings, w.now) == 4352);
}

TEST_CASE("a size that only the probe got through with is given up at the first timeout (7.8)") {
    walk w{1500, mtu_probing_mode::always};
    const std::uint32_t size = w.path.next_probe(w.settings, w.now);
    w.path.on_probe_sent(w.next, w.next + size, size);
    w.next += size;
    w.peer_has_all();
    CHECK(w.path.current() == 1500);
    w.sends();
    CHECK(w.times_out());
    CHECK(w.path.current() == 1024);
    CHECK(w.path.next_probe(w.settings, w.now + 9min) == 0);
}

TEST_CASE("what another connection has found is where this one begins, for ten minutes") {
    walk w{1500, mtu_probing_mode::on_black_hole, 1400};
    CHECK(w.path.current() == 1400);
    CHECK(w.path.next_probe(w.settings, w.now + 9min) == 0);
    w.now += 10min;
    CHECK(w.searches(1500) == std::vector<std::uint32_t>{1500});
}

TEST_CASE("no order of events makes packets larger than the link or smaller than the floor") {
    std::uint64_t state = 7;
    const auto below = [&state](std::uint64_t n) {
        state = state * 6364136223846793005U + 1442695040888963407U;
        return static_cast<std::uint32_t>((state >> 33) % n);
    };
    for (int run = 0; run < 300; ++run) {
        walk w{600 + below(9000), static_cast<mtu_probing_mode>(below(3)), 552 + below(9000)};
        for (int step = 0; step < 300; ++step) {
            switch (below(8)) {
                case 0: w.sends(); break;
                case 1: w.peer_has_all(); break;
                case 2: (void)w.router_says(below(10'000), w.sends(), below(10'000)); break;
                case 3: (void)w.times_out(); break;
                case 4: w.now += 1s * below(700); break;
                default:
                    if (const std::uint32_t size = w.path.next_probe(w.settings, w.now)) {
                        REQUIRE(size > w.path.search_low());
                        REQUIRE(size <= 9600);
                        const sequence_number begin = w.next;
                        w.next += size;
                        w.path.on_probe_sent(begin, w.next, size);
                    } else if (w.path.is_probing()) {
                        if (below(2) == 0)
                            w.path.on_probe_lost(1s, w.settings, w.now);
                        else
                            w.path.on_probe_inconclusive(1s, w.now);
                    }
            }
            REQUIRE(w.path.current() >= 552);
            REQUIRE(w.path.current() <= 9600);
            REQUIRE(w.path.search_low() <= std::max(w.path.search_high(), w.path.current()));
        }
    }
}

TEST_CASE("a very narrow path that is tried anew without probing is not cut for any more") {
    walk w{1500, mtu_probing_mode::off};
    CHECK(w.router_says(296, w.sends()) == verdict::reduced);
    CHECK(w.path.may_fragment());
    w.now += 10min;
    CHECK(w.path.next_probe(w.settings, w.now) == 0);
    CHECK(w.path.current() == 1500);
    CHECK_FALSE(w.path.may_fragment());
}

TEST_CASE("a router's word about a later probe is tried exactly, common or not (7.6.2)") {
    walk w{9000, mtu_probing_mode::always};
    CHECK(w.probes(1024) == 9000);
    w.now += 1s;
    const std::uint32_t size = w.path.next_probe(w.settings, w.now);
    REQUIRE(size > 2345);
    const sequence_number begin = w.next;
    w.path.on_probe_sent(begin, begin + size, size);
    CHECK(w.router_says(2345, begin, size) == verdict::probe_failed);
    CHECK(w.path.next_probe(w.settings, w.now) == 2345);
}
}
