#include "loop.hpp"

#include <doctest/doctest.h>
#include <weft/frame_allocator.hpp>
#include <weft/sleep.hpp>
#include <weft/sync/condition_variable.hpp>
#include <weft/sync/latch.hpp>
#include <weft/sync/mutex.hpp>
#include <weft/sync/semaphore.hpp>
#include <weft/sync/shared_mutex.hpp>
#include <weft/task_group.hpp>
#include <weft/when_all.hpp>
#include <weft/when_any.hpp>
#include <weft/with_timeout.hpp>
#include <weft/yield.hpp>

#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

using namespace std::chrono_literals;
using weft::duration;
using weft::result;
using weft::scheduler;
using weft::task;
using weft::task_group;
using weft::with_task_group;
using weft::test::started;
using weft::test::has_assertions;
using weft::test::last_words;
using weft::test::run;

namespace {

using orders = std::vector<std::string>;

TEST_SUITE("framework.condition_variable") {
struct shared_state {
    weft::mutex mutex;
    weft::condition_variable changed;
    int value = 0;
    orders log;
};

task<> waits_for(shared_state& state, int at_least, std::string name) {
    auto lock = co_await state.mutex.lock();
    const auto woken = co_await state.changed.wait(*lock, [&] { return state.value >= at_least; });
    CHECK(state.mutex.is_locked());
    CHECK(*lock);
    state.log.push_back(name + (woken ? " ok" : " " + woken.error().message()));
}
task<> sets(shared_state& state, duration after, int value) {
    (void)co_await weft::sleep_for(after);
    const auto lock = co_await state.mutex.lock();
    state.value = value;
    state.changed.notify_all();
}

TEST_CASE("waiters go on when their predicate holds, with the mutex held") {
    auto program = []() -> task<> {
        shared_state state;
        co_await weft::when_all(waits_for(state, 2, "two"), waits_for(state, 1, "one"),
                                waits_for(state, 0, "none"), sets(state, 1ms, 1),
                                sets(state, 2ms, 2));
        CHECK(state.log == orders{"none ok", "one ok", "two ok"});
        CHECK_FALSE(state.mutex.is_locked());
        CHECK_FALSE(state.changed.has_waiters());
    };
    run(program());
}

task<> waits_once(shared_state& state, std::string name, duration then_holds) {
    auto lock = co_await state.mutex.lock();
    const auto woken = co_await state.changed.wait(*lock);
    state.log.push_back(name + (woken ? "" : " canceled"));
    CHECK(*lock);
    if (then_holds > 0s) (void)co_await weft::sleep_for(then_holds);
}

TEST_CASE("notify_one wakes who has waited longest; notify_all everybody, one after the other") {
    auto program = []() -> task<> {
        shared_state state;
        auto notifies = [](shared_state& in) -> task<> {
            (void)co_await weft::sleep_for(1ms);
            in.changed.notify_one();
            CHECK(in.log.empty());  // nobody resumes within
            (void)co_await weft::sleep_for(10ms);
            CHECK(in.log == orders{"a"});
            in.changed.notify_all();
            (void)co_await weft::sleep_for(1ms);
            CHECK(in.log == orders{"a", "b"});  // who holds the mutex: c waits for it
            (void)co_await weft::sleep_for(10ms);
            CHECK(in.log == orders{"a", "b", "c"});
        };
        co_await weft::when_all(waits_once(state, "a", 5ms), waits_once(state, "b", 5ms),
                                waits_once(state, "c", 0s), notifies(state));
    };
    run(program());
}

TEST_CASE("a wait that is asked to stop holds the mutex again before it goes on") {
    auto program = []() -> task<> {
        shared_state state;
        auto waits = [](shared_state& in) -> task<> {
            auto lock = co_await in.mutex.lock();
            const auto woken = co_await weft::with_timeout(1ms, in.changed.wait(*lock));
            CHECK(woken.error() == std::errc::timed_out);
            CHECK(*lock);
            CHECK((co_await weft::current_scheduler()).now() >= weft::instant{5ms});
            in.log.push_back("waiter");
        };
        auto holds = [](shared_state& in) -> task<> {
            auto lock = co_await in.mutex.lock();
            (void)co_await weft::sleep_for(5ms);
            in.changed.notify_all();  // too late: the waiter was asked to stop before
            in.log.push_back("holder");
        };
        co_await weft::when_all(waits(state), holds(state));
        CHECK(state.log == orders{"holder", "waiter"});
    };
    run(program());
}

TEST_CASE("a stop after the notification comes too late: the wait ends with success") {
    auto program = []() -> task<> {
        shared_state state;
        auto holds = [](shared_state& in) -> task<> {
            auto lock = co_await in.mutex.lock();
            in.changed.notify_one();
            (void)co_await weft::sleep_for(5ms);
        };
        auto waits = [](shared_state& in) -> task<> {
            auto lock = co_await in.mutex.lock();
            const auto woken = co_await weft::with_timeout(1ms, in.changed.wait(*lock));
            CHECK(woken.has_value());
        };
        co_await weft::when_all(waits(state), holds(state));
    };
    run(program());
}

TEST_CASE("a waiter destroyed in the list, or in line for the mutex, leaves the mutex usable") {
    scheduler loop{scheduler::clock::virtual_time};
    shared_state state;
    started listed{loop, waits_once(state, "listed", 0s)};
    started in_line{loop, waits_once(state, "in line", 0s)};
    started granted{loop, waits_once(state, "granted", 0s)};
    listed.abandon();
    auto held = state.mutex.try_lock();
    REQUIRE(held);
    state.changed.notify_all();
    in_line.abandon();
    held.reset();
    granted.abandon();
    loop.run();
    CHECK(state.log.empty());
    CHECK_FALSE(state.mutex.is_locked());
}

TEST_CASE("a predicate that throws has it thrown from the wait, with the mutex held") {
    auto program = []() -> task<> {
        shared_state state;
        auto waits = [](shared_state& in) -> task<> {
            auto lock = co_await in.mutex.lock();
            auto picky = [&in]() -> bool {
                if (in.value == 1) throw std::runtime_error{"picky"};
                return false;
            };
            CHECK_THROWS_WITH_AS((void)co_await in.changed.wait(*lock, picky), "picky",
                                 std::runtime_error);
            CHECK(*lock);
            CHECK_THROWS_WITH_AS((void)co_await in.changed.wait(*lock, picky), "picky",
                                 std::runtime_error);
        };
        co_await weft::when_all(waits(state), sets(state, 1ms, 1));
        CHECK_FALSE(state.mutex.is_locked());
    };
    run(program());
}

TEST_CASE("a wait whose predicate never holds ends when it is asked to stop") {
    auto program = []() -> task<> {
        shared_state state;
        auto [waiter, a, timeout] = co_await weft::when_all(
            [](shared_state& in) -> task<bool> {
                auto lock = co_await in.mutex.lock();
                const auto woken =
                    co_await weft::with_timeout(3ms, in.changed.wait(*lock, [] { return false; }));
                co_return woken.error() == std::errc::timed_out && *lock;
            }(state),
            sets(state, 1ms, 1), sets(state, 2ms, 2));
        CHECK(waiter);
    };
    run(program());
}
}

}  // namespace
