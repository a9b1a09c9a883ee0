// Joins two TAPs by a path with a rate, a queue, delay, jitter, loss, reordering and duplication,
// for kernels that have no netem.
//
//     link_emulator left right --rate 100 --delay 50 --loss 1
//
// Makes the TAPs `left` and `right` when they do not exist; they go when it ends. Whose they are is
// the administrator's choice: each gets an address in a network namespace of its own (`ip link set
// right netns NAME`), so that two kernels talk to each other, or joins a bridge with another
// program's TAP. They refuse offloads: the kernel cuts large segments before they come here, so
// each loss is of one frame. Options without `back-` are for both directions, those with it for
// right to left. Prints what happened to the frames on SIGUSR1 and at the end. What the kernel
// drops before it hands it over, because its own queue is full (`txqueuelen`), it counts itself:
// `ip -s link`.

#include "common/command_line.hpp"
#include "link_emulator/emulated_path.hpp"
#include "link_emulator/frame_forwarder.hpp"

#include <weft/io/signals.hpp>
#include <weft/log.hpp>
#include <weft/net/io/tap_device.hpp>
#include <weft/run.hpp>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace {

using examples::path_options;

struct settings {
    settings() = default;

    std::string left;
    std::string right;
    path_options there;
    path_options back;
    std::uint64_t seed = 1;
    std::string log;
};

weft::duration from_milliseconds(double count) { return weft::duration{std::llround(count * 1e6)}; }

