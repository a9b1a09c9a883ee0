#include "loop.hpp"

#include <doctest/doctest.h>
#include <weft/async_generator.hpp>
#include <weft/base/result.hpp>
#include <weft/errc.hpp>
#include <weft/frame_allocator.hpp>
#include <weft/generator.hpp>
#include <weft/sleep.hpp>
#include <weft/stop.hpp>
#include <weft/sync/channel.hpp>
#include <weft/when_all.hpp>
#include <weft/when_any.hpp>
#include <weft/with_timeout.hpp>
#include <weft/yield.hpp>

#include <algorithm>
#include <iterator>
#include <memory>
#include <numeric>
#include <optional>
#include <ranges>
#include <stdexcept>
#include <string>
#include <vector>

using namespace std::chrono_literals;
using weft::async_generator;
using weft::generator;
using weft::result;
using weft::task;
using weft::test::has_assertions;
using weft::test::last_words;
using weft::test::run;

namespace {

static_assert(std::ranges::input_range<generator<int>>);
static_assert(!std::ranges::forward_range<generator<int>>);
static_assert(std::ranges::view<generator<int>>);
static_assert(std::same_as<std::ranges::range_reference_t<generator<std::string>>, std::string&&>);
static_assert(std::same_as<std::ranges::range_reference_t<generator<const std::string&>>,
                           const std::string&>);
static_assert(std::same_as<std::ranges::range_value_t<generator<const std::string&>>, std::string>);
static_assert(!std::copy_constructible<generator<int>>);
static_assert(!std::copy_constructible<async_generator<int>>);

/// Counts those that are alive: a copy too many, or a destructor too many, shows.
class counted {
public:
    explicit counted(int number) : number_{number} { ++alive; }
    counted(const counted& other) : number_{other.number_} { ++alive; }
    counted(counted&& other) noexcept : number_{other.number_} { ++alive; }
    counted& operator=(const counted&) = default;
    counted& operator=(counted&&) = default;
    ~counted() { --alive; }
    [[nodiscard]] int number() const noexcept { return number_; }

