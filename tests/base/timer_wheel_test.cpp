#include <doctest/doctest.h>
#include <weft/base/timer_wheel.hpp>

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <limits>
#include <map>
#include <memory>
#include <random>
#include <string>
#include <vector>

using namespace std::chrono_literals;
using weft::duration;
using weft::instant;
using weft::never;
using weft::timer_node;
using weft::timer_wheel;

namespace {

/// A timer that writes down when it fired.
struct alarm : timer_node {
    alarm() noexcept
        : timer_node{[](timer_node& node, instant now) noexcept {
              alarm& self = static_cast<alarm&>(node);
              self.fired_at.push_back(now);
              if (self.log != nullptr) self.log->push_back(self.id);
          }} {}
    int id = 0;
    std::vector<int>* log = nullptr;
    std::vector<instant> fired_at;
};

instant at(duration since_origin) { return instant{since_origin}; }

/// The first instant on a tick that is not before `time`.
instant rounded_up(instant time) {
    const auto tick = timer_wheel::tick.count();
    const auto count = time.time_since_epoch().count();
    const auto below = count >= 0 ? count / tick : -((-count + tick - 1) / tick);
    const auto on_tick = below * tick;
    return instant{duration{on_tick == count ? count : on_tick + tick}};
}

TEST_SUITE("base.timer_wheel") {
TEST_CASE("a timer fires at its deadline rounded up to a tick of 64 us, never before") {
    timer_wheel wheel{instant{}};
    alarm timer;
    wheel.arm(timer, at(100us));
    CHECK(timer.deadline() == at(100us));
    CHECK(wheel.next_deadline() == at(128us));
    CHECK(wheel.advance(at(100us)) == 0);
    CHECK(wheel.advance(at(127'999ns)) == 0);
    CHECK(wheel.advance(at(128us)) == 1);
    CHECK(timer.fired_at == std::vector{at(128us)});
    CHECK_FALSE(timer.is_armed());
    CHECK(timer.deadline() == never);
    CHECK(wheel.empty());
    CHECK(wheel.next_deadline() == never);
}

TEST_CASE("a deadline that has passed fires at the next advance") {
    timer_wheel wheel{instant{}};
    wheel.advance(at(1s));
    alarm timer;
    wheel.arm(timer, at(10ms));
    CHECK(wheel.next_deadline() <= at(1s));
    CHECK_FALSE(wheel.empty());
    CHECK(wheel.advance(at(1s)) == 1);
}

TEST_CASE("timers fire in the order of their deadlines, over all levels at once") {
    timer_wheel wheel{instant{}};
    std::vector<int> log;
    const std::vector<duration> deadlines{240h, 1ms, 5min, 2ms, 3s, 24h, 64us, 700ms, 10s, 10000h};
    std::vector<alarm> timers(deadlines.size());
    for (std::size_t i = 0; i < timers.size(); ++i) {
        timers[i].id = static_cast<int>(i);
        timers[i].log = &log;
        wheel.arm(timers[i], at(deadlines[i]));
    }
    CHECK(wheel.advance(at(20000h)) == timers.size());
    CHECK(log == std::vector{6, 1, 3, 7, 4, 8, 2, 5, 0, 9});
}

TEST_CASE("a timer that was disarmed or destroyed does not fire and does not hold the wheel") {
    timer_wheel wheel{instant{}};
    alarm kept;
    alarm disarmed;
    auto destroyed = std::make_unique<alarm>();
    wheel.arm(kept, at(3ms));
    wheel.arm(disarmed, at(1ms));
    wheel.arm(*destroyed, at(2ms));
    wheel.cancel(disarmed);
    destroyed.reset();
    CHECK(wheel.next_deadline() == rounded_up(at(3ms)));
    CHECK(wheel.advance(at(1h)) == 1);
    CHECK(disarmed.fired_at.empty());
    CHECK(wheel.empty());
}

TEST_CASE("moving a deadline later or earlier leaves one firing, at the last deadline") {
    timer_wheel wheel{instant{}};
    alarm timer;
    wheel.arm(timer, at(10ms));
    wheel.arm(timer, at(50ms));
    wheel.arm(timer, at(30ms));
    CHECK(timer.deadline() == at(30ms));
    CHECK(wheel.advance(at(29ms)) == 0);
    CHECK(timer.is_armed());
    CHECK(wheel.advance(at(31ms)) == 1);
    CHECK(wheel.advance(at(1s)) == 0);
}

TEST_CASE("arming at `never` disarms") {
    timer_wheel wheel;
    alarm timer;
    wheel.arm(timer, at(1ms));
    wheel.arm(timer, never);
    CHECK_FALSE(timer.is_armed());
    CHECK(wheel.next_deadline() == never);
}

TEST_CASE("an expiry that arms itself for the past fires once an advance") {
    struct insistent : timer_node {
        explicit insistent(timer_wheel& on) noexcept
            : timer_node{[](timer_node& node, instant now) noexcept {
                  insistent& self = static_cast<insistent&>(node);
                  ++self.fired;
                  self.wheel.arm(self, now - 10ms);
              }},
              wheel{on} {}
        timer_wheel& wheel;
        int fired = 0;
    };
    timer_wheel wheel{instant{}};
    insistent timer{wheel};
    wheel.arm(timer, at(1ms));
    for (int round = 1; round <= 5; ++round) {
        CHECK(wheel.advance(at(10ms)) == 1);
        CHECK(timer.fired == round);
    }
}

TEST_CASE("a periodic expiry that is behind catches up within one advance, in order with others") {
    struct periodic : timer_node {
        explicit periodic(timer_wheel& on, std::vector<int>& to) noexcept
            : timer_node{[](timer_node& node, instant) noexcept {
                  periodic& self = static_cast<periodic&>(node);
                  self.log.push_back(0);
                  self.next += 10ms;
                  self.wheel.arm(self, self.next);
              }},
              wheel{on},
              log{to} {}
        timer_wheel& wheel;
        std::vector<int>& log;
        instant next = at(10ms);
    };
    std::vector<int> log;
    timer_wheel wheel{instant{}};
    periodic timer{wheel, log};
    alarm other;
    other.id = 1;
    other.log = &log;
    wheel.arm(timer, timer.next);
    wheel.arm(other, at(25ms));
    wheel.advance(at(45ms));
    CHECK(log == std::vector{0, 0, 1, 0, 0});
}

TEST_CASE("an expiry may disarm or destroy a timer that is due in the same tick") {
    struct killer : timer_node {
        killer() noexcept
            : timer_node{[](timer_node& node, instant) noexcept {
                  killer& self = static_cast<killer&>(node);
                  self.destroyed.reset();
                  self.disarmed->disarm();
              }} {}
        std::unique_ptr<alarm> destroyed = std::make_unique<alarm>();
        alarm* disarmed = nullptr;
    };
    timer_wheel wheel{instant{}};
    killer first;
    alarm victim;
    first.disarmed = &victim;
    wheel.arm(first, at(5ms));
    wheel.arm(*first.destroyed, at(5ms));
    wheel.arm(victim, at(5ms));
    CHECK(wheel.advance(at(6ms)) == 1);
    CHECK(victim.fired_at.empty());
}

TEST_CASE("the first instant may be any value, to the ends of the time line") {
    constexpr auto lowest = std::numeric_limits<std::int64_t>::min();
    constexpr auto highest = std::numeric_limits<std::int64_t>::max();
    for (const std::int64_t start : {lowest, lowest + 1, -1'000'000'000'000, -1L, 0L, 1L,
                                     1'700'000'000'000'000'000, highest - 10'000'000'000}) {
        CAPTURE(start);
        for (const bool told : {true, false}) {
            const instant now{duration{start}};
            timer_wheel wheel = told ? timer_wheel{now} : timer_wheel{};
            CHECK(wheel.advance(now) == 0);
            alarm timer;
            wheel.arm(timer, now + 5ms);
            CHECK(wheel.advance(now + 4ms) == 0);
            CHECK(wheel.next_deadline() <= now + 5ms + timer_wheel::tick);
            CHECK(wheel.advance(now + 5ms + timer_wheel::tick) == 1);
        }
    }
    timer_wheel wheel{instant{}};
    alarm last;
    wheel.arm(last, never - duration{1});
    CHECK(wheel.advance(never - 1s) == 0);
    CHECK(last.is_armed());
}

TEST_CASE("asking next_deadline() again and again leads to a deadline in a few steps") {
    timer_wheel wheel{at(123'456'789us)};
    alarm timer;
    const instant deadline = at(123'456'789us) + 49h + 17us;
    wheel.arm(timer, deadline);
    int steps = 0;
    while (timer.is_armed()) {
        const instant next = wheel.next_deadline();
        REQUIRE(next <= rounded_up(deadline));
        wheel.advance(next);
        ++steps;
    }
    CHECK(steps <= 9);
    CHECK(timer.fired_at.front() == rounded_up(deadline));
}

/// Random calls on a wheel, held against a map from deadlines to timers.
class against_a_map {
public:
    explicit against_a_map(std::uint64_t seed, duration span)
        : random_{seed}, span_{span}, now_{draw(24h) - 12h}, wheel_{instant{now_}}, timers_(200) {
        for (std::size_t i = 0; i < timers_.size(); ++i) timers_[i].id = static_cast<int>(i);
        visited_ = now();  // the wheel was told its start
    }

    void step() {
        alarm& timer = timers_[random_() % timers_.size()];
        switch (random_() % 8) {
            case 0: forget(timer), wheel_.cancel(timer); break;
            case 1:
            case 2: advance(draw(span_ / 50)); break;
            case 3: advance(duration{}); break;
            case 4: arm(timer, now() - draw(1ms)); break;
            default: arm(timer, now() + draw(span_)); break;
        }
        const instant next = wheel_.next_deadline();
        if (expected_.empty()) {
            REQUIRE(wheel_.empty());
            REQUIRE(next == never);
        } else {
            REQUIRE(next <= std::max(rounded_up(expected_.begin()->first), now()));
        }
    }

    std::size_t fired() const { return fired_; }

private:
    duration draw(duration below) {
        return duration{
            static_cast<std::int64_t>(random_() % (static_cast<std::uint64_t>(below.count()) + 1))};
    }
    instant now() const { return instant{now_}; }

    void forget(alarm& timer) {
        for (auto it = expected_.begin(); it != expected_.end(); ++it) {
            if (it->second == &timer) {
                expected_.erase(it);
                return;
            }
        }
    }

    void arm(alarm& timer, instant deadline) {
        forget(timer);
        expected_.emplace(deadline, &timer);
        wheel_.arm(timer, deadline);
    }

    void advance(duration by) {
        now_ += by;
        std::vector<int> log;
        for (alarm& timer : timers_) timer.log = &log;
        const std::size_t count = wheel_.advance(now());
        REQUIRE(count == log.size());
        std::vector<instant> order;
        for (const int id : log) {
            alarm& timer = timers_[static_cast<std::size_t>(id)];
            const auto it = std::find_if(expected_.begin(), expected_.end(),
                                         [&](const auto& each) { return each.second == &timer; });
            REQUIRE(it != expected_.end());
            REQUIRE(it->first <= now());  // never early
            // What was armed for the past counts as armed for the time it was armed at.
            order.push_back(std::max(rounded_up(it->first), visited_));
            expected_.erase(it);
        }
        REQUIRE(std::is_sorted(order.begin(), order.end()));
        visited_ = instant{duration{now_.count() - now_.count() % timer_wheel::tick.count()}};
        for (const auto& [deadline, timer] : expected_) {  // and never late
            REQUIRE(rounded_up(deadline) > now());
            REQUIRE(timer->is_armed());
            REQUIRE(timer->deadline() == deadline);
        }
        fired_ += count;
    }

    std::mt19937_64 random_;
    duration span_;
    duration now_;
    timer_wheel wheel_;
    std::vector<alarm> timers_;
    std::multimap<instant, alarm*> expected_;
    instant visited_ = instant::min();
    std::size_t fired_ = 0;
};

TEST_CASE("random arming, moving, disarming and advancing agrees with a sorted map") {
    const char* given = std::getenv("WEFT_TEST_SEED");
    const std::uint64_t seed = given != nullptr ? std::stoull(given) : std::random_device{}();
    MESSAGE("WEFT_TEST_SEED=" << seed);
    std::uint64_t round = 0;
    for (const duration span : {duration{1ms}, duration{20ms}, duration{10s}, duration{100h}}) {
        against_a_map test{seed + round++, span};
        for (int step = 0; step < 5000; ++step) test.step();
        CHECK(test.fired() > 100);
    }
}
}

}  // namespace
