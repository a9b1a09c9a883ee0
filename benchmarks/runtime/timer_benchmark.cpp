// Start and cancel a timer while a million others run: what a timeout around each read costs in a
// server with a million peers. Deadlines lie between 1 s and 60 s; nothing expires meanwhile.

#include "loops.hpp"

#include <weft/base/timer_wheel.hpp>
#include <weft/io/scheduler.hpp>

#ifdef WEFT_HAS_ASIO
    #include <asio/steady_timer.hpp>
#endif
#ifdef WEFT_HAS_LIBUV
    #include <uv.h>
#endif

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <random>
#include <vector>

namespace weft::bench {
namespace {

constexpr std::size_t running = 1'000'000;

/// The same deadlines for everybody, in milliseconds.
class deadlines {
public:
    std::uint32_t next() { return static_cast<std::uint32_t>(1000 + random_() % 59'000); }

private:
    std::minstd_rand random_{42};
};

void timers_weft(benchmark::State& state) {
    scheduler on;
    deadlines draw;
    std::deque<timer_node> nodes;
    const auto arm = [&](timer_node& node) {
        on.timers().arm(node, on.now() + std::chrono::milliseconds{draw.next()});
    };
    for (std::size_t i = 0; i < running; ++i)
        arm(nodes.emplace_back([](timer_node&, instant) noexcept {}));
    timer_node ours{[](timer_node&, instant) noexcept {}};
    for (auto _ : state) {
        arm(ours);
        ours.disarm();
    }
}
BENCHMARK(timers_weft)->Name("timer_of_million/weft");

#ifdef WEFT_HAS_ASIO
// A cancelled wait of Asio is a completed one: its handler has to run.
void timers_asio(benchmark::State& state) {
    asio::io_context io{1};
    deadlines draw;
    std::deque<asio::steady_timer> timers;
    const auto start = [&](asio::steady_timer& each) {
        each.expires_after(std::chrono::milliseconds{draw.next()});
        each.async_wait([](const asio::error_code&) {});
    };
    for (std::size_t i = 0; i < running; ++i) start(timers.emplace_back(io));
    asio::steady_timer ours{io};
    for (auto _ : state) {
        start(ours);
        ours.cancel();
        io.poll_one();
    }
}
BENCHMARK(timers_asio)->Name("timer_of_million/asio");
#endif

#ifdef WEFT_HAS_LIBUV
void timers_libuv(benchmark::State& state) {
    uv_loop_t loop;
    uv_loop_init(&loop);
    deadlines draw;
    std::vector<uv_timer_t> timers(running + 1);
    const auto start = [&](uv_timer_t& each) {
        uv_timer_start(&each, [](uv_timer_t*) {}, draw.next(), 0);
    };
    for (uv_timer_t& each : timers) uv_timer_init(&loop, &each);
    for (std::size_t i = 0; i < running; ++i) start(timers[i]);
    for (auto _ : state) {
        start(timers.back());
        uv_timer_stop(&timers.back());
    }
    for (uv_timer_t& each : timers) uv_close(reinterpret_cast<uv_handle_t*>(&each), nullptr);
    uv_run(&loop, UV_RUN_DEFAULT);
    uv_loop_close(&loop);
}
BENCHMARK(timers_libuv)->Name("timer_of_million/libuv");
#endif

}  // namespace
}  // namespace weft::bench
