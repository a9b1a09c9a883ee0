#pragma once
// What the shards of a server on several cores tell each other: that they are ready, and what they
// counted. `--threads`, `--pin`, `--grace` of the servers; see docs/cores.md.

#include <weft/kernel/network.hpp>
#include <weft/net/io/host.hpp>
#include <weft/rendezvous.hpp>
#include <weft/runtime.hpp>
#include <weft/task.hpp>

#include <CLI/CLI.hpp>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace examples {

struct core_options {
    std::uint32_t threads = 1;
    bool pinned = false;
    double grace_seconds = 0;

    [[nodiscard]] weft::runtime_options runtime() const;
};

/// Adds the options of a server that runs on every core.
void add_core_options(CLI::App& app, core_options& options);

/// What one shard counted.
struct shard_report {
    std::uint64_t connections = 0;  ///< accepted
    std::vector<std::pair<std::string_view, std::uint64_t>> counters;

    [[nodiscard]] std::size_t size() const noexcept { return counters.size(); }
};
[[nodiscard]] shard_report report_of(const weft::net::host& of);
[[nodiscard]] shard_report report_of(const weft::kernel::network& of);

class shard_board {
public:
    /// `title`: whose counters these are, for people.
    shard_board(weft::runtime& cores, std::string title, bool prints_at_end)
        : cores_{cores},
          title_{std::move(title)},
          prints_at_end_{prints_at_end},
          start_{cores},
          shards_(cores.size()) {}
    shard_board(const shard_board&) = delete;
    shard_board& operator=(const shard_board&) = delete;
    /// Precondition: all that were opened are closed.
    ~shard_board();

    [[nodiscard]] weft::runtime& cores() noexcept { return cores_; }
    /// Completes when all shards await it.
    [[nodiscard]] weft::task<weft::result<void>> all_ready() { return start_.arrive(); }

    /// Says how to ask shard `index`, on its loop; and, there, that it is asked a last time.
    void open(std::size_t index, std::function<shard_report()> ask);
    void close(std::size_t index);

    /// Asks all shards whenever SIGUSR1 comes, and prints to stderr what each accepted and what
    /// they counted together; until it is asked to stop.
    weft::task<void> print_on_signal();

private:
    struct shard {
        std::function<shard_report()> ask;
        shard_report last;
    };

    weft::task<void> print();

    weft::runtime& cores_;
    const std::string title_;
    const bool prints_at_end_;
    weft::rendezvous start_;
    std::vector<shard> shards_;  // each one used on its loop, until all are closed
};

}  // namespace examples
