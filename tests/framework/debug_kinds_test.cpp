// Who awaits whom, through every way to wait: what the lines of a trace say.
#include "trace_lines.hpp"

#include <doctest/doctest.h>
#include <weft/async_generator.hpp>
#include <weft/callback.hpp>
#include <weft/fiber/group.hpp>
#include <weft/fiber/run.hpp>
#include <weft/runtime.hpp>
#include <weft/shielded.hpp>
#include <weft/sync/broadcast.hpp>
#include <weft/sync/channel.hpp>
#include <weft/sync/condition_variable.hpp>
#include <weft/sync/latch.hpp>
#include <weft/sync/mutex.hpp>
#include <weft/sync/semaphore.hpp>
#include <weft/sync/shared_mutex.hpp>
#include <weft/when_all_settled.hpp>
#include <weft/when_any.hpp>
#include <weft/with_timeout.hpp>

#include <signal.h>
#include <unistd.h>

#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

using namespace std::chrono_literals;
using trace_lines::lines_of;
using weft::result;
using weft::scheduler;
using weft::task;

namespace {

task<> leaf(weft::event& over) { (void)co_await over.wait(); }
task<result<void>> patient(weft::event& over) { co_return co_await over.wait(); }

// ---- combinators

task<> settles(weft::event& over) {
    (void)co_await weft::when_all_settled(leaf(over), over.wait());
}
task<> settles_many(weft::event& over) {
    std::vector<task<>> some;
    some.push_back(leaf(over));
    some.push_back(leaf(over));
    (void)co_await weft::when_all_settled(std::move(some));
}
task<> cleans_up(weft::event& over) { co_await weft::shielded(leaf(over)); }
task<> shields_a_leaf(weft::event& over) { (void)co_await weft::shielded(over.wait()); }
task<> cleans_up_soon(weft::event& over) { (void)co_await weft::shielded(2s, patient(over)); }
task<> nests(weft::event& over) {
    (void)co_await weft::with_timeout(3s, weft::shielded(2s, patient(over)));
}

// ---- generators

weft::async_generator<int> numbers(weft::event& over) {
    co_yield 1;
    co_await leaf(over);
    co_yield 2;
}
weft::async_generator<int> doubled(weft::event& over) {
    weft::async_generator<int> from = numbers(over);
    while (true) {
        const std::optional<int> next = co_await from.next();
        if (!next) break;
        co_yield 2 * *next;
    }
}
task<> reads(weft::event& over) {
    weft::async_generator<int> all = doubled(over);
    while (true) {
        const std::optional<int> next = co_await all.next();
        if (!next) break;
    }
}
task<> has_read_one(weft::event& over) {
    weft::async_generator<int> all = numbers(over);
    const std::optional<int> one = co_await all.next();
    CHECK(one == 1);
    (void)co_await over.wait();
}

// ---- callbacks and fibers

task<> calls_back(weft::event& over) {
    weft::callback_group group{co_await weft::current_environment()};
    const auto nothing = [](auto...) {};
    const auto waits = weft::start(group, [&] { return over.wait(); }, nothing);
    weft::start_detached(group, [&] { return leaf(over); }, nothing);
    weft::callback_slot<512> slot;
    slot.start(group, [&] { return weft::with_timeout(3s, [&] { return over.wait(); }); }, nothing);
    (void)co_await group.join();
}

task<> in_a_fiber(weft::event& over) {
    co_await weft::fiber::run(
        [](weft::event* awaited) {
            weft::fiber::set_name("the fiber");
            weft::fiber::await(leaf(*awaited));
        },
        &over);
}

task<> in_fibers(weft::event& over) {
    const auto body = [](weft::fiber::group& all, weft::event* awaited) {
        const auto waits = [awaited] { (void)weft::fiber::await(awaited->wait()); };
        CHECK(all.spawn(waits, "second"));
        CHECK(weft::fiber::spawn(
            [awaited] {
                weft::fiber::await(weft::fiber::run(
                    [](weft::event* too) { (void)weft::fiber::await(too->wait()); }, awaited));
            },
            "third"));
        weft::fiber::set_name("first");
        (void)weft::fiber::await(weft::with_timeout(3s, awaited->wait()));
    };
    (void)co_await weft::fiber::with_group(body, &over);
}

}  // namespace

