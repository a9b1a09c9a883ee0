#include <weft/net/tcp/pacer.hpp>

#include <doctest/doctest.h>

#include <algorithm>

using namespace weft;
using namespace weft::net::tcp;
using namespace std::chrono_literals;

TEST_SUITE("netstack.tcp.pacer") {
TEST_CASE("without a rate everything leaves at once") {
    pacer p;
    for (int i = 0; i < 100; ++i) {
        CHECK(p.may_send(instant{}));
        p.on_sent(65'536, instant{});
    }
    CHECK(p.next() <= instant{});
    CHECK(p.quantum(1460) == 65'536);
}

TEST_CASE("frames are as far apart as their bytes take at the rate") {
    pacer p;
    p.set_rate(1'000'000);
    instant now = instant{} + 1s;
    p.on_sent(1000, now);  // idle before: 1 ms of credit pays for the first
    CHECK(p.may_send(now));
    for (int i = 0; i < 50; ++i) {
        CHECK(p.may_send(now));
        p.on_sent(1500, now);
        CHECK_FALSE(p.may_send(now));
        CHECK(p.next() == now + 1500us);
        CHECK_FALSE(p.may_send(now + 1499us));
        now = p.next();
    }
}

TEST_CASE("a timer that fires late is caught up with, so that the rate holds") {
    pacer p;
    p.set_rate(10'000'000);  // 1000 bytes are 100 us; the timer ticks every 64
    const instant begin = instant{} + 1s;
    instant now = begin;
    std::uint64_t bytes = 0;
    while (now < begin + 1s) {
        while (p.may_send(now)) {
            p.on_sent(1000, now);
            bytes += 1000;
        }
        const auto tick = (p.next().time_since_epoch() + 63'999ns) / 64'000;
        now = instant{duration{tick.count() * 64'000}};
    }
    CHECK(bytes >= 9'990'000);
    CHECK(bytes <= 10'015'000);
}

TEST_CASE("a loop that is late by many milliseconds keeps the rate, frame by frame held back") {
    pacer p;
    p.set_rate(1'000'000);  // a frame each millisecond
    const instant begin = instant{} + 1s;
    instant now = begin;
    int frames = 0;
    int longest_burst = 0;
    while (now < begin + 1s) {
        int burst = 0;
        for (; p.may_send(now); ++burst) p.on_sent(1000, now);
        frames += burst;
        longest_burst = std::max(longest_burst, burst);
        now = p.next() + 8ms;
    }
    CHECK(frames >= 990);
    CHECK(frames <= 1010);
    CHECK(longest_burst <= 9);
}

TEST_CASE("lateness beyond 20 ms is lost, and what comes after it is paced") {
    pacer p;
    p.set_rate(1'000'000);
    p.on_sent(1000, instant{} + 1s);
    while (p.may_send(instant{} + 1s)) p.on_sent(1000, instant{} + 1s);
    const instant now = p.next() + 1s;
    int burst = 0;
    for (; p.may_send(now); ++burst) p.on_sent(1000, now);
    CHECK(burst == 21);
    CHECK(p.next() == now + 1ms);
}

TEST_CASE("silence saves up a millisecond and no more") {
    pacer p;
    p.set_rate(10'000'000);
    p.on_sent(1000, instant{} + 1s);
    const instant now = instant{} + 60s;
    int burst = 0;
    for (; p.may_send(now); ++burst) p.on_sent(1000, now);
    CHECK(burst == 11);  // 10 ms' worth of 100 us each, and the one that is due
}

TEST_CASE("a frame carries a millisecond of the rate, from one segment up to 64 KiB") {
    pacer p;
    p.set_rate(1'000);
    CHECK(p.quantum(1460) == 1460);
    p.set_rate(10'000'000);
    CHECK(p.quantum(1460) == 10'000);
    p.set_rate(10'000'000'000);
    CHECK(p.quantum(1460) == 65'536);
}

TEST_CASE("the slowest rate lets a frame go every second") {
    pacer p;
    p.set_rate(1);
    const instant now = instant{} + 1s;
    p.on_sent(65'536, now);
    CHECK(p.next() <= now + 1s);
    CHECK(p.next() > now + 990ms);
}

TEST_CASE("a new rate counts from the next frame on; none lets go at once") {
    pacer p;
    const instant now = instant{} + 1s;
    p.set_rate(1'000'000);
    p.on_sent(10'000, now);
    const instant due = p.next();
    p.set_rate(100'000'000);
    CHECK(p.next() == due);
    CHECK_FALSE(p.may_send(now));
    p.set_rate(0);
    CHECK(p.may_send(now));
}
}
