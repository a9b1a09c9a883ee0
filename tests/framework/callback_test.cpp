// Callbacks on the operations that coroutines await.
#include <weft/callback.hpp>
#include <weft/callback_group.hpp>
#include <weft/fiber/await.hpp>
#include <weft/fiber/run.hpp>
#include <weft/frame_allocator.hpp>
#include <weft/io/scheduler.hpp>
#include <weft/sleep.hpp>
#include <weft/sync/event.hpp>
#include <weft/task.hpp>
#include <weft/when_any.hpp>
#include <weft/with_timeout.hpp>
#include <weft/yield.hpp>

#include <doctest/doctest.h>

#include <chrono>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <system_error>
#include <vector>

using namespace std::chrono_literals;
using weft::callback_group;
using weft::callback_slot;
using weft::result;
using weft::scheduler;
using weft::task;

namespace {

/// A loop on a virtual clock, and a group on it.
struct bench {
    bench() = default;
    scheduler loop{scheduler::clock::virtual_time};
    weft::stop_source stop;
    callback_group group{weft::environment{&loop, stop.token()}};

    result<void> join() {
        return loop.run_until_done([](callback_group* all) -> task<result<void>> {
            co_return co_await all->join();
        }(&group));
    }
};

task<int> doubled_after(weft::duration delay, int value) {
    if (delay > 0s) (void)co_await weft::sleep_for(delay);
    co_return 2 * value;
}
task<int> throws_after(weft::duration delay) {
    if (delay > 0s) (void)co_await weft::sleep_for(delay);
    throw std::runtime_error{"from a task"};
}

TEST_SUITE("framework.callback.start") {
TEST_CASE("a callback gets the result once the operation has finished, never within start") {
    bench b;
    std::vector<std::string> seen;
    weft::event set{true};
    auto ready = weft::start(
        b.group, [&] { return set.wait(); },
        [&](result<void> waited) { seen.emplace_back(waited ? "event" : "error"); });
    auto timer = weft::start(
        b.group, [] { return weft::sleep_for(2ms); },
        [&](result<void> slept) { seen.emplace_back(slept ? "timer" : "error"); });
    auto yielded =
        weft::start(b.group, [] { return weft::yield(); }, [&] { seen.emplace_back("yield"); });
    CHECK(seen.empty());
    CHECK(b.group.size() == 3);
    b.loop.run();
    CHECK(seen == std::vector<std::string>{"event", "yield", "timer"});
    CHECK_FALSE(ready.is_waiting());
    CHECK_FALSE(timer.is_waiting());
    CHECK(b.group.empty());
}

TEST_CASE("tasks, timeouts, combinators and fibers end in callbacks too") {
    bench b;
    int sum = 0;
    const auto add = [&sum](int value) { sum += value; };
    auto at_once = weft::start(b.group, [] { return doubled_after(0s, 1); }, add);
    auto later = weft::start(b.group, [] { return doubled_after(1ms, 10); }, add);
    auto fiber = weft::start(
        b.group,
        [] {
            return weft::fiber::run([] {
                (void)weft::fiber::await(weft::sleep_for(1ms));
                return 100;
            });
        },
        add);
    std::error_code ended;
    auto timed = weft::start(
        b.group, [] { return weft::with_timeout(1ms, [] { return weft::sleep_for(1h); }); },
        [&](result<void> slept) { ended = slept.error(); });
    b.loop.run();
    CHECK(sum == 122);
    CHECK(ended == weft::errc::timed_out);
}

TEST_CASE("an operation with its callback costs no allocation, in an object or in a slot") {
    bench b;
    int called = 0;
    callback_slot<512> slot;
    const std::uint64_t before = weft::frame_allocator::counters().allocated;
    for (int i = 0; i < 100; ++i) {
        auto each = weft::start(
            b.group, [] { return weft::sleep_for(1us); }, [&](result<void>) { ++called; });
        slot.start(
            b.group, [] { return weft::with_timeout(1s, [] { return weft::sleep_for(1us); }); },
            [&](result<void>) { ++called; });
        b.loop.run();
    }
    CHECK(called == 200);
    CHECK(weft::frame_allocator::counters().allocated == before);
}

TEST_CASE("a detached operation is one allocation, and its memory is used again") {
    bench b;
    int called = 0;
    const auto once = [&] {
        weft::start_detached(
            b.group, [] { return weft::sleep_for(1us); }, [&](result<void>) { ++called; });
        b.loop.run();
    };
    once();
    const weft::frame_counters before = weft::frame_allocator::counters();
    for (int i = 0; i < 100; ++i) once();
    const weft::frame_counters after = weft::frame_allocator::counters();
    CHECK(called == 101);
    CHECK(after.allocated - before.allocated == 100);
    CHECK(after.freed - before.freed == 100);
    if (!weft::address_sanitizer) CHECK(after.fresh == before.fresh);
}

TEST_CASE("a million callbacks in a row, each of which starts the next, do not nest") {
    bench b;
    struct chain {
        explicit chain(callback_group& all) : group{all} {}
        void next() {
            slot.start(group, [this] { return set.wait(); }, [this](result<void>) { go_on(); });
        }
        void go_on() {
            if (--left > 0) next();
        }
        callback_group& group;
        weft::event set{true};
        callback_slot<256> slot;
        int left = 1'000'000;
    } all{b.group};
    all.next();
    b.loop.run();
    CHECK(all.left == 0);
}

TEST_CASE("who is always ready does not keep others from their turn") {
    bench b;
    bool stopped = false;
    callback_slot<256> slot;
    weft::event set{true};
    struct spinner {
        static void go(bench& on, callback_slot<256>& in, weft::event& e, const bool& end) {
            in.start(
                on.group, [&e] { return e.wait(); },
                [&](result<void>) {
                    if (!end) go(on, in, e, end);
                });
        }
    };
    spinner::go(b, slot, set, stopped);
    auto timer = weft::start(b.group, [] { return weft::yield(); }, [&] { stopped = true; });
    b.loop.run();
    CHECK(stopped);
    CHECK_FALSE(timer.is_waiting());
}

TEST_CASE("a callback may destroy the object that it belongs to") {
    bench b;
    struct session {
        explicit session(bool& destroyed) : gone{destroyed} {}
        ~session() { gone = true; }
        callback_slot<256> slot;
        bool& gone;
    };
    bool gone = false;
    auto owner = std::make_unique<session>(gone);
    session& s = *owner;
    s.slot.start(
        b.group, [] { return weft::sleep_for(1ms); },
        [mine = std::move(owner)](result<void>) mutable { mine.reset(); });
    b.loop.run();
    CHECK(gone);
    CHECK(b.group.empty());
}

TEST_CASE("destroying an operation gives it up, and nothing is called") {
    bench b;
    weft::event never_set;
    weft::event set{true};
    const auto fails = [](result<void>) { FAIL("called back"); };
    {
        auto waits = weft::start(b.group, [&] { return never_set.wait(); }, fails);
        auto is_ready = weft::start(b.group, [&] { return set.wait(); }, fails);
        callback_slot<256> slot;
        slot.start(b.group, [] { return weft::sleep_for(1ms); }, fails);
        CHECK(slot.is_busy());
        CHECK(b.group.size() == 3);
    }
    CHECK_FALSE(never_set.has_waiters());
    CHECK(b.group.empty());
    bool called = false;
    auto next =
        weft::start(b.group, [&] { return set.wait(); }, [&](result<void>) { called = true; });
    b.loop.run();
    CHECK(called);
}
}

TEST_SUITE("framework.callback.group") {
TEST_CASE("cancel() and the stop of the parent end what waits with `canceled`, later starts too") {
    for (const bool by_parent : {false, true}) {
        bench b;
        int canceled = 0;
        const auto counts = [&](result<void> slept) {
            if (slept.error() == weft::errc::canceled) ++canceled;
        };
        auto first = weft::start(b.group, [] { return weft::sleep_for(1h); }, counts);
        b.loop.run_for(1ms);
        if (by_parent) {
            b.stop.request_stop();
        } else {
            b.group.cancel();
        }
        CHECK(canceled == 0);  // called back from the run queue
        auto second = weft::start(b.group, [] { return weft::sleep_for(1h); }, counts);
        CHECK(b.join());
        CHECK(canceled == 2);
    }
}

TEST_CASE("join waits for operations that callbacks start") {
    bench b;
    int called = 0;
    weft::start_detached(
        b.group, [] { return weft::sleep_for(1ms); },
        [&](result<void>) {
            ++called;
            weft::start_detached(
                b.group, [] { return weft::sleep_for(1ms); }, [&](result<void>) { ++called; });
        });
    CHECK(b.join());
    CHECK(called == 2);
}

TEST_CASE("a group joins another with a callback") {
    bench b;
    callback_group inner{b.group.environment()};
    std::string order;
    weft::start_detached(
        inner, [] { return weft::sleep_for(1ms); }, [&](result<void>) { order += "child "; });
    weft::start_detached(
        b.group, [&] { return inner.join(); }, [&](result<void>) { order += "joined"; });
    b.loop.run();
    CHECK(order == "child joined");
}

TEST_CASE("a callback that throws stops the group, and join throws") {
    bench b;
    std::error_code other;
    auto waits = weft::start(
        b.group, [] { return weft::sleep_for(1h); },
        [&](result<void> slept) { other = slept.error(); });
    auto throws = weft::start(
        b.group, [] { return weft::sleep_for(1ms); },
        [](result<void>) { throw std::runtime_error{"from a callback"}; });
    CHECK_THROWS_WITH_AS((void)b.join(), "from a callback", std::runtime_error);
    CHECK(other == weft::errc::canceled);
}

TEST_CASE(
    "what throws instead of having a result fails the group, and what its callback owns goes") {
    for (const weft::duration delay : {weft::duration{0}, weft::duration{1ms}}) {
        bench b;
        const auto held = std::make_shared<int>(1);
        weft::start_detached(
            b.group, [delay] { return throws_after(delay); }, [held](int) { FAIL("called back"); });
        CHECK(held.use_count() == 2);
        CHECK_THROWS_WITH_AS((void)b.join(), "from a task", std::runtime_error);
        CHECK(held.use_count() == 1);
    }
}

TEST_CASE("what cannot be made starts nothing") {
    bench b;
    const auto throws = []() -> weft::awaiter<weft::yield_operation> {
        throw std::runtime_error{"not made"};
    };
    CHECK_THROWS_AS(weft::start_detached(b.group, throws, [] {}), std::runtime_error);
    callback_slot<256> slot;
    CHECK_THROWS_AS(slot.start(b.group, throws, [] {}), std::runtime_error);
    CHECK_FALSE(slot.is_busy());
    CHECK(b.group.empty());
}
}

}  // namespace
