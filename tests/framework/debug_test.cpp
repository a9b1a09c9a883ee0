#include "trace_lines.hpp"

#include <doctest/doctest.h>
#include <weft/debug.hpp>
#include <weft/frame_allocator.hpp>
#include <weft/run.hpp>
#include <weft/sleep.hpp>
#include <weft/sync/event.hpp>
#include <weft/task_group.hpp>
#include <weft/when_all.hpp>
#include <weft/when_any.hpp>
#include <weft/with_timeout.hpp>
#include <weft/yield.hpp>

#include <signal.h>

#include <array>
#include <cstdint>
#include <cstdio>
#include <regex>
#include <string>
#include <thread>
#include <utility>
#include <vector>

using namespace std::chrono_literals;
using weft::result;
using weft::scheduler;
using weft::task;

namespace {

using trace_lines::lines_of;
using trace_lines::stderr_of;
using trace_lines::trace_of;

task<> leaf(weft::event& over) { (void)co_await over.wait(); }
task<> middle(weft::event& over) { co_await leaf(over); }
task<> top(weft::event& over) { co_await middle(over); }

task<result<void>> patient(weft::event& over) { co_return co_await over.wait(); }
task<> timed(weft::event& over) { (void)co_await weft::with_timeout(3s, patient(over)); }
task<> timed_leaf(weft::event& over) { (void)co_await weft::with_timeout(2500ms, over.wait()); }
task<> either(weft::event& over) {
    (void)co_await weft::when_any(over.wait(), weft::sleep_for(5s), patient(over));
}
task<> named(weft::event& over) {
    co_await weft::set_task_name("the main thing");
    (void)co_await over.wait();
}
task<> group(weft::event& over) {
    const auto body = [](weft::task_group& children, weft::event& awaited) -> task<> {
        children.spawn(leaf(awaited), "first child");
        children.spawn(middle(awaited), "second child, whose name is too long for a trace");
        (void)co_await awaited.wait();
    };
    (void)co_await weft::with_task_group(body, std::ref(over));
}

}  // namespace

TEST_SUITE("framework.debug" * doctest::skip(!weft::async_trace)) {
TEST_CASE("a chain of tasks is a column, the outermost first, and ends in what is awaited") {
    CHECK(lines_of(top) ==
          "top at debug_test.cpp\n"
          "    middle at debug_test.cpp\n"
          "    leaf at debug_test.cpp\n"
          "    awaits event::wait");
}

TEST_CASE("with_timeout tells how much time is left, for a task and for an operation") {
    CHECK(lines_of(timed) ==
          "timed at debug_test.cpp\n"
          "    awaits with_timeout, 2.990 s left\n"
          "    patient at debug_test.cpp\n"
          "    awaits event::wait");
    CHECK(lines_of(timed_leaf) ==
          "timed_leaf at debug_test.cpp\n"
          "    awaits with_timeout, 2.490 s left\n"
          "    awaits event::wait");
}

TEST_CASE("branches stand side by side, one level deeper; an operation needs no task to be shown") {
    CHECK(lines_of(either) ==
          "either at debug_test.cpp\n"
          "    awaits when_any\n"
          "    * awaits event::wait\n"
          "    * awaits sleep, 4.990 s left\n"
          "    * patient at debug_test.cpp\n"
          "      awaits event::wait");
}

TEST_CASE("children of a group stand below the task that joins it, by name where they have one") {
    CHECK(lines_of(group) ==
          "group at debug_test.cpp\n"
          "    weft::with_task_group at task_group.hpp\n"
          "    awaits group::join\n"
          "    * group(weft::event&)::lambda at debug_test.cpp\n"
          "      awaits event::wait\n"
          "    * \"first child\": leaf at debug_test.cpp\n"
          "      awaits event::wait\n"
          "    * \"second child, whose name is too long fo\": middle at debug_test.cpp\n"
          "      leaf at debug_test.cpp\n"
          "      awaits event::wait");
}

TEST_CASE("a task names itself") {
    CHECK(lines_of(named) ==
          "\"the main thing\": named at debug_test.cpp\n"
          "    awaits event::wait");
}

TEST_CASE("a task that asks for a trace stands in it as running") {
    CHECK_MESSAGE(std::regex_search(trace_of(leaf), std::regex{R"(lambda at .*:\d+, running)"}),
                  trace_of(leaf));
}

TEST_CASE("children of a group that nobody joins yet are shown by themselves") {
    scheduler loop{scheduler::clock::virtual_time};
    weft::event over;
    weft::task_group group{weft::environment{&loop, {}}};
    group.spawn(leaf(over), "orphan");
    loop.turn();
    CHECK(weft::debug::task_count(loop) == 1);
    const std::string text = weft::debug::describe_tasks(loop);
    CHECK_MESSAGE(text.find("\n* \"orphan\": leaf at") != std::string::npos, text);
    over.set();
    loop.run();
    CHECK(weft::debug::task_count(loop) == 0);
}

TEST_CASE("a task that is destroyed where it waits is in no trace any more") {
    scheduler loop{scheduler::clock::virtual_time};
    weft::event over;
    struct nobody : weft::task_listener {
        nobody() noexcept
            : task_listener{[](task_listener&) noexcept -> std::coroutine_handle<> {
                  return std::noop_coroutine();
              }} {}
    } listener;
    const weft::environment in{&loop, {}};
    {
        weft::running_task<void> running{top(over)};
        CHECK_FALSE(running.start(in, listener));
        CHECK(weft::debug::task_count(loop) == 3);
    }
    CHECK(weft::debug::task_count(loop) == 0);
}

TEST_CASE("awaiting a million times leaves nothing behind") {
    const auto often = [](weft::event& over) -> task<> {
        for (int i = 0; i < 1'000'000; ++i) co_await weft::yield();
        (void)co_await over.wait();
    };
    CHECK(lines_of(often).ends_with("lambda at debug_test.cpp\n    awaits event::wait"));
}
}  // TEST_SUITE("framework.debug")