/// The options of one direction or of both. CLI11 hands values over in the order in which options
/// were added, so those of one direction, added later, win.
class path_arguments {
public:
    path_arguments(CLI::App& app, std::string prefix, std::vector<path_options*> paths)
        : app_{app}, prefix_{std::move(prefix)}, paths_{std::move(paths)} {
        const CLI::Range rate{0.001, 100'000.0};
        const CLI::Range kibibytes{1.0, 1'048'576.0};
        const CLI::Range milliseconds{0.0, 600'000.0};
        const CLI::Range percent{0.0, 100.0};
        add("rate", "MBIT/S", "of the line; without it, no limit", rate, [](auto& path, double v) {
            path.bits_per_second = static_cast<std::uint64_t>(std::llround(v * 1e6));
        });
        add("queue", "KIB", "that may wait for the line (256)", kibibytes,
            [](auto& path, double v) { path.queue_bytes = bytes_of(v); });
        add("mark", "KIB", "mark frames (ECN) that find more waiting", kibibytes,
            [](auto& path, double v) { path.mark_bytes = bytes_of(v); });
        add("delay", "MS", "of the way, in one direction", milliseconds,
            [](auto& path, double v) { path.delay = from_milliseconds(v); });
        add("jitter", "MS", "added to the delay, at most; keeps the order", milliseconds,
            [](auto& path, double v) { path.jitter = from_milliseconds(v); });
        add("loss", "PERCENT", "of the frames, after the line", percent,
            [](auto& path, double v) { path.loss = v / 100; });
        add("loss-burst", "FRAMES", "lost in a row, on average (1: each by itself)",
            CLI::Range{1.0, 1e6}, [](auto& path, double v) { path.loss_burst = v; });
        add("reorder", "PERCENT", "of the frames come late", percent,
            [](auto& path, double v) { path.reorder = v / 100; });
        add("reorder-by", "MS", "so much later (5)", milliseconds,
            [](auto& path, double v) { path.reorder_by = from_milliseconds(v); });
        add("duplicate", "PERCENT", "of the frames arrive twice", percent,
            [](auto& path, double v) { path.duplicate = v / 100; });
        add("held", "FRAMES", "on the way at once, at most (16384)", CLI::Range{1.0, 1e6},
            [](auto& path, double v) { path.max_held = static_cast<std::uint32_t>(v); });
    }

private:
    static std::uint64_t bytes_of(double kibibytes) {
        return static_cast<std::uint64_t>(std::llround(kibibytes * 1024));
    }

    template <class Store>
    void add(const char* name, const char* unit, const std::string& what, const CLI::Range& range,
             Store store) {
        const bool is_of_both = prefix_.empty();
        app_.add_option_function<double>(
                "--" + prefix_ + name,
                [paths = paths_, store](const double& value) {
                    for (path_options* path : paths) store(*path, value);
                },
                is_of_both ? what : "from right to left, where it differs")
            ->type_name(unit)
            ->check(range)
            ->group(is_of_both ? "Path" : "The way back");
    }

    CLI::App& app_;
    std::string prefix_;
    std::vector<path_options*> paths_;
};

/// A frame passes after each burst, so short ones cannot make up for many losses.
void check_bursts(const path_options& path) {
    if (path.loss < 1 && path.loss_burst > 1 && path.loss / (1 - path.loss) > path.loss_burst) {
        throw CLI::ValidationError{"--loss-burst", "too short for so much loss"};
    }
}

std::uint64_t microseconds(weft::duration length) {
    return static_cast<std::uint64_t>(length / std::chrono::microseconds{1});
}

void print(const weft::net::tap_device& from, const weft::net::tap_device& to,
           const examples::frame_forwarder::counters& counted) {
    std::printf("frames from %s to %s:\n", from.name().c_str(), to.name().c_str());
    const examples::path_counters& path = counted.path;
    const std::pair<const char*, std::uint64_t> lines[] = {
        {"taken", path.frames},
        {"forwarded", path.forwarded},
        {"forwarded_bytes", path.forwarded_bytes},
        {"duplicated", path.duplicated},
        {"reordered", path.reordered},
        {"marked", path.marked},
        {"dropped_by_chance", path.lost},
        {"dropped_queue_full", path.queue_full},
        {"dropped_held_full", path.held_full},
        {"dropped_no_memory", from.statistics().dropped_memory},
        {"dropped_truncated", counted.truncated},
        {"dropped_refused", counted.refused},
        {"late_us_mean",
         microseconds(counted.late_total) / std::max<std::uint64_t>(1, path.forwarded)},
        {"late_us_max", microseconds(counted.late_max)},
    };
    for (const auto& [name, count] : lines) {
        std::printf("  %-20s %12llu\n", name, static_cast<unsigned long long>(count));
    }
}

std::unique_ptr<weft::net::tap_device> open_tap(weft::io_context& io, const std::string& name) {
    auto opened = weft::net::tap_device::open(
        io, {.name = name, .checksum_in = false, .segmentation_in = false, .writes = 512});
    if (!opened) throw examples::cannot_start{name + ": " + opened.error().message()};
    return std::move(*opened);
}

weft::task<int> forward(weft::io_context& io, const settings& options) {
    if (!options.log.empty()) weft::log::set_levels(weft::log::parse_levels(options.log));
    const auto left = open_tap(io, options.left);
    const auto right = open_tap(io, options.right);
    examples::frame_forwarder forwarder{io,           *left,       *right, options.there,
                                        options.back, options.seed};
    const auto print_all = [&] {
        print(*left, *right, forwarder.left_to_right());
        print(*right, *left, forwarder.right_to_left());
        std::fflush(stdout);
    };
    std::printf("joined %s and %s, seed %llu\n", left->name().c_str(), right->name().c_str(),
                static_cast<unsigned long long>(options.seed));
    std::fflush(stdout);
    weft::signal_set signals{SIGUSR1};
    while (co_await signals.next()) print_all();
    print_all();
    co_return 0;
}

}  // namespace

int main(int argc, char** argv) {
    settings options;
    CLI::App app{"Joins two TAPs by a path with rate, delay, loss and the like.", "link_emulator"};
    app.add_option("left", options.left, "a TAP; made when it does not exist")
        ->required()
        ->type_name("NAME");
    app.add_option("right", options.right, "another")->required()->type_name("NAME");
    app.add_option("--seed", options.seed, "of all chances; the same seed, the same fates")
        ->capture_default_str()
        ->check(CLI::NonNegativeNumber);
    app.add_option("--log", options.log, "log levels, as in info,tap=debug (or set WEFT_LOG)")
        ->type_name("LEVELS")
        ->check([](const std::string& text) { return weft::log::parse_levels(text).problem; });
    const path_arguments both_ways{app, "", {&options.there, &options.back}};
    const path_arguments only_back{app, "back-", {&options.back}};
    app.final_callback([&options] {
        if (options.left == options.right) {
            throw CLI::ValidationError{"right", "needs to be another TAP than left"};
        }
        check_bursts(options.there);
        check_bursts(options.back);
    });
    if (const auto status = examples::parse_command_line(app, argc, argv)) return *status;
    return examples::run_program("link_emulator", [&options] {
        return weft::run([&options](weft::io_context& io) { return forward(io, options); });
    });
}
