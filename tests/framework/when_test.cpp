#include <doctest/doctest.h>
#include <weft/io/scheduler.hpp>
#include <weft/sleep.hpp>
#include <weft/stop.hpp>
#include <weft/sync/event.hpp>
#include <weft/task_group.hpp>
#include <weft/when_all.hpp>
#include <weft/when_any.hpp>
#include <weft/with_timeout.hpp>
#include <weft/yield.hpp>

#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

using namespace std::chrono_literals;
using weft::duration;
using weft::instant;
using weft::result;
using weft::scheduler;
using weft::task;

namespace {

template <class T>
T run(task<T> main) {
    scheduler loop{scheduler::clock::virtual_time};
    return loop.run_until_done(std::move(main));
}

task<std::string> text_after(duration delay, std::string text) {
    if (delay > 0s) (void)co_await weft::sleep_for(delay);
    co_return text;
}
task<> throws_after(duration delay, std::string what) {
    if (delay > 0s) (void)co_await weft::sleep_for(delay);
    throw std::runtime_error{what};
}
task<> counts_its_stop(int& stopped) {
    const result<void> slept = co_await weft::sleep_for(1000h);
    if (!slept) ++stopped;
}
/// A wait that a stop request does not end.
class blind_wait : public weft::operation {
public:
    using ignores_stop = void;
    blind_wait(completion on_completion, duration length) noexcept
        : operation{on_completion}, length_{length}, alarm_{*this} {}
    bool ready() const noexcept { return false; }
    void start(const weft::environment& in) noexcept {
        park(*in.scheduler, weft::stop_token{});
        in.scheduler->timers().arm(alarm_, in.scheduler->now() + length_);
    }
    void finish() const noexcept {}

private:
    struct alarm : weft::timer_node {
        explicit alarm(blind_wait& self) noexcept
            : timer_node{[](timer_node& node, instant) noexcept {
                  static_cast<alarm&>(node).self_.post();
              }},
              self_{self} {}
        blind_wait& self_;
    };
    duration length_;
    alarm alarm_;
};

/// Completes with a value after `delay`, whatever is requested.
task<result<int>> stubborn(duration delay, int value) {
    co_await weft::awaiter<blind_wait>{delay};
    co_return value;
}

task<instant> time() { co_return (co_await weft::current_scheduler()).now(); }

TEST_SUITE("framework.when_all") {
TEST_CASE("when_all waits for the last and returns everything in order") {
    auto program = []() -> task<> {
        auto [a, b, c, d] = co_await weft::when_all(text_after(3ms, "a"), text_after(1ms, "b"),
                                                    text_after(0s, "c"), weft::sleep_for(6400us));
        CHECK(a == "a");
        CHECK(b == "b");
        CHECK(c == "c");
        CHECK(d.has_value());
        CHECK(co_await time() == instant{6400us});
    };
    run(program());
}

TEST_CASE("branches that all finish at once do not suspend the caller") {
    auto program = []() -> task<long> {
        long sum = 0;
        for (int i = 0; i < 100'000; ++i) {
            auto [a, b] = co_await weft::when_all(text_after(0s, "1"), text_after(0s, "23"));
            sum += static_cast<long>(a.size() + b.size());
        }
        co_return sum;
    };
    CHECK(run(program()) == 300'000);
}

TEST_CASE("an exception in one branch stops the others and is thrown when they have ended") {
    int stopped = 0;
    auto program = [](int& count) -> task<> {
        co_await weft::when_all(counts_its_stop(count), throws_after(2ms, "second"),
                                throws_after(1ms, "first"), counts_its_stop(count));
    };
    CHECK_THROWS_WITH_AS(run(program(stopped)), "first", std::runtime_error);
    CHECK(stopped == 2);
}

TEST_CASE("an error in one branch is a value like others") {
    auto program = []() -> task<> {
        auto [late, early] =
            co_await weft::when_all(stubborn(5ms, 1), weft::with_timeout(1ms, weft::sleep_for(1h)));
        CHECK(late.value() == 1);
        CHECK(early.error() == std::errc::timed_out);
    };
    run(program());
}

TEST_CASE("when_all of a vector keeps its order; of an empty one completes at once") {
    auto program = []() -> task<> {
        std::vector<task<std::string>> tasks;
        for (int i = 0; i < 50; ++i) {
            tasks.push_back(text_after(duration{(i * 7919) % 50 * 1'000'000}, std::to_string(i)));
        }
        const auto all = co_await weft::when_all(std::move(tasks));
        REQUIRE(all.size() == 50);
        for (std::size_t i = 0; i < all.size(); ++i) CHECK(all[i] == std::to_string(i));
        const auto none = co_await weft::when_all(std::vector<task<int>>{});
        CHECK(none.empty());
    };
    run(program());
}
}

TEST_SUITE("framework.when_any") {
TEST_CASE("the first to finish wins, the losers are stopped and joined") {
    int stopped = 0;
    auto program = [](int& count) -> task<> {
        auto [index, values] = co_await weft::when_any(
            counts_its_stop(count), text_after(640us, "won"), counts_its_stop(count));
        CHECK(index == 1);
        CHECK(std::get<1>(values) == "won");
        CHECK(count == 2);
        CHECK(co_await time() == instant{640us});
    };
    run(program(stopped));
}

TEST_CASE("a loser that completes with a value in spite of the stop has it returned") {
    auto program = []() -> task<> {
        auto [index, values] = co_await weft::when_any(stubborn(6400us, 42), weft::sleep_for(1ms));
        CHECK(index == 1);
        CHECK(std::get<0>(values).value() == 42);
        CHECK(co_await time() == instant{6400us});  // it was waited for
    };
    run(program());
}

TEST_CASE("a loser that was posted before the stop keeps its value") {
    auto program = []() -> task<> {
        weft::event a;
        weft::event b;
        auto setter = [](weft::event& first, weft::event& second) -> task<> {
            co_await weft::yield();
            first.set();
            second.set();
        };
        auto [both, done] = co_await weft::when_all(
            [](weft::event& first, weft::event& second) -> task<bool> {
                auto [index, values] = co_await weft::when_any(first.wait(), second.wait());
                co_return index == 0 && std::get<0>(values) && std::get<1>(values);
            }(a, b),
            setter(a, b));
        CHECK(both);
    };
    run(program());
}

TEST_CASE("a branch that finishes at once wins, and the rest is still run to its end") {
    int stopped = 0;
    auto program = [](int& count) -> task<> {
        auto [index, values] =
            co_await weft::when_any(text_after(0s, "now"), counts_its_stop(count));
        CHECK(index == 0);
        CHECK(count == 1);
    };
    run(program(stopped));
}

TEST_CASE("an exception of winner or loser is thrown, after all have ended") {
    int stopped = 0;
    auto program = [](int& count) -> task<> {
        (void)co_await weft::when_any(throws_after(1ms, "thrown"), counts_its_stop(count));
    };
    CHECK_THROWS_WITH_AS(run(program(stopped)), "thrown", std::runtime_error);
    CHECK(stopped == 1);
}

TEST_CASE("when_any of a vector says which; of an empty one is refused") {
    auto program = []() -> task<> {
        std::vector<task<std::string>> tasks;
        for (int i = 0; i < 10; ++i) tasks.push_back(text_after((10 - i) * 1ms, "x"));
        const auto first = co_await weft::when_any(std::move(tasks));
        CHECK(first.index == 9);
        CHECK(first.values.size() == 10);
        CHECK_THROWS_AS((void)weft::when_any(std::vector<task<int>>{}), std::invalid_argument);
    };
    run(program());
}

TEST_CASE("a stop of the caller ends every branch") {
    scheduler loop{scheduler::clock::virtual_time};
    weft::stop_source stop;
    stop.request_stop();
    auto program = []() -> task<> {
        auto [index, values] = co_await weft::when_any(weft::sleep_for(1h), weft::sleep_for(2h));
        CHECK(std::get<0>(values).error() == weft::errc::canceled);
        CHECK(std::get<1>(values).error() == weft::errc::canceled);
    };
    loop.run_until_done(program(), stop.token());
    CHECK(loop.now() == instant{});
}
}

TEST_SUITE("framework.with_timeout") {
TEST_CASE("an operation that takes too long is timed out, one in time is not") {
    auto program = []() -> task<> {
        const auto late = co_await weft::with_timeout(640us, weft::sleep_for(1h));
        CHECK(late.error() == std::errc::timed_out);
        CHECK(co_await time() == instant{640us});
        const auto in_time = co_await weft::with_timeout(1h, weft::sleep_for(640us));
        CHECK(in_time.has_value());
        CHECK(co_await time() == instant{1280us});
    };
    run(program());
}

TEST_CASE("a value beats the timeout: what completed after the deadline is returned") {
    auto program = []() -> task<> {
        const auto value = co_await weft::with_timeout(1ms, stubborn(6400us, 7));
        CHECK(value.value() == 7);
        CHECK(co_await time() == instant{6400us});
    };
    run(program());
}

TEST_CASE("an operation and its deadline in the same tick: the one that came first counts") {
    auto program = []() -> task<> {
        const auto value = co_await weft::with_timeout(640us, weft::sleep_for(640us));
        CHECK(value.has_value());
        CHECK(co_await time() == instant{640us});
    };
    run(program());
}

TEST_CASE("a ready operation completes even when the deadline has passed") {
    auto program = []() -> task<> {
        weft::event set{true};
        CHECK((co_await weft::with_deadline(instant{}, set.wait())).has_value());
        weft::event unset;
        CHECK((co_await weft::with_deadline(instant{}, unset.wait())).error() ==
              weft::errc::timed_out);
        CHECK((co_await weft::with_timeout(0s, unset.wait())).error() == weft::errc::timed_out);
        CHECK_FALSE(unset.has_waiters());
    };
    run(program());
}

TEST_CASE("a stop from outside is `canceled`, not `timed_out`") {
    auto program = []() -> task<> {
        weft::event never_set;
        auto [index, values] =
            co_await weft::when_any(weft::with_timeout(1h, never_set.wait()), weft::sleep_for(1ms));
        CHECK(index == 1);
        CHECK(std::get<0>(values).error() == weft::errc::canceled);
    };
    run(program());
}

/// Is slow to end after it was asked to.
task<result<void>> ends_slowly() {
    const result<void> slept = co_await weft::sleep_for(1000h);
    co_await weft::awaiter<blind_wait>{6400us};
    co_return slept;
}

TEST_CASE("a deadline that passes while a stop from outside is under way changes nothing") {
    auto program = []() -> task<> {
        auto [index, values] =
            co_await weft::when_any(weft::with_timeout(3ms, ends_slowly()), weft::sleep_for(1ms));
        CHECK(std::get<0>(values).error() == weft::errc::canceled);
        CHECK((co_await weft::with_timeout(3ms, ends_slowly())).error() == weft::errc::timed_out);
    };
    run(program());
}

TEST_CASE("an error of the operation itself passes through") {
    auto program = []() -> task<> {
        auto refused = []() -> task<result<int>> {
            co_await weft::yield();
            co_return std::errc::connection_refused;
        };
        CHECK((co_await weft::with_timeout(1h, refused())).error() ==
              std::errc::connection_refused);
        auto throws = []() -> task<result<int>> {
            co_await throws_after(1ms, "thrown");
            co_return 1;
        };
        CHECK_THROWS_WITH_AS((void)co_await weft::with_timeout(1h, throws()), "thrown",
                             std::runtime_error);
    };
    run(program());
}

TEST_CASE("timeouts nest: the nearest deadline is the one that is reported") {
    auto program = []() -> task<> {
        const auto inner =
            co_await weft::with_timeout(1h, weft::with_timeout(640us, weft::sleep_for(2h)));
        CHECK(inner.error() == weft::errc::timed_out);
        CHECK(co_await time() == instant{640us});
        const auto outer =
            co_await weft::with_timeout(640us, weft::with_timeout(1h, weft::sleep_for(2h)));
        CHECK(outer.error() == weft::errc::timed_out);
        CHECK(co_await time() == instant{1280us});
    };
    run(program());
}

TEST_CASE("a timeout that did not expire leaves nothing behind on the wheel") {
    scheduler loop{scheduler::clock::virtual_time};
    auto program = []() -> task<> {
        for (int i = 0; i < 1000; ++i) {
            CHECK((co_await weft::with_timeout(1h, weft::sleep_for(1ms))).has_value());
        }
    };
    loop.run_until_done(program());
    CHECK(loop.next_deadline() == weft::never);
}

TEST_CASE("a timeout works on an awaitable that knows nothing of environments") {
    struct immediate {
        immediate() {}
        bool await_ready() const noexcept { return true; }
        void await_suspend(std::coroutine_handle<>) const noexcept {}
        result<int> await_resume() const { return 3; }
    };
    auto program = []() -> task<> {
        CHECK(*co_await weft::with_timeout(1s, immediate{}) == 3);
        auto [index, values] = co_await weft::when_any(immediate{}, weft::sleep_for(1s));
        CHECK(index == 0);
    };
    run(program());
}
}

TEST_SUITE("framework.event") {
task<> waits(weft::event& event, std::vector<int>& order, int id) {
    const result<void> waited = co_await event.wait();
    if (waited) order.push_back(id);
}
task<> three_wait(weft::task_group& group, weft::event* event, std::vector<int>* order) {
    for (int id = 1; id <= 3; ++id) group.spawn(waits(*event, *order, id));
    co_await weft::yield();
    CHECK(event->has_waiters());
    event->set();
    CHECK(order->empty());  // nobody is resumed within set()
    event->reset();         // and who was released stays released
    group.spawn(waits(*event, *order, 4));
    (void)co_await weft::sleep_for(1ms);
    CHECK(*order == std::vector{1, 2, 3});
    event->release();
    CHECK_FALSE(event->is_set());
}

TEST_CASE("set releases the waiters in their order, from the run queue; reset holds later ones") {
    weft::event event;
    std::vector<int> order;
    CHECK(run(weft::with_task_group(three_wait, &event, &order)).has_value());
    CHECK(order == std::vector{1, 2, 3, 4});
}

TEST_CASE("waiting for an event that is set does not suspend") {
    auto program = []() -> task<> {
        weft::event event{true};
        CHECK((co_await event.wait()).has_value());
        CHECK(co_await time() == instant{});
    };
    run(program());
}
}

TEST_SUITE("framework.sleep") {
TEST_CASE("a sleep that is asked to stop ends at once as canceled") {
    auto program = []() -> task<> {
        auto [index, values] =
            co_await weft::when_any(weft::sleep_for(640us), weft::sleep_until(weft::never));
        CHECK(index == 0);
        CHECK(std::get<1>(values).error() == std::errc::operation_canceled);
        CHECK(co_await time() == instant{640us});
    };
    run(program());
}

TEST_CASE("a sleep of no length, or until the past, lets others run and takes no time") {
    auto program = []() -> task<> {
        CHECK((co_await weft::sleep_for(0s)).has_value());
        CHECK((co_await weft::sleep_for(-5s)).has_value());
        CHECK((co_await weft::sleep_until(instant{})).has_value());
        CHECK(co_await time() == instant{});
    };
    run(program());
}

TEST_CASE("yield goes on although stop was requested, behind what was posted before") {
    scheduler loop{scheduler::clock::virtual_time};
    weft::stop_source stop;
    stop.request_stop();
    auto program = []() -> task<int> {
        std::vector<int> order;
        auto turns = [](std::vector<int>& to, int id) -> task<> {
            for (int i = 0; i < 3; ++i) {
                to.push_back(id);
                co_await weft::yield();
            }
        };
        co_await weft::when_all(turns(order, 1), turns(order, 2));
        CHECK(order == std::vector{1, 2, 1, 2, 1, 2});
        co_return 0;
    };
    loop.run_until_done(program(), stop.token());
}
}

}  // namespace
