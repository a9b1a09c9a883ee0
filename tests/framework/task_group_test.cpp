#include <doctest/doctest.h>
#include <weft/frame_allocator.hpp>
#include <weft/io/scheduler.hpp>
#include <weft/sleep.hpp>
#include <weft/stop.hpp>
#include <weft/sync/event.hpp>
#include <weft/task_group.hpp>
#include <weft/yield.hpp>

#include <memory>
#include <stdexcept>
#include <string>
#include <system_error>

using namespace std::chrono_literals;
using weft::result;
using weft::scheduler;
using weft::task;
using weft::task_group;
using weft::with_task_group;

namespace {

template <class T>
T run(task<T> main) {
    scheduler loop{scheduler::clock::virtual_time};
    return loop.run_until_done(std::move(main));
}

task<> adds_after(weft::duration delay, int& sum, int what) {
    if (delay > 0s) (void)co_await weft::sleep_for(delay);
    sum += what;
}
task<> sleeps_until_stopped(int& stopped) {
    const result<void> slept = co_await weft::sleep_for(1000h);
    if (slept.error() == weft::errc::canceled) ++stopped;
}
task<result<void>> sleeps_with_result() { co_return co_await weft::sleep_for(1000h); }
task<result<void>> fails_after(weft::duration delay, std::errc error) {
    (void)co_await weft::sleep_for(delay);
    co_return error;
}
task<> throws_after(weft::duration delay, std::string what) {
    if (delay > 0s) (void)co_await weft::sleep_for(delay);
    throw std::runtime_error{what};
}

TEST_SUITE("framework.task_group") {
TEST_CASE("join waits for all children, those that children spawn too") {
    auto program = []() -> task<int> {
        int sum = 0;
        task_group group{co_await weft::current_environment()};
        group.spawn(adds_after(0s, sum, 1));
        group.spawn(adds_after(5ms, sum, 10));
        auto parent = [](task_group& into, int& total) -> task<> {
            (void)co_await weft::sleep_for(5ms);
            into.spawn(adds_after(5ms, total, 100));
        };
        group.spawn(parent(group, sum));
        CHECK(sum == 0);  // nothing starts within spawn
        CHECK(group.size() == 3);
        CHECK((co_await group.join()).has_value());
        CHECK(group.empty());
        CHECK((co_await group.join()).has_value());
        co_return sum;
    };
    CHECK(run(program()) == 111);
}

TEST_CASE("a child that throws stops its siblings, and join throws the first exception") {
    int stopped = 0;
    auto body = [](task_group& group, int* count) -> task<> {
        group.spawn(sleeps_until_stopped(*count));
        group.spawn(throws_after(2ms, "second"));
        group.spawn(throws_after(1ms, "first"));
        group.spawn(sleeps_until_stopped(*count));
        co_return;
    };
    CHECK_THROWS_WITH_AS((void)run(with_task_group(body, &stopped)), "first", std::runtime_error);
    CHECK(stopped == 2);
}

TEST_CASE("a child that returns an error stops its siblings, and join returns the error") {
    int stopped = 0;
    auto body = [](task_group& group, int* count) -> task<> {
        group.spawn(sleeps_until_stopped(*count));
        group.spawn(sleeps_with_result());  // its `canceled` comes second
        group.spawn(fails_after(1ms, std::errc::connection_reset));
        co_return;
    };
    CHECK(run(with_task_group(body, &stopped)).error() == std::errc::connection_reset);
    CHECK(stopped == 1);
}

TEST_CASE("a body that throws has its children stopped and joined first") {
    int stopped = 0;
    auto body = [](task_group& group, int* count) -> task<> {
        group.spawn(sleeps_until_stopped(*count));
        co_await weft::yield();
        throw std::runtime_error{"body"};
    };
    CHECK_THROWS_WITH_AS((void)run(with_task_group(body, &stopped)), "body", std::runtime_error);
    CHECK(stopped == 1);
}

TEST_CASE("cancel() stops the children, and their `canceled` is no failure") {
    int stopped = 0;
    auto body = [](task_group& group, int* count) -> task<result<void>> {
        group.spawn(sleeps_with_result());
        group.spawn(sleeps_until_stopped(*count));
        (void)co_await weft::sleep_for(1ms);
        group.cancel();
        group.spawn(sleeps_until_stopped(*count));  // starts, and is told at once
        co_return result<void>{};
    };
    CHECK(run(with_task_group(body, &stopped)).has_value());
    CHECK(stopped == 2);
}

TEST_CASE("a stop of the parent reaches children and grandchildren; join waits for them") {
    int stopped = 0;
    auto inner = [](task_group& group, int* count) -> task<> {
        group.spawn(sleeps_until_stopped(*count));
        co_return;
    };
    auto outer = [](task_group& group, int* count, auto next) -> task<result<void>> {
        group.spawn(with_task_group(next, count));
        group.spawn(sleeps_until_stopped(*count));
        co_return co_await weft::sleep_for(1000h);
    };
    scheduler loop{scheduler::clock::virtual_time};
    weft::stop_source stop;
    auto stops_soon = [](weft::stop_source& source) -> task<> {
        (void)co_await weft::sleep_for(1ms);
        source.request_stop();
    };
    auto program = [](auto first, auto second, int* count) -> task<result<void>> {
        co_return co_await with_task_group(first, count, second);
    };
    // The one that stops runs beside, under no token of its own.
    const weft::environment beside{&loop, {}};
    task_group other{beside};
    other.spawn(stops_soon(stop));
    const result<void> ended = loop.run_until_done(program(outer, inner, &stopped), stop.token());
    CHECK(ended.error() == std::errc::operation_canceled);
    CHECK(stopped == 2);
    CHECK(loop.now() < weft::instant{1s});
}

TEST_CASE("a join under a token that has stopped still waits for the children") {
    scheduler loop{scheduler::clock::virtual_time};
    weft::stop_source stop;
    stop.request_stop();
    auto slow_to_end = [](int& ended) -> task<> {
        for (int i = 0; i < 10; ++i) co_await weft::yield();
        ++ended;
    };
    auto program = [](task<> (*child)(int&)) -> task<int> {
        int ended = 0;
        task_group group{co_await weft::current_environment()};
        group.spawn(child(ended));
        CHECK((co_await group.join()).has_value());
        co_return ended;
    };
    CHECK(loop.run_until_done(program(slow_to_end), stop.token()) == 1);
}

task<> tiny(int& sum) {
    ++sum;
    co_return;
}
task<> tiny_later(int& sum) {
    co_await weft::yield();
    ++sum;
}

TEST_CASE("a group that serves a hundred thousand children does not grow") {
    auto accept_loop = [](task_group& group, int* sum) -> task<> {
        for (int i = 0; i < 50'000; ++i) {
            group.spawn(tiny(*sum));
            group.spawn(tiny_later(*sum));
            co_await weft::yield();
            CHECK(group.size() <= 4);
        }
    };
    int sum = 0;
    (void)run(with_task_group(accept_loop, &sum));
    const auto before = weft::frame_allocator::counters();
    CHECK(run(with_task_group(accept_loop, &sum)).has_value());
    const auto after = weft::frame_allocator::counters();
    CHECK(sum == 200'000);
    CHECK(after.freed - before.freed == after.allocated - before.allocated);
    if (!weft::address_sanitizer) CHECK(after.fresh == before.fresh);
}

TEST_CASE("a child's frame and parameters are gone when join returns") {
    auto program = []() -> task<> {
        const auto token = std::make_shared<int>(1);
        auto holder = [](std::shared_ptr<int>) -> task<> { co_await weft::yield(); };
        task_group group{co_await weft::current_environment()};
        group.spawn(holder(token));
        CHECK(token.use_count() == 2);
        (void)co_await group.join();
        CHECK(token.use_count() == 1);
    };
    run(program());
}

TEST_CASE("a group is used again after a join") {
    auto program = []() -> task<int> {
        int sum = 0;
        task_group group{co_await weft::current_environment()};
        for (int round = 0; round < 3; ++round) {
            group.spawn(adds_after(1ms, sum, 1));
            (void)co_await group.join();
        }
        co_return sum;
    };
    CHECK(run(program()) == 3);
}
}

}  // namespace
