// Suspend, and be resumed from the loop's queue: what every completed operation costs at least.

#include "loops.hpp"

#include <weft/callback.hpp>
#include <weft/fiber/run.hpp>
#include <weft/stop.hpp>
#include <weft/yield.hpp>

#ifdef WEFT_HAS_ASIO
    #include <asio/post.hpp>
    #include <asio/use_awaitable.hpp>
#endif
#ifdef WEFT_HAS_LIBUV
    #include <uv.h>
#endif

namespace weft::bench {
namespace {

task<int> yield_on(benchmark::State& state) {
    while (state.KeepRunning()) co_await yield();
    co_return 0;
}

void resume_weft(benchmark::State& state) { on_weft_loop(state, yield_on); }
BENCHMARK(resume_weft)->Name("resume/weft");

/// The same operation in a fiber: a switch there and back.
task<int> fiber_yields_on(benchmark::State& state) {
    co_return co_await fiber::run([measured = &state] {
        while (measured->KeepRunning()) fiber::await(yield());
        return 0;
    });
}

void resume_weft_fiber(benchmark::State& state) { on_weft_loop(state, fiber_yields_on); }
BENCHMARK(resume_weft_fiber)->Name("resume/weft_fiber");

/// And with a callback that starts the next one.
struct yielding {
    callback_group& group;
    benchmark::State& state;
    callback_slot<256> slot;
    void next() {
        if (!state.KeepRunning()) return;
        slot.start(group, [] { return yield(); }, [this] { next(); });
    }
};

task<int> callback_yields_on(benchmark::State& state) {
    callback_group group{co_await current_environment()};
    yielding chain{group, state, {}};
    chain.next();
    (void)co_await group.join();
    co_return 0;
}

void resume_weft_callback(benchmark::State& state) { on_weft_loop(state, callback_yields_on); }
BENCHMARK(resume_weft_callback)->Name("resume/weft_callback");

#ifdef WEFT_HAS_ASIO
asio::awaitable<void> asio_yield_on(benchmark::State& state) {
    while (state.KeepRunning()) co_await asio::post(asio::use_awaitable);
}

void resume_asio(benchmark::State& state) { on_asio_loop(state, asio_yield_on); }
BENCHMARK(resume_asio)->Name("resume/asio");

/// The same without a coroutine: a handler that posts itself.
struct self_posting {
    asio::io_context& io;
    benchmark::State& state;
    void operator()() const {
        if (state.KeepRunning()) asio::post(io, *this);
    }
};

void resume_asio_callback(benchmark::State& state) {
    asio::io_context io{1};
    asio::post(io, self_posting{io, state});
    io.run();
}
BENCHMARK(resume_asio_callback)->Name("resume/asio_callback");
#endif

#ifdef WEFT_HAS_LIBUV
// libuv has no queue of callbacks: an idle handle is called once a turn of its loop, which is as
// near as it gets.
void resume_libuv(benchmark::State& state) {
    uv_loop_t loop;
    uv_loop_init(&loop);
    uv_idle_t idle;
    uv_idle_init(&loop, &idle);
    idle.data = &state;
    uv_idle_start(&idle, [](uv_idle_t* each) {
        if (!static_cast<benchmark::State*>(each->data)->KeepRunning()) uv_idle_stop(each);
    });
    uv_run(&loop, UV_RUN_DEFAULT);
    uv_close(reinterpret_cast<uv_handle_t*>(&idle), nullptr);
    uv_run(&loop, UV_RUN_DEFAULT);
    uv_loop_close(&loop);
}
BENCHMARK(resume_libuv)->Name("resume/libuv_idle");
#endif

}  // namespace
}  // namespace weft::bench
