// Blocking calls on a pool of threads.
#include "io_scratch.hpp"

#include <weft/io/offload_pool.hpp>
#include <weft/task_group.hpp>
#include <weft/when_all.hpp>
#include <weft/with_timeout.hpp>

#include <atomic>
#include <chrono>
#include <memory>
#include <semaphore>
#include <stdexcept>
#include <thread>
#include <vector>

namespace {

using namespace std::chrono_literals;
using namespace weft::test;
using weft::offload_pool;
using weft::result;
using weft::task;

task<result<int>> answer(offload_pool& pool) {
    co_return co_await pool.run([] { return 42; });
}

task<result<int>> blocked_by(offload_pool& pool, std::binary_semaphore& gate) {
    co_return co_await pool.run([&gate] {
        gate.acquire();
        return 1;
    });
}

task<> open_gate(std::binary_semaphore& gate, int turns) {
    for (int i = 0; i < turns; ++i) (void)co_await weft::sleep_for(1ms);
    gate.release();
}

task<result<void>> one_of_many(offload_pool& pool, std::atomic<int>& sum, int value) {
    co_return co_await pool.run([&sum, value] { sum += value; });
}

task<> many_in(weft::task_group& group, offload_pool* pool, std::atomic<int>* sum, int count) {
    for (int i = 1; i <= count; ++i) group.spawn(one_of_many(*pool, *sum, i));
    co_return;
}

}  // namespace

