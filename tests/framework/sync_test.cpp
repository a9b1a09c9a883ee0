#include "loop.hpp"

#include <doctest/doctest.h>
#include <weft/frame_allocator.hpp>
#include <weft/sleep.hpp>
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

task<> locks(weft::mutex& mutex, orders& log, std::string name, duration held) {
    const auto lock = co_await mutex.lock();
    if (!lock) {
        log.push_back(name + " " + lock.error().message());
        co_return;
    }
    log.push_back(name + " in");
    if (held > 0s) (void)co_await weft::sleep_for(held);
    log.push_back(name + " out");
}

TEST_SUITE("framework.mutex") {
TEST_CASE("owners follow each other in the order they asked; nobody resumes within a release") {
    orders log;
    auto body = [](task_group& group, weft::mutex* mutex, orders* to) -> task<> {
        group.spawn(locks(*mutex, *to, "a", 1ms));
        group.spawn(locks(*mutex, *to, "b", 0s));
        group.spawn(locks(*mutex, *to, "c", 1ms));
        co_await weft::yield();
        co_await weft::yield();
        CHECK(mutex->is_locked());
        CHECK(mutex->has_waiters());
        CHECK_FALSE(mutex->try_lock());
    };
    weft::mutex mutex;
    CHECK(run(with_task_group(body, &mutex, &log)).has_value());
    CHECK(log == orders{"a in", "a out", "b in", "b out", "c in", "c out"});
    CHECK_FALSE(mutex.is_locked());
}

TEST_CASE("a free mutex is locked without a suspension, and a release lets nobody overtake") {
    auto program = []() -> task<> {
        weft::mutex mutex;
        orders log;
        auto first = mutex.try_lock();
        REQUIRE(first);
        auto contender = [](weft::mutex& lockable, orders& to) -> task<> {
            co_await locks(lockable, to, "waiter", 0s);
        };
        auto owner = [](weft::mutex& lockable, std::optional<weft::mutex::guard>& held,
                        orders& to) -> task<> {
            co_await weft::yield();
            held->release();
            CHECK_FALSE(*held);
            CHECK_FALSE(lockable.try_lock());  // it is the waiter's already
            CHECK(to.empty());
            co_return;
        };
        co_await weft::when_all(contender(mutex, log), owner(mutex, first, log));
        CHECK(log == orders{"waiter in", "waiter out"});
        const auto again = co_await mutex.lock();
        CHECK(again.has_value());
    };
    run(program());
}

TEST_CASE("a waiter that is asked to stop leaves the line, the next one moves up") {
    auto program = []() -> task<> {
        weft::mutex mutex;
        orders log;
        auto held = mutex.try_lock();
        auto gives_up = [](weft::mutex& lockable, orders& to) -> task<> {
            const auto lock = co_await weft::with_timeout(1ms, lockable.lock());
            CHECK(lock.error() == std::errc::timed_out);
            to.push_back("gave up");
        };
        auto later = [](std::optional<weft::mutex::guard>& lock) -> task<> {
            (void)co_await weft::sleep_for(2ms);
            lock.reset();
        };
        co_await weft::when_all(gives_up(mutex, log), locks(mutex, log, "next", 0s), later(held));
        CHECK(log == orders{"gave up", "next in", "next out"});
        CHECK_FALSE(mutex.is_locked());
    };
    run(program());
}

TEST_CASE("a waiter that was granted the mutex before the stop keeps it, and its value is kept") {
    auto program = []() -> task<> {
        weft::mutex mutex;
        weft::stop_source stop;
        auto held = mutex.try_lock();
        auto both = [](std::optional<weft::mutex::guard>& lock) -> task<> {
            co_await weft::yield();
            lock.reset();  // grants; and this branch ends at once, which stops the other
        };
        {
            auto [index, values] = co_await weft::when_any(both(held), mutex.lock());
            CHECK(index == 0);
            CHECK(std::get<1>(values).has_value());
            CHECK(mutex.is_locked());
        }
        CHECK_FALSE(mutex.is_locked());
    };
    run(program());
}

TEST_CASE("a waiter destroyed where it waits, or after its grant, passes the mutex on") {
    scheduler loop{scheduler::clock::virtual_time};
    weft::mutex mutex;
    orders log;
    auto held = mutex.try_lock();
    started waits{loop, locks(mutex, log, "first", 0s)};
    started granted{loop, locks(mutex, log, "second", 0s)};
    started last{loop, locks(mutex, log, "last", 0s)};
    waits.abandon();
    held.reset();
    granted.abandon();
    loop.run();
    CHECK(log == orders{"last in", "last out"});
    CHECK_FALSE(mutex.is_locked());
}

TEST_CASE("locking allocates nothing but the coroutines' own frames") {
    auto rounds = [](weft::mutex& mutex, int times, long& sum) -> task<> {
        for (int i = 0; i < times; ++i) {
            const auto lock = co_await mutex.lock();
            if (i % 3 == 0) co_await weft::yield();
            ++sum;
        }
    };
    auto program = [](auto each) -> task<long> {
        weft::mutex mutex;
        long sum = 0;
        const auto before = weft::frame_allocator::counters();
        co_await weft::when_all(each(mutex, 10'000, sum), each(mutex, 10'000, sum),
                                each(mutex, 10'000, sum));
        CHECK(weft::frame_allocator::counters().allocated - before.allocated <= 3);
        co_return sum;
    };
    CHECK(run(program(rounds)) == 30'000);
}

TEST_CASE("a guard moves the lock, and gives it back once") {
    weft::mutex mutex;
    weft::mutex::guard guard;
    CHECK_FALSE(guard);
    guard = std::move(*mutex.try_lock());
    CHECK(guard);
    weft::mutex::guard other{std::move(guard)};
    CHECK(mutex.is_locked());
    other.release();
    other.release();
    CHECK_FALSE(mutex.is_locked());
}

TEST_CASE("a mutex that is destroyed while it is held dies with the rule in its message") {
    if (!has_assertions) return;
    CHECK(last_words([] {
              auto mutex = std::make_unique<weft::mutex>();
              auto guard = mutex->try_lock();
              mutex.reset();
          }).find("a mutex outlives its owner") != std::string::npos);
}
}

TEST_SUITE("framework.shared_mutex") {
task<> reads(weft::shared_mutex& mutex, orders& log, std::string name, duration held) {
    const auto lock = co_await mutex.lock_shared();
    log.push_back(name + " in");
    (void)co_await weft::sleep_for(held);
    log.push_back(name + " out");
}
task<> writes(weft::shared_mutex& mutex, orders& log, std::string name, duration held) {
    const auto lock = co_await mutex.lock();
    CHECK(mutex.is_locked());
    CHECK(mutex.readers() == 0);
    log.push_back(name + " in");
    (void)co_await weft::sleep_for(held);
    log.push_back(name + " out");
}

TEST_CASE(
    "readers share, a writer is alone, and who comes after a waiting writer waits behind it") {
    auto body = [](task_group& group, weft::shared_mutex* mutex, orders* log) -> task<> {
        group.spawn(reads(*mutex, *log, "r1", 2ms));
        group.spawn(reads(*mutex, *log, "r2", 1ms));
        group.spawn(writes(*mutex, *log, "w", 1ms));
        group.spawn(reads(*mutex, *log, "r3", 2ms));
        group.spawn(reads(*mutex, *log, "r4", 1ms));
        (void)co_await weft::sleep_for(0s);
        CHECK(mutex->readers() == 2);
        CHECK_FALSE(mutex->try_lock_shared());  // a writer waits
        CHECK_FALSE(mutex->try_lock());
    };
    weft::shared_mutex mutex;
    orders log;
    CHECK(run(with_task_group(body, &mutex, &log)).has_value());
    CHECK(log == orders{"r1 in", "r2 in", "r2 out", "r1 out", "w in", "w out", "r3 in", "r4 in",
                        "r4 out", "r3 out"});
}

TEST_CASE("a writer that gives up lets the readers behind it in at once") {
    auto program = []() -> task<> {
        weft::shared_mutex mutex;
        orders log;
        auto gives_up = [](weft::shared_mutex& lockable) -> task<> {
            CHECK((co_await weft::with_timeout(1ms, lockable.lock())).error() ==
                  std::errc::timed_out);
        };
        auto observer = [](weft::shared_mutex& lockable) -> task<> {
            (void)co_await weft::sleep_for(2ms);
            CHECK(lockable.readers() == 2);
        };
        co_await weft::when_all(reads(mutex, log, "long", 9ms), gives_up(mutex),
                                reads(mutex, log, "short", 3ms), observer(mutex));
        CHECK(log == orders{"long in", "short in", "short out", "long out"});
    };
    run(program());
}

TEST_CASE("a waiting writer that is destroyed lets the readers behind it in") {
    scheduler loop{scheduler::clock::virtual_time};
    weft::shared_mutex mutex;
    orders log;
    auto held = mutex.try_lock_shared();
    started writer{loop, writes(mutex, log, "w", 0s)};
    started reader{loop, reads(mutex, log, "r", 0s)};
    CHECK(log.empty());
    writer.abandon();
    loop.run();
    CHECK(log == orders{"r in", "r out"});
    CHECK(mutex.readers() == 1);
}
}

TEST_SUITE("framework.semaphore") {
task<> takes(weft::semaphore& from, orders& log, std::string name, std::size_t count,
             duration held) {
    const auto permits = co_await from.acquire(count);
    if (!permits) {
        log.push_back(name + " stopped");
        co_return;
    }
    CHECK(permits->count() == count);
    log.push_back(name);
    (void)co_await weft::sleep_for(held);
}

TEST_CASE("permits go to the first in line, and a small request does not overtake a large one") {
    auto body = [](task_group& group, weft::semaphore* from, orders* log) -> task<> {
        group.spawn(takes(*from, *log, "two", 2, 2ms));
        group.spawn(takes(*from, *log, "three", 3, 1ms));
        group.spawn(takes(*from, *log, "one", 1, 1ms));
        (void)co_await weft::sleep_for(0s);
        CHECK(*log == orders{"two"});
        CHECK(from->available() == 1);
        CHECK_FALSE(from->try_acquire());
    };
    weft::semaphore from{3};
    orders log;
    CHECK(run(with_task_group(body, &from, &log)).has_value());
    CHECK(log == orders{"two", "three", "one"});
    CHECK(from.available() == 3);
}

TEST_CASE("a large request that is asked to stop lets the small ones behind it through") {
    auto program = []() -> task<> {
        weft::semaphore from{1};
        orders log;
        auto [large, small] = co_await weft::when_all(weft::with_timeout(1ms, from.acquire(2)),
                                                      weft::with_timeout(2ms, from.acquire(1)));
        CHECK(large.error() == std::errc::timed_out);
        CHECK(small.has_value());
        CHECK(from.available() == 0);
    };
    run(program());
}

TEST_CASE("released permits are new ones; detached permits do not come back by themselves") {
    auto program = []() -> task<> {
        weft::semaphore from{0};
        orders log;
        auto adds = [](weft::semaphore& to) -> task<> {
            (void)co_await weft::sleep_for(1ms);
            to.release(3);
        };
        co_await weft::when_all(takes(from, log, "a", 2, 0s), takes(from, log, "b", 1, 0s),
                                adds(from));
        CHECK(log == orders{"a", "b"});
        CHECK(from.available() == 3);
        auto two = from.try_acquire(2);
        REQUIRE(two);
        CHECK(two->detach() == 2);
        two.reset();
        CHECK(from.available() == 1);
    };
    run(program());
}

TEST_CASE("a semaphore that dies before those who hold its permits says so") {
    if (!has_assertions) return;
    CHECK(last_words([] {
              auto from = std::make_unique<weft::semaphore>(1u);
              auto permits = from->try_acquire();
              from.reset();
          }).find("a semaphore outlives those who hold its permits") != std::string::npos);
}
}

TEST_SUITE("framework.latch") {
TEST_CASE("everybody waits until the count is zero, and nobody after that") {
    auto program = []() -> task<> {
        weft::latch latch{3};
        CHECK_FALSE(latch.try_wait());
        auto arrives = [](weft::latch& at, duration after) -> task<weft::instant> {
            (void)co_await weft::sleep_for(after);
            CHECK((co_await at.arrive_and_wait()).has_value());
            co_return (co_await weft::current_scheduler()).now();
        };
        auto [a, b, c] = co_await weft::when_all(arrives(latch, 1ms), arrives(latch, 3200us),
                                                 arrives(latch, 2ms));
        CHECK(a == weft::instant{3200us});
        CHECK(b == a);
        CHECK(c == a);
        CHECK(latch.left() == 0);
        CHECK((co_await latch.wait()).has_value());
        weft::latch none{0};
        CHECK(none.try_wait());
    };
    run(program());
}

TEST_CASE("a wait that is asked to stop ends as canceled, and its count stays counted") {
    auto program = []() -> task<> {
        weft::latch latch{2};
        CHECK((co_await weft::with_timeout(1ms, latch.arrive_and_wait())).error() ==
              std::errc::timed_out);
        CHECK(latch.left() == 1);
        latch.count_down();
        CHECK(latch.try_wait());
    };
    run(program());
}

TEST_CASE("counting a latch below zero dies with the rule in its message") {
    if (!has_assertions) return;
    CHECK(last_words([] {
              weft::latch{1}.count_down(2);
          }).find("a latch is not counted down below zero") != std::string::npos);
}
}

}  // namespace