TEST_SUITE("framework.debug.kinds" * doctest::skip(!weft::async_trace)) {
TEST_CASE("when_all_settled shows its branches, tasks and operations, as when_all does") {
    CHECK(lines_of(settles) ==
          "settles at debug_kinds_test.cpp\n"
          "    awaits when_all_settled\n"
          "    * leaf at debug_kinds_test.cpp\n"
          "      awaits event::wait\n"
          "    * awaits event::wait");
    CHECK(lines_of(settles_many) ==
          "settles_many at debug_kinds_test.cpp\n"
          "    awaits when_all_settled\n"
          "    * leaf at debug_kinds_test.cpp\n"
          "      awaits event::wait\n"
          "    * leaf at debug_kinds_test.cpp\n"
          "      awaits event::wait");
}

TEST_CASE("a shield is shown above what it shields, with its own limit if it has one") {
    CHECK(lines_of(cleans_up) ==
          "cleans_up at debug_kinds_test.cpp\n"
          "    awaits shielded\n"
          "    leaf at debug_kinds_test.cpp\n"
          "    awaits event::wait");
    CHECK(lines_of(shields_a_leaf) ==
          "shields_a_leaf at debug_kinds_test.cpp\n"
          "    awaits shielded\n"
          "    awaits event::wait");
    CHECK(lines_of(cleans_up_soon) ==
          "cleans_up_soon at debug_kinds_test.cpp\n"
          "    awaits shielded, 1.990 s left\n"
          "    patient at debug_kinds_test.cpp\n"
          "    awaits event::wait");
    CHECK(lines_of(nests) ==
          "nests at debug_kinds_test.cpp\n"
          "    awaits with_timeout, 2.990 s left\n"
          "    awaits shielded, 1.990 s left\n"
          "    patient at debug_kinds_test.cpp\n"
          "    awaits event::wait");
}

TEST_CASE("a generator that is being read stands between its reader and what it awaits") {
    CHECK(lines_of(reads) ==
          "reads at debug_kinds_test.cpp\n"
          "    generator doubled at debug_kinds_test.cpp\n"
          "    generator numbers at debug_kinds_test.cpp\n"
          "    leaf at debug_kinds_test.cpp\n"
          "    awaits event::wait");
}

TEST_CASE("a generator that nobody reads at the moment is in no trace") {
    CHECK(lines_of(has_read_one) ==
          "has_read_one at debug_kinds_test.cpp\n"
          "    awaits event::wait");
}

TEST_CASE("a callback stands below who joins its group, by where it was started") {
    CHECK(lines_of(calls_back) ==
          "calls_back at debug_kinds_test.cpp\n"
          "    awaits group::join\n"
          "    * callback of calls_back at debug_kinds_test.cpp\n"
          "      awaits event::wait\n"
          "    * callback of calls_back at debug_kinds_test.cpp\n"
          "      leaf at debug_kinds_test.cpp\n"
          "      awaits event::wait\n"
          "    * callback of calls_back at debug_kinds_test.cpp\n"
          "      awaits with_timeout, 2.990 s left\n"
          "      awaits event::wait");
}

TEST_CASE("a callback that was called, or given up, is in no trace any more") {
    scheduler loop{scheduler::clock::virtual_time};
    weft::event over;
    weft::callback_group group{weft::environment{&loop, {}}};
    std::size_t during = 99;
    const auto counts = [&](auto...) { during = weft::debug::task_count(loop); };
    {
        const auto given_up = weft::start(group, [] { return weft::sleep_for(1h); }, counts);
        CHECK(weft::debug::task_count(loop) == 1);
    }
    CHECK(weft::debug::task_count(loop) == 0);
    const auto called = weft::start(group, [&] { return over.wait(); }, counts);
    CHECK(weft::debug::task_count(loop) == 1);
    over.set();
    loop.run();
    CHECK(during == 0);
    CHECK(weft::debug::task_count(loop) == 0);
}

TEST_CASE("a fiber stands below who awaits it, and above what it awaits") {
    const std::string lines = lines_of(in_a_fiber);
    CAPTURE(lines);
    CHECK(lines.starts_with("in_a_fiber at debug_kinds_test.cpp\n    fiber \"the fiber\": "));
    CHECK(
        lines.ends_with("lambda at debug_kinds_test.cpp\n"
                        "    leaf at debug_kinds_test.cpp\n"
                        "    awaits event::wait"));
}

TEST_CASE("the fibers of a group stand below who joins it, by name") {
    const std::string lines = lines_of(in_fibers);
    const std::regex expected{
        "in_fibers at debug_kinds_test.cpp\n"
        "    weft::fiber::with_group at group.hpp\n"
        "    awaits group::join\n"
        "    \\* fiber \"first\": .*lambda at debug_kinds_test.cpp\n"
        "      awaits with_timeout, 2.990 s left\n"
        "      awaits event::wait\n"
        "    \\* fiber \"second\": .*lambda at debug_kinds_test.cpp\n"
        "      awaits event::wait\n"
        "    \\* fiber \"third\": .*lambda at debug_kinds_test.cpp\n"
        "      fiber .*lambda at debug_kinds_test.cpp\n"
        "      awaits event::wait"};
    CHECK_MESSAGE(std::regex_match(lines, expected), lines);
}
}  // TEST_SUITE("framework.debug.kinds")

