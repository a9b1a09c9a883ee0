// Fibers: what they wait for, how they end, and how they meet coroutines.
#include <weft/fiber/await.hpp>
#include <weft/fiber/group.hpp>
#include <weft/fiber/run.hpp>
#include <weft/fiber/stack.hpp>
#include <weft/frame_allocator.hpp>
#include <weft/io/scheduler.hpp>
#include <weft/sleep.hpp>
#include <weft/stop.hpp>
#include <weft/sync/event.hpp>
#include <weft/task_group.hpp>
#include <weft/when_all.hpp>
#include <weft/when_any.hpp>
#include <weft/with_timeout.hpp>
#include <weft/yield.hpp>

#include <doctest/doctest.h>

#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <coroutine>
#include <exception>
#include <memory>
#include <stdexcept>
#include <string>
#include <system_error>
#include <vector>

using namespace std::chrono_literals;
namespace fiber = weft::fiber;
using fiber::await;
using weft::result;
using weft::scheduler;
using weft::task;

namespace {

template <class T>
T run(task<T> main) {
    scheduler loop{scheduler::clock::virtual_time};
    return loop.run_until_done(std::move(main));
}

/// Runs `body` on a fiber of a group of its own and returns how the group ended.
template <class Body>
result<void> in_fiber(Body body) {
    scheduler loop{scheduler::clock::virtual_time};
    return loop.run_until_done([](Body* each) -> task<result<void>> {
        fiber::group group{co_await weft::current_environment()};
        group.spawn([each] { return (*each)(); }).value();
        co_return co_await group.join();
    }(&body));
}

task<int> doubled_after(weft::duration delay, int value) {
    if (delay > 0s) (void)co_await weft::sleep_for(delay);
    co_return 2 * value;
}
task<int> throws_after(weft::duration delay) {
    (void)co_await weft::sleep_for(delay);
    throw std::runtime_error{"from a task"};
}

/// Awaitable by no rule of Weft's: resumes through the handle of the coroutine, at once.
struct foreign {
    foreign() = default;
    [[nodiscard]] bool await_ready() const noexcept { return false; }
    template <class Promise>
    std::coroutine_handle<> await_suspend(std::coroutine_handle<Promise> caller) const noexcept {
        return caller;
    }
    [[nodiscard]] int await_resume() const noexcept { return 7; }
};

TEST_SUITE("framework.fiber.await") {
TEST_CASE("a fiber waits for operations, and time passes") {
    weft::instant woken{};
    CHECK(in_fiber([&]() -> result<void> {
        const result<void> slept = await(weft::sleep_for(5ms));
        if (!slept) return slept;
        woken = fiber::current_scheduler().now();
        return {};
    }));
    CHECK(woken >= weft::instant{} + 5ms);
    CHECK(woken < weft::instant{} + 6ms);
}

TEST_CASE("an operation that a fiber waits for costs no coroutine frame and no allocation") {
    CHECK(in_fiber([] {
        (void)await(weft::yield());
        const std::uint64_t before = weft::frame_allocator::counters().allocated;
        for (int i = 0; i < 100; ++i) {
            await(weft::yield());
            (void)await(weft::sleep_for(1us));
            (void)await(weft::with_timeout(1s, weft::sleep_for(1us)));
        }
        CHECK(weft::frame_allocator::counters().allocated == before);
    }));
}

TEST_CASE("a fiber awaits tasks that finish at once or later, by value and by exception") {
    CHECK(in_fiber([] {
        CHECK(await(doubled_after(0s, 4)) == 8);
        CHECK(await(doubled_after(1ms, 5)) == 10);
        CHECK_THROWS_WITH_AS((void)await(throws_after(1ms)), "from a task", std::runtime_error);
    }));
}

TEST_CASE("a fiber awaits combinators, and what is awaitable by other rules") {
    CHECK(in_fiber([] {
        const auto [a, b] = await(weft::when_all(doubled_after(2ms, 1), doubled_after(1ms, 2)));
        CHECK(a == 2);
        CHECK(b == 4);
        const result<void> late = await(weft::with_timeout(1ms, weft::sleep_for(1h)));
        CHECK(late.error() == weft::errc::timed_out);
        CHECK(await(foreign{}) == 7);
    }));
}

TEST_CASE("fibers wait side by side and go on in the order of their events") {
    std::string order;
    weft::event go;
    CHECK(in_fiber([&] {
        for (const char name : {'a', 'b', 'c'}) {
            CHECK(fiber::spawn([&, name] {
                order += name;
                (void)await(go.wait());
                order += name;
            }));
        }
        CHECK(order.empty());  // nothing starts within spawn
        await(weft::yield());
        CHECK(order == "abc");
        go.set();
        CHECK(order == "abc");  // and nothing goes on within set
        await(weft::yield());
        CHECK(order == "abcabc");
    }));
}

TEST_CASE("a fiber knows its environment") {
    CHECK_FALSE(fiber::is_running());
    CHECK(in_fiber([] {
        CHECK(fiber::is_running());
        CHECK(&fiber::current_scheduler() == &await(weft::current_scheduler()));
        CHECK(fiber::current_stop_token() == await(weft::current_stop_token()));
        CHECK(fiber::current_stop_token().stop_possible());
    }));
    CHECK_FALSE(fiber::is_running());
}

TEST_CASE("a fiber waits deep in functions that know of no fibers") {
    struct recursion {
        static int go(int depth) {
            volatile char room[64] = {};
            room[0] = static_cast<char>(depth);
            if (depth == 0) {
                (void)await(weft::sleep_for(1ms));
                return 0;
            }
            return go(depth - 1) + (room[0] == static_cast<char>(depth) ? 1 : 1000);
        }
    };
    CHECK(in_fiber([] { CHECK(recursion::go(100) == 100); }));
}

TEST_CASE("a fiber may wait while it handles an exception, and others may too") {
    std::vector<std::string> seen;
    CHECK(in_fiber([&] {
        for (int i = 0; i < 3; ++i) {
            CHECK(fiber::spawn([&, i] {
                try {
                    throw std::runtime_error{std::to_string(i)};
                } catch (const std::exception& problem) {
                    (void)await(weft::sleep_for(i == 0 ? 3ms : i == 1 ? 1ms : 2ms));
                    try {
                        throw;  // the one that is handled here, on this stack
                    } catch (const std::exception& again) {
                        seen.emplace_back(std::string{problem.what()} + again.what());
                    }
                    CHECK(std::uncaught_exceptions() == 0);
                }
            }));
        }
    }));
    CHECK(seen == std::vector<std::string>{"11", "22", "00"});
}

TEST_CASE("a destructor may wait during unwinding") {
    struct waits_at_end {
        waits_at_end() = default;
        ~waits_at_end() { (void)await(weft::sleep_for(1ms)); }
    };
    int handled = 0;
    CHECK(in_fiber([&] {
        for (int i = 0; i < 3; ++i) {
            CHECK(fiber::spawn([&] {
                try {
                    const waits_at_end last{};
                    throw std::runtime_error{"out"};
                } catch (const std::runtime_error&) {
                    ++handled;
                    CHECK(std::uncaught_exceptions() == 0);
                }
            }));
        }
        CHECK(std::uncaught_exceptions() == 0);
    }));
    CHECK(handled == 3);
}
}

TEST_SUITE("framework.fiber.group") {
TEST_CASE("join waits for all fibers, those that fibers spawn too") {
    int sum = 0;
    CHECK(run([](int* into) -> task<result<void>> {
        fiber::group group{co_await weft::current_environment()};
        group.spawn([into] { ++*into; }).value();
        group
            .spawn([into]() -> result<void> {
                (void)await(weft::sleep_for(5ms));
                return fiber::spawn([into] {
                    (void)await(weft::sleep_for(5ms));
                    *into += 10;
                });
            })
            .value();
        CHECK(*into == 0);
        CHECK(group.size() == 2);
        const result<void> joined = co_await group.join();
        CHECK(group.empty());
        co_return joined;
    }(&sum)));
    CHECK(sum == 11);
}

TEST_CASE("a fiber that throws stops its siblings, and join throws the first exception") {
    int stopped = 0;
    const auto sleeps = [&stopped] {
        const result<void> slept = await(weft::sleep_for(1000h));
        if (slept.error() == weft::errc::canceled) ++stopped;
    };
    CHECK_THROWS_WITH_AS((void)in_fiber([&] {
                             for (int i = 0; i < 3; ++i) CHECK(fiber::spawn(sleeps));
                             CHECK(fiber::spawn([] {
                                 (void)await(weft::sleep_for(2ms));
                                 throw std::runtime_error{"second"};
                             }));
                             CHECK(fiber::spawn([] {
                                 (void)await(weft::sleep_for(1ms));
                                 throw std::runtime_error{"first"};
                             }));
                         }),
                         "first", std::runtime_error);
    CHECK(stopped == 3);
}

TEST_CASE("a fiber that returns an error stops its siblings, and join returns it") {
    int stopped = 0;
    const result<void> ended = in_fiber([&]() -> result<void> {
        CHECK(fiber::spawn([&] {
            if (!await(weft::sleep_for(1000h))) ++stopped;
        }));
        CHECK(fiber::spawn([]() -> result<void> { return await(weft::sleep_for(1000h)); }));
        (void)await(weft::sleep_for(1ms));
        return std::errc::connection_reset;
    });
    CHECK(ended.error() == std::errc::connection_reset);
    CHECK(stopped == 1);
}

TEST_CASE(
    "cancel() stops the fibers, those that start later too, and their `canceled` is no failure") {
    int stopped = 0;
    CHECK(run([](int* count) -> task<result<void>> {
        fiber::group group{co_await weft::current_environment()};
        const auto sleeps = [count]() -> result<void> {
            ++*count;
            return await(weft::sleep_for(1000h));
        };
        group.spawn(sleeps).value();
        (void)co_await weft::sleep_for(1ms);
        group.cancel();
        group.spawn(sleeps).value();
        co_return co_await group.join();
    }(&stopped)));
    CHECK(stopped == 2);
}

TEST_CASE("a stop of the parent reaches fibers, the tasks they await, and the fibers below") {
    int stopped = 0;
    auto outer = [](int* count) -> task<result<void>> {
        const auto timed = co_await weft::with_timeout(
            1ms, fiber::with_group(
                     [](fiber::group& group, int* seen) -> result<void> {
                         CHECK(group.spawn([seen] {
                             if (!await(weft::sleep_for(1h))) ++*seen;
                         }));
                         CHECK(group.spawn([seen] {
                             const auto inner =
                                 await(fiber::run([] { return await(weft::sleep_for(1h)); }));
                             if (!inner) ++*seen;
                         }));
                         return await(weft::sleep_for(1h));
                     },
                     count));
        co_return timed;
    };
    CHECK(run(outer(&stopped)).error() == weft::errc::timed_out);
    CHECK(stopped == 2);
}

TEST_CASE("a fiber joins another group; a task awaits fibers among its siblings") {
    CHECK(in_fiber([]() -> result<void> {
        fiber::group inner{fiber::current_environment()};
        int sum = 0;
        for (int i = 1; i <= 3; ++i) {
            inner
                .spawn([&sum, i] {
                    (void)await(weft::sleep_for(std::chrono::milliseconds{4 - i}));
                    sum += i;
                })
                .value();
        }
        const result<void> joined = await(inner.join());
        CHECK(sum == 6);
        return joined;
    }));
}

TEST_CASE("what a fiber was made of is destroyed when it ends, on its own stack") {
    const auto held = std::make_shared<int>(1);
    CHECK(in_fiber([&] {
        CHECK(fiber::spawn([held] { (void)await(weft::sleep_for(1ms)); }));
        CHECK(held.use_count() == 2);
        (void)await(weft::sleep_for(2ms));
        CHECK(held.use_count() == 1);
    }));
}

TEST_CASE("thousands of fibers come and go on the stacks of a few") {
    const std::size_t free_before = fiber::stack_pool::of_this_thread().free_stacks();
    int ended = 0;
    CHECK(in_fiber([&]() -> result<void> {
        for (int round = 0; round < 500; ++round) {
            for (int i = 0; i < 10; ++i) {
                const result<void> spawned = fiber::spawn([&ended, i] {
                    (void)await(weft::sleep_for(std::chrono::microseconds{i}));
                    ++ended;
                });
                if (!spawned) return spawned;
            }
            (void)await(weft::sleep_for(1ms));
        }
        return {};
    }));
    CHECK(ended == 5000);
    CHECK(fiber::stack_pool::of_this_thread().used_stacks() == 0);
    CHECK(fiber::stack_pool::of_this_thread().free_stacks() <= free_before + 11);
}
}

TEST_SUITE("framework.fiber.run") {
TEST_CASE("a coroutine awaits a call on a fiber: its value, its exception, at once or later") {
    run([]() -> task<> {
        CHECK(co_await fiber::run([] { return 1; }) == 1);
        const int later = co_await fiber::run(
            [](int base) {
                (void)await(weft::sleep_for(1ms));
                return base + 1;
            },
            1);
        CHECK(later == 2);
        bool threw = false;
        try {
            co_await fiber::run([] {
                (void)await(weft::sleep_for(1ms));
                throw std::runtime_error{"from a fiber"};
            });
        } catch (const std::runtime_error&) {
            threw = true;
        }
        CHECK(threw);
    }());
}

TEST_CASE("coroutines and fibers await one another many levels deep") {
    struct levels {
        static task<int> down(int depth) {
            if (depth == 0) {
                (void)co_await weft::sleep_for(1ms);
                co_return 0;
            }
            const int below =
                co_await fiber::run([](int rest) { return await(levels::down(rest)); }, depth - 1);
            co_return below + 1;
        }
    };
    CHECK(run(levels::down(50)) == 50);
}

TEST_CASE("fibers run side by side in when_all and when_any, and with a timeout") {
    run([]() -> task<> {
        const auto slow = [](weft::duration delay) -> result<int> {
            const result<void> slept = await(weft::sleep_for(delay));
            if (!slept) return slept.error();
            return static_cast<int>(delay / 1ms);
        };
        const auto [a, b] = co_await weft::when_all(fiber::run(slow, weft::duration{2ms}),
                                                    fiber::run(slow, weft::duration{1ms}));
        CHECK(a.value() == 2);
        CHECK(b.value() == 1);
        const auto timed = co_await weft::with_timeout(1ms, fiber::run(slow, weft::duration{1h}));
        CHECK(timed.error() == weft::errc::timed_out);
    }());
}

TEST_CASE("a fiber that never waits costs no machine stack however often it is awaited") {
    run([]() -> task<> {
        int sum = 0;
        for (int i = 0; i < 100'000; ++i) sum += co_await fiber::run([] { return 1; });
        CHECK(sum == 100'000);
    }());
}
}

}  // namespace
