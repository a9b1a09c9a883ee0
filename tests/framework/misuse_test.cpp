// What a compiler cannot see and a debug build does not forgive: each breach ends in an assertion
// whose text is the rule.
#include <doctest/doctest.h>
#include <death.hpp>
#include <weft/debug.hpp>
#include <weft/io/scheduler.hpp>
#include <weft/sleep.hpp>
#include <weft/sync/event.hpp>
#include <weft/task_group.hpp>

#include <optional>
#include <string>
#include <utility>

using weft::scheduler;
using weft::task;

namespace {

task<> waits(weft::event& over) { (void)co_await over.wait(); }
task<int> one() { co_return 1; }

task<> awaits_twice() {
    task<int> once = one();
    (void)co_await std::move(once);
    (void)co_await std::move(once);
}

task<> runs_its_own_loop(scheduler& loop) {
    (void)co_await weft::sleep_for(weft::duration{});
    loop.run();
}
task<> runs_its_own_loop_at_once(scheduler& loop) {
    loop.run();
    co_return;
}

task<> joins(weft::task_group& group) { (void)co_await group.join(); }

bool says(const std::string& words, std::string_view rule) {
    return words.find(rule) != std::string::npos;
}

}  // namespace

TEST_SUITE("framework.misuse" * doctest::skip(!has_assertions)) {
TEST_CASE("a task that is awaited a second time") {
    const std::string words = last_words_of([] {
        scheduler loop{scheduler::clock::virtual_time};
        loop.run_until_done(awaits_twice());
    });
    CHECK_MESSAGE(says(words, "a task is awaited once"), words);
}

TEST_CASE("a group that is destroyed with children") {
    const std::string words = last_words_of([] {
        scheduler loop{scheduler::clock::virtual_time};
        weft::event over;
        std::optional<weft::task_group> group{std::in_place, weft::environment{&loop, {}}};
        group->spawn(waits(over));
        loop.turn();
        group.reset();
    });
    CHECK_MESSAGE(says(words, "a task group was destroyed before it was joined"), words);
}

TEST_CASE("an event that is destroyed with waiters") {
    const std::string words = last_words_of([] {
        scheduler loop{scheduler::clock::virtual_time};
        std::optional<weft::event> over{std::in_place};
        weft::task_group group{weft::environment{&loop, {}}};
        group.spawn(waits(*over));
        loop.turn();
        over.reset();
    });
    CHECK_MESSAGE(says(words, "an event outlives its waiters"), words);
}

TEST_CASE("a second join beside the first") {
    const std::string words = last_words_of([] {
        scheduler loop{scheduler::clock::virtual_time};
        weft::event over;
        weft::task_group group{weft::environment{&loop, {}}};
        weft::task_group joiners{weft::environment{&loop, {}}};
        group.spawn(waits(over));
        joiners.spawn(joins(group));
        joiners.spawn(joins(group));
        loop.turn();
    });
    CHECK_MESSAGE(says(words, "one operation at a time on this slot"), words);
}

TEST_CASE("a loop that is run by what it runs, before its first turn and in one") {
    for (const auto misuse : {&runs_its_own_loop, &runs_its_own_loop_at_once}) {
        const std::string words = last_words_of([misuse] {
            scheduler loop{scheduler::clock::virtual_time};
            loop.turn();
            weft::event over;
            weft::task_group group{weft::environment{&loop, {}}};
            group.spawn(waits(over));
            weft::task_group sleeper{weft::environment{&loop, {}}};
            (void)loop.run_until_done(misuse(loop));
        });
        CHECK_MESSAGE(says(words, "a loop does not run within itself"), words);
    }
}
}  // TEST_SUITE("framework.misuse")
