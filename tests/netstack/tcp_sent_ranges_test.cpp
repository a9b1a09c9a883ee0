#include <weft/net/tcp/sent_ranges.hpp>

#include <doctest/doctest.h>

#include <deque>
#include <random>

using namespace std::chrono_literals;
using namespace weft::net::tcp;
using weft::instant;

namespace {

instant at(std::int64_t ms) { return instant{std::chrono::milliseconds{ms}}; }
sequence_number n(std::uint32_t value) { return sequence_number{value}; }

/// What the ranges say, one octet at a time.
struct octet {
    bool lost = false;
    bool retransmitted = false;
    bool probe = false;
};

struct model {
    sequence_number begin;
    std::deque<octet> octets;

    [[nodiscard]] std::uint32_t lost_bytes() const {
        std::uint32_t count = 0;
        for (const octet& o : octets) count += o.lost ? 1U : 0U;
        return count;
    }
    [[nodiscard]] std::uint32_t size() const { return static_cast<std::uint32_t>(octets.size()); }
};

}  // namespace

TEST_SUITE("netstack.tcp.sent_ranges") {
TEST_CASE("what was sent is in the network until it is acknowledged") {
    sent_ranges r;
    CHECK(r.empty());
    r.sent(n(100), n(200), at(1));
    r.sent(n(200), n(250), at(2));
    CHECK(r.pipe() == 150);
    CHECK(r.acknowledge(n(100)).bytes == 0);
    const auto done = r.acknowledge(n(210));
    CHECK(done.bytes == 110);
    CHECK(done.sample_from == at(2));  // of the newest
    CHECK_FALSE(done.any_retransmitted);
    CHECK(r.pipe() == 40);
    CHECK(r.front().begin == n(210));
    CHECK(r.acknowledge(n(250)).bytes == 40);
    CHECK(r.empty());
}

TEST_CASE("a peer that reports every other octet does not make as many ranges of them") {
    sent_ranges r;
    constexpr std::uint32_t flight = 4 * sent_ranges::split_below;
    r.sent(n(0), n(flight), at(1));
    std::uint32_t noted = 0;
    for (std::uint32_t i = 1; i < flight; i += 2) {
        noted += r.sack(n(i), n(i + 1), [](const sent_range&) {});
    }
    CHECK(r.count() <= sent_ranges::split_below + 1);
    CHECK(noted > sent_ranges::split_below / 3);
    CHECK(r.sacked_bytes() == noted);
    CHECK(r.pipe() == flight - noted);
    CHECK(r.violated_invariant(n(0), n(flight)) == "");
    // What is whole is noted still.
    noted += r.sack(n(1), n(flight), [](const sent_range&) {});
    CHECK(noted == flight - 1);
    CHECK(r.count() == 2);
}

TEST_CASE("what was sent twice gives no sample [MUST-18]") {
    sent_ranges r;
    r.sent(n(0), n(100), at(1));
    r.mark_all_lost();
    r.resent(n(0), n(100), at(50));
    const auto done = r.acknowledge(n(100));
    CHECK(done.any_retransmitted);
    CHECK_FALSE(done.sample_from);
}

TEST_CASE("a retransmission keeps the time of the first sending") {
    sent_ranges r;
    r.sent(n(0), n(100), at(1));
    r.mark_first_lost(10);
    r.resent(n(0), n(10), at(50));
    CHECK(r.front().size() == 10);
    CHECK(r.front().sent_at == at(50));
    CHECK(r.front().first_sent_at == at(1));
    CHECK(r.front().is(sent_range::retransmitted));
}

TEST_CASE("lost neighbours go out together, up to the size asked for") {
    sent_ranges r;
    for (std::uint32_t i = 0; i < 5; ++i) r.sent(n(i * 100), n(i * 100 + 100), at(i));
    CHECK_FALSE(r.first_lost(1000));
    r.mark_all_lost();
    CHECK(r.pipe() == 0);
    CHECK(r.first_lost(1000)->size() == 500);
    CHECK(r.first_lost(250)->size() == 250);
    r.resent(n(0), n(250), at(9));
    CHECK(r.pipe() == 250);
    CHECK(r.first_lost(1000)->begin == n(250));
}

TEST_CASE("only what was sent against a closed window is sent again when it opens") {
    sent_ranges r;
    r.sent(n(0), n(100), at(1));
    r.sent(n(100), n(101), at(2), true);
    r.mark_probes_lost(at(3));
    REQUIRE(r.first_lost(1000));
    CHECK(r.first_lost(1000)->begin == n(100));
    CHECK(r.lost_bytes() == 1);
}

TEST_CASE("a million small sends stay bounded: neighbours alike are merged") {
    sent_ranges r;
    for (std::uint32_t i = 0; i < 1'000'000; ++i) r.sent(n(i), n(i + 1), at(i));
    CHECK(r.pipe() == 1'000'000);
    std::uint32_t ranges = 0;
    while (!r.empty()) {
        r.acknowledge(r.front().end);
        ++ranges;
    }
    CHECK(ranges <= sent_ranges::merge_above + 1);
}

TEST_CASE(
    "merged neighbours give no round-trip sample, and count as sent early or late, as is safer") {
    sent_ranges r;
    const std::uint32_t last = sent_ranges::merge_above + 100;
    for (std::uint32_t i = 0; i < last; ++i) r.sent(n(i), n(i + 1), at(i));
    const auto whole = r.acknowledge(n(10));  // the first ones stand for themselves
    CHECK(whole.sample_from == at(9));

    const sent_range merged = r[r.count() - 1];
    REQUIRE(merged.is(sent_range::merged));
    CHECK(merged.sent_at == at(static_cast<int>(last - 1)));  // nothing is lost too early
    std::vector<sent_range> arrived;
    const auto visit = [&arrived](const sent_range& part) { arrived.push_back(part); };
    r.sack(n(last - 2), n(last), visit);
    REQUIRE(arrived.size() == 1);
    CHECK(arrived[0].sent_at == arrived[0].first_sent_at);  // nor is anything for its sake
    r.acknowledge(merged.begin);
    CHECK_FALSE(r.acknowledge(merged.begin + 1).sample_from.has_value());

    r.mark_all_lost();
    r.resent(r.front().begin, r.front().end, at(9000));
    CHECK_FALSE(r.front().is(sent_range::merged));  // its time is its own again
}

TEST_CASE("any order of events agrees with a model that keeps every octet") {
    for (std::uint32_t seed = 1; seed <= 20; ++seed) {
        CAPTURE(seed);
        std::mt19937 random{seed};
        const sequence_number start = n(0xffff'ff00U + seed * 7);  // crosses 2^32
        sent_ranges ranges;
        model expected{start, {}};
        for (int step = 0; step < 2000; ++step) {
            const std::uint32_t some = 1 + static_cast<std::uint32_t>(random()) % 60;
            const sequence_number end = expected.begin + expected.size();
            switch (random() % 6) {
                case 0:
                case 1: {
                    const bool is_probe = random() % 8 == 0;
                    ranges.sent(end, end + some, at(step), is_probe);
                    for (std::uint32_t i = 0; i < some; ++i) {
                        expected.octets.push_back({false, false, is_probe});
                    }
                    break;
                }
                case 2: {
                    const std::uint32_t count = std::min(some, expected.size());
                    bool retransmitted = false;
                    for (std::uint32_t i = 0; i < count; ++i) {
                        retransmitted |= expected.octets.front().retransmitted;
                        expected.octets.pop_front();
                    }
                    const auto done = ranges.acknowledge(expected.begin + count);
                    expected.begin += count;
                    REQUIRE(done.bytes == count);
                    REQUIRE(done.any_retransmitted == retransmitted);
                    break;
                }
                case 3:
                    if (!expected.octets.empty() && !expected.octets.front().lost) {
                        const std::uint32_t front = ranges.front().size();
                        ranges.mark_first_lost(some);
                        for (std::uint32_t i = 0; i < std::min(some, front); ++i) {
                            expected.octets[i].lost = true;
                        }
                    }
                    break;
                case 4:
                    if (random() % 4 == 0) {
                        ranges.mark_all_lost();
                        for (octet& o : expected.octets) o.lost = true;
                    } else {
                        ranges.mark_probes_lost(at(step));
                        for (octet& o : expected.octets) o.lost |= o.probe;
                    }
                    break;
                default:
                    if (const auto r = ranges.first_lost(some)) {
                        REQUIRE(r->size() <= some);
                        REQUIRE(r->size() > 0);
                        const std::uint32_t from = r->begin - expected.begin;
                        for (std::uint32_t i = 0; i < from; ++i) {
                            REQUIRE_FALSE(expected.octets[i].lost);
                        }
                        for (std::uint32_t i = from; i < from + r->size(); ++i) {
                            REQUIRE(expected.octets[i].lost);
                            expected.octets[i].lost = false;
                            expected.octets[i].retransmitted = true;
                        }
                        ranges.resent(r->begin, r->end, at(step));
                    } else {
                        REQUIRE(expected.lost_bytes() == 0);
                    }
            }
            REQUIRE(ranges.lost_bytes() == expected.lost_bytes());
            REQUIRE(ranges.pipe() == expected.size() - expected.lost_bytes());
            REQUIRE(ranges.empty() == expected.octets.empty());
            if (!ranges.empty()) REQUIRE(ranges.front().begin == expected.begin);
        }
    }
}
}
