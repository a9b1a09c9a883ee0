// The stacks of fibers: how many, how large, and what happens when they run out or over.
#include <weft/fiber/await.hpp>
#include <weft/fiber/group.hpp>
#include <weft/fiber/run.hpp>
#include <weft/fiber/stack.hpp>
#include <weft/frame_allocator.hpp>
#include <weft/io/scheduler.hpp>
#include <weft/sleep.hpp>
#include <weft/stop.hpp>
#include <weft/sync/event.hpp>
#include <weft/task_group.hpp>
#include <weft/when_all.hpp>
#include <weft/when_any.hpp>
#include <weft/with_timeout.hpp>
#include <weft/yield.hpp>

#include <doctest/doctest.h>

#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <coroutine>
#include <exception>
#include <memory>
#include <stdexcept>
#include <string>
#include <system_error>
#include <vector>

using namespace std::chrono_literals;
namespace fiber = weft::fiber;
using fiber::await;
using weft::result;
using weft::scheduler;
using weft::task;

namespace {

template <class T>
T run(task<T> main) {
    scheduler loop{scheduler::clock::virtual_time};
    return loop.run_until_done(std::move(main));
}

TEST_SUITE("framework.fiber.stack") {
TEST_CASE("running out of stacks is an error of the call, and the rest goes on") {
    fiber::stack_pool few{{.max_stacks = 2}};
    run([](fiber::stack_pool* stacks) -> task<> {
        fiber::group group{co_await weft::current_environment(), *stacks};
        int ended = 0;
        const auto body = [&ended] {
            (void)await(weft::sleep_for(1ms));
            ++ended;
        };
        CHECK(group.spawn(body));
        CHECK(group.spawn(body));
        CHECK(group.spawn(body).error() == std::errc::not_enough_memory);
        const result<int> no_result =
            co_await fiber::run(*stacks, []() -> result<int> { return 1; });
        CHECK(no_result.error() == std::errc::not_enough_memory);
        bool threw = false;
        try {
            (void)co_await fiber::run(*stacks, [] { return 1; });
        } catch (const std::system_error& problem) {
            threw = problem.code() == std::errc::not_enough_memory;
        }
        CHECK(threw);
        CHECK((co_await group.join()).has_value());
        CHECK(ended == 2);
        CHECK(group.spawn(body));  // stacks have come back
        CHECK((co_await group.join()).has_value());
        CHECK(ended == 3);
    }(&few));
}

TEST_CASE("memory that the system does not have is an error of spawn") {
    fiber::stack_pool huge{{.stack_bytes = std::size_t{1} << 60}};
    CHECK(huge.take().error() == std::errc::not_enough_memory);
    fiber::stack_pool endless{{.stack_bytes = SIZE_MAX}};
    CHECK(endless.take().error() == std::errc::not_enough_memory);
    fiber::stack_pool none{{.stack_bytes = 0}};
    CHECK(none.take().error() == std::errc::not_enough_memory);
    CHECK(huge.used_stacks() == 0);
}

TEST_CASE("a stack that runs over ends the program instead of writing into its neighbour") {
    const pid_t child = ::fork();
    REQUIRE(child >= 0);
    if (child == 0) {  // quietly: no core, no report, nobody's handlers
        const rlimit no_core{};
        ::setrlimit(RLIMIT_CORE, &no_core);
        ::signal(SIGSEGV, SIG_DFL);
        ::close(STDERR_FILENO);
        struct endless {
            static int go(int depth) {
                volatile char room[256] = {};
                room[0] = static_cast<char>(depth);
                if (depth < 0) return 0;
                return go(depth + 1) + room[0];
            }
        };
        fiber::stack_pool small{{.stack_bytes = 64 * 1024}};
        run([](fiber::stack_pool* stacks) -> task<> {
            fiber::stack neighbour = stacks->take().value();  // may be written to
            (void)co_await fiber::run(*stacks, [] { return endless::go(0); });
            stacks->give_back(std::move(neighbour));
        }(&small));
        ::_exit(0);
    }
    int status = 0;
    REQUIRE(::waitpid(child, &status, 0) == child);
    if (weft::address_sanitizer) {
        CHECK(status != 0);  // it says what it found, and exits
    } else {
        CHECK(WIFSIGNALED(status));
        CHECK(WTERMSIG(status) == SIGSEGV);
    }
}

TEST_CASE(
    "a body that leaves no room on its stack is refused, and one that cannot be moved gives it "
    "back") {
    fiber::stack_pool small{{.stack_bytes = 8192}};
    scheduler loop{scheduler::clock::virtual_time};
    fiber::group group{weft::environment{&loop, {}}, small};
    struct large {
        std::array<char, 8192> bytes{};
    };
    CHECK(group.spawn([held = large{}] { (void)held; }).error() == std::errc::not_enough_memory);
    struct stubborn {
        stubborn() = default;
        stubborn(const stubborn& other) : copies{other.copies + 1} {
            if (copies == 1) throw std::runtime_error{"not moved"};
        }
        int copies = 0;
    };
    CHECK_THROWS_AS((void)group.spawn([held = stubborn{}] { (void)held; }), std::runtime_error);
    CHECK(small.used_stacks() == 0);
    CHECK(small.free_stacks() == 1);
    CHECK(group.empty());
}

TEST_CASE("a pool keeps a bounded number of free stacks and hands them out again") {
    fiber::stack_pool pool{{.stack_bytes = 16384, .max_free = 2}};
    std::vector<fiber::stack> taken;
    for (int i = 0; i < 4; ++i) taken.push_back(pool.take().value());
    CHECK(pool.used_stacks() == 4);
    const std::byte* const last = taken.back().memory().data();
    taken.front().memory().front() = std::byte{1};  // down to the guard it can be written
    for (fiber::stack& each : taken) pool.give_back(std::move(each));
    CHECK(pool.used_stacks() == 0);
    CHECK(pool.free_stacks() == 2);
    fiber::stack again = pool.take().value();
    CHECK(again.memory().data() != last);  // that one was above the bound
    CHECK(again.memory().size() == 16384);
    pool.give_back(std::move(again));
}
}

}  // namespace
