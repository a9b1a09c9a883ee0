// Memory that runs out: each allocation of a program fails once, in turn. The call that wanted it
// fails, the loop goes on, and nothing stays behind.
#include <doctest/doctest.h>
#include <weft/callback.hpp>
#include <weft/debug.hpp>
#include <weft/fiber/group.hpp>
#include <weft/frame_allocator.hpp>
#include <weft/io/io_context.hpp>
#include <weft/kernel/network.hpp>
#include <weft/sleep.hpp>
#include <weft/sync/channel.hpp>
#include <weft/task_group.hpp>
#include <weft/when_all.hpp>
#include <weft/with_timeout.hpp>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstddef>
#include <cstdlib>
#include <filesystem>
#include <iterator>
#include <new>
#include <numeric>
#include <span>
#include <system_error>
#include <utility>

namespace {

/// Which allocation of this thread fails, counted from now on; negative: none.
constinit thread_local int allocations_until_failure = -1;

}  // namespace

void* operator new(std::size_t bytes) {
    if (allocations_until_failure >= 0 && allocations_until_failure-- == 0) throw std::bad_alloc{};
    if (void* const memory = std::malloc(bytes != 0 ? bytes : 1)) return memory;
    throw std::bad_alloc{};
}
void* operator new(std::size_t bytes, const std::nothrow_t& /*tag*/) noexcept {
    if (allocations_until_failure >= 0 && allocations_until_failure-- == 0) return nullptr;
    return std::malloc(bytes != 0 ? bytes : 1);
}
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }
void operator delete(void* memory, const std::nothrow_t& /*tag*/) noexcept { std::free(memory); }

namespace {

using namespace std::chrono_literals;
using weft::result;
using weft::scheduler;
using weft::task;

std::uint64_t frames_in_use() {
    const auto alive = weft::frame_allocator::alive();
    return std::accumulate(
        alive.begin(), alive.end(), std::uint64_t{0},
        [](std::uint64_t sum, const weft::live_frames& each) { return sum + each.count; });
}

std::size_t open_descriptors() {
    const std::filesystem::directory_iterator all{"/proc/self/fd"};
    return static_cast<std::size_t>(std::distance(begin(all), end(all)));
}

enum class ended { well, with_error, with_bad_alloc };

struct endings {
    std::size_t errors = 0;
    std::size_t exceptions = 0;
};

/// Runs `program` with each of its allocations failing, one a run, until none is left to fail; the
/// last run has to end well.
template <class Program>
endings fail_each_allocation(Program program) {
    endings seen;
    for (int nth = 0;; ++nth) {
        REQUIRE(nth < 1000);
        weft::frame_allocator::trim();
        const std::uint64_t frames = frames_in_use();
        ended how = ended::with_bad_alloc;
        allocations_until_failure = nth;
        try {
            how = program();
        } catch (const std::bad_alloc&) {
        }
        const bool nothing_failed = std::exchange(allocations_until_failure, -1) >= 0;
        CAPTURE(nth);
        CHECK(frames_in_use() == frames);
        if (how == ended::with_error) ++seen.errors;
        if (how == ended::with_bad_alloc) ++seen.exceptions;
        if (!nothing_failed) continue;
        CHECK(how == ended::well);
        return seen;
    }
}

ended ending_of(const result<void>& how) {
    if (how) return ended::well;
    CHECK(how.error() != weft::errc::canceled);
    return ended::with_error;
}

// ---- tasks

task<result<void>> sends(weft::channel<int>& values) {
    for (int i = 0; i < 3; ++i) {
        const result<void> sent = co_await values.send(std::move(i));
        if (!sent) co_return sent.error();
    }
    values.close();
    co_return result<void>{};
}
task<result<void>> receives(weft::channel<int>& values, int& sum) {
    for (;;) {
        const result<int> next = co_await values.receive();
        if (next.error() == weft::errc::closed) co_return result<void>{};
        if (!next) co_return next.error();
        sum += *next;
    }
}
task<int> later(int value) {
    (void)co_await weft::sleep_for(1ms);
    co_return value;
}
task<result<void>> all_at_once(weft::task_group& group, weft::channel<int>* values, int* sum) {
    group.spawn(sends(*values));
    group.spawn(receives(*values, *sum), "receives");
    const auto [one, two] = co_await weft::when_all(later(1), later(2));
    *sum += one + two;
    co_return co_await weft::with_timeout(1s, weft::sleep_for(1ms));
}
task<result<void>> program_of_tasks(int& sum) {
    weft::channel<int> values{2};
    co_return co_await weft::with_task_group(all_at_once, &values, &sum);
}

// ---- callbacks and fibers

task<result<void>> program_of_callbacks(int& calls) {
    weft::callback_group group{co_await weft::current_environment()};
    std::exception_ptr failure;
    try {
        weft::start_detached(group, [] { return weft::sleep_for(1ms); }, [&](auto) { ++calls; });
        weft::start_detached(group, [] { return later(1); }, [&](int value) { calls += value; });
    } catch (const std::bad_alloc&) {
        failure = std::current_exception();
    }
    const result<void> joined = co_await group.join();
    if (failure != nullptr) std::rethrow_exception(failure);
    co_return joined;
}

task<result<void>> program_of_fibers(int& calls) {
    const auto body = [](weft::fiber::group&, int* count) -> result<void> {
        *count += weft::fiber::await(later(1));
        return weft::fiber::await(weft::sleep_for(1ms));
    };
    co_return co_await weft::fiber::with_group(body, &calls);
}

// ---- sockets

task<result<void>> answers(weft::kernel::tcp_listener& listener) {
    result<weft::kernel::tcp_stream> peer = co_await listener.accept();
    if (!peer) co_return peer.error();
    std::array<std::byte, 64> bytes;
    const auto got = co_await peer->read_some(bytes);
    if (!got) co_return got.error();
    co_return co_await peer->write_all(std::span{bytes}.first(*got));
}
task<result<void>> asks(weft::kernel::network& network, weft::endpoint at) {
    result<weft::kernel::tcp_stream> peer = co_await network.connect(at);
    if (!peer) co_return peer.error();
    std::array<std::byte, 5> bytes{};
    const auto sent = co_await peer->write_all(bytes);
    if (!sent) co_return sent.error();
    co_return co_await peer->read_exactly(bytes);
}
task<result<void>> meet(weft::task_group& group, weft::kernel::network* network,
                        weft::kernel::tcp_listener* listener) {
    group.spawn(answers(*listener));
    group.spawn(asks(*network, listener->local_endpoint()));
    co_return result<void>{};
}
task<result<void>> program_of_sockets(weft::kernel::network& network) {
    const weft::endpoint any{weft::ip_address{weft::ipv4_address{127, 0, 0, 1}}, 0};
    result<weft::kernel::tcp_listener> listener = network.listen(any);
    if (!listener) co_return listener.error();
    const auto bound = network.bind(any);
    if (!bound) co_return bound.error();
    co_return co_await weft::with_task_group(meet, &network, &*listener);
}

}  // namespace