TEST_SUITE("framework.debug.names") {
TEST_CASE("a function's name is told from what either compiler says") {
    using weft::debug::function_name;
    CHECK(function_name("task<int> ns::server::serve(int, const char *)") == "ns::server::serve");
    CHECK(function_name("void ns::server::serve(ns::server::serve(int, const "
                        "char*)::_ZN2ns6server5serveEiPKc.Frame*)") == "ns::server::serve");
    CHECK(function_name("task<X> ns::templ(X) [X = std::pair<int, int>]") == "ns::templ");
    CHECK(function_name("void ns::templ(templ<std::pair<int, int> >(std::pair<int, "
                        "int>)::_ZN2ns5templISt4pairIiiEEE4taskIT_ES4_.Frame*)") == "ns::templ");
    CHECK(function_name("auto main()::(anonymous class)::operator()(int) const") ==
          "main()::lambda");
    CHECK(function_name("void main()::<lambda(int)>::operator()(main()::<lambda(int)>::_ZZ4mainENKU"
                        "liE_clEi.Frame*)") == "main()::lambda");
    CHECK(function_name("task<> (anonymous namespace)::leaf(weft::event &)") == "leaf");
    CHECK(function_name("void {anonymous}::leaf(leaf(weft::event&)::_ZN1.Frame*)") == "leaf");
    CHECK(function_name("") == "");
    CHECK(function_name(")") == ")");
    CHECK(function_name("no brackets") == "no brackets");
}

TEST_CASE("frames in use are counted by size") {
    const auto frames = [] {
        std::uint64_t count = 0;
        for (const weft::live_frames& each : weft::frame_allocator::alive()) count += each.count;
        return count;
    };
    const std::uint64_t before = frames();
    weft::event over;
    {
        std::vector<task<>> unstarted;  // elsewhere, or the compiler needs no frame
        unstarted.push_back(leaf(over));
        CHECK(frames() == before + 1);
        scheduler loop{scheduler::clock::virtual_time};
        const std::string text = weft::debug::describe_tasks(loop);
        CHECK_MESSAGE(text.find(" frames and the like of this thread: ") != std::string::npos,
                      text);
    }
    CHECK(frames() == before);
    const auto large = [](weft::event& awaited) -> task<int> {
        std::array<int, 4096> kept{};
        static const int* volatile seen_by_others = nullptr;  // or it may be left away
        seen_by_others = kept.data();
        (void)co_await awaited.wait();
        co_return seen_by_others[7];
    };
    std::vector<task<int>> unstarted;
    unstarted.push_back(large(over));
    const auto alive = weft::frame_allocator::alive();
    REQUIRE(!alive.empty());
    CHECK(alive.back().up_to_bytes == 0);
    CHECK(alive.back().count == 1);
}
}  // TEST_SUITE("framework.debug.names")

namespace {

task<> blocks_the_loop() {
    co_await weft::set_task_name("the blocker");
    co_await weft::yield();
    std::this_thread::sleep_for(30ms);
    co_await weft::yield();
}

task<> leaf_with_time(weft::event& over) { (void)co_await weft::with_timeout(50ms, over.wait()); }

task<> asks_by_signal(weft::event& over) {
    ::raise(SIGUSR1);
    (void)co_await weft::with_timeout(50ms, over.wait());
}

task<> asked_while_a_child_waits(weft::event& over) {
    (void)co_await weft::when_all(asks_by_signal(over), leaf_with_time(over));
}

}  // namespace

TEST_SUITE("framework.debug.slow_resumes") {
TEST_CASE("a coroutine that blocks the loop is logged, with its name and where it went on") {
    const std::string text = stderr_of([] {
        scheduler loop;
        loop.warn_of_slow_resumes(20ms);
        loop.run_until_done(blocks_the_loop());
    });
    CAPTURE(text);
    CHECK(text.find("a coroutine kept the loop for ") != std::string::npos);
    if (!weft::async_trace) return;
    CHECK(std::regex_search(
        text, std::regex{R"(it went on in blocks_the_loop at .*debug_test.cpp:\d+ )"
                         R"(and now waits in blocks_the_loop at .*:\d+ \("the blocker"\))"}));
}

TEST_CASE("nothing is said of a loop that was not asked to watch") {
    const std::string text = stderr_of([] {
        scheduler loop;
        loop.run_until_done(blocks_the_loop());
    });
    CHECK(text == "");
}
}  // TEST_SUITE("framework.debug.slow_resumes")

TEST_SUITE("framework.debug.signal") {
TEST_CASE("SIGUSR1 prints the tasks of a program that asked for it, and the program goes on") {
    const std::string text = stderr_of([] {
        weft::event over;
        weft::run(asked_while_a_child_waits(over), {.print_tasks_on_usr1 = true});
    });
    CAPTURE(text);
    CHECK(text.find(" frames and the like of this thread: ") != std::string::npos);
    if (!weft::async_trace) return;
    CHECK(text.find("* asks_by_signal at framework/debug_test.cpp:") != std::string::npos);
    CHECK(text.find("* leaf_with_time at framework/debug_test.cpp:") != std::string::npos);
}
}  // TEST_SUITE("framework.debug.signal")
