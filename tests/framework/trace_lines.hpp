#pragma once
// What traces say of a coroutine, as lines that a test can compare.

#include <doctest/doctest.h>
#include <weft/debug.hpp>
#include <weft/io/scheduler.hpp>
#include <weft/sleep.hpp>
#include <weft/sync/event.hpp>
#include <weft/task.hpp>
#include <weft/when_all.hpp>

#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <regex>
#include <string>

namespace trace_lines {

using weft::scheduler;
using weft::task;

/// Line numbers and the folder left out.
inline std::string without_places(const std::string& text) {
    return std::regex_replace(text, std::regex{R"( at [a-z_/]*/([a-z_.]*):\d+)"}, " at $1");
}

/// Starts `body(event)`, a task that ends when the event is set, and gives what a trace says once
/// nothing runs any more but the clock stands still.
template <class Body>
std::string trace_of(const Body& body) {
    scheduler loop{scheduler::clock::virtual_time};
    std::string text;
    const auto watch = [](scheduler& on, std::string& into, weft::event& over) -> task<> {
        (void)co_await weft::sleep_for(std::chrono::milliseconds{10});
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
template <class Body>
std::string lines_of(const Body& body) {
    std::string text = trace_of(body);
    const std::size_t begin = text.find("  * ") + 4;
    text = text.substr(begin, text.find("\n  * ", begin) - begin);
    return without_places(text);
}

/// What `body` writes to stderr.
template <class Body>
std::string stderr_of(Body body) {
    std::FILE* const file = std::tmpfile();
    REQUIRE(file != nullptr);
    const int before = ::dup(STDERR_FILENO);
    ::dup2(::fileno(file), STDERR_FILENO);
    body();
    ::dup2(before, STDERR_FILENO);
    ::close(before);
    std::rewind(file);
    std::string text(65536, '\0');
    text.resize(std::fread(text.data(), 1, text.size(), file));
    std::fclose(file);
    return text;
}

}  // namespace trace_lines