TEST_SUITE("framework.memory") {
TEST_CASE(
    "a frame that there is no memory for is an exception from the call, and the loop goes on") {
    scheduler loop{scheduler::clock::virtual_time};
    const endings seen = fail_each_allocation([&] {
        int sum = 0;
        const ended how = ending_of(loop.run_until_done(program_of_tasks(sum)));
        if (how == ended::well) CHECK(sum == 0 + 1 + 2 + 1 + 2);
        CHECK(weft::debug::task_count(loop) == 0);
        return how;
    });
    CHECK(seen.errors == 0);
    CHECK(seen.exceptions >= 8);  // a frame each for the tasks above, and a channel's room
}

TEST_CASE("a callback that there is no memory for was not started; the others are called") {
    scheduler loop{scheduler::clock::virtual_time};
    const endings seen = fail_each_allocation([&] {
        int calls = 0;
        const ended how = ending_of(loop.run_until_done(program_of_callbacks(calls)));
        if (how == ended::well) CHECK(calls == 2);
        return how;
    });
    CHECK(seen.errors == 0);
    CHECK(seen.exceptions >= 3);
}

TEST_CASE("a fiber's frames fail where they are asked for") {
    scheduler loop{scheduler::clock::virtual_time};
    const endings seen = fail_each_allocation([&] {
        int calls = 0;
        return ending_of(loop.run_until_done(program_of_fibers(calls)));
    });
    CHECK(seen.errors == 0);
    CHECK(seen.exceptions >= 2);
}

TEST_CASE("a socket that there is no memory for is an error, and its descriptor is closed") {
    weft::io_context loop;
    weft::kernel::network network{loop};
    const auto once = [&] { return ending_of(loop.run_until_done(program_of_sockets(network))); };
    CHECK(once() == ended::well);
    const std::size_t descriptors = open_descriptors();
    const endings seen = fail_each_allocation(once);
    CHECK(seen.errors >= 4);      // the listener, the datagram socket, either stream
    CHECK(seen.exceptions >= 4);  // the frames
    CHECK(once() == ended::well);
    CHECK(open_descriptors() == descriptors);
}
}  // TEST_SUITE("framework.memory")