    static inline int alive = 0;

private:
    int number_;
};

generator<int> iota(int from, int to) {
    for (int i = from; i < to; ++i) co_yield i;
}

TEST_SUITE("framework.generator") {
TEST_CASE("a generator runs as far as it is read, and stops at its end") {
    int steps = 0;
    auto counts = [](int& made) -> generator<int> {
        for (int i = 0;; ++i) {
            ++made;
            co_yield i;
        }
    };
    auto numbers = counts(steps);
    CHECK(steps == 0);
    std::vector<int> read;
    for (const int number : numbers) {
        if (number == 3) break;
        read.push_back(number);
    }
    CHECK(read == std::vector{0, 1, 2});
    CHECK(steps == 4);
    int none = 0;
    for ([[maybe_unused]] const int number : iota(5, 5)) ++none;
    CHECK(none == 0);
}

TEST_CASE("a generator is an input view: it goes through pipelines and algorithms") {
    std::vector<int> squares;
    for (const int each : iota(0, 100) | std::views::filter([](int n) { return n % 2 == 1; }) |
                              std::views::transform([](int n) { return n * n; }) |
                              std::views::take(3)) {
        squares.push_back(each);
    }
    CHECK(squares == std::vector{1, 9, 25});
    int sum = 0;
    std::ranges::for_each(iota(1, 101), [&](int n) { sum += n; });
    CHECK(sum == 5050);
}

TEST_CASE("a value is moved out, an lvalue that was yielded stays as it was, a reference refers") {
    auto pointers = []() -> generator<std::unique_ptr<int>> {
        for (int i = 0; i < 3; ++i) co_yield std::make_unique<int>(i);
    };
    int sum = 0;
    for (std::unique_ptr<int>&& each : pointers()) sum += *each;
    CHECK(sum == 3);

    auto keeps = []() -> generator<std::string> {
        const std::string fixed = "a long enough text to be on the heap";
        std::string own = fixed;
        co_yield fixed;
        co_yield own;
        CHECK(own == fixed);
        co_yield std::move(own);
        CHECK(own.empty());
    };
    std::vector<std::string> texts;
    for (std::string&& each : keeps()) texts.push_back(std::move(each));
    CHECK(texts.size() == 3);
    CHECK(texts[0] == texts[2]);

    std::vector<int> changed{1, 2, 3};
    auto refers = [](std::vector<int>& to) -> generator<int&> {
        for (int& each : to) co_yield each;
    };
    for (int& each : refers(changed)) each *= 10;
    CHECK(changed == std::vector{10, 20, 30});
}

TEST_CASE("an exception comes out where the iterator is taken or advanced") {
    auto throws = [](int at) -> generator<int> {
        for (int i = 0;; ++i) {
            if (i == at) throw std::runtime_error{"thrown"};
            co_yield i;
        }
    };
    auto at_once = throws(0);
    CHECK_THROWS_WITH_AS((void)at_once.begin(), "thrown", std::runtime_error);
    auto later = throws(2);
    auto at = later.begin();
    ++at;
    CHECK(*at == 1);
    CHECK_THROWS_WITH_AS(++at, "thrown", std::runtime_error);
    CHECK(at == std::default_sentinel);
}

TEST_CASE("locals and yielded temporaries are destroyed once, at whatever point reading ends") {
    auto makes = [](int count) -> generator<counted> {
        const counted local{-1};
        for (int i = 0; i < count; ++i) {
            co_yield counted{i};
            co_yield local;
        }
    };
    for (int stop_after = 0; stop_after <= 7; ++stop_after) {
        int read = 0;
        {
            auto all = makes(3);
            if (stop_after > 0) {
                for (const counted& each : all) {
                    if (++read == stop_after) break;
                    CHECK(each.number() == (read % 2 == 1 ? read / 2 : -1));
                }
            }
        }
        CHECK(read == std::min(stop_after, 6));
        CHECK(counted::alive == 0);
    }
}

TEST_CASE("generators feed each other, and their frames are reused") {
    auto sums = [](generator<int> numbers) -> generator<long> {
        long sum = 0;
        for (const int each : numbers) {
            sum += each;
            co_yield sum;
        }
    };
    long last = 0;
    for (const long each : sums(iota(0, 1000))) last = each;
    CHECK(last == 499'500);
    const auto before = weft::frame_allocator::counters();
    for (const long each : sums(iota(0, 1000))) last = each;
    const auto after = weft::frame_allocator::counters();
    CHECK(after.allocated - before.allocated == 2);
    if (!weft::address_sanitizer) CHECK(after.fresh == before.fresh);
}

TEST_CASE("a generator that is read twice dies with the rule in its message") {
    if (!has_assertions) return;
    CHECK(last_words([] {
              auto numbers = iota(0, 3);
              (void)numbers.begin();
              (void)numbers.begin();
          }).find("a generator is read once") != std::string::npos);
}
}

async_generator<int> ticks(int count, weft::duration pace) {
    for (int i = 0; i < count; ++i) {
        if (pace > 0s) {
            const result<void> slept = co_await weft::sleep_for(pace);
            if (!slept) co_return;
        }
        co_yield i;
    }
}

TEST_SUITE("framework.async_generator") {
TEST_CASE("a reader gets what is yielded, then nothing for ever; the body may await or not") {
    auto program = [](weft::duration pace) -> task<> {
        auto numbers = ticks(5, pace);
        std::vector<int> got;
        while (true) {
            const std::optional<int> next = co_await numbers.next();
            if (!next) break;
            got.push_back(*next);
        }
        CHECK(got == std::vector{0, 1, 2, 3, 4});
        CHECK_FALSE(co_await numbers.next());
        CHECK_FALSE(co_await numbers.next());
        CHECK((co_await weft::current_scheduler()).now() == weft::instant{5 * pace});
    };
    run(program(0us));
    run(program(6400us));
}

TEST_CASE("a hundred thousand values need no stack, whether the body awaits or not") {
    auto some_wait = [](int count) -> async_generator<int> {
        for (int i = 0; i < count; ++i) {
            if (i % 2 == 0) co_await weft::yield();
            co_yield i;
        }
    };
    auto program = [](async_generator<int> numbers) -> task<long> {
        long sum = 0;
        while (true) {
            const auto next = co_await numbers.next();
            if (!next) co_return sum;
            sum += *next;
        }
    };
    CHECK(run(program(ticks(100'000, 0us))) == 4'999'950'000);
    CHECK(run(program(some_wait(100'000))) == 4'999'950'000);
}

TEST_CASE("the body runs in the environment of whoever reads: its stop token, call by call") {
    auto tokens = []() -> async_generator<bool> {
        while (true) {
            const weft::stop_token token = co_await weft::current_stop_token();
            co_yield token.stop_requested();
        }
    };
    auto reads = [](async_generator<bool>& from) -> task<bool> {
        const auto next = co_await from.next();
        co_return *next;
    };
    auto stops_first = [](weft::stop_source& stop, async_generator<bool>& from,
                          auto read) -> task<bool> {
        stop.request_stop();
        co_return co_await read(from);
    };
    weft::scheduler loop{weft::scheduler::clock::virtual_time};
    auto from = tokens();
    weft::stop_source stop;
    CHECK_FALSE(loop.run_until_done(reads(from)));
    CHECK(loop.run_until_done(stops_first(stop, from, reads), stop.token()));
    CHECK_FALSE(loop.run_until_done(reads(from)));
}

TEST_CASE(
    "a stop of the reader reaches what the body awaits, and the value that ends it comes out") {
    auto program = []() -> task<> {
        auto lines = []() -> async_generator<result<int>> {
            co_yield 1;
            const result<void> slept = co_await weft::sleep_for(1h);
            if (!slept) co_yield slept.error();
            co_yield 2;
        };
        auto from = lines();
        auto first = co_await from.next();
        CHECK(**first == 1);
        auto reads = [](async_generator<result<int>>& numbers) -> task<result<int>> {
            auto next = co_await numbers.next();
            co_return std::move(*next);
        };
        CHECK((co_await weft::with_timeout(1ms, reads(from))).error() == std::errc::timed_out);
        auto after = co_await from.next();  // under the caller's token, which has not stopped
        CHECK(**after == 2);
    };
    run(program());
}

TEST_CASE("an exception comes out of the next() that met it, and the sequence has ended") {
    auto program = [](bool waits) -> task<> {
        auto throws = [](bool after_waiting) -> async_generator<int> {
            co_yield 1;
            if (after_waiting) co_await weft::yield();
            throw std::runtime_error{"thrown"};
        };
        auto from = throws(waits);
        CHECK(*co_await from.next() == 1);
        CHECK_THROWS_WITH_AS((void)co_await from.next(), "thrown", std::runtime_error);
        CHECK_FALSE(co_await from.next());
    };
    run(program(false));
    run(program(true));
}

TEST_CASE("a generator that is destroyed early destroys its locals where it stands, once") {
    auto makes = []() -> async_generator<counted> {
        const counted local{-1};
        for (int i = 0;; ++i) {
            co_await weft::yield();
            co_yield counted{i};
            co_yield local;
        }
    };
    for (int reads = 0; reads < 5; ++reads) {
        auto program = [](async_generator<counted> from, int count) -> task<> {
            for (int i = 0; i < count; ++i) {
                const auto next = co_await from.next();
                CHECK(next->number() == (i % 2 == 0 ? i / 2 : -1));
            }
        };
        run(program(makes(), reads));
        CHECK(counted::alive == 0);
    }
}

TEST_CASE("a reader that is destroyed within a next() takes the generator with it") {
    weft::scheduler loop{weft::scheduler::clock::virtual_time};
    auto reader = [](bool& went_on) -> task<> {
        const counted local{0};
        auto from = ticks(3, 1h);
        (void)co_await from.next();
        went_on = true;
    };
    bool went_on = false;
    {
        weft::test::started reads{loop, reader(went_on)};
        CHECK(counted::alive == 1);
    }
    loop.run();
    CHECK_FALSE(went_on);
    CHECK(counted::alive == 0);
    CHECK(loop.next_deadline() == weft::never);
}

TEST_CASE("move-only values are moved through, and lvalues are copied") {
    auto program = []() -> task<> {
        auto pointers = []() -> async_generator<std::unique_ptr<int>> {
            auto own = std::make_unique<int>(2);
            co_yield std::make_unique<int>(1);
            co_yield std::move(own);
        };
        auto from = pointers();
        auto first = co_await from.next();
        auto second = co_await from.next();
        CHECK(**first == 1);
        CHECK(**second == 2);
        auto texts = []() -> async_generator<std::string> {
            std::string own = "a long enough text to be on the heap";
            const std::size_t length = own.size();
            co_yield own;
            CHECK(own.size() == length);
        };
        auto all = texts();
        CHECK((co_await all.next())->starts_with("a long"));
        CHECK_FALSE(co_await all.next());
    };
    run(program());
}

TEST_CASE("two values may be asked for in one expression, one after the other") {
    auto program = []() -> task<> {
        auto numbers = ticks(4, 1ms);
        const int sum = *co_await numbers.next() + *co_await numbers.next();
        CHECK(sum == 1);
        const auto timed = co_await weft::when_any(numbers.next(), weft::sleep_for(1h));
        CHECK(timed.index == 0);
        CHECK(*std::get<0>(timed.values) == 2);
    };
    run(program());
}

TEST_CASE("a generator turns a channel into a sequence") {
    auto drains = [](weft::channel<int>& from) -> async_generator<int> {
        while (true) {
            const result<int> got = co_await from.receive();
            if (!got) co_return;
            co_yield *got;
        }
    };
    auto sums = [](async_generator<int> numbers) -> task<int> {
        int sum = 0;
        while (true) {
            const auto next = co_await numbers.next();
            if (!next) co_return sum;
            sum += *next;
        }
    };
    auto sends = [](weft::channel<int>& to) -> task<> {
        for (int i = 0; i <= 100; ++i) CHECK((co_await to.send(int{i})).has_value());
        to.close();
    };
    auto program = [](auto generate, auto consume, auto produce) -> task<> {
        weft::channel<int> numbers{3};
        auto [sum, none] = co_await weft::when_all(consume(generate(numbers)), produce(numbers));
        CHECK(sum == 5050);
    };
    run(program(drains, sums, sends));
}

TEST_CASE("two readers at once die with the rule in the message") {
    if (!has_assertions) return;
    CHECK(last_words([] {
              auto program = []() -> task<> {
                  auto numbers = ticks(4, 1ms);
                  (void)co_await weft::when_all(numbers.next(), numbers.next());
              };
              run(program());
          }).find("one next() at a time") != std::string::npos);
}
}

}  // namespace
