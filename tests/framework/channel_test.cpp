#include "loop.hpp"

#include <doctest/doctest.h>
#include <weft/frame_allocator.hpp>
#include <weft/sleep.hpp>
#include <weft/sync/broadcast.hpp>
#include <weft/sync/channel.hpp>
#include <weft/task_group.hpp>
#include <weft/when_all.hpp>
#include <weft/when_any.hpp>
#include <weft/with_timeout.hpp>
#include <weft/yield.hpp>

#include <memory>
#include <optional>
#include <string>
#include <vector>

using namespace std::chrono_literals;
using weft::broadcast;
using weft::channel;
using weft::duration;
using weft::result;
using weft::scheduler;
using weft::task;
using weft::test::started;
using weft::test::has_assertions;
using weft::test::last_words;
using weft::test::run;

namespace {

using owned = std::unique_ptr<int>;

task<> sends(channel<owned>& to, int first, int last) {
    for (int i = first; i < last; ++i) {
        const result<void> sent = co_await to.send(std::make_unique<int>(i));
        CHECK(sent.has_value());
    }
}
task<> receives_all(channel<owned>& from, std::vector<int>& into) {
    while (true) {
        const result<owned> got = co_await from.receive();
        if (!got) {
            CHECK(got.error() == weft::errc::closed);
            break;
        }
        into.push_back(**got);
    }
}
task<> sends_and_closes(channel<owned>& to, int count) {
    co_await sends(to, 0, count);
    to.close();
}
std::vector<int> up_to(int count) {
    std::vector<int> numbers;
    for (int i = 0; i < count; ++i) numbers.push_back(i);
    return numbers;
}

TEST_SUITE("framework.channel") {
TEST_CASE("what is sent is received in order, whatever the capacity, and then the channel ends") {
    for (const std::uint32_t capacity : {0u, 1u, 2u, 3u, 7u, 100u, 1000u}) {
        CAPTURE(capacity);
        auto program = [](std::uint32_t room) -> task<> {
            channel<owned> values{room};
            std::vector<int> got;
            co_await weft::when_all(sends_and_closes(values, 500), receives_all(values, got));
            CHECK(got == up_to(500));
            CHECK(values.empty());
            std::vector<int> other_way;
            channel<owned> again{room};
            co_await weft::when_all(receives_all(again, other_way), sends_and_closes(again, 500));
            CHECK(other_way == up_to(500));
        };
        run(program(capacity));
    }
}

TEST_CASE("a sender waits while the channel is full, and the first in line goes on first") {
    auto program = []() -> task<> {
        channel<owned> values{2};
        std::vector<int> sent;
        auto sender = [](channel<owned>& to, std::vector<int>& log, int value) -> task<> {
            CHECK((co_await to.send(std::make_unique<int>(value))).has_value());
            log.push_back(value);
        };
        auto reader = [](channel<owned>& from, std::vector<int>& log) -> task<> {
            (void)co_await weft::sleep_for(1ms);
            CHECK(log == std::vector{0, 1});
            CHECK(from.size() == 2);
            owned refused = std::make_unique<int>(9);
            CHECK(from.try_send(std::move(refused)).error() == weft::errc::would_block);
            CHECK(refused != nullptr);
            for (int i = 0; i < 4; ++i) {
                CHECK(**co_await from.receive() == i);
                co_await weft::yield();
                CHECK(log.size() == static_cast<std::size_t>(std::min(4, i + 3)));
            }
            CHECK(from.try_receive().error() == weft::errc::would_block);
        };
        co_await weft::when_all(sender(values, sent, 0), sender(values, sent, 1),
                                sender(values, sent, 2), sender(values, sent, 3),
                                reader(values, sent));
        CHECK(sent == up_to(4));
    };
    run(program());
}

TEST_CASE("with capacity 0 a send ends when a receiver has taken the value") {
    auto program = []() -> task<> {
        channel<owned> values{0};
        auto sender = [](channel<owned>& to) -> task<weft::instant> {
            CHECK((co_await to.send(std::make_unique<int>(1))).has_value());
            co_return (co_await weft::current_scheduler()).now();
        };
        auto receiver = [](channel<owned>& from) -> task<> {
            (void)co_await weft::sleep_for(6400us);
            const auto got = co_await from.receive();
            CHECK(**got == 1);
        };
        auto [at, none] = co_await weft::when_all(sender(values), receiver(values));
        CHECK(at == weft::instant{6400us});
        CHECK(values.try_send(std::make_unique<int>(2)).error() == weft::errc::would_block);
    };
    run(program());
}

TEST_CASE("receivers are served in the order they came") {
    auto program = []() -> task<> {
        channel<owned> values{4};
        std::vector<int> order;
        auto receiver = [](channel<owned>& from, std::vector<int>& log, int id) -> task<> {
            const auto got = co_await from.receive();
            log.push_back(id * 10 + **got);
        };
        auto sender = [](channel<owned>& to, std::vector<int>& log) -> task<> {
            co_await weft::yield();
            for (int i = 0; i < 3; ++i) CHECK(to.try_send(std::make_unique<int>(i)).has_value());
            CHECK(log.empty());  // nobody resumes within
            CHECK(to.empty());   // they are the receivers' already
        };
        co_await weft::when_all(receiver(values, order, 1), receiver(values, order, 2),
                                receiver(values, order, 3), sender(values, order));
        CHECK(order == std::vector{10, 21, 32});
    };
    run(program());
}

TEST_CASE("a send that is canceled, times out or is closed out leaves its value with the caller") {
    auto program = []() -> task<> {
        channel<owned> values{1};
        REQUIRE(values.try_send(std::make_unique<int>(1)).has_value());
        owned mine = std::make_unique<int>(2);
        CHECK((co_await weft::with_timeout(1ms, values.send(std::move(mine)))).error() ==
              std::errc::timed_out);
        REQUIRE(mine != nullptr);
        auto closer = [](channel<owned>& what) -> task<> {
            (void)co_await weft::sleep_for(1ms);
            what.close();
        };
        auto [sent, none] = co_await weft::when_all(values.send(std::move(mine)), closer(values));
        CHECK(sent.error() == weft::errc::closed);
        REQUIRE(mine != nullptr);
        CHECK((co_await values.send(std::move(mine))).error() == weft::errc::closed);
        CHECK(values.try_send(std::move(mine)).error() == weft::errc::closed);
        CHECK(*mine == 2);
    };
    run(program());
}

TEST_CASE("a channel that is closed is drained first; one that discards is empty at once") {
    auto program = []() -> task<> {
        for (const bool discards : {false, true}) {
            channel<owned> values{4};
            co_await sends(values, 0, 3);
            if (discards) {
                values.close_and_discard();
            } else {
                values.close();
            }
            CHECK(values.is_closed());
            std::vector<int> got;
            co_await receives_all(values, got);
            CHECK(got == up_to(discards ? 0 : 3));
            CHECK(values.try_receive().error() == weft::errc::closed);
        }
    };
    run(program());
}

TEST_CASE("closing wakes those who wait to receive") {
    auto program = []() -> task<> {
        channel<owned> values{4};
        std::vector<int> first;
        std::vector<int> second;
        auto closer = [](channel<owned>& what) -> task<> {
            (void)co_await weft::sleep_for(1ms);
            what.close();
            what.close();
        };
        co_await weft::when_all(receives_all(values, first), receives_all(values, second),
                                closer(values));
    };
    run(program());
}

TEST_CASE("a receiver that lost a race after it was handed a value still returns it") {
    auto program = []() -> task<> {
        channel<owned> a{1};
        channel<owned> b{1};
        auto sender = [](channel<owned>& first, channel<owned>& second) -> task<> {
            co_await weft::yield();
            CHECK(first.try_send(std::make_unique<int>(1)).has_value());
            CHECK(second.try_send(std::make_unique<int>(2)).has_value());
        };
        auto race = [](channel<owned>& first, channel<owned>& second) -> task<> {
            auto [index, values] = co_await weft::when_any(first.receive(), second.receive());
            CHECK(index == 0);
            CHECK(**std::get<0>(values) == 1);
            CHECK(**std::get<1>(values) == 2);
            auto [none, both] =
                co_await weft::when_any(first.receive(), second.receive(), weft::sleep_for(1ms));
            CHECK(none == 2);
        };
        co_await weft::when_all(race(a, b), sender(a, b));
    };
    run(program());
}

task<> receives_one(channel<owned>& from, std::vector<int>& into) {
    const auto got = co_await from.receive();
    if (got) into.push_back(**got);
}

TEST_CASE(
    "a value in the hands of a receiver that is destroyed goes to the next, or to the front") {
    scheduler loop{scheduler::clock::virtual_time};
    for (const std::uint32_t capacity : {0u, 1u, 2u}) {
        CAPTURE(capacity);
        channel<owned> values{capacity};
        std::vector<int> got;
        std::vector<int> lost;
        {
            started handed{loop, receives_one(values, lost)};
            started next{loop, receives_one(values, got)};
            REQUIRE(values.try_send(std::make_unique<int>(1)).has_value());
            handed.abandon();
            loop.run();
            CHECK(got == std::vector{1});
        }
        {
            started handed{loop, receives_one(values, lost)};
            REQUIRE(values.try_send(std::make_unique<int>(2)).has_value());
            for (std::uint32_t i = 0; i < capacity; ++i) {
                REQUIRE(values.try_send(std::make_unique<int>(3)).has_value());
            }
            handed.abandon();
            CHECK(values.size() == capacity + 1);
            CHECK(values.try_send(std::make_unique<int>(4)).error() == weft::errc::would_block);
            CHECK(**values.try_receive() == 2);
            for (std::uint32_t i = 0; i < capacity; ++i) CHECK(**values.try_receive() == 3);
        }
        CHECK(lost.empty());
        CHECK(values.try_receive().error() == weft::errc::would_block);
    }
}

TEST_CASE("ten thousand hops allocate nothing") {
    auto one_way = [](channel<int>& to, int count) -> task<> {
        for (int i = 0; i < count; ++i) CHECK_FALSE(!(co_await to.send(int{i})));
        to.close();
    };
    auto other = [](channel<int>& from) -> task<long> {
        long sum = 0;
        while (true) {
            const auto got = co_await from.receive();
            if (!got) co_return sum;
            sum += *got;
        }
    };
    auto program = [](auto sender, auto receiver) -> task<> {
        channel<int> numbers{8};
        const auto before = weft::frame_allocator::counters();
        auto [none, sum] = co_await weft::when_all(sender(numbers, 10'000), receiver(numbers));
        CHECK(sum == 49'995'000);
        CHECK(weft::frame_allocator::counters().allocated - before.allocated <= 2);
    };
    run(program(one_way, other));
}

TEST_CASE("a channel that dies before those who wait on it says so") {
    if (!has_assertions) return;
    CHECK(last_words([] {
              scheduler loop{scheduler::clock::virtual_time};
              auto values = std::make_unique<channel<owned>>(1u);
              std::vector<int> got;
              started waits{loop, receives_one(*values, got)};
              values.reset();
          }).find("a channel outlives its receivers") != std::string::npos);
}
}

TEST_SUITE("framework.broadcast") {
using texts = broadcast<std::string>;

task<> listens(texts::receiver from, std::vector<std::string>& into, duration pace) {
    while (true) {
        const auto next = co_await from.receive();
        if (!next) {
            CHECK(next.error() == weft::errc::closed);
            co_return;
        }
        if (next->missed > 0) into.push_back("missed " + std::to_string(next->missed));
        into.push_back(next->value);
        if (pace > 0s) (void)co_await weft::sleep_for(pace);
    }
}

TEST_CASE("every receiver gets every value; one that is slow is told how many it missed") {
    auto program = []() -> task<> {
        texts news{3};
        std::vector<std::string> quick;
        std::vector<std::string> slow;
        auto sender = [](texts& to) -> task<> {
            for (int i = 0; i < 10; ++i) {
                CHECK(to.send(std::to_string(i)).has_value());
                (void)co_await weft::sleep_for(1ms);
            }
            to.close();
            CHECK(to.send("late").error() == weft::errc::closed);
        };
        co_await weft::when_all(listens(news.subscribe(), quick, 0s),
                                listens(news.subscribe(), slow, 4500us), sender(news));
        CHECK(quick == std::vector<std::string>{"0", "1", "2", "3", "4", "5", "6", "7", "8", "9"});
        CHECK(slow ==
              std::vector<std::string>{"0", "missed 1", "2", "missed 3", "6", "7", "8", "9"});
        CHECK(news.receivers() == 0);
    };
    run(program());
}

TEST_CASE("a receiver sees what is sent after it subscribed, and nothing that came before") {
    texts news{4};
    CHECK(news.send("nobody's").has_value());
    auto first = news.subscribe();
    CHECK(news.send("a").has_value());
    auto second = news.subscribe();
    CHECK(news.send("b").has_value());
    CHECK(first.behind() == 2);
    CHECK(second.behind() == 1);
    auto moved = std::move(first);
    CHECK(moved.try_receive()->value == "a");
    CHECK(moved.try_receive()->value == "b");
    CHECK(moved.try_receive().error() == weft::errc::would_block);
    CHECK(second.try_receive()->value == "b");
    news.close();
    CHECK(second.try_receive().error() == weft::errc::closed);
    CHECK(news.receivers() == 2);
}

TEST_CASE(
    "a value that is overwritten before its receiver runs counts as missed, not as canceled") {
    auto program = []() -> task<> {
        texts news{1};
        auto listener = [](texts::receiver from) -> task<> {
            const auto next = co_await from.receive();
            CHECK(next->missed == 2);
            CHECK(next->value == "c");
            CHECK((co_await weft::with_timeout(1ms, from.receive())).error() ==
                  std::errc::timed_out);
        };
        auto sender = [](texts& to) -> task<> {
            for (const char* each : {"a", "b", "c"}) CHECK(to.send(each).has_value());
            co_return;
        };
        co_await weft::when_all(listener(news.subscribe()), sender(news));
    };
    run(program());
}

TEST_CASE("values that nobody is left to read are not kept") {
    broadcast<std::shared_ptr<int>> news{4};
    const auto value = std::make_shared<int>(1);
    {
        const auto reader = news.subscribe();
        CHECK(news.send(value).has_value());
        CHECK(value.use_count() == 2);
    }
    CHECK(value.use_count() == 1);
}

TEST_CASE("two receives at once on one receiver die with the rule in the message") {
    if (!has_assertions) return;
    CHECK(last_words([] {
              auto program = []() -> task<> {
                  texts news{1};
                  auto reader = news.subscribe();
                  co_await weft::when_all(reader.receive(), reader.receive());
              };
              run(program());
          }).find("one receive at a time for each receiver") != std::string::npos);
    CHECK(last_words([] {
              auto news = std::make_unique<texts>(1u);
              const auto reader = news->subscribe();
              news.reset();
          }).find("a broadcast outlives its receivers") != std::string::npos);
}
}

}  // namespace