namespace {

/// What a trace calls the wait for `make()`.
template <class Make>
std::string name_of(const Make& make) {
    const std::string lines = lines_of([&make](weft::event& over) -> task<> {
        (void)co_await weft::when_any(make(), over.wait());
    });
    const std::string before = "\n    * awaits ";
    const std::size_t begin = lines.find(before);
    if (begin == std::string::npos) return lines;
    const std::size_t name = begin + before.size();
    return lines.substr(name, lines.find('\n', name) - name);
}

}  // namespace

TEST_SUITE("framework.debug.sync" * doctest::skip(!weft::async_trace)) {
TEST_CASE("waits for locks and permits have names") {
    weft::mutex mutex;
    const std::optional<weft::mutex::guard> held = mutex.try_lock();
    CHECK(name_of([&] { return mutex.lock(); }) == "mutex::lock");
    weft::shared_mutex shared;
    const std::optional<weft::shared_mutex::guard> alone = shared.try_lock();
    CHECK(name_of([&] { return shared.lock(); }) == "shared_mutex::lock");
    CHECK(name_of([&] { return shared.lock_shared(); }) == "shared_mutex::lock_shared");
    weft::semaphore semaphore{0};
    CHECK(name_of([&] { return semaphore.acquire(); }) == "semaphore::acquire");
}

TEST_CASE("waits for values and notifications have names") {
    weft::channel<int> channel{1};
    CHECK(name_of([&] { return channel.receive(); }) == "channel::receive");
    CHECK(channel.try_send(1));
    int two = 2;
    CHECK(name_of([&] { return channel.send(std::move(two)); }) == "channel::send");
    weft::broadcast<int> broadcast{1};
    auto receiver = broadcast.subscribe();
    CHECK(name_of([&] { return receiver.receive(); }) == "broadcast::receive");
    weft::latch latch{1};
    CHECK(name_of([&] { return latch.wait(); }) == "event::wait");
    weft::mutex mutex;
    weft::mutex::guard held = *mutex.try_lock();
    weft::condition_variable changed;
    CHECK(name_of([&] { return changed.wait(held); }) == "condition_variable::wait");
    CHECK(name_of([&] { return changed.wait(held, [] { return false; }); }) ==
          "condition_variable::wait");
}
}  // TEST_SUITE("framework.debug.sync")

namespace {

task<> on_the_other_loop(weft::runtime& all, std::string& here, std::string& there) {
    weft::event over;  // of loop 0
    const auto asks = [&]() -> task<> {
        weft::runtime_loop& loop = co_await all.here();
        (void)co_await weft::sleep_for(1ms);
        there = weft::debug::describe_tasks(loop.context());
    };
    const auto looks = [&]() -> task<> {
        weft::runtime_loop& loop = co_await all.here();
        here = weft::debug::describe_tasks(loop.context());
    };
    (void)co_await weft::when_all(all.spawn_on(1, asks), looks());
}

task<> signalled(weft::runtime& all) {
    const auto waits = [&]() -> task<> {
        co_await weft::set_task_name("away");
        ::kill(::getpid(), SIGUSR1);
        (void)co_await weft::sleep_for(50ms);
    };
    CHECK(co_await all.spawn_on(1, waits));
}

bool says(const std::string& text, const char* pattern) {
    return std::regex_search(text, std::regex{pattern});
}

}  // namespace

TEST_SUITE("framework.debug.cores" * doctest::skip(!weft::async_trace)) {
TEST_CASE("spawn_on: the caller awaits it, and the other loop knows who called") {
    std::string here;
    std::string there;
    weft::runtime cores{{.threads = 2}};
    cores.run([&](weft::runtime& all) { return on_the_other_loop(all, here, there); });
    CHECK_MESSAGE(says(here, R"(\* awaits runtime::spawn_on\n)"), here);
    CHECK_MESSAGE(says(there, R"(\* "called by loop 0": .*\n.*lambda at .*, running\n)"), there);
}

TEST_CASE("SIGUSR1 prints the tasks of every loop of a runtime that asked for it") {
    const std::string text = trace_lines::stderr_of([] {
        weft::runtime cores{{.threads = 3, .print_tasks_on_usr1 = true}};
        cores.run(signalled);
    });
    CAPTURE(text);
    CHECK(says(text, R"(awaits runtime::spawn_on\n)"));
    CHECK(says(text, R"("away": .*lambda at .*\n.*awaits sleep, 0\.0\d\d s left\n)"));
    std::size_t loops = 0;
    const std::string head = " frames and the like of this thread";
    for (std::size_t at = 0; (at = text.find(head, at)) != std::string::npos; ++at) ++loops;
    CHECK(loops == 3);
}
}  // TEST_SUITE("framework.debug.cores")