TEST_SUITE("framework.offload") {
TEST_CASE("a call returns its value from another thread, and the loop goes on beside it") {
    offload_pool pool{{.threads = 1}};
    weft::io_context io;
    const auto both = [](offload_pool& on) -> task<bool> {
        std::binary_semaphore gate{0};
        const auto [value, none] =
            co_await weft::when_all(blocked_by(on, gate), open_gate(gate, 3));
        const result<std::thread::id> there =
            co_await on.run([] { return std::this_thread::get_id(); });
        co_return value.value() == 1 && there.value() != std::this_thread::get_id();
    };
    CHECK(io.run_until_done(both(pool)));
    CHECK(io.ring().in_flight() == 0);
    CHECK(pool.statistics().threads == 1);
}

TEST_CASE("results stay results, nothing is success, and exceptions pass") {
    offload_pool pool;
    weft::io_context io;
    const auto fails = [](offload_pool& on) -> task<std::error_code> {
        const result<int> failed =
            co_await on.run([]() -> result<int> { return std::errc::io_error; });
        co_return failed.error();
    };
    CHECK(io.run_until_done(fails(pool)) == std::errc::io_error);
    const auto throws = [](offload_pool& on) -> task<> {
        const result<void> never = co_await on.run([] { throw std::runtime_error{"no"}; });
        CHECK(never.has_value());
    };
    CHECK_THROWS_WITH_AS(io.run_until_done(throws(pool)), "no", std::runtime_error);
    const auto owns = [](offload_pool& on) -> task<std::size_t> {
        const std::string text(1000, 'x');
        auto call = [text] { return text.size(); };
        const result<std::size_t> by_name = co_await on.run(call);
        const result<std::size_t> by_argument =
            co_await on.run([](const std::unique_ptr<std::string>& kept) { return kept->size(); },
                            std::make_unique<std::string>(text));
        co_return by_name.value() + by_argument.value();
    };
    CHECK(io.run_until_done(owns(pool)) == 2000);
}

TEST_CASE("a thousand calls share at most four threads, and each is made once") {
    offload_pool pool;
    weft::io_context io;
    std::atomic<int> sum = 0;
    CHECK(io.run_until_done(weft::with_task_group(&many_in, &pool, &sum, 1000)).has_value());
    CHECK(sum == 500'500);
    CHECK(pool.statistics().threads <= 4);
    CHECK(pool.statistics().waiting == 0);
    CHECK(io.ring().in_flight() == 0);
}

TEST_CASE("more calls than may wait fail at once with EAGAIN, and the others are made") {
    offload_pool pool{{.threads = 1, .waiting = 2}};
    weft::io_context io;
    const auto crowd = [](offload_pool& on) -> task<> {
        std::binary_semaphore gate{0};
        const auto [first, second, third, fourth, none] = co_await weft::when_all(
            blocked_by(on, gate), answer(on), answer(on), answer(on), open_gate(gate, 3));
        CHECK(first.value() == 1);
        CHECK(second.value() == 42);
        CHECK(third.value() == 42);
        CHECK(fourth.error() == std::errc::resource_unavailable_try_again);
    };
    io.run_until_done(crowd(pool));
    CHECK(pool.statistics().refused == 1);
}

TEST_CASE("a stop ends a call that has not begun and waits for one that has") {
    offload_pool pool{{.threads = 1}};
    weft::io_context io;
    const auto stopped = [](offload_pool& on) -> task<> {
        std::binary_semaphore gate{0};
        const auto [running, waiting, none] =
            co_await weft::when_all(weft::with_timeout(5ms, blocked_by(on, gate)),
                                    weft::with_timeout(5ms, answer(on)), open_gate(gate, 15));
        CHECK(running.value() == 1);
        CHECK(waiting.error() == weft::errc::timed_out);
    };
    io.run_until_done(stopped(pool));
    CHECK(io.ring().in_flight() == 0);
}

TEST_CASE("an abandonable call is left alone by a stop, and its result goes nowhere") {
    weft::io_context io;
    auto gate = std::make_shared<std::binary_semaphore>(0);
    auto made = std::make_shared<int>(0);
    {
        offload_pool pool{{.threads = 1}};
        const auto abandons = [](offload_pool& on, std::shared_ptr<std::binary_semaphore> closed,
                                 std::shared_ptr<int> value) -> task<std::error_code> {
            const auto got = co_await weft::with_timeout(
                5ms, on.run_abandonable(
                         [](const std::shared_ptr<std::binary_semaphore>& own,
                            std::shared_ptr<int> kept) {
                             own->acquire();
                             ++*kept;
                             return kept;
                         },
                         closed, value));
            co_return got.error();
        };
        CHECK(io.run_until_done(abandons(pool, gate, made)) == weft::errc::timed_out);
        CHECK(pool.statistics().abandoned == 1);
        CHECK(io.ring().in_flight() == 0);
        gate->release();
    }  // the pool waits for it
    CHECK(*made == 1);
    CHECK(made.use_count() == 1);
}

TEST_CASE("a frame that goes while its call runs waits for the call") {
    offload_pool pool{{.threads = 1}};
    weft::io_context io;
    std::binary_semaphore gate{0};
    std::jthread opener;
    {
        struct listener : weft::task_listener {
            listener() noexcept
                : task_listener{[](task_listener&) noexcept -> std::coroutine_handle<> {
                      return std::noop_coroutine();
                  }} {}
        } nobody;
        const weft::environment in{&io, {}};
        weft::running_task<result<int>> running{blocked_by(pool, gate)};
        weft::running_task<result<int>> waiting{answer(pool)};
        CHECK_FALSE(running.start(in, nobody));
        while (pool.statistics().running == 0) std::this_thread::yield();
        CHECK_FALSE(waiting.start(in, nobody));
        opener = std::jthread{[&gate] {
            std::this_thread::sleep_for(10ms);
            gate.release();
        }};
    }
    CHECK(pool.statistics().running == 0);
    CHECK(pool.statistics().waiting == 0);
    CHECK(io.ring().in_flight() == 0);
}

TEST_CASE("two loops share a pool and each gets its own answers") {
    offload_pool pool{{.threads = 2}};
    const auto loop = [&pool](int salt) {
        weft::io_context io;
        const auto adds = [](offload_pool& on, int first) -> task<int> {
            int sum = 0;
            for (int i = 0; i < 500; ++i) {
                const result<int> got = co_await on.run([first, i] { return first + i; });
                sum += got.value();
            }
            co_return sum;
        };
        CHECK(io.run_until_done(adds(pool, salt)) == 500 * salt + 499 * 250);
    };
    std::jthread other{[&] { loop(1000); }};
    loop(0);
}

TEST_CASE("where no thread can be started the call is an error, and the next one as well") {
    offload_pool pool{{.threads = 1, .stack_bytes = std::size_t{1} << 60}};
    weft::io_context io;
    for (int i = 0; i < 2; ++i) {
        const result<int> got = io.run_until_done(answer(pool));
        CHECK(got.error() == std::errc::resource_unavailable_try_again);
    }
    CHECK(pool.statistics().threads == 0);
    CHECK(io.ring().in_flight() == 0);
}

TEST_CASE("out of descriptors, the first call of a loop is an error and a later one is made") {
    offload_pool pool{{.threads = 1}};
    weft::io_context io;
    {
        const no_descriptors_left scarce;
        CHECK(io.run_until_done(answer(pool)).error() == std::errc::too_many_files_open);
    }
    CHECK(io.run_until_done(answer(pool)).value() == 42);
}

TEST_CASE("without a ring, as in a simulation, nothing is offloaded") {
    offload_pool pool;
    weft::scheduler simulated{weft::scheduler::clock::virtual_time};
    CHECK(simulated.run_until_done(answer(pool)).error() == std::errc::operation_not_supported);
    CHECK(pool.statistics().threads == 0);
}
}  // TEST_SUITE("framework.offload")
