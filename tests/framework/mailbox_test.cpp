// Messages between loops: order, bounds, ends.
#include <doctest/doctest.h>
#include <weft/io/io_context.hpp>
#include <weft/io/mailbox.hpp>

#include <array>
#include <atomic>
#include <latch>
#include <memory>
#include <thread>
#include <vector>

namespace {

struct numbered : weft::message {
    explicit numbered(std::vector<int>& log, int value, std::uint32_t bytes = 0)
        : message{[](message& self, fate how) noexcept {
                      auto& me = static_cast<numbered&>(self);
                      me.log_.push_back(how == fate::delivered ? me.value_ : -me.value_);
                  },
                  bytes},
          log_{log},
          value_{value} {}
    std::vector<int>& log_;
    int value_;
};

/// Turns the loop until nothing is posted.
void settle(weft::io_context& io) {
    do io.turn();
    while (!io.is_idle());
}

}  // namespace

TEST_SUITE("framework.mailbox") {
TEST_CASE("messages to one's own loop come in their order, in a later turn") {
    weft::io_context io;
    weft::mailbox mail{io, {}};
    weft::mail_route route{io, mail};
    std::vector<int> log;
    std::array<numbered, 3> sent{numbered{log, 1}, numbered{log, 2}, numbered{log, 3}};
    for (numbered& each : sent) CHECK(route.post(each));
    CHECK(log.empty());
    settle(io);
    CHECK(log == std::vector{1, 2, 3});
    CHECK(route.post(sent[1]));  // a message that was delivered may be sent again
    settle(io);
    CHECK(log == std::vector{1, 2, 3, 2});
    CHECK(mail.statistics().delivered == 4);
    mail.close();
}

TEST_CASE("a full mailbox refuses, by count and by bytes, and has room again after a delivery") {
    weft::io_context io;
    weft::mailbox mail{io, {.messages = 2, .bytes = 100}};
    weft::mail_route route{io, mail};
    std::vector<int> log;
    numbered a{log, 1, 40};
    numbered b{log, 2, 61};
    numbered c{log, 3, 10};
    numbered d{log, 4, 1};
    CHECK(route.post(a));
    CHECK(route.post(b).error() == std::errc::no_buffer_space);
    CHECK(route.post(c));
    CHECK(route.post(d).error() == std::errc::no_buffer_space);
    CHECK(route.post(d, weft::mailbox::admission::always));
    settle(io);
    CHECK(log == std::vector{1, 3, 4});
    CHECK(route.post(b));
    settle(io);
    CHECK(log == std::vector{1, 3, 4, 2});
    CHECK(mail.statistics().refused == 2);
    mail.close();
}

TEST_CASE("closing drops what lies there, tells it so, and refuses what comes later") {
    weft::io_context io;
    weft::mailbox mail{io, {}};
    weft::mail_route route{io, mail};
    std::vector<int> log;
    numbered a{log, 1};
    numbered b{log, 2};
    CHECK(route.post(a));
    CHECK(route.post(b));
    mail.close();
    CHECK(log == std::vector{-1, -2});
    CHECK(route.post(a).error() == std::errc::broken_pipe);
    settle(io);
    CHECK(log.size() == 2);
}

TEST_CASE("a loop that waits for nothing else is woken by another's message") {
    constexpr int count = 10'000;
    std::vector<int> log;
    std::vector<std::unique_ptr<numbered>> sent;
    for (int i = 1; i <= count; ++i) sent.push_back(std::make_unique<numbered>(log, i));
    std::latch ready{2};
    std::latch done{2};
    std::atomic<weft::mailbox*> open = nullptr;
    std::thread receiver{[&] {
        weft::io_context io;
        weft::mailbox mail{io, {}};
        open = &mail;
        ready.arrive_and_wait();
        while (log.size() < count) CHECK(io.step());
        mail.close();
        done.arrive_and_wait();
    }};
    {
        weft::io_context io;
        ready.arrive_and_wait();
        weft::mail_route route{io, *open};
        for (auto& each : sent) {
            while (!route.post(*each)) io.run_for(std::chrono::microseconds{100});
        }
        io.ring().enter(weft::duration::zero());
        done.arrive_and_wait();
    }
    receiver.join();
    for (int i = 0; i < count; ++i) REQUIRE(log[static_cast<std::size_t>(i)] == i + 1);
}

TEST_CASE("messages of many senders arrive once each, in the order of each sender") {
    constexpr int senders = 4;
    constexpr int each_sends = 2'000;
    std::vector<int> log;
    std::latch ready{senders + 1};
    std::latch done{senders + 1};
    std::atomic<weft::mailbox*> open = nullptr;
    std::vector<std::thread> threads;
    for (int s = 0; s < senders; ++s) {
        threads.emplace_back([&, s] {
            std::vector<std::unique_ptr<numbered>> sent;
            for (int i = 0; i < each_sends; ++i) {
                sent.push_back(std::make_unique<numbered>(log, s * each_sends + i + 1));
            }
            weft::io_context io;
            ready.arrive_and_wait();
            weft::mail_route route{io, *open};
            for (auto& one : sent) {
                while (!route.post(*one)) io.run_for(std::chrono::microseconds{100});
                if (one->value_ % 64 == 0) io.turn(), io.ring().enter(weft::duration::zero());
            }
            io.ring().enter(weft::duration::zero());
            done.arrive_and_wait();
        });
    }
    weft::io_context io;
    weft::mailbox mail{io, {.messages = 128}};
    open = &mail;
    ready.arrive_and_wait();
    while (log.size() < senders * each_sends) REQUIRE(io.step());
    mail.close();
    done.arrive_and_wait();
    for (std::thread& each : threads) each.join();
    std::array<int, senders> last{};
    for (const int value : log) {
        const auto s = static_cast<std::size_t>((value - 1) / each_sends);
        REQUIRE(value > last[s]);
        last[s] = value;
    }
}
}
