#include <doctest/doctest.h>
#include <weft/io/scheduler.hpp>
#include <weft/sleep.hpp>
#include <weft/sync/event.hpp>
#include <weft/task_group.hpp>
#include <weft/yield.hpp>

#include <chrono>
#include <random>
#include <stdexcept>
#include <string>
#include <vector>

using namespace std::chrono_literals;
using weft::instant;
using weft::scheduler;
using weft::task;

namespace {

constexpr auto simulated = scheduler::clock::virtual_time;

task<> note_after(weft::duration delay, std::string what, std::vector<std::string>& log) {
    CHECK((co_await weft::sleep_for(delay)).has_value());
    scheduler& loop = co_await weft::current_scheduler();
    log.push_back(what + "@" + std::to_string(loop.now().time_since_epoch() / 1us));
}

task<> three_sleepers(weft::task_group& group, std::vector<std::string>* log) {
    group.spawn(note_after(6400us, "c", *log));
    group.spawn(note_after(640us, "a", *log));
    group.spawn(note_after(3200us, "b", *log));
    co_return;
}

TEST_SUITE("framework.scheduler") {
TEST_CASE("a virtual clock jumps from deadline to deadline and takes no time") {
    scheduler loop{simulated};
    std::vector<std::string> log;
    const auto began = std::chrono::steady_clock::now();
    CHECK(loop.run_until_done(weft::with_task_group(three_sleepers, &log)).has_value());
    CHECK(log == std::vector<std::string>{"a@640", "b@3200", "c@6400"});
    CHECK(loop.now() == instant{6400us});
    loop.run_until_done(note_after(8760h, "a year", log));
    CHECK(loop.now() >= instant{8760h});
    CHECK(std::chrono::steady_clock::now() - began < 5s);
}

task<> random_walk(std::uint64_t seed, std::vector<std::string>* log, std::string name) {
    std::mt19937_64 random{seed};
    for (int step = 0; step < 200; ++step) {
        if (random() % 4 == 0) {
            co_await weft::yield();
        } else {
            (void)co_await weft::sleep_for(weft::duration{random() % 10'000'000});
        }
        scheduler& loop = co_await weft::current_scheduler();
        log->push_back(name + std::to_string(loop.now().time_since_epoch().count()));
    }
}

task<> many_walks(weft::task_group& group, std::uint64_t seed, std::vector<std::string>* log) {
    for (std::uint64_t i = 0; i < 20; ++i) {
        group.spawn(random_walk(seed + i, log, std::to_string(i) + ":"));
    }
    co_return;
}

TEST_CASE("on a virtual clock the same seed gives the same history, another seed another") {
    const auto history = [](std::uint64_t seed) {
        std::vector<std::string> log;
        scheduler loop{simulated};
        CHECK(loop.run_until_done(weft::with_task_group(many_walks, seed, &log)).has_value());
        return log;
    };
    const auto first = history(1);
    CHECK(first.size() == 4000);
    CHECK(first == history(1));
    CHECK(first != history(2));
}

TEST_CASE("run_until leaves a virtual clock exactly at its end, with what is due done") {
    scheduler loop{simulated};
    loop.run_until(instant{1234567ns});
    CHECK(loop.now() == instant{1234567ns});
    loop.run_for(1s);
    CHECK(loop.now() == instant{1s + 1234567ns});
    CHECK_FALSE(loop.step());
}

TEST_CASE("waiting for what cannot happen is an error, after a chance to stop") {
    scheduler loop{simulated};
    bool was_canceled = false;
    auto hopeless = [](bool& canceled) -> task<> {
        weft::event never_set;
        canceled = (co_await never_set.wait()).error() == std::errc::operation_canceled;
    };
    CHECK_THROWS_AS(loop.run_until_done(hopeless(was_canceled)), std::logic_error);
    CHECK(was_canceled);
}

TEST_CASE("a steady clock sleeps at least as long as asked") {
    scheduler loop;
    const auto began = std::chrono::steady_clock::now();
    auto nap = []() -> task<> { CHECK((co_await weft::sleep_for(5ms)).has_value()); };
    loop.run_until_done(nap());
    CHECK(std::chrono::steady_clock::now() - began >= 5ms);
}

/// Writes down its calls; can be told to do something in them.
struct participant final : weft::turn_participant {
    participant(scheduler& on, std::string called, std::vector<std::string>& to)
        : loop{on}, name{std::move(called)}, log{to} {}
    void deliver(instant) noexcept override {
        log.push_back(name + " delivers");
        if (sets != nullptr) sets->set();
    }
    void settle(instant) noexcept override {
        log.push_back(name + " settles");
        if (again-- > 0) loop.settle_later(*this);
    }
    scheduler& loop;
    std::string name;
    std::vector<std::string>& log;
    weft::event* sets = nullptr;
    int again = 0;
};

TEST_CASE("a turn delivers, runs what that posted, and settles once, after the run queue") {
    scheduler loop{simulated};
    std::vector<std::string> log;
    weft::event arrived;
    participant host{loop, "host", log};
    host.sets = &arrived;

    auto program = [](weft::event& wanted, participant& its_host,
                      std::vector<std::string>& to) -> task<> {
        (void)co_await wanted.wait();
        to.push_back("program goes on");
        its_host.loop.settle_later(its_host);  // as a write does
    };
    loop.settle_later(host);
    loop.settle_later(host);
    loop.run_until_done(program(arrived, host, log));
    CHECK(log == std::vector<std::string>{"host delivers", "program goes on", "host delivers",
                                          "host settles"});
    CHECK(loop.is_idle());
}

TEST_CASE("a participant that marks itself while settling has its turn next time") {
    scheduler loop{simulated};
    std::vector<std::string> log;
    participant host{loop, "host", log};
    host.again = 1;
    loop.settle_later(host);
    loop.turn();
    CHECK(log == std::vector<std::string>{"host delivers", "host settles"});
    CHECK_FALSE(loop.is_idle());
    loop.turn();
    CHECK(log.size() == 4);
    CHECK(loop.is_idle());
}

TEST_CASE("participants settle in the order they were marked; a destroyed one is forgotten") {
    scheduler loop{simulated};
    std::vector<std::string> log;
    participant a{loop, "a", log};
    participant b{loop, "b", log};
    {
        participant gone{loop, "gone", log};
        loop.settle_later(b);
        loop.settle_later(gone);
        loop.settle_later(a);
    }
    loop.turn();
    CHECK(log == std::vector<std::string>{"b delivers", "a delivers", "b settles", "a settles"});
}

TEST_CASE("a participant whose turn ran out of budget settles, and delivers in the next turn") {
    scheduler loop{simulated};
    std::vector<std::string> log;
    participant host{loop, "host", log};
    auto busy = [](participant& its_host) -> task<> {
        its_host.loop.settle_later(its_host);
        for (int i = 0; i < 1500; ++i) co_await weft::yield();
    };
    loop.run_until_done(busy(host));
    loop.run();
    REQUIRE(log.size() == 2);  // delivered before the busy one used up the first turn
    log.clear();
    auto busy_first = [](participant& its_host) -> task<> {
        for (int i = 0; i < 10; ++i) co_await weft::yield();
        its_host.loop.settle_later(its_host);
        for (int i = 0; i < 1500; ++i) co_await weft::yield();
    };
    loop.run_until_done(busy_first(host));
    loop.run();
    CHECK(log == std::vector<std::string>{"host settles", "host delivers", "host settles"});
}

task<> yields_for_ever(bool& stop) {
    while (!stop) co_await weft::yield();
}
task<> busy_beside(weft::task_group& group, bool* stop) {
    group.spawn(yields_for_ever(*stop));
    CHECK((co_await weft::sleep_for(1ms)).has_value());
    *stop = true;
}

TEST_CASE("coroutines that never rest do not keep a turn from ending") {
    scheduler loop;  // steady: the yielding one keeps the loop busy until the sleep is over
    bool stop = false;
    std::vector<std::string> log;
    participant host{loop, "host", log};
    loop.settle_later(host);
    CHECK(loop.run_until_done(weft::with_task_group(busy_beside, &stop)).has_value());
    CHECK(log == std::vector<std::string>{"host delivers", "host settles"});
}
}

}  // namespace
