#include "common/shard_board.hpp"

#include <weft/io/signals.hpp>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstdio>

namespace examples {
namespace {

void print_sum(const std::vector<shard_report>& of, const std::string& title) {
    if (of.size() > 1) {
        for (std::size_t i = 0; i < of.size(); ++i) {
            std::fprintf(stderr, "shard %zu: %llu connections\n", i,
                         static_cast<unsigned long long>(of[i].connections));
        }
    }
    std::fprintf(stderr, "counters of %s:\n", title.c_str());
    const auto& names = std::ranges::max(of, {}, &shard_report::size).counters;
    for (std::size_t line = 0; line < names.size(); ++line) {
        const std::string_view name = names[line].first;
        std::uint64_t sum = 0;
        for (const shard_report& each : of) {  // one that never ran has none
            if (line < each.size()) sum += each.counters[line].second;
        }
        if (sum == 0) continue;
        std::fprintf(stderr, "  %-28.*s %12llu\n", static_cast<int>(name.size()), name.data(),
                     static_cast<unsigned long long>(sum));
    }
}

}  // namespace

weft::runtime_options core_options::runtime() const {
    weft::runtime_options made;
    made.threads = threads;
    if (pinned) made.pin = weft::runtime_options::pinning::one_each;
    made.grace =
        std::chrono::duration_cast<weft::duration>(std::chrono::duration<double>{grace_seconds});
    return made;
}

void add_core_options(CLI::App& app, core_options& options) {
    app.add_option("--threads", options.threads,
                   "loops, each with its own network: the port's connections are spread over them; "
                   "0: one for each processor. A TAP has to be made with multi_queue")
        ->capture_default_str()
        ->check(CLI::Range(0U, 128U));
    app.add_flag("--pin", options.pinned, "each loop on a processor of its own");
    app.add_option("--grace", options.grace_seconds,
                   "seconds that connections have to end by themselves, after Ctrl-C")
        ->capture_default_str()
        ->check(CLI::Range(0.0, 3600.0));
}

shard_report report_of(const weft::net::host& of) {
    shard_report made;
    made.connections = of.counters().tcp_passive_opens;
    of.counters().for_each([&made](std::string_view name, std::uint64_t value) {
        made.counters.emplace_back(name, value);
    });
    return made;
}

shard_report report_of(const weft::kernel::network& of) {
    const weft::kernel::network_counters counters = of.counters();
    return {counters.accepted,
            {{"accepted", counters.accepted},
             {"connected", counters.connected},
             {"accept_pauses", counters.accept_pauses},
             {"starvations", counters.starvations},
             {"copied", counters.copied}}};
}

void shard_board::open(std::size_t index, std::function<shard_report()> ask) {
    shards_[index].ask = std::move(ask);
}

void shard_board::close(std::size_t index) {
    shards_[index].last = shards_[index].ask();
    shards_[index].ask = nullptr;
}

shard_board::~shard_board() {
    std::vector<shard_report> found;
    for (const shard& each : shards_) found.push_back(each.last);
    const bool has_run = std::ranges::max(found, {}, &shard_report::size).size() > 0;
    if (prints_at_end_ && has_run) print_sum(found, title_);
}

weft::task<void> shard_board::print() {
    std::vector<shard_report> found(shards_.size());
    const auto ask = [this, &found](std::size_t i) -> weft::task<void> {
        found[i] = shards_[i].ask ? shards_[i].ask() : shards_[i].last;
        co_return;
    };
    const weft::result<void> asked = co_await cores_.for_each_loop(ask);
    if (asked) print_sum(found, title_);
}

weft::task<void> shard_board::print_on_signal() {
    weft::signal_set signals{SIGUSR1};
    while (co_await signals.next()) co_await print();
}

}  // namespace examples
