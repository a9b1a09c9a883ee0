// A message to the loop of another thread and back, one at a time: two wake-ups of a thread that
// sleeps in its system call. Wall time, and the processor time of both threads; the machine needs
// two processors that have nothing else to do, or only the processor time means something.

#include "loops.hpp"

#include <weft/io/mailbox.hpp>

#ifdef WEFT_HAS_ASIO
    #include <asio/executor_work_guard.hpp>
    #include <asio/post.hpp>
#endif
#ifdef WEFT_HAS_LIBUV
    #include <uv.h>
#endif

#include <latch>
#include <optional>
#include <thread>

namespace weft::bench {
namespace {

/// What goes there and back: delivered on the far loop it posts itself home.
struct ball : message {
    ball() noexcept
        : message{[](message& self, fate) noexcept {
              auto& me = static_cast<ball&>(self);
              me.is_home = !me.is_home;
              if (!me.is_home) (void)me.way_home->post(me);
          }} {}
    mail_route* way_home = nullptr;
    bool is_home = true;
};

void message_weft(benchmark::State& state) {
    std::optional<mail_route> there;  // routes outlive the ring of their loop
    io_context here;
    mailbox ours{here, {}};
    mailbox* theirs = nullptr;
    ball thrown;
    bool goes_on = true;
    struct last_word : message {
        explicit last_word(bool& flag) noexcept
            : message{[](message& self, fate) noexcept {
                  static_cast<last_word&>(self).flag_ = false;
              }},
              flag_{flag} {}
        bool& flag_;
    } enough{goes_on};
    std::latch ready{2};
    std::latch done{2};
    std::thread other{[&] {
        std::optional<mail_route> home;
        io_context far;
        mailbox mail{far, {}};
        thrown.way_home = &home.emplace(far, ours);
        theirs = &mail;
        ready.arrive_and_wait();
        while (goes_on) far.step();
        mail.close();
        done.arrive_and_wait();
    }};
    ready.arrive_and_wait();
    there.emplace(here, *theirs);
    for (auto _ : state) {
        (void)there->post(thrown);
        do here.step();
        while (!thrown.is_home);
    }
    (void)there->post(enough);
    here.turn();
    here.ring().enter(duration::zero());
    done.arrive_and_wait();
    other.join();
    ours.close();
}
BENCHMARK(message_weft)
    ->Name("message_there_and_back/weft")
    ->MeasureProcessCPUTime()
    ->UseRealTime();

#ifdef WEFT_HAS_ASIO
void message_asio(benchmark::State& state) {
    asio::io_context here;
    asio::io_context far;
    const auto stays = asio::make_work_guard(here);
    auto far_stays = asio::make_work_guard(far);
    std::thread other{[&] { far.run(); }};
    bool is_home = true;
    for (auto _ : state) {
        is_home = false;
        asio::post(far, [&] { asio::post(here, [&] { is_home = true; }); });
        do here.run_one();
        while (!is_home);
    }
    far_stays.reset();
    other.join();
}
BENCHMARK(message_asio)
    ->Name("message_there_and_back/asio")
    ->MeasureProcessCPUTime()
    ->UseRealTime();
#endif

#ifdef WEFT_HAS_LIBUV
struct uv_side {
    uv_loop_t loop{};
    uv_async_t bell{};
    uv_side* other = nullptr;
    bool was_rung = false;
    bool answers = false;
    bool ends = false;

    void open() {
        uv_loop_init(&loop);
        bell.data = this;
        uv_async_init(&loop, &bell, [](uv_async_t* rung) {
            auto& me = *static_cast<uv_side*>(rung->data);
            me.was_rung = true;
            if (me.ends) return uv_close(reinterpret_cast<uv_handle_t*>(rung), nullptr);
            if (me.answers) uv_async_send(&me.other->bell);
        });
    }
};

void message_libuv(benchmark::State& state) {
    uv_side here;
    uv_side far;
    here.open();
    far.open();
    far.other = &here;
    far.answers = true;
    std::thread other{[&] { uv_run(&far.loop, UV_RUN_DEFAULT); }};
    for (auto _ : state) {
        here.was_rung = false;
        uv_async_send(&far.bell);
        do uv_run(&here.loop, UV_RUN_ONCE);
        while (!here.was_rung);
    }
    far.ends = true;  // seen by its thread: uv_async_send is a barrier
    uv_async_send(&far.bell);
    other.join();
    uv_close(reinterpret_cast<uv_handle_t*>(&here.bell), nullptr);
    uv_run(&here.loop, UV_RUN_DEFAULT);
    uv_loop_close(&here.loop);
    uv_loop_close(&far.loop);
}
BENCHMARK(message_libuv)
    ->Name("message_there_and_back/libuv")
    ->MeasureProcessCPUTime()
    ->UseRealTime();
#endif

}  // namespace
}  // namespace weft::bench
