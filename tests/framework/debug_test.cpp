#include <doctest/doctest.h>
#include <weft/debug.hpp>
#include <weft/frame_allocator.hpp>
#include <weft/sleep.hpp>
#include <weft/sync/event.hpp>
#include <weft/task_group.hpp>
#include <weft/when_all.hpp>
#include <weft/when_any.hpp>
#include <weft/with_timeout.hpp>
#include <weft/yield.hpp>

#include <array>
#include <cstdint>
#include <regex>
#include <string>
#include <utility>

using namespace std::chrono_literals;
using weft::result;
using weft::scheduler;
using weft::task;

namespace {

/// Starts `body` and gives what a trace says once nothing runs any more but the clock stands still.
std::string trace_of(task<void> (*body)(weft::event&)) {
    scheduler loop{scheduler::clock::virtual_time};
    std::string text;
    const auto watch = [](scheduler& on, std::string& into, weft::event& over) -> task<> {
        (void)co_await weft::sleep_for(10ms);
        into = weft::debug::describe_tasks(on);
        over.set();
    };
    const auto main = [](auto make, auto look, scheduler& on, std::string& into) -> task<> {
        weft::event over;
        (void)co_await weft::when_all(make(over), look(on, into, over));
    };
    const auto make = [&](weft::event& over) { return body(over); };
    loop.run_until_done(main(make, watch, loop, text));
    CHECK(weft::debug::task_count(loop) == 0);
    return text;
}

/// What a trace says of `body`, the first branch below the test's own when_all, line numbers and
/// the folder left out.
std::string lines_of(task<void> (*body)(weft::event&)) {
    std::string text = trace_of(body);
    const std::size_t begin = text.find("  * ") + 4;
    text = text.substr(begin, text.find("\n  * ", begin) - begin);
    return std::regex_replace(text, std::regex{R"( at [a-z_/]*/([a-z_.]*):\d+)"}, " at $1");
}

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
          "    awaits task_group::join\n"
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
        const task<> unstarted = leaf(over);
        CHECK(frames() == before + 1);
        scheduler loop{scheduler::clock::virtual_time};
        const std::string text = weft::debug::describe_tasks(loop);
        CHECK_MESSAGE(text.find(" frames and the like of this thread: ") != std::string::npos,
                      text);
    }
    CHECK(frames() == before);
    const auto large = [](weft::event& awaited) -> task<int> {
        std::array<int, 4096> kept{};
        (void)co_await awaited.wait();
        co_return kept[7];
    };
    const task<int> unstarted = large(over);
    const auto alive = weft::frame_allocator::alive();
    CHECK(alive.back().up_to_bytes == 0);
    CHECK(alive.back().count == 1);
}
}  // TEST_SUITE("framework.debug.names")
