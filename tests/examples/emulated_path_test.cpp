// The path of link_emulator, one direction, on virtual time.

#include "link_emulator/emulated_path.hpp"

#include <weft/net/wire/bytes.hpp>
#include <weft/net/wire/checksum.hpp>
#include <weft/net/wire/ethernet.hpp>
#include <weft/net/wire/ipv4.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <set>
#include <vector>

namespace {

using namespace std::chrono_literals;
using examples::emulated_path;
using examples::path_options;
using weft::duration;
using weft::instant;
namespace net = weft::net;

/// Frames that carry their number, in and out of a path.
class traffic {
public:
    explicit traffic(const path_options& options, std::uint64_t seed = 1) : path{options, seed} {}

    void send(std::uint32_t bytes = 1000) {
        net::slice frame = pool.allocate_for(bytes);
        frame.extend(bytes);
        std::ranges::fill(frame.bytes(), std::byte{0});
        net::wire::store_be32(frame.data(), sent++);
        path.on_frame(std::move(frame), now);
    }
    void send(std::uint32_t count, duration every) {
        for (std::uint32_t i = 0; i < count; ++i, now += every) send();
    }

    struct arrival {
        std::uint32_t number;
        duration at;
        friend bool operator==(const arrival&, const arrival&) = default;
    };
    /// Everything that is still to come, and when.
    std::vector<arrival> receive_all() {
        std::vector<arrival> all;
        for (instant at = path.next_timeout(); at != weft::never; at = path.next_timeout()) {
            CHECK_FALSE(path.poll_frame(at - 1ns));
            const net::slice frame = path.poll_frame(at);
            REQUIRE(frame);
            all.push_back({net::wire::load_be32(frame.data()), at - instant{}});
        }
        return all;
    }
    std::vector<std::uint32_t> numbers() {
        std::vector<std::uint32_t> all;
        for (const arrival& each : receive_all()) all.push_back(each.number);
        return all;
    }

    net::block_pool pool;
    emulated_path path;
    instant now{};
    std::uint32_t sent = 0;
};

std::vector<std::uint32_t> count_to(std::uint32_t end) {
    std::vector<std::uint32_t> all(end);
    for (std::uint32_t i = 0; i < end; ++i) all[i] = i;
    return all;
}

}  // namespace

