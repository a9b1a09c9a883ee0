#include "loop.hpp"

#include <doctest/doctest.h>
#include <weft/shielded.hpp>
#include <weft/sleep.hpp>
#include <weft/stop.hpp>
#include <weft/sync/event.hpp>
#include <weft/task_group.hpp>
#include <weft/when_all.hpp>
#include <weft/when_all_settled.hpp>
#include <weft/when_any.hpp>
#include <weft/yield.hpp>

#include <memory>
#include <stdexcept>
#include <string>
#include <variant>
#include <vector>

using namespace std::chrono_literals;
using weft::duration;
using weft::instant;
using weft::result;
using weft::scheduler;
using weft::task;
using weft::test::has_assertions;
using weft::test::last_words;
using weft::test::run;

namespace {

task<std::string> text_after(duration delay, std::string text) {
    if (delay > 0s) (void)co_await weft::sleep_for(delay);
    co_return text;
}
task<int> throws_after(duration delay, std::string what) {
    if (delay > 0s) (void)co_await weft::sleep_for(delay);
    throw std::runtime_error{what};
}
task<result<void>> sleeps(duration length) { co_return co_await weft::sleep_for(length); }
task<instant> time() { co_return (co_await weft::current_scheduler()).now(); }

/// Runs `main` and asks it to stop `after` the start.
template <class T>
T run_and_stop(duration after, task<T> main) {
    scheduler loop{scheduler::clock::virtual_time};
    weft::stop_source stop;
    auto stops = [](weft::stop_source& source, duration then) -> task<> {
        (void)co_await weft::sleep_for(then);
        source.request_stop();
    };
    weft::task_group beside{weft::environment{&loop, {}}};
    beside.spawn(stops(stop, after));
    return loop.run_until_done(std::move(main), stop.token());
}

TEST_SUITE("framework.when_all_settled") {
TEST_CASE("every outcome comes back, exceptions branch by branch, and nobody is stopped") {
    auto program = []() -> task<> {
        auto [a, b, c, d] =
            co_await weft::when_all_settled(throws_after(0s, "at once"), text_after(2ms, "late"),
                                            throws_after(1ms, "later"), weft::sleep_for(6400us));
        CHECK_FALSE(a.has_value());
        CHECK_THROWS_WITH_AS((void)a.value(), "at once", std::runtime_error);
        CHECK_THROWS_WITH_AS((void)a.value(), "at once", std::runtime_error);  // it is kept
        CHECK(b.value() == "late");
        CHECK(*b == "late");
        CHECK(b->size() == 4);
        CHECK(b.exception() == nullptr);
        CHECK_THROWS_WITH_AS((void)std::move(c).value(), "later", std::runtime_error);
        CHECK(d.value().has_value());
        CHECK(co_await time() == instant{6400us});
    };
    run(program());
}

TEST_CASE("a task of void settles with a monostate, a move-only value is moved out") {
    auto program = []() -> task<> {
        auto nothing = []() -> task<> { co_await weft::yield(); };
        auto pointer = []() -> task<std::unique_ptr<int>> { co_return std::make_unique<int>(7); };
        auto [none, owned] = co_await weft::when_all_settled(nothing(), pointer());
        CHECK(none.has_value());
        CHECK(none.value() == std::monostate{});
        const std::unique_ptr<int> taken = std::move(owned).value();
        CHECK(*taken == 7);
    };
    run(program());
}

TEST_CASE("when_all_settled of a vector keeps its order; of an empty one completes at once") {
    auto program = []() -> task<> {
        std::vector<task<int>> tasks;
        for (int i = 0; i < 20; ++i) {
            auto each = [](int number) -> task<int> {
                (void)co_await weft::sleep_for((number * 7) % 20 * 1ms);
                if (number % 3 == 0) throw std::runtime_error{std::to_string(number)};
                co_return number;
            };
            tasks.push_back(each(i));
        }
        const auto all = co_await weft::when_all_settled(std::move(tasks));
        REQUIRE(all.size() == 20);
        for (int i = 0; i < 20; ++i) {
            const auto& each = all[static_cast<std::size_t>(i)];
            CHECK(each.has_value() == (i % 3 != 0));
            if (each) {
                CHECK(*each == i);
            } else {
                CHECK_THROWS_WITH_AS((void)each.value(), std::to_string(i).c_str(),
                                     std::runtime_error);
            }
        }
        const auto none = co_await weft::when_all_settled(std::vector<task<int>>{});
        CHECK(none.empty());
    };
    run(program());
}

TEST_CASE("a stop of the caller reaches every branch of when_all_settled") {
    auto program = []() -> task<instant> {
        auto [a, b] = co_await weft::when_all_settled(weft::sleep_for(1h), sleeps(2h));
        CHECK(a.value().error() == weft::errc::canceled);
        CHECK(b.value().error() == weft::errc::canceled);
        co_return co_await time();
    };
    CHECK(run_and_stop(640us, program()) == instant{640us});
}
}

TEST_SUITE("framework.shielded") {
TEST_CASE("what is shielded does not see the caller's stop; what comes after it does") {
    auto program = []() -> task<> {
        CHECK((co_await weft::sleep_for(1h)).error() == weft::errc::canceled);
        CHECK((co_await weft::shielded(weft::sleep_for(640us))).has_value());
        CHECK((co_await weft::shielded(sleeps(640us))).has_value());
        auto reads_token = []() -> task<bool> {
            co_return (co_await weft::current_stop_token()).stop_requested();
        };
        CHECK_FALSE(co_await weft::shielded(reads_token()));
        CHECK(co_await reads_token());
        CHECK((co_await weft::sleep_for(1h)).error() == weft::errc::canceled);
        CHECK(co_await time() == instant{3 * 640us});
    };
    run_and_stop(640us, program());
}

TEST_CASE("a stop that comes while the shielded work runs waits for its end") {
    auto program = []() -> task<> {
        CHECK((co_await weft::shielded(weft::sleep_for(6400us))).has_value());
        CHECK(co_await time() == instant{6400us});
        CHECK((co_await weft::current_stop_token()).stop_requested());
    };
    run_and_stop(640us, program());
}

TEST_CASE("a shield with a limit asks the work inside to stop then, and joins it") {
    auto program = []() -> task<> {
        auto late = [](bool& ended) -> task<result<void>> {
            const result<void> slept = co_await weft::sleep_for(1h);
            co_await weft::yield();
            ended = true;
            co_return slept;
        };
        bool ended = false;
        CHECK((co_await weft::shielded(6400us, late(ended))).error() == std::errc::timed_out);
        CHECK(ended);
        CHECK(co_await time() == instant{6400us});
        CHECK((co_await weft::shielded(instant{12800us}, weft::sleep_for(1h))).error() ==
              std::errc::timed_out);
        CHECK(co_await time() == instant{12800us});
        CHECK((co_await weft::shielded(1h, weft::sleep_for(640us))).has_value());
    };
    run_and_stop(640us, program());
}

TEST_CASE("exceptions and values of every kind pass through a shield") {
    auto program = []() -> task<> {
        CHECK_THROWS_WITH_AS((void)co_await weft::shielded(throws_after(1ms, "thrown")), "thrown",
                             std::runtime_error);
        CHECK(co_await weft::shielded(text_after(0s, "text")) == "text");
        int number = 1;
        auto refers = [](int& to) -> task<int&> { co_return to; };
        int& same = co_await weft::shielded(refers(number));
        CHECK(&same == &number);
        auto [index, values] =
            co_await weft::when_any(weft::shielded(sleeps(1ms)), weft::sleep_for(640us));
        CHECK(index == 1);
        CHECK(std::get<0>(values).has_value());  // it was not stopped, and waited for
    };
    run(program());
}

TEST_CASE("clean-up in a group that fails runs to its end under a shield") {
    auto holder = [](bool& cleaned) -> task<> {
        (void)co_await weft::sleep_for(1h);
        CHECK((co_await weft::shielded(sleeps(1ms))).has_value());
        cleaned = true;
    };
    auto body = [](weft::task_group& group, bool* cleaned, auto child) -> task<> {
        group.spawn(child(*cleaned));
        (void)co_await throws_after(1ms, "sibling");
    };
    bool cleaned = false;
    CHECK_THROWS_WITH_AS((void)run(weft::with_task_group(body, &cleaned, holder)), "sibling",
                         std::runtime_error);
    CHECK(cleaned);
}
}

TEST_SUITE("framework.task_group") {
TEST_CASE("a group destroyed with a failure that nobody joined dies with the rule") {
    if (!has_assertions) return;
    CHECK(last_words([] {
              auto program = []() -> task<> {
                  auto fails = []() -> task<result<void>> { co_return weft::errc::timed_out; };
                  weft::task_group group{co_await weft::current_environment()};
                  group.spawn(fails());
                  (void)co_await weft::sleep_for(1ms);
                  CHECK(group.empty());
              };
              run(program());
          }).find("a failure that no join has reported") != std::string::npos);
}
}

}  // namespace
