// The ring by itself: requests, cancellation, full queues.
#include <doctest/doctest.h>
#include <weft/io/ring.hpp>

#include <poll.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <memory>
#include <vector>

namespace {

using namespace std::chrono_literals;

/// Remembers what it was told.
struct recorder : weft::ring_completion {
    recorder() noexcept
        : ring_completion{[](ring_completion& self, int answer, unsigned) noexcept {
              auto& mine = static_cast<recorder&>(self);
              mine.result = answer;
              ++mine.times;
          }} {}
    int result = 0;
    int times = 0;
};

struct pipe_pair {
    pipe_pair() { REQUIRE(::pipe(ends.data()) == 0); }
    ~pipe_pair() {
        ::close(ends[0]);
        ::close(ends[1]);
    }
    [[nodiscard]] int reader() const { return ends[0]; }
    [[nodiscard]] int writer() const { return ends[1]; }
    std::array<int, 2> ends{};
};

void settle(weft::ring& ring) {
    for (int turns = 0; turns < 1000 && ring.in_flight() != 0; ++turns) {
        ring.enter(1s);
        while (ring.reap(64) != 0) {
        }
    }
}

}  // namespace

TEST_SUITE("framework.ring") {
TEST_CASE("bytes written to a pipe come out of a read that was waiting") {
    weft::ring ring;
    pipe_pair pipe;
    recorder reading;
    recorder writing;
    std::array<std::byte, 8> into{};
    const std::array from{std::byte{1}, std::byte{2}, std::byte{3}};

    ring.read(reading, pipe.reader(), into, 0);
    ring.enter(0s);
    CHECK(ring.reap(64) == 0);
    ring.write(writing, pipe.writer(), from, 0);
    settle(ring);

    CHECK(writing.result == 3);
    CHECK(reading.result == 3);
    CHECK(into[2] == std::byte{3});
    CHECK(ring.in_flight() == 0);
}

TEST_CASE("a cancelled request completes once, with ECANCELED") {
    weft::ring ring;
    pipe_pair pipe;
    recorder waiting;
    ring.poll(waiting, pipe.reader(), POLLIN);
    ring.enter(0s);
    ring.cancel(waiting);
    CHECK(waiting.is_in_flight());
    settle(ring);
    CHECK(waiting.result == -ECANCELED);
    CHECK(waiting.times == 1);
}

TEST_CASE("cancelling what has completed does nothing") {
    weft::ring ring;
    recorder done;
    ring.no_operation(done);
    settle(ring);
    ring.cancel(done);
    ring.enter(0s);
    CHECK(ring.reap(64) == 0);
    CHECK(done.times == 1);
}

TEST_CASE("a withdrawn request is silent, and others' completions are kept") {
    weft::ring ring;
    pipe_pair pipe;
    recorder other;
    auto gone = std::make_unique<recorder>();
    ring.read(*gone, pipe.reader(), {}, 0);
    ring.poll(other, pipe.writer(), POLLOUT);
    ring.withdraw(*gone);
    CHECK(gone->times == 0);
    CHECK_FALSE(gone->is_in_flight());
    gone.reset();

    CHECK(ring.in_flight() == 1);
    settle(ring);
    CHECK(other.times == 1);
    CHECK(other.result == POLLOUT);
}

TEST_CASE("a handler may withdraw a request whose completion is next in line") {
    weft::ring ring;
    struct withdrawer : weft::ring_completion {
        withdrawer(weft::ring& on, recorder& other) noexcept
            : ring_completion{[](ring_completion& self, int, unsigned) noexcept {
                  auto& mine = static_cast<withdrawer&>(self);
                  mine.ring.withdraw(mine.victim);
              }},
              ring{on},
              victim{other} {}
        weft::ring& ring;
        recorder& victim;
    };
    recorder victim;
    withdrawer first{ring, victim};
    ring.no_operation(first);
    ring.no_operation(victim);
    ring.enter(0s);
    ring.reap(64);
    CHECK(victim.times == 0);
    CHECK(ring.in_flight() == 0);
}

TEST_CASE("more requests than the submission queue holds are all made, in few system calls") {
    weft::ring ring{{.submissions = 8, .completions = 1024}};
    std::vector<recorder> many(500);
    for (recorder& one : many) ring.no_operation(one);
    CHECK(ring.statistics().early_enters >= 500 / 8 - 1);
    settle(ring);
    for (const recorder& one : many) CHECK(one.times == 1);
}

TEST_CASE("completions beyond the completion queue are not lost") {
    weft::ring ring{{.submissions = 64, .completions = 64}};
    std::vector<recorder> many(1000);
    for (recorder& one : many) ring.no_operation(one);
    settle(ring);
    int completed = 0;
    for (const recorder& one : many) completed += one.times;
    CHECK(completed == 1000);
    CHECK(ring.statistics().overflows > 0);
}

TEST_CASE("reaping stops at its budget") {
    weft::ring ring;
    std::vector<recorder> many(100);
    for (recorder& one : many) ring.no_operation(one);
    ring.enter(0s);
    CHECK(ring.reap(64) == 64);
    CHECK(ring.has_completions());
    CHECK(ring.reap(64) == 36);
    CHECK_FALSE(ring.has_completions());
}

TEST_CASE("entering waits for its timeout and not for ever") {
    weft::ring ring;
    pipe_pair pipe;
    recorder never_ready;
    ring.poll(never_ready, pipe.reader(), POLLIN);
    const auto before = std::chrono::steady_clock::now();
    ring.enter(20ms);
    CHECK(std::chrono::steady_clock::now() - before >= 20ms);
    CHECK(never_ready.times == 0);
    ring.withdraw(never_ready);
}
}  // TEST_SUITE("framework.ring")
