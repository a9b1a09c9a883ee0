// Tasks that run beside their parent: spawn a thousand, let each be resumed once, join them all.

#include "loops.hpp"

#include <weft/task_group.hpp>
#include <weft/yield.hpp>

#ifdef WEFT_HAS_ASIO
    #include <asio/post.hpp>
    #include <asio/use_awaitable.hpp>
#endif

namespace weft::bench {
namespace {

constexpr int children = 1000;

task<void> run_once(int& left) {
    co_await yield();
    --left;
}

task<int> spawn_and_join(benchmark::State& state) {
    int left = 0;
    while (state.KeepRunningBatch(children)) {
        left += children;
        task_group group{co_await current_environment()};
        for (int i = 0; i < children; ++i) group.spawn(run_once(left));
        (void)co_await group.join();
    }
    if (left != 0) state.SkipWithError("children were lost");
    co_return 0;
}

void spawn_weft(benchmark::State& state) { on_weft_loop(state, spawn_and_join); }
BENCHMARK(spawn_weft)->Name("spawn_join/weft");

#ifdef WEFT_HAS_ASIO
asio::awaitable<void> asio_run_once(int& left) {
    co_await asio::post(asio::use_awaitable);
    --left;
}

// Asio has no group: a join is a count that the parent looks at whenever the queue comes round.
asio::awaitable<void> asio_spawn_and_join(benchmark::State& state) {
    const auto executor = co_await asio::this_coro::executor;
    int left = 0;
    while (state.KeepRunningBatch(children)) {
        left += children;
        for (int i = 0; i < children; ++i) {
            asio::co_spawn(executor, asio_run_once(left), asio::detached);
        }
        while (left != 0) co_await asio::post(asio::use_awaitable);
    }
}

void spawn_asio(benchmark::State& state) { on_asio_loop(state, asio_spawn_and_join); }
BENCHMARK(spawn_asio)->Name("spawn_join/asio");
#endif

}  // namespace
}  // namespace weft::bench
