// weft::run, signals, and timers on the real clock.
#include <doctest/doctest.h>
#include <weft/base/timer_wheel.hpp>
#include <weft/io/wait_fd.hpp>
#include <weft/run.hpp>

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <cstdlib>
#include <stdexcept>
#include <string>

namespace {

using namespace std::chrono_literals;
using weft::task;

struct pipe_pair {
    pipe_pair() { REQUIRE(::pipe(ends.data()) == 0); }
    ~pipe_pair() {
        ::close(ends[0]);
        ::close(ends[1]);
    }
    std::array<int, 2> ends{};
};

task<int> answer() { co_return 42; }

task<std::string> fail() {
    throw std::runtime_error{"no"};
    co_return "";
}

task<std::error_code> interrupted(int fd, int signal) {
    ::raise(signal);
    const auto waited = co_await weft::wait_fd(fd, weft::fd_event::readable);
    co_return waited.error();
}

/// Goes on as if nobody had asked it to stop, and lets nothing else run.
task<int> stubborn(int quiet) {
    ::raise(SIGINT);
    for (int i = 0; i < 1000; ++i) {
        const auto waited = co_await weft::wait_fd(quiet, weft::fd_event::readable);
        if (waited.error() != std::errc::operation_canceled) co_return 1;
    }
    ::raise(SIGTERM);
    co_return 2;
}

task<int> two_signals(weft::signal_set& signals) {
    ::raise(SIGUSR1);
    const auto first = co_await signals.next();
    ::raise(SIGUSR2);
    const auto second = co_await signals.next();
    co_return first.value() * 1000 + second.value();
}

task<bool> is_on(weft::io_context& io, weft::io_context& expected) { co_return &io == &expected; }

}  // namespace

TEST_SUITE("framework.run") {
TEST_CASE("run returns what the main task returned") {
    CHECK(weft::run(answer()) == 42);
    CHECK(weft::run([](weft::io_context& io) { return is_on(io, io); }));
}

TEST_CASE("run throws what the main task threw") {
    CHECK_THROWS_WITH_AS((void)weft::run(fail()), "no", std::runtime_error);
}

TEST_CASE("the first SIGINT or SIGTERM requests stop of what the main task awaits") {
    for (const int signal : {SIGINT, SIGTERM}) {
        const pipe_pair quiet;
        CHECK(weft::run(interrupted(quiet.ends[0], signal)) == std::errc::operation_canceled);
    }
}

TEST_CASE("after a run the signals do what they did before, stopped or not") {
    struct sigaction before{};
    ::sigaction(SIGINT, nullptr, &before);
    (void)weft::run(answer());
    const pipe_pair quiet;
    (void)weft::run(interrupted(quiet.ends[0], SIGINT));
    struct sigaction after{};
    ::sigaction(SIGINT, nullptr, &after);
    const bool same_handler = before.sa_handler == after.sa_handler;
    CHECK(same_handler);
    sigset_t blocked{};
    ::pthread_sigmask(SIG_BLOCK, nullptr, &blocked);
    CHECK(::sigismember(&blocked, SIGINT) == 0);
    CHECK(::sigismember(&blocked, SIGTERM) == 0);
}

TEST_CASE("the second signal ends a program that does not stop, with status 130") {
    const ::pid_t child = ::fork();
    REQUIRE(child >= 0);
    if (child == 0) {
        const pipe_pair quiet;
        std::_Exit(weft::run(stubborn(quiet.ends[0])));
    }
    int status = 0;
    REQUIRE(::waitpid(child, &status, 0) == child);
    CHECK(WIFEXITED(status));
    CHECK(WEXITSTATUS(status) == 130);
}

TEST_CASE("signals are awaited one after the other") {
    weft::io_context io;
    weft::signal_set signals{SIGUSR1, SIGUSR2};
    CHECK(io.run_until_done(two_signals(signals)) == SIGUSR1 * 1000 + SIGUSR2);
}

TEST_CASE("timers on the real clock fire in order and never early") {
    struct timer : weft::timer_node {
        timer() noexcept
            : timer_node{[](timer_node& self, weft::instant now) noexcept {
                  static_cast<timer&>(self).fired = now;
              }} {}
        weft::instant fired = weft::never;
    };
    weft::io_context io;
    std::array<timer, 3> timers;
    const weft::instant begin = io.now();
    io.timers().arm(timers[0], begin + 12ms);
    io.timers().arm(timers[1], begin + 3ms);
    io.timers().arm(timers[2], begin + 6ms);
    io.run();  // ends by itself: nothing is left to wait for
    CHECK(timers[1].fired >= begin + 3ms);
    CHECK(timers[2].fired >= begin + 6ms);
    CHECK(timers[0].fired >= begin + 12ms);
    CHECK(timers[1].fired <= timers[2].fired);
    CHECK(timers[2].fired <= timers[0].fired);
}

TEST_CASE("waiting for nothing is told, not waited for") {
    weft::io_context io;
    const auto never_resumed = []() -> task<> {
        struct forever : weft::operation {
            explicit forever(completion on_completion) noexcept : operation{on_completion} {}
            [[nodiscard]] bool ready() const noexcept { return false; }
            void start(const weft::environment& env) noexcept { park(*env.scheduler, {}); }
            void finish() noexcept {}
        };
        co_await weft::awaiter<forever>{};
    };
    CHECK_THROWS_AS(io.run_until_done(never_resumed()), std::logic_error);
}
}  // TEST_SUITE("framework.run")
