#pragma once
// One loop of each library for a benchmark: measures until google-benchmark has seen enough.
//
// `on_weft_loop` runs a coroutine on a fresh io_context; `on_asio_loop` the same on Asio's. The
// coroutine asks `state.KeepRunning()` and keeps everything else of its own outside of that loop.

#include <weft/run.hpp>
#include <weft/task.hpp>

#include <benchmark/benchmark.h>

#ifdef WEFT_HAS_ASIO
    #include <asio/awaitable.hpp>
    #include <asio/co_spawn.hpp>
    #include <asio/detached.hpp>
    #include <asio/io_context.hpp>
#endif

namespace weft::bench {

using weft_body = task<int> (*)(benchmark::State&);

inline void on_weft_loop(benchmark::State& state, weft_body body) {
    io_context io;
    (void)io.run_until_done(body(state));
}

#ifdef WEFT_HAS_ASIO
using asio_body = asio::awaitable<void> (*)(benchmark::State&);

/// One thread: Asio may leave its locks away.
inline void on_asio_loop(benchmark::State& state, asio_body body) {
    asio::io_context io{1};
    asio::co_spawn(io, body(state), asio::detached);
    io.run();
}
#endif

}  // namespace weft::bench
