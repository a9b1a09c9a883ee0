// Loops that wait for each other.
#include <doctest/doctest.h>
#include <weft/rendezvous.hpp>
#include <weft/runtime.hpp>
#include <weft/sleep.hpp>

#include <atomic>
#include <chrono>
#include <cstddef>

namespace {

using namespace std::chrono_literals;
using weft::result;
using weft::task;

constexpr std::size_t loops = 3;

struct meeting {
    explicit meeting(weft::runtime& of) : all{of}, point{of} {}

    weft::runtime& all;
    weft::rendezvous point;
    std::atomic<std::size_t> came = 0;
    std::atomic<std::size_t> went_on_too_early = 0;
    std::atomic<std::size_t> stopped = 0;
};

}  // namespace

TEST_SUITE("framework.rendezvous") {
TEST_CASE("no loop goes on before all have come, each is back on its own") {
    weft::runtime cores{{.threads = loops}};
    meeting shared{cores};
    cores.run([&shared](weft::runtime& all) -> task<void> {
        const auto one = [&shared](std::size_t i) -> task<void> {
            (void)co_await weft::sleep_for(i * 20ms);
            ++shared.came;
            const result<void> met = co_await shared.point.arrive();
            CHECK(met.has_value());
            if (shared.came != loops) ++shared.went_on_too_early;
            const weft::runtime_loop& here = co_await shared.all.here();
            CHECK(here.index() == i);
        };
        CHECK(co_await all.for_each_loop(one));
    });
    CHECK(shared.came == loops);
    CHECK(shared.went_on_too_early == 0);
}

TEST_CASE("one loop alone does not wait") {
    weft::runtime cores{{.threads = 1}};
    meeting shared{cores};
    const bool met = cores.run([&shared](weft::runtime&) -> task<bool> {
        const result<void> here = co_await shared.point.arrive();
        co_return here.has_value();
    });
    CHECK(met);
}

TEST_CASE("when one fails before it comes, those that wait are stopped") {
    weft::runtime cores{{.threads = loops}};
    meeting shared{cores};
    cores.run([&shared](weft::runtime& all) -> task<void> {
        const auto one = [&shared](std::size_t i) -> task<result<void>> {
            if (i == 1) {
                (void)co_await weft::sleep_for(20ms);
                co_return std::errc::address_in_use;
            }
            const result<void> met = co_await shared.point.arrive();
            if (met.error() == std::errc::operation_canceled) ++shared.stopped;
            co_return result<void>{};
        };
        const result<void> ended = co_await all.for_each_loop(one);
        CHECK(ended.error() == std::errc::address_in_use);
    });
    CHECK(shared.stopped == loops - 1);
}
}
