// Loops on several threads: spawn_on, start_on, stopping, pinning.
#include <doctest/doctest.h>
#include <weft/runtime.hpp>
#include <weft/sleep.hpp>
#include <weft/with_timeout.hpp>
#include <weft/yield.hpp>

#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <cstdio>
#include <set>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

namespace {

using namespace std::chrono_literals;
using weft::result;
using weft::runtime;
using weft::runtime_loop;
using weft::task;

/// The example of docs/cores.md.
struct hello {
    weft::runtime& all;
    weft::task<void> operator()(std::size_t i) const {
        std::printf("loop %zu of %zu\n", i, all.size());
        co_return;
    }
};

weft::task<int> everywhere(weft::runtime& all) {
    const weft::result<void> done = co_await all.for_each_loop(hello{all});
    co_return done ? 0 : 1;
}

/// Waits until it is asked to stop, and then a little.
task<result<void>> until_stopped(std::atomic<int>& ended) {
    const result<void> slept = co_await weft::sleep_for(1h);
    ++ended;
    co_return slept;
}

}  // namespace

TEST_SUITE("framework.runtime") {
TEST_CASE("a task runs on the loop it is spawned on, and its caller goes on on its own") {
    runtime cores{{.threads = 4}};
    cores.run([](runtime& all) -> task<void> {
        std::set<std::thread::id> seen;
        const auto mine = std::this_thread::get_id();
        for (std::size_t i = 0; i < all.size(); ++i) {
            const auto there = co_await all.spawn_on(i, [&all, i]() -> task<std::thread::id> {
                runtime_loop& here = co_await all.here();
                CHECK(here.index() == i);
                co_await weft::yield();
                co_return std::this_thread::get_id();
            });
            CHECK(std::this_thread::get_id() == mine);
            seen.insert(there.value());
        }
        CHECK(seen.size() == 4);
        CHECK(seen.contains(mine));  // loop 0 is this one, and takes messages from itself
    });
}

TEST_CASE("the example of the guide runs") {
    weft::runtime cores{{.threads = 4, .pin = weft::runtime_options::pinning::one_each}};
    CHECK(cores.run(everywhere) == 0);
}

TEST_CASE("values, errors and exceptions come back from another loop") {
    runtime cores{{.threads = 2}};
    const std::string got = cores.run([](runtime& all) -> task<std::string> {
        const result<int> error = co_await all.spawn_on(
            1, []() -> task<result<int>> { co_return std::errc::host_unreachable; });
        CHECK(error.error() == std::errc::host_unreachable);
        const result<void> nothing = co_await all.spawn_on(1, []() -> task<void> { co_return; });
        CHECK(nothing);
        std::string text;
        try {
            (void)co_await all.spawn_on(1, []() -> task<void> {
                co_await weft::yield();
                throw std::runtime_error{"over there"};
            });
        } catch (const std::runtime_error& thrown) {
            text = thrown.what();
        }
        CHECK(text == "over there");
        const auto value = co_await all.spawn_on(
            1, []() -> task<std::string> { co_return std::string(1000, 'x'); });
        co_return value.value();
    });
    CHECK(got == std::string(1000, 'x'));
}

TEST_CASE("cancelling a call stops its task, and waits for it") {
    runtime cores{{.threads = 2}};
    std::atomic<int> ended = 0;
    cores.run([&ended](runtime& all) -> task<void> {
        for (int i = 1; i <= 100; ++i) {  // at all points of the call's way
            const result<void> timed = co_await weft::with_timeout(
                i * 20us, all.spawn_on(1, [&ended] { return until_stopped(ended); }));
            CHECK(timed.error() == std::errc::timed_out);
            CHECK(ended == i);
        }
    });
}

TEST_CASE("all loops call all others at once") {
    constexpr std::size_t loops = 4;
    constexpr int calls = 300;
    runtime cores{{.threads = loops}};
    std::vector<std::uint64_t> received(loops);  // each one written on its own loop
    cores.run([&received](runtime& all) -> task<void> {
        const result<void> done =
            co_await all.for_each_loop([&all, &received](std::size_t from) -> task<void> {
                for (int i = 0; i < calls; ++i) {
                    for (std::size_t to = 0; to < all.size(); ++to) {
                        const auto doubled =
                            co_await all.spawn_on(to, [&received, to, from]() -> task<std::size_t> {
                                ++received[to];
                                if (received[to] % 3 == 0) co_await weft::yield();
                                co_return 2 * from;
                            });
                        CHECK(doubled.value() == 2 * from);
                    }
                }
            });
        CHECK(done);
        const auto statistics = co_await all.statistics();
        const weft::loop_statistics sum = weft::total(statistics.value());
        CHECK(sum.mail.delivered >= 2 * loops * loops * calls);
        CHECK(sum.mail.refused == 0);
        CHECK(sum.ring.submitted > 0);
        CHECK(sum.tasks >= all.size());  // those that count
    });
    for (const std::uint64_t each : received) CHECK(each == loops * calls);
}

TEST_CASE("a loop that does not keep up refuses tasks, and takes them again") {
    runtime cores{{.threads = 2, .mail = {.messages = 8}}};
    std::atomic<int> run = 0;
    int refused = 0;
    int taken = 0;
    cores.run([&](runtime& all) -> task<void> {
        std::atomic<bool> is_blocking = false;
        std::atomic<bool> is_released = false;
        const auto block = [&]() -> task<void> {
            is_blocking = true;
            is_blocking.notify_one();
            is_released.wait(false);  // no loop should: it stands for one that is busy
            co_return;
        };
        CHECK(co_await all.start_on(1, block));
        co_await weft::yield();  // the message leaves with this turn
        all.loop(0).context().ring().enter(weft::duration::zero());
        is_blocking.wait(false);
        for (int i = 0; i < 20; ++i) {
            const result<void> sent = co_await all.start_on(1, [&run]() -> task<void> {
                ++run;
                co_return;
            });
            sent ? ++taken : ++refused;
            if (!sent) CHECK(sent.error() == std::errc::no_buffer_space);
        }
        is_released = true;
        is_released.notify_one();
        while (run < taken) (void)co_await weft::sleep_for(1ms);
        CHECK(co_await all.spawn_on(1, []() -> task<void> { co_return; }));
    });
    CHECK(taken == 8);
    CHECK(refused == 12);
    CHECK(run == taken);
}

TEST_CASE("the first exception of a task that nobody waits for stops all, and run throws it") {
    std::atomic<int> ended = 0;
    runtime cores{{.threads = 3}};
    const auto main = [&ended](runtime& all) -> task<void> {
        for (std::size_t i = 0; i < 3; ++i) {
            CHECK(co_await all.start_on(i, [&ended] { return until_stopped(ended); }));
        }
        CHECK(co_await all.start_on(2, []() -> task<void> {
            (void)co_await weft::sleep_for(5ms);
            throw std::runtime_error{"first"};
        }));
        const result<void> slept = co_await weft::sleep_for(1h);
        CHECK(slept.error() == std::errc::operation_canceled);
        throw std::runtime_error{"second"};
    };
    CHECK_THROWS_WITH_AS(cores.run(main), "first", std::runtime_error);
    CHECK(ended == 3);
}

TEST_CASE("an error of a task that nobody waits for is a failure, but for a cancellation") {
    runtime cores{{.threads = 2}};
    const auto main = [](runtime& all) -> task<int> {
        CHECK(co_await all.start_on(
            1, []() -> task<result<void>> { co_return std::errc::operation_canceled; }));
        CHECK(
            co_await all.start_on(1, []() -> task<result<void>> { co_return std::errc::no_link; }));
        (void)co_await weft::sleep_for(1h);
        co_return 0;
    };
    try {
        (void)cores.run(main);
        CHECK(false);
    } catch (const std::system_error& thrown) {
        CHECK(thrown.code() == std::errc::no_link);
    }
}

TEST_CASE("a runtime that stops has its loops drain, and stops what has not ended after a while") {
    runtime cores{{.threads = 3, .grace = 50ms}};
    std::atomic<int> drained = 0;
    std::atomic<int> stopped = 0;
    cores.run([&](runtime& all) -> task<void> {
        for (std::size_t i = 0; i < 3; ++i) {
            CHECK(co_await all.start_on(i, [&]() -> task<void> {
                runtime_loop& here = co_await all.here();
                CHECK(co_await here.draining().wait());
                (void)co_await weft::sleep_for(5ms);  // ends what it has begun
                ++drained;
            }));
            CHECK(co_await all.start_on(i, [&] { return until_stopped(stopped); }));
        }
        co_await all.stop();
        const result<void> slept = co_await weft::sleep_for(1h);  // main is one of them
        CHECK(slept.error() == std::errc::operation_canceled);
        CHECK(drained == 3);
    });
    CHECK(drained == 3);
    CHECK(stopped == 3);
}

TEST_CASE("tasks that others bring while all is ending are run to their ends, or refused") {
    for (int round = 0; round < 20; ++round) {
        runtime cores{{.threads = 3, .grace = 5ms}};
        std::atomic<int> begun = 0;
        std::atomic<int> ended = 0;
        cores.run([&](runtime& all) -> task<void> {
            for (std::size_t i = 0; i < 3; ++i) {
                CHECK(co_await all.start_on(i, [&, i]() -> task<void> {
                    for (;;) {  // until nobody takes it, or this loop is the last
                        const auto called = co_await all.spawn_on((i + 1) % 3, [&]() -> task<bool> {
                            ++begun;
                            co_await weft::yield();
                            const weft::stop_token stop = co_await weft::current_stop_token();
                            ++ended;
                            co_return stop.stop_requested();
                        });
                        if (!called || *called) break;
                    }
                }));
            }
        });
        CHECK(begun == ended);
    }
}

TEST_CASE("SIGINT reaches the tasks of all loops") {
    runtime cores{{.threads = 3}};
    std::atomic<int> ended = 0;
    cores.run([&ended](runtime& all) -> task<void> {
        const result<void> all_ended =
            co_await all.for_each_loop([&ended](std::size_t i) -> task<result<void>> {
                if (i == 2) ::kill(::getpid(), SIGINT);
                return until_stopped(ended);
            });
        CHECK(all_ended.error() == std::errc::operation_canceled);
    });
    CHECK(ended == 3);
}

TEST_CASE("one failure among tasks on each loop stops the others and is the one reported") {
    runtime cores{{.threads = 3}};
    std::atomic<int> ended = 0;
    cores.run([&ended](runtime& all) -> task<void> {
        std::string what;
        try {
            (void)co_await all.for_each_loop([&ended](std::size_t i) -> task<result<void>> {
                if (i == 1) throw std::runtime_error{"loop 1"};
                return until_stopped(ended);
            });
        } catch (const std::runtime_error& thrown) {
            what = thrown.what();
        }
        CHECK(what == "loop 1");
        CHECK(ended == 2);
    });
}

TEST_CASE("each loop runs on the processor it was pinned to, and the thread is free again after") {
    cpu_set_t before;
    REQUIRE(::sched_getaffinity(0, sizeof before, &before) == 0);
    std::vector<std::size_t> allowed;
    for (std::size_t i = 0; i < CPU_SETSIZE; ++i) {
        if (CPU_ISSET(i, &before)) allowed.push_back(i);
    }
    {
        runtime cores{{.threads = 3, .pin = weft::runtime_options::pinning::one_each}};
        cores.run([&allowed](runtime& all) -> task<void> {
            CHECK(co_await all.for_each_loop([&allowed](std::size_t i) -> task<void> {
                cpu_set_t now;
                CHECK(::sched_getaffinity(0, sizeof now, &now) == 0);
                CHECK(CPU_COUNT(&now) == 1);
                CHECK(CPU_ISSET(allowed[i % allowed.size()], &now));
                co_return;
            }));
        });
    }
    cpu_set_t after;
    REQUIRE(::sched_getaffinity(0, sizeof after, &after) == 0);
    CHECK(CPU_EQUAL(&before, &after));
}

TEST_CASE("a processor that does not exist is an error, and no thread is left") {
    const int nowhere[] = {CPU_SETSIZE - 1};
    CHECK_THROWS_AS(runtime({.threads = 3, .processors = nowhere}), std::system_error);
}

TEST_CASE("a runtime without a main task ends all the same; one loop is enough; zero is all") {
    {
        runtime cores{{.threads = 3}};
    }
    runtime one{{.threads = 1}};
    CHECK(one.run([](runtime& all) -> task<int> {
        co_return (co_await all.spawn_on(0, []() -> task<int> { co_return 7; })).value();
    }) == 7);
    runtime every;
    CHECK(every.size() >= 1);
}

TEST_CASE("what main throws before it returns a task is thrown by run") {
    runtime cores{{.threads = 2}};
    const auto main = [](runtime&) -> task<void> { throw std::runtime_error{"at once"}; };
    CHECK_THROWS_WITH_AS(cores.run(main), "at once", std::runtime_error);
}

TEST_CASE("a loop of another runtime is refused") {
    runtime cores{{.threads = 2}};
    runtime* const mine = &cores;
    std::error_code error;
    std::thread elsewhere{[mine, &error] {
        weft::io_context io;
        error = io.run_until_done([](runtime* all) -> task<std::error_code> {
            const auto called = co_await all->spawn_on(1, []() -> task<void> { co_return; });
            co_return called.error();
        }(mine));
    }};
    elsewhere.join();
    CHECK(error == std::errc::operation_not_permitted);
}
}
