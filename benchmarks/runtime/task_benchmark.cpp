// A coroutine that makes another one and awaits it: create, start, return a value, destroy.

#include "loops.hpp"

#include <utility>

namespace weft::bench {
namespace {

task<int> one_more(int than) { co_return than + 1; }

task<int> await_tasks(benchmark::State& state) {
    int sum = 0;
    while (state.KeepRunning()) sum = co_await one_more(sum);
    benchmark::DoNotOptimize(sum);
    co_return 0;
}

task<int> depth_of(int depth) {
    if (depth == 0) co_return 0;
    const int below = co_await depth_of(depth - 1);
    co_return below + 1;
}

task<int> await_deep_tasks(benchmark::State& state) {
    constexpr int depth = 100;
    while (state.KeepRunningBatch(depth)) {
        int reached = co_await depth_of(depth);
        benchmark::DoNotOptimize(reached);
    }
    co_return 0;
}

void await_task_weft(benchmark::State& state) { on_weft_loop(state, await_tasks); }
void await_deep_weft(benchmark::State& state) { on_weft_loop(state, await_deep_tasks); }
BENCHMARK(await_task_weft)->Name("await_task/weft");
BENCHMARK(await_deep_weft)->Name("await_task_100_deep/weft");

#ifdef WEFT_HAS_ASIO
asio::awaitable<int> asio_one_more(int than) { co_return than + 1; }

asio::awaitable<void> asio_await_tasks(benchmark::State& state) {
    int sum = 0;
    while (state.KeepRunning()) sum = co_await asio_one_more(sum);
    benchmark::DoNotOptimize(sum);
}

asio::awaitable<int> asio_depth_of(int depth) {
    if (depth == 0) co_return 0;
    const int below = co_await asio_depth_of(depth - 1);
    co_return below + 1;
}

asio::awaitable<void> asio_await_deep_tasks(benchmark::State& state) {
    constexpr int depth = 100;
    while (state.KeepRunningBatch(depth)) {
        int reached = co_await asio_depth_of(depth);
        benchmark::DoNotOptimize(reached);
    }
}

void await_task_asio(benchmark::State& state) { on_asio_loop(state, asio_await_tasks); }
void await_deep_asio(benchmark::State& state) { on_asio_loop(state, asio_await_deep_tasks); }
BENCHMARK(await_task_asio)->Name("await_task/asio");
BENCHMARK(await_deep_asio)->Name("await_task_100_deep/asio");
#endif

}  // namespace
}  // namespace weft::bench
