// Goodput against the ideal over loss, delay, buffer and reordering, for each congestion control: a
// table of which every figure is reproducible. When the stack sends differently, so does the table:
//
//     WEFT_REWRITE_GOLDEN=1 weft_tests_sim -ts=sim.sweep
//
// and the difference is what a reviewer looks at. Beside the table, bounds that hold whatever the
// algorithms do.

#include "bulk.hpp"

#include "golden.hpp"

#include <algorithm>
#include <string>
#include <vector>

using namespace weft;
using namespace weft::sim::test;

namespace {

using algorithm = net::tcp::congestion_algorithm;

constexpr std::uint64_t rate = 10'000'000;
constexpr std::uint64_t seeds = 3;

constexpr struct {
    algorithm which;
    const char* name;
} algorithms[] = {
    {algorithm::cubic, "cubic"}, {algorithm::new_reno, "new_reno"}, {algorithm::bbr, "bbr"}};

struct path {
    duration round_trip;
    double buffer;  ///< of the queue, in bandwidth-delay products
    double loss = 0;
    double reorder = 0;
};

std::uint32_t product_bytes(duration round_trip) {
    return static_cast<std::uint32_t>(rate / 8 * static_cast<std::uint64_t>(round_trip / 1ms) /
                                      1000);
}

/// The lowest and the median of the seeds, in hundredths of the line's rate.
struct cell {
    double lowest;
    double median;
};

cell measure(algorithm which, const path& over) {
    const bool has_chance = over.loss != 0 || over.reorder != 0;
    const duration measured = 50 * over.round_trip + 3s;
    std::vector<double> all;
    for (std::uint64_t seed = 1; seed <= (has_chance ? seeds : 1); ++seed) {
        const double queue = over.buffer * product_bytes(over.round_trip);
        bulk_settings settings;
        settings.seed = seed;
        settings.up = {.loss = over.loss,
                       .reorder = over.reorder,
                       .reorder_by = over.round_trip / 4,
                       .delay = over.round_trip / 2,
                       .bits_per_second = rate,
                       .queue = {.limit_bytes = static_cast<std::uint32_t>(queue)}};
        settings.down = {.delay = over.round_trip / 2};
        settings.options.congestion = which;
        settings.options.send_buffer_bytes = 1U << 20;  // it is not their growth that is measured
        settings.options.receive_buffer_bytes = 1U << 20;
        settings.measured = measured;
        all.push_back(100 * share_of_line(run_bulk(settings)[0], measured, rate));
    }
    std::ranges::sort(all);
    return {all[0], all[all.size() / 2]};
}

std::string to_string(const cell& is) {
    return column(is.median, 9, 1) + " (" + column(is.lowest, 4, 1) + ")";
}

constexpr double losses[] = {0, 0.001, 0.01, 0.03};
constexpr double reorderings[] = {0.01, 0.1};
constexpr duration round_trips[] = {10ms, 100ms};
constexpr double buffers[] = {0.5, 1};

std::string heading() {
    std::string text =
        "Goodput, in % of a line of 10 Mbit/s, from the SYN on for 50 round trips and 3 s: median "
        "(lowest) of 3\nseeds. Of what the line carries 95.6 % is text at best. Delay and buffer "
        "are of the bottleneck, the buffer\nin bandwidth-delay products; held-back frames come "
        "up to a quarter of the round trip later.\n\n";
    text += column("", 9) + column("rtt", 8) + column("buffer", 8);
    for (const double each : losses) text += column(100 * each, 9, 1) + " % loss";
    for (const double each : reorderings) text += column(100 * each, 7, 0) + " % reord.";
    return text + "\n";
}

}  // namespace

TEST_SUITE("sim.sweep") {
TEST_CASE("goodput over loss, delay, buffer and reordering is as the table says") {
    std::string table = heading();
    for (const auto& [which, name] : algorithms) {
        for (const duration round_trip : round_trips) {
            for (const double buffer : buffers) {
                CAPTURE(std::string{name});
                CAPTURE(buffer);
                CAPTURE(round_trip / 1ms);
                table += column(name, 9) + column(static_cast<double>(round_trip / 1ms), 5) +
                         " ms" + column(buffer, 8, 2);
                for (const double loss : losses) {
                    const cell is = measure(which, {round_trip, buffer, loss, 0});
                    table += to_string(is);
                    if (loss == 0) CHECK(is.lowest > 50);
                }
                for (const double reorder : reorderings) {
                    const cell is = measure(which, {round_trip, buffer, 0, reorder});
                    table += to_string(is);
                }
                table += "\n";
            }
        }
    }
    check_golden("tests/sim/golden/sweep.txt", table);
}
}
