#include "loop.hpp"

#include <doctest/doctest.h>
#include <weft/sleep.hpp>
#include <weft/sync/channel.hpp>
#include <weft/sync/condition_variable.hpp>
#include <weft/sync/mutex.hpp>
#include <weft/sync/semaphore.hpp>
#include <weft/sync/shared_mutex.hpp>
#include <weft/task_group.hpp>
#include <weft/with_timeout.hpp>
#include <weft/yield.hpp>

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <random>
#include <vector>

// Random programs on a virtual clock, each from a seed that a failure prints, against an oracle:
// what must hold of permits, locks and values whoever waits, gives up or is destroyed.

using namespace std::chrono_literals;
using weft::result;
using weft::scheduler;
using weft::task;
using weft::task_group;
using weft::test::started;

namespace {

constexpr std::uint32_t seeds = 1500;

class dice {
public:
    explicit dice(std::uint32_t seed) : engine_{seed} {}
    /// From 0 to `sides` - 1.
    std::uint32_t roll(std::uint32_t sides) {
        return static_cast<std::uint32_t>(engine_() % sides);
    }
    weft::duration pause() { return roll(4) * 64us; }
    /// Mostly too long to matter, often within the waits of the others.
    weft::duration patience() { return roll(3) == 0 ? 1h : roll(5) * 64us; }

private:
    std::mt19937 engine_;
};

/// Lets others run, for no time or for some.
task<> dawdle(dice& chance) {
    switch (chance.roll(3)) {
        case 0: break;
        case 1: co_await weft::yield(); break;
        default: (void)co_await weft::sleep_for(chance.pause()); break;
    }
}

struct values {
    explicit values(std::uint32_t capacity) : pipe{capacity} {}

