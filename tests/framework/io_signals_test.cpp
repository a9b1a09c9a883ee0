// Sets of signals beside each other, and what they leave behind.
#include "io_scratch.hpp"

#include <weft/io/signals.hpp>
#include <weft/when_all.hpp>
#include <weft/with_timeout.hpp>

#include <signal.h>

#include <chrono>
#include <memory>

namespace {

using namespace std::chrono_literals;
using weft::signal_set;
using weft::task;

bool is_blocked(int signal) {
    sigset_t now{};
    ::pthread_sigmask(SIG_BLOCK, nullptr, &now);
    return ::sigismember(&now, signal) == 1;
}

task<weft::result<int>> next_of(signal_set& set) { co_return co_await set.next(); }

}  // namespace

TEST_SUITE("framework.signals") {
TEST_CASE("sets end in any order, and a signal is unblocked when the last that wants it goes") {
    auto first = std::make_unique<signal_set>(std::initializer_list<int>{SIGUSR1, SIGHUP});
    auto second = std::make_unique<signal_set>(std::initializer_list<int>{SIGUSR1, SIGUSR2});
    first.reset();
    CHECK_FALSE(is_blocked(SIGHUP));
    CHECK(is_blocked(SIGUSR1));
    CHECK(is_blocked(SIGUSR2));
    ::raise(SIGUSR1);
    CHECK(second->take() == SIGUSR1);
    second.reset();
    CHECK_FALSE(is_blocked(SIGUSR1));
    CHECK_FALSE(is_blocked(SIGUSR2));
}

TEST_CASE("what a set leaves pending ends nobody, and another set's signals stay") {
    signal_set other{SIGUSR2};
    {
        signal_set set{SIGUSR1, SIGUSR2};
        ::raise(SIGUSR1);
        ::raise(SIGUSR2);
    }
    CHECK(other.take() == SIGUSR2);
    CHECK_FALSE(other.take().has_value());
}

TEST_CASE("a signal that was blocked before stays blocked after") {
    sigset_t mine{};
    ::sigemptyset(&mine);
    ::sigaddset(&mine, SIGUSR1);
    ::pthread_sigmask(SIG_BLOCK, &mine, nullptr);
    {
        const signal_set set{SIGUSR1};
    }
    CHECK(is_blocked(SIGUSR1));
    ::pthread_sigmask(SIG_UNBLOCK, &mine, nullptr);
}

TEST_CASE("two sets are awaited side by side, and each gets its own") {
    weft::io_context io;
    signal_set first{SIGUSR1};
    signal_set second{SIGUSR2};
    const auto both = [](signal_set& one, signal_set& other) -> task<> {
        const auto raises = []() -> task<> {
            (void)co_await weft::sleep_for(1ms);
            ::raise(SIGUSR2);
            ::raise(SIGUSR1);
        };
        const auto [a, b, none] = co_await weft::when_all(next_of(one), next_of(other), raises());
        CHECK(a.value() == SIGUSR1);
        CHECK(b.value() == SIGUSR2);
        const auto quiet = co_await weft::with_timeout(2ms, one.next());
        CHECK(quiet.error() == weft::errc::timed_out);
    };
    io.run_until_done(both(first, second));
    CHECK(io.ring().in_flight() == 0);
}

TEST_CASE("without descriptors, or for no signal, there is no set and nothing is blocked") {
    CHECK_THROWS_AS((signal_set{SIGUSR1, 4096}), std::system_error);
    CHECK_FALSE(is_blocked(SIGUSR1));
    {
        const weft::test::no_descriptors_left scarce;
        CHECK_THROWS_AS((signal_set{SIGUSR1}), std::system_error);
    }
    CHECK_FALSE(is_blocked(SIGUSR1));
}
}  // TEST_SUITE("framework.signals")
