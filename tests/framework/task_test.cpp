#include <doctest/doctest.h>
#include <weft/base/result.hpp>
#include <weft/errc.hpp>
#include <weft/frame_allocator.hpp>
#include <weft/io/scheduler.hpp>
#include <weft/sleep.hpp>
#include <weft/stop.hpp>
#include <weft/task.hpp>
#include <weft/yield.hpp>

#include <algorithm>
#include <concepts>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

using namespace std::chrono_literals;
using weft::result;
using weft::scheduler;
using weft::task;

namespace {

template <class T>
T run(task<T> main) {
    scheduler loop{scheduler::clock::virtual_time};
    return loop.run_until_done(std::move(main));
}

template <class T>
concept awaitable_as = requires(T&& t) { std::forward<T>(t).operator co_await(); };
static_assert(awaitable_as<task<int>>);
static_assert(!awaitable_as<task<int>&>, "a task is awaited as an rvalue only");
static_assert(!std::copy_constructible<task<int>>);
static_assert(std::is_nothrow_move_constructible_v<task<int>>);
static_assert(weft::async_trace || sizeof(weft::task_promise<void>) <= 32);

task<int> number(int n) { co_return n; }
task<int> number_later(int n) {
    co_await weft::yield();
    co_return n;
}

task<long> await_many(int times) {
    long sum = 0;
    for (int i = 0; i < times; ++i) sum += co_await number(1);
    co_return sum;
}

TEST_SUITE("framework.task") {
TEST_CASE("a task does not start before it is awaited, and need not be awaited at all") {
    bool started = false;
    auto body = [](bool& flag) -> task<> {
        flag = true;
        co_return;
    };
    {
        const task<> unused = body(started);
    }
    CHECK_FALSE(started);
    run(body(started));
    CHECK(started);
}

TEST_CASE("a million awaits that complete at once need no stack") {
    CHECK(run(await_many(1'000'000)) == 1'000'000);
}

task<long> await_many_later(int times) {
    long sum = 0;
    for (int i = 0; i < times; ++i) {
        sum += co_await number_later(1);
        sum += co_await number(1);
    }
    co_return sum;
}

TEST_CASE("awaits that complete at once and later may alternate for ever") {
    CHECK(run(await_many_later(200'000)) == 400'000);
}

task<int> depth(int levels) {
    if (levels == 0) co_return co_await number_later(0);
    co_return 1 + co_await depth(levels - 1);
}

TEST_CASE("tasks nest, and end from the inside out") { CHECK(run(depth(500)) == 500); }

task<> failing(bool later) {
    if (later) co_await weft::yield();
    throw std::runtime_error{"from inside"};
}

task<std::string> caught(bool later) {
    try {
        co_await failing(later);
    } catch (const std::runtime_error& error) {
        co_return error.what();
    }
    co_return "nothing";
}

TEST_CASE("an exception passes through every await unchanged") {
    CHECK(run(caught(false)) == "from inside");
    CHECK(run(caught(true)) == "from inside");
    CHECK_THROWS_WITH_AS(run(failing(true)), "from inside", std::runtime_error);
}

task<int&> same(int& n) { co_return n; }
task<std::unique_ptr<int>> owned(int n) { co_return std::make_unique<int>(n); }
task<result<std::string>> text(bool good) {
    if (!good) co_return weft::errc::timed_out;
    co_return "text";
}
task<const std::string&> longer(const std::string& a, const std::string& b) {
    co_return a.size() > b.size() ? a : b;
}

task<> every_type() {
    int n = 1;
    int& m = co_await same(n);
    m = 2;
    CHECK(n == 2);
    CHECK(*co_await owned(7) == 7);
    CHECK(*co_await text(true) == "text");
    CHECK((co_await text(false)).error() == std::errc::timed_out);
    const std::string a = "long", b = "b";
    CHECK(&co_await longer(a, b) == &a);
}

TEST_CASE("a task returns values, references, what can only be moved, and results") {
    run(every_type());
}

struct throws_when_destroyed {
    throws_when_destroyed() = default;
    throws_when_destroyed(const throws_when_destroyed&) = delete;
    ~throws_when_destroyed() noexcept(false) { throw std::runtime_error{"late"}; }
};

task<std::shared_ptr<int>> returns_and_throws(const std::shared_ptr<int>& value) {
    const throws_when_destroyed local;
    co_return value;
}

TEST_CASE("a local that throws after the value was returned replaces it") {
    const auto value = std::make_shared<int>(1);
    CHECK_THROWS_WITH_AS((void)run(returns_and_throws(value)), "late", std::runtime_error);
    CHECK(value.use_count() == 1);
}

/// As options are written: an aggregate without anything to destroy.
struct options {
    bool no_delay = false;
    int size = 0;
    std::string_view name = {};
};
static_assert(std::is_trivially_destructible_v<options>);

/// As options that own something are written: a class with a declared constructor.
class owning_options {
public:
    owning_options() {}
    owning_options& name(std::shared_ptr<int> value) {
        name_ = std::move(value);
        return *this;
    }
    const std::shared_ptr<int>& name() const { return name_; }

private:
    std::shared_ptr<int> name_;
};

task<int> takes(options given) {
    co_await weft::yield();
    co_return given.no_delay ? given.size : -1;
}
task<long> takes_owner(owning_options given) {
    co_await weft::yield();
    co_return given.name().use_count();
}
task<long> takes_pointer(std::shared_ptr<int> given) {
    co_await weft::yield();
    co_return given.use_count();
}

task<> tempting_calls(std::shared_ptr<int> counted) {
    CHECK(co_await takes({.no_delay = true, .size = 3}) == 3);
    for (int i = 0; i < 3; ++i) {
        CHECK(co_await takes_owner(owning_options{}.name(counted)) >= 2);
        CHECK(co_await takes_pointer(counted) >= 2);
        CHECK(counted.use_count() == 1);
    }
}

TEST_CASE("the tempting calls destroy their arguments once (g++ 12 destroys aggregates twice)") {
    run(tempting_calls(std::make_shared<int>(1)));
}

task<> asks_around(scheduler& expected) {
    CHECK(&co_await weft::current_scheduler() == &expected);
    CHECK((co_await weft::current_stop_token()).stop_possible());
    const weft::environment in = co_await weft::current_environment();
    CHECK(in.scheduler == &expected);
}

TEST_CASE("a task finds its scheduler and stop token in what awaits it") {
    scheduler loop{scheduler::clock::virtual_time};
    loop.run_until_done(asks_around(loop));
}

task<> holds(std::shared_ptr<int> token) {
    const std::shared_ptr<int> mine = token;
    (void)co_await weft::sleep_for(1h);
}
task<> holds_nested(std::shared_ptr<int> token) { co_await holds(token); }

TEST_CASE("a frame destroyed while suspended lets go of all it holds and of what it waits for") {
    scheduler loop{scheduler::clock::virtual_time};
    const auto token = std::make_shared<int>(1);
    {
        const weft::environment in{&loop, {}};
        weft::task_listener nobody{[](weft::task_listener&) noexcept -> std::coroutine_handle<> {
            return std::noop_coroutine();
        }};
        weft::running_task<void> running{holds_nested(token)};
        CHECK_FALSE(running.start(in, nobody));
        CHECK(token.use_count() > 1);
    }
    CHECK(token.use_count() == 1);
    CHECK(loop.next_deadline() == weft::never);
    loop.run();
}
}

TEST_SUITE("framework.frame_allocator") {
TEST_CASE("awaiting in a loop allocates no fresh frame after the first") {
    run(await_many(10));
    const weft::frame_counters before = weft::frame_allocator::counters();
    run(await_many(1000));
    const weft::frame_counters after = weft::frame_allocator::counters();
    CHECK(after.allocated - before.allocated >= 1000);
    CHECK(after.freed - before.freed == after.allocated - before.allocated);
    if (!weft::address_sanitizer) CHECK(after.fresh == before.fresh);
}

TEST_CASE("frames of any size are served, and trim gives the free ones back") {
    std::vector<std::pair<void*, std::size_t>> frames;
    for (std::size_t bytes = 1; bytes < 10'000; bytes += 61) {
        void* frame = weft::frame_allocator::allocate(bytes);
        std::fill_n(static_cast<unsigned char*>(frame), bytes, static_cast<unsigned char>(bytes));
        frames.emplace_back(frame, bytes);
    }
    for (const auto& [frame, bytes] : frames) {
        REQUIRE(static_cast<unsigned char*>(frame)[bytes - 1] == static_cast<unsigned char>(bytes));
        weft::frame_allocator::deallocate(frame, bytes);
    }
    weft::frame_allocator::trim();
    const auto before = weft::frame_allocator::counters();
    run(await_many(10));
    CHECK(weft::frame_allocator::counters().fresh > before.fresh);
}
}

}  // namespace
