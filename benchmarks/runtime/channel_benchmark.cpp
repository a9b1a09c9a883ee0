// A value from one coroutine to another through a bounded channel. With room for one, whoever sends
// waits until the other has taken the value before: a switch for each. With room for 64 they take
// turns of 64. The values are summed up at the other end, and the sum is looked at.

#include "loops.hpp"

#include <weft/sync/channel.hpp>
#include <weft/when_all.hpp>

#include <cstdint>
#include <system_error>
#include <utility>

#ifdef WEFT_HAS_ASIO
    #include <asio/experimental/channel.hpp>
    #include <asio/post.hpp>
    #include <asio/use_awaitable.hpp>
#endif

namespace weft::bench {
namespace {

/// Whether all of 0, 1, … `sent` - 1 came.
void check(benchmark::State& state, std::uint64_t sent, std::uint64_t sum) {
    if (sum != sent * (sent - 1) / 2) state.SkipWithError("values were lost");
}

task<> send_all(benchmark::State& state, channel<std::uint64_t>& to, std::uint64_t& sent) {
    while (state.KeepRunning()) {
        std::uint64_t value = sent++;
        (void)co_await to.send(std::move(value));
    }
    to.close();
}

task<> receive_all(channel<std::uint64_t>& from, std::uint64_t& sum) {
    for (;;) {
        const auto value = co_await from.receive();
        if (!value) co_return;
        sum += *value;
    }
}

task<int> hop(benchmark::State& state) {
    channel<std::uint64_t> pipe{static_cast<std::uint32_t>(state.range(0))};
    std::uint64_t sent = 0;
    std::uint64_t sum = 0;
    co_await when_all(send_all(state, pipe, sent), receive_all(pipe, sum));
    check(state, sent, sum);
    co_return 0;
}

void channel_weft(benchmark::State& state) { on_weft_loop(state, hop); }
BENCHMARK(channel_weft)->Name("channel_hop/weft")->Arg(1)->Arg(64);

#ifdef WEFT_HAS_ASIO
using asio_channel = asio::experimental::channel<void(asio::error_code, std::uint64_t)>;

asio::awaitable<void> asio_receive_all(asio_channel& from, std::uint64_t& sum, bool& is_done) {
    try {
        for (;;) sum += co_await from.async_receive(asio::use_awaitable);
    } catch (const std::system_error&) {
        is_done = true;  // closed
    }
}

asio::awaitable<void> asio_hop(benchmark::State& state) {
    const auto executor = co_await asio::this_coro::executor;
    asio_channel pipe{executor, static_cast<std::size_t>(state.range(0))};
    std::uint64_t sent = 0;
    std::uint64_t sum = 0;
    bool is_done = false;
    asio::co_spawn(executor, asio_receive_all(pipe, sum, is_done), asio::detached);
    while (state.KeepRunning()) {
        co_await pipe.async_send(asio::error_code{}, sent++, asio::use_awaitable);
    }
    pipe.close();
    while (!is_done) co_await asio::post(asio::use_awaitable);
    check(state, sent, sum);
}

void channel_asio(benchmark::State& state) { on_asio_loop(state, asio_hop); }
BENCHMARK(channel_asio)->Name("channel_hop/asio")->Arg(1)->Arg(64);
#endif

}  // namespace
}  // namespace weft::bench
