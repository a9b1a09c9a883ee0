// Random programs on random hostile wires, against a model of what a connection is: see
// model_run.hpp. Each seed is a run of its own and replays to the bit.
//
//     WEFT_SEEDS=100000 weft_tests_sim -ts=sim.model_check      more of them
//     WEFT_SEED=4711 weft_tests_sim -ts=sim.model_check         one, with its ladder

#include "model_run.hpp"

#include <weft/net/ladder.hpp>
#include <weft/test/seeds.hpp>

#include <doctest/doctest.h>

#include <cstdint>

using namespace weft;
using namespace weft::sim::test;

namespace {

std::string lines_of(const model_outcome& outcome) {
    std::string text;
    for (const std::string& each : outcome.complaints) text += each + "\n";
    return text;
}

}  // namespace

TEST_SUITE("sim.model_check") {
TEST_CASE("random programs on random wires: bytes in order, once, complete; nothing is left over") {
    const weft::test::seeds seeds{2000};
    const std::uint64_t count = seeds.size();
    model_outcome all;
    int failed = 0;
    for (const std::uint64_t seed : seeds) {
        if (failed == 10) break;
        const model_plan plan{seed};
        net::ladder ladder;
        const model_outcome outcome = run_model(plan, seeds.is_replay() ? &ladder : nullptr);
        all.bytes_read += outcome.bytes_read;
        all.ends_seen += outcome.ends_seen;
        all.errors_seen += outcome.errors_seen;
        all.never_accepted += outcome.never_accepted;
        all.checks += outcome.checks;
        if (outcome.complaints.empty()) continue;
        ++failed;
        FAIL_CHECK("replay with WEFT_SEED=" << seed << "\n"
                                            << lines_of(outcome) << plan.to_string()
                                            << outcome.counters
                                            << (seeds.is_replay() ? ladder.render() : ""));
    }
    if (seeds.is_replay()) return;
    MESSAGE(count << " seeds: " << all.bytes_read << " bytes, " << all.ends_seen << " ends, "
                  << all.errors_seen << " errors on rude connections, " << all.never_accepted
                  << " never accepted; " << all.checks << " checks of a connection");
    // It was not idle.
    CHECK(all.bytes_read > 1000 * count);
    CHECK(all.ends_seen > count);
    CHECK(all.checks > 100 * count);
    CHECK(all.errors_seen > count / 4);
    CHECK(all.never_accepted < 1 + count / 20);
}
}