TEST_SUITE("examples.emulated_path") {
TEST_CASE("a path without options hands a frame on at once and in order") {
    traffic frames{{}};
    frames.send(100, 0ns);
    CHECK(frames.path.next_timeout() == frames.now);
    CHECK(frames.numbers() == count_to(100));
    CHECK(frames.path.statistics().forwarded == 100);
    CHECK(frames.path.statistics().forwarded_bytes == 100'000);
    CHECK(frames.pool.bytes_out() == 0);
}

TEST_CASE("a delayed frame arrives exactly that much later") {
    traffic frames{{.delay = 7ms}};
    frames.send();
    frames.now += 3ms;
    frames.send();
    CHECK(frames.receive_all() == std::vector<traffic::arrival>{{0, 7ms}, {1, 10ms}});
}

TEST_CASE("a line takes a frame's length divided by its rate, one after the other") {
    traffic frames{{.bits_per_second = 8'000'000, .delay = 5ms}};  // 1000 bytes: 1 ms
    frames.send();
    frames.send(500);
    frames.now += 10ms;  // idle meanwhile: that is not saved up
    frames.send();
    frames.send();
    CHECK(frames.receive_all() ==
          std::vector<traffic::arrival>{{0, 6ms}, {1, 6'500us}, {2, 16ms}, {3, 17ms}});
}

TEST_CASE("a queue drops what it has no room for, and has room again as the line sends") {
    traffic frames{{.bits_per_second = 8'000'000, .queue_bytes = 3000}};
    frames.send(5, 0ns);
    CHECK(frames.path.statistics().queue_full == 2);
    frames.now += 1ms - 1ns;
    CHECK(frames.path.backlog_bytes(frames.now) == 3000);
    frames.send();
    frames.now += 1ns;
    CHECK(frames.path.backlog_bytes(frames.now) == 2000);
    frames.send();
    CHECK(frames.numbers() == std::vector<std::uint32_t>{0, 1, 2, 6});
    CHECK(frames.path.statistics().queue_full == 3);
}

TEST_CASE("an idle line takes a frame that is longer than the queue") {
    traffic frames{{.bits_per_second = 8'000'000, .queue_bytes = 100}};
    frames.send(2, 0ns);
    CHECK(frames.numbers() == std::vector<std::uint32_t>{0});
}

TEST_CASE("frames are lost as often as asked, and lost frames have used the line") {
    traffic frames{{.bits_per_second = 8'000'000'000,
                    .queue_bytes = 1U << 30,
                    .loss = 0.1,
                    .max_held = 100'000}};
    frames.send(50'000, 0ns);
    const std::uint64_t lost = frames.path.statistics().lost;
    CHECK(lost > 4700);  // 4.5 standard deviations
    CHECK(lost < 5300);
    const auto arrived = frames.receive_all();
    CHECK(arrived.size() == 50'000 - lost);
    for (const auto& each : arrived) REQUIRE(each.at == (each.number + 1) * 1us);
}

TEST_CASE("losses come in bursts of the length asked for, and are not more for that") {
    traffic frames{{.loss = 0.05, .loss_burst = 8}};
    std::vector<bool> passed;
    std::uint64_t bursts = 0;
    for (std::uint32_t i = 0; i < 100'000; ++i) {
        frames.send();
        passed.push_back(!frames.numbers().empty());
        if (!passed.back() && (i == 0 || passed[i - 1])) ++bursts;
    }
    const auto lost = static_cast<double>(frames.path.statistics().lost);
    CHECK(lost / 100'000 > 0.042);
    CHECK(lost / 100'000 < 0.058);
    CHECK(lost / static_cast<double>(bursts) > 7);
    CHECK(lost / static_cast<double>(bursts) < 9);
}

TEST_CASE("a loss of everything lets nothing pass, with bursts or without") {
    for (const double burst : {1.0, 5.0}) {
        traffic frames{{.loss = 1, .loss_burst = burst}};
        frames.send(1000, 1us);
        CHECK(frames.path.next_timeout() == weft::never);
        CHECK(frames.path.statistics().lost == 1000);
    }
}

TEST_CASE("a reordered frame is overtaken by those within its extra delay, and only by those") {
    traffic frames{{.delay = 10ms, .reorder = 0.05, .reorder_by = 4'500us}};
    frames.send(2000, 1ms);
    const auto arrived = frames.receive_all();
    CHECK(arrived.size() == 2000);
    std::uint64_t late = 0;
    for (const auto& each : arrived) {
        const duration on_time = each.number * 1ms + 10ms;
        if (each.at == on_time) continue;
        REQUIRE(each.at == on_time + 4'500us);
        ++late;
    }
    CHECK(late == frames.path.statistics().reordered);
    CHECK(late > 50);
    CHECK(late < 160);
}

TEST_CASE("jitter delays by up to its length and keeps the order") {
    traffic frames{{.delay = 10ms, .jitter = 5ms}};
    frames.send(1000, 100us);
    const auto arrived = frames.receive_all();
    std::set<duration> delays;
    for (std::uint32_t i = 0; i < 1000; ++i) {
        REQUIRE(arrived[i].number == i);
        const duration delay = arrived[i].at - i * 100us;
        REQUIRE(delay >= 10ms);
        REQUIRE(delay <= 15ms);
        delays.insert(delay);
    }
    CHECK(delays.size() > 500);
}

TEST_CASE("a duplicated frame arrives twice, and costs no second block") {
    traffic frames{{.duplicate = 1}};
    frames.send(2, 1us);
    CHECK(frames.pool.bytes_out() == 2 * 2048);
    CHECK(frames.numbers() == std::vector<std::uint32_t>{0, 0, 1, 1});
    CHECK(frames.path.statistics().duplicated == 2);
    CHECK(frames.path.statistics().forwarded == 4);
}

TEST_CASE("no more than the limit is on the way") {
    traffic frames{{.delay = 1s, .max_held = 10}};
    frames.send(25, 1us);
    CHECK(frames.pool.bytes_out() == 10 * 2048);
    CHECK(frames.path.statistics().held_full == 15);
    CHECK(frames.numbers() == count_to(10));
}

TEST_CASE("the n-th frame's fate depends on the seed and not on when frames come") {
    const path_options faults{.delay = 1ms, .loss = 0.2, .loss_burst = 2, .duplicate = 0.1};
    traffic slow{faults, 7};
    traffic fast{faults, 7};
    traffic other{faults, 8};
    slow.send(300, 10ms);
    fast.send(300, 1us);
    other.send(300, 1us);
    const auto expected = slow.numbers();
    CHECK(fast.numbers() == expected);
    CHECK(other.numbers() != expected);
}

TEST_CASE("the same frames are lost with reordering and jitter as without") {
    traffic plain{{.loss = 0.1}, 3};
    traffic mixed{{.jitter = 1ms, .loss = 0.1, .duplicate = 0.5, .reorder = 0.5}, 3};
    plain.send(500, 1ms);
    mixed.send(500, 1ms);
    const auto few = plain.numbers();
    const auto many = mixed.numbers();
    CHECK(std::set(few.begin(), few.end()) == std::set(many.begin(), many.end()));
}

TEST_CASE("a frame that finds more waiting than the mark is marked, if its sender allows it") {
    traffic frames{{.bits_per_second = 8'000'000, .mark_bytes = 1500}};
    std::array<std::byte, 1000> bytes{};
    net::wire::emit_ethernet({{}, {}, net::wire::ethernet_type::ipv4}, bytes.data());
    for (const unsigned allowed : {net::wire::ecn::not_ect, net::wire::ecn::ect0}) {
        frames.now += 100ms;
        for (int i = 0; i < 4; ++i) {
            net::wire::ipv4_header header;
            header.traffic_class = static_cast<std::uint8_t>(0xb8 | allowed);
            header.total_bytes = 986;
            net::wire::emit_ipv4(header, bytes.data() + net::wire::ethernet_header_bytes);
            net::slice frame = frames.pool.allocate_for(bytes.size());
            frame.extend(bytes.size());
            std::ranges::copy(bytes, frame.data());
            frames.path.on_frame(std::move(frame), frames.now);
        }
    }
    CHECK(frames.path.statistics().marked == 2);
    std::vector<unsigned> classes;
    while (frames.path.next_timeout() != weft::never) {
        const net::slice frame = frames.path.poll_frame(frames.path.next_timeout());
        const auto header =
            net::wire::parse_ipv4(frame.bytes().subspan(net::wire::ethernet_header_bytes));
        REQUIRE(header);  // its checksum is right
        classes.push_back(header->traffic_class);
    }
    CHECK(classes ==
          std::vector<unsigned>{0xb8, 0xb8, 0xb8, 0xb8, 0xb8 | 2, 0xb8 | 2, 0xb8 | 3, 0xb8 | 3});
}

TEST_CASE("IPv6 can be marked, and what is no IP or too short cannot") {
    std::array<std::byte, 60> frame{};
    net::wire::emit_ethernet({{}, {}, net::wire::ethernet_type::ipv6}, frame.data());
    frame[14] = std::byte{0x6b};
    frame[15] = std::byte{0x95};  // class 0xb9, ECT(1)
    CHECK(examples::mark_congestion(frame));
    CHECK(frame[14] == std::byte{0x6b});
    CHECK(frame[15] == std::byte{0xb5});
    CHECK_FALSE(examples::mark_congestion(std::span{frame}.first(33)));
    net::wire::emit_ethernet({{}, {}, net::wire::ethernet_type::arp}, frame.data());
    CHECK_FALSE(examples::mark_congestion(frame));
    CHECK_FALSE(examples::mark_congestion({}));
}
}
