// The public kit for tests: the loop that is driven by hand, and the seeds.
#include "loop.hpp"

#include <doctest/doctest.h>
#include <weft/sleep.hpp>
#include <weft/sync/event.hpp>
#include <weft/test/seeds.hpp>
#include <weft/yield.hpp>

#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

using namespace std::chrono_literals;
using weft::instant;
using weft::task;
using weft::test::manual_loop;
using weft::test::started;

namespace {

task<int> waits_and_counts(weft::event& gate, std::vector<std::string>& log) {
    log.push_back("begun");
    const auto opened = co_await gate.wait();
    if (!opened) co_return -1;
    log.push_back("open");
    (void)co_await weft::sleep_for(1h);
    log.push_back("rested");
    co_return 7;
}

task<> yields_for_ever() {
    for (;;) co_await weft::yield();
}

task<> throws_at_once() {
    throw std::runtime_error{"no"};
    co_return;
}

task<> holds(std::shared_ptr<int>) { (void)co_await weft::sleep_for(1h); }

/// Sets a variable of the environment for a while.
class variable {
public:
    variable(const char* name, const char* value) : name_{name} { ::setenv(name, value, 1); }
    variable(const variable&) = delete;
    variable& operator=(const variable&) = delete;
    ~variable() { ::unsetenv(name_); }

private:
    const char* name_;
};

std::vector<std::uint64_t> all_of(const weft::test::seeds& wanted) {
    std::vector<std::uint64_t> found;
    for (const std::uint64_t seed : wanted) found.push_back(seed);
    return found;
}

/// What a process that died said, of standard error.
void aborts_at_the_third() {
    for (const std::uint64_t seed : weft::test::seeds{5, 41}) {
        if (seed == 43) std::abort();
    }
}
void throws_at_the_second() {
    try {
        for (const std::uint64_t seed : weft::test::seeds{5}) {
            if (seed == 2) throw std::runtime_error{"no"};
        }
    } catch (const std::runtime_error&) {
        std::abort();
    }
}
void aborts_afterwards() {
    for (const std::uint64_t seed : weft::test::seeds{5}) (void)seed;
    std::abort();
}

TEST_SUITE("framework.test_kit") {
TEST_CASE("a started task goes as far as it can, and on when the test says so") {
    manual_loop loop;
    weft::event gate;
    std::vector<std::string> log;
    started counts = loop.start(waits_and_counts(gate, log));
    CHECK(log == std::vector<std::string>{"begun"});
    gate.set();
    CHECK(log.size() == 1);  // from the run queue, not from in here
    CHECK(loop.run_until_idle() >= 1);
    CHECK(log.back() == "open");
    CHECK(loop.now() == instant{});
    CHECK_THROWS_AS((void)counts.take(), std::logic_error);
    loop.advance(59min);
    CHECK_FALSE(counts.is_done());
    CHECK(loop.now() == instant{59min});
    loop.advance(2min);
    CHECK(log.back() == "rested");
    CHECK(counts.is_done());
    CHECK(counts.take() == 7);
    CHECK_FALSE(counts.is_done());
}

TEST_CASE("run() jumps from deadline to deadline until nothing is left") {
    manual_loop loop;
    weft::event gate;
    gate.set();
    std::vector<std::string> log;
    started counts = loop.start(waits_and_counts(gate, log));
    loop.run();
    CHECK(counts.take() == 7);
    CHECK(loop.now() >= instant{1h});
}

TEST_CASE("a started task can be asked to stop, and be destroyed where it waits") {
    manual_loop loop;
    weft::event gate;
    std::vector<std::string> log;
    started counts = loop.start(waits_and_counts(gate, log));
    counts.request_stop();
    loop.run_until_idle();
    CHECK(counts.take() == -1);

    auto held = std::make_shared<int>(1);
    started abandoned = loop.start(holds(held));
    {
        const started scoped = loop.start(holds(held));
        CHECK(held.use_count() == 3);
    }
    CHECK(held.use_count() == 2);
    abandoned.abandon();
    CHECK(held.use_count() == 1);
    loop.run();
    CHECK(loop.now() == instant{});  // their timers went with them
}

TEST_CASE("what a started task threw comes out of take()") {
    manual_loop loop;
    started fails = loop.start(throws_at_once());
    CHECK(fails.is_done());
    CHECK_THROWS_AS(fails.take(), std::runtime_error);
}

TEST_CASE("a loop that never becomes idle is told of, and does not hang the test") {
    manual_loop loop;
    started spins = loop.start(yields_for_ever());
    CHECK_THROWS_AS(loop.run_until_idle(100), std::logic_error);
}

TEST_CASE("seeds are counted from one, or from where the test or the environment says") {
    CHECK(all_of(weft::test::seeds{3}) == std::vector<std::uint64_t>{1, 2, 3});
    CHECK(all_of(weft::test::seeds{2, 10}) == std::vector<std::uint64_t>{10, 11});
    CHECK(all_of(weft::test::seeds{0}).empty());
    CHECK_FALSE(weft::test::seeds{3}.is_replay());
    const variable first{"WEFT_SEED", "4711"};
    CHECK(all_of(weft::test::seeds{3}) == std::vector<std::uint64_t>{4711});
    CHECK(weft::test::seeds{3}.is_replay());
    const variable count{"WEFT_SEEDS", "2"};
    CHECK(all_of(weft::test::seeds{3}) == std::vector<std::uint64_t>{4711, 4712});
    CHECK_FALSE(weft::test::seeds{3}.is_replay());
}

TEST_CASE("a seed that is no number is an error, not another seed") {
    for (const char* bad : {"", "x", "7x", "-1", "99999999999999999999"}) {
        CAPTURE(bad);
        const variable first{"WEFT_SEED", bad};
        CHECK_THROWS_AS(weft::test::seeds{3}, std::invalid_argument);
    }
}

TEST_CASE("whoever dies or throws among the seeds says which one it was; afterwards nobody does") {
    CHECK(weft::test::last_words(aborts_at_the_third) == "replay with WEFT_SEED=43\n");
    CHECK(weft::test::last_words(throws_at_the_second) == "replay with WEFT_SEED=2\n");
    CHECK(weft::test::last_words(aborts_afterwards) == "");
}
}

}  // namespace