    weft::channel<std::unique_ptr<int>> pipe;
    std::map<int, int> sent;  // by number: how often
    std::map<int, int> received;
};

task<> sender(values& all, dice& chance, int first, int count) {
    for (int i = first; i < first + count; ++i) {
        co_await dawdle(chance);
        auto mine = std::make_unique<int>(i);
        const result<void> sent =
            co_await weft::with_timeout(chance.patience(), all.pipe.send(std::move(mine)));
        CHECK(sent.has_value() == (mine == nullptr));  // kept unless it went
        if (sent) ++all.sent[i];
    }
}
task<> receiver(values& all, dice& chance) {
    std::map<int, int> last;  // by sender: its values come in its order
    while (true) {
        co_await dawdle(chance);
        auto got = co_await weft::with_timeout(chance.patience(), all.pipe.receive());
        if (got.error() == weft::errc::closed) break;
        if (!got) continue;
        const int number = **got;
        ++all.received[number];
        const int from = number / 1000;
        CHECK((!last.contains(from) || last[from] < number));
        last[from] = number;
    }
}
task<> senders_then_close(values& all, dice& chance, int senders) {
    auto body = [](task_group& group, values* to, dice* with, int count) -> task<> {
        for (int i = 0; i < count; ++i) group.spawn(sender(*to, *with, i * 1000, 8));
        co_return;
    };
    CHECK((co_await weft::with_task_group(body, &all, &chance, senders)).has_value());
    all.pipe.close();
}

TEST_SUITE("framework.sync_stress") {
TEST_CASE("channels: what was sent is received once and in order, what was not stays at home") {
    for (std::uint32_t seed = 0; seed < seeds; ++seed) {
        CAPTURE(seed);
        dice chance{seed};
        values all{chance.roll(4)};
        auto body = [](task_group& group, values* shared, dice* with) -> task<> {
            const std::uint32_t receivers = 1 + with->roll(3);
            for (std::uint32_t i = 0; i < receivers; ++i) group.spawn(receiver(*shared, *with));
            group.spawn(senders_then_close(*shared, *with, 1 + static_cast<int>(with->roll(3))));
            co_return;
        };
        CHECK(weft::test::run(weft::with_task_group(body, &all, &chance)).has_value());
        REQUIRE(all.sent == all.received);
        REQUIRE(all.pipe.empty());
    }
}

/// Permits that are out, counted by those who hold them.
struct books {
    explicit books(std::size_t count) : permits{count}, total{count} {}

    weft::semaphore permits;
    const std::size_t total;
    std::size_t out = 0;
};
task<> borrows(books& from, dice& chance) {
    for (int i = 0; i < 6; ++i) {
        co_await dawdle(chance);
        const std::size_t wanted = 1 + chance.roll(static_cast<std::uint32_t>(from.total));
        const auto held =
            co_await weft::with_timeout(chance.patience(), from.permits.acquire(wanted));
        if (!held) continue;
        from.out += wanted;
        CHECK(from.out <= from.total);
        co_await dawdle(chance);
        from.out -= wanted;
    }
}

struct library {
    weft::shared_mutex door;
    int readers = 0;
    int writers = 0;
};
task<> visits(library& in, dice& chance) {
    for (int i = 0; i < 6; ++i) {
        co_await dawdle(chance);
        if (chance.roll(3) == 0) {
            const auto alone = co_await weft::with_timeout(chance.patience(), in.door.lock());
            if (!alone) continue;
            ++in.writers;
            CHECK((in.writers == 1 && in.readers == 0));
            co_await dawdle(chance);
            --in.writers;
        } else {
            const auto beside =
                co_await weft::with_timeout(chance.patience(), in.door.lock_shared());
            if (!beside) continue;
            ++in.readers;
            CHECK(in.writers == 0);
            co_await dawdle(chance);
            --in.readers;
        }
    }
}

TEST_CASE("semaphores and shared mutexes: never more out than there is, and all comes back") {
    for (std::uint32_t seed = 0; seed < seeds; ++seed) {
        CAPTURE(seed);
        dice chance{seed};
        books lent{1 + chance.roll(4)};
        library open;
        auto body = [](task_group& group, books* from, library* in, dice* with) -> task<> {
            for (int i = 0; i < 4; ++i) {
                group.spawn(borrows(*from, *with));
                group.spawn(visits(*in, *with));
            }
            co_return;
        };
        CHECK(weft::test::run(weft::with_task_group(body, &lent, &open, &chance)).has_value());
        REQUIRE(lent.permits.available() == lent.total);
        REQUIRE_FALSE(lent.permits.has_waiters());
        REQUIRE(open.door.try_lock());
    }
}

/// Tickets are drawn in the order of asking; owners must come in the order of tickets.
struct counter {
    weft::mutex mutex;
    int next_ticket = 0;
    int last_owner = -1;
    int inside = 0;
};
task<> queues(counter& at, dice& chance) {
    for (int i = 0; i < 4; ++i) {
        co_await dawdle(chance);
        const int ticket = at.next_ticket++;
        const auto lock = co_await weft::with_timeout(chance.patience(), at.mutex.lock());
        if (!lock) continue;
        CHECK(at.last_owner < ticket);
        at.last_owner = ticket;
        CHECK(++at.inside == 1);
        co_await dawdle(chance);
        --at.inside;
    }
}

TEST_CASE("mutexes: owners in the order they asked, though some give up and some are destroyed") {
    for (std::uint32_t seed = 0; seed < seeds; ++seed) {
        CAPTURE(seed);
        dice chance{seed};
        scheduler loop{scheduler::clock::virtual_time};
        counter at;
        auto doomed = [](counter& here) -> task<> {  // waits or was granted, never goes on
            const auto lock = co_await here.mutex.lock();
            CHECK(lock.has_value());
            ++here.inside;
            (void)co_await weft::sleep_for(1000h);
            --here.inside;
        };
        const weft::environment in{&loop, {}};
        {
            auto gate = at.mutex.try_lock();
            started first{loop, doomed(at)};
            started second{loop, queues(at, chance)};
            started third{loop, doomed(at)};
            task_group group{in};
            for (int i = 0; i < 3; ++i) group.spawn(queues(at, chance));
            if (chance.roll(2) == 0) (void)loop.turn();
            if (chance.roll(2) == 0) gate.reset();
            first.abandon();
            third.abandon();
            gate.reset();
            loop.run();
            REQUIRE(group.empty());
        }
        REQUIRE(at.inside == 0);
        REQUIRE_FALSE(at.mutex.is_locked());
    }
}

struct shop {
    weft::mutex mutex;
    weft::condition_variable changed;
    int goods = 0;
    int sold = 0;
    int made = 0;
    bool is_closed = false;
};
task<> buys(shop& in, dice& chance) {
    while (true) {
        co_await dawdle(chance);
        auto lock = co_await in.mutex.lock();
        if (!lock) co_return;
        const auto woken = co_await weft::with_timeout(
            chance.patience(),
            in.changed.wait(*lock, [&in] { return in.goods > 0 || in.is_closed; }));
        CHECK(*lock);
        CHECK(in.mutex.is_locked());
        if (!woken) continue;
        CHECK((in.goods > 0 || in.is_closed));
        if (in.goods == 0) co_return;
        --in.goods;
        ++in.sold;
        co_await dawdle(chance);  // with the mutex held
    }
}
task<> makes(shop& in, dice& chance) {
    for (int i = 0; i < 8; ++i) {
        co_await dawdle(chance);
        const auto lock = co_await in.mutex.lock();
        ++in.goods;
        ++in.made;
        in.changed.notify_one();
        if (chance.roll(2) == 0) co_await weft::yield();
    }
}

TEST_CASE("condition variables: every notification is used, the mutex is held after each wait") {
    for (std::uint32_t seed = 0; seed < seeds; ++seed) {
        CAPTURE(seed);
        dice chance{seed};
        shop open;
        auto body = [](task_group& group, shop* in, dice* with) -> task<> {
            const std::uint32_t buyers = 1 + with->roll(3);
            for (std::uint32_t i = 0; i < buyers; ++i) group.spawn(buys(*in, *with));
            co_await makes(*in, *with);
            (void)co_await weft::sleep_for(1ms);
            const auto lock = co_await in->mutex.lock();
            in->is_closed = true;
            in->changed.notify_all();
        };
        CHECK(weft::test::run(weft::with_task_group(body, &open, &chance)).has_value());
        REQUIRE(open.sold == open.made);
        REQUIRE_FALSE(open.changed.has_waiters());
        REQUIRE_FALSE(open.mutex.is_locked());
    }
}
}

}  // namespace
