#pragma once
// `runtime`: a loop on each of several threads, sharing nothing; messages are how they meet.
//
//     weft::runtime cores{{.threads = 4, .pin = weft::runtime_options::pinning::one_each}};
//     return cores.run([](weft::runtime& all) { return serve(all); });  // a task, on loop 0
//
// Loop 0 runs on the thread that made the runtime, the others on threads of their own. A task runs
// where it was spawned and never moves. `spawn_on` runs one elsewhere and waits for it, `start_on`
// leaves it to that loop. The end of the main task, the first exception of a task that nobody
// waits for, SIGINT or SIGTERM stop the runtime: loops are told to drain, `grace` later every stop
// token is set, and `run` returns when all tasks have ended. See docs/cores.md.

#include <weft/awaiter.hpp>
#include <weft/frame_allocator.hpp>
#include <weft/io/io_context.hpp>
#include <weft/io/mailbox.hpp>
#include <weft/io/signals.hpp>
#include <weft/io/task_print_watch.hpp>
#include <weft/remote_call.hpp>
#include <weft/runtime_loop.hpp>
#include <weft/task.hpp>
#include <weft/task_group.hpp>

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <type_traits>
#include <utility>
#include <vector>

namespace weft {

struct runtime_options {
    enum class pinning : std::uint8_t {
        none,      ///< threads run where the system puts them
        one_each,  ///< loop k on the k-th processor that this process may use, round again
    };
    std::size_t threads = 0;  ///< loops; 0: as many as processors that this process may use
    pinning pin = pinning::none;
    std::span<const int> processors = {};  ///< instead: loop k on the k-th of these, round again
    duration grace = duration::zero();     ///< from the request to stop to the stop tokens
    mailbox_limits mail = {};              ///< of each loop
    io_context::options ring = {256, 4096};
    /// SIGUSR1 prints what every task awaits to stderr, loop after loop; one that does not turn
    /// holds up those behind it.
    bool print_tasks_on_usr1 = false;
    /// As run_options has it, on each loop.
    duration slow_resume = default_slow_resume;
};
static_assert(std::is_trivially_destructible_v<runtime_options>);

/// What one loop did, or (see `total`) all of them.
struct loop_statistics {
    std::uint64_t tasks = 0;  ///< brought by spawn_on and start_on, now
    mailbox::counters mail;
    weft::ring::counters ring;
    frame_counters frames;

    loop_statistics& operator+=(const loop_statistics& other) noexcept;
};
[[nodiscard]] loop_statistics total(std::span<const loop_statistics> of) noexcept;

class runtime {
    struct here_awaiter;
    struct stop_awaiter;

public:
    /// Starts the loops. Throws std::system_error when a ring, a thread or a pin cannot be had.
    explicit runtime(runtime_options wanted = {});
    runtime(const runtime&) = delete;
    runtime& operator=(const runtime&) = delete;
    /// Joins the threads; has them stop first if `run` was never called.
    ~runtime();

    /// Runs `main(*this)`, a task, on loop 0, until it and then everything else has ended, and
    /// returns what it returned. Throws the first exception: main's, or that of a task that
    /// `start_on` began. Once, and on the thread that made the runtime.
    template <std::invocable<runtime&> Main>
    auto run(Main&& main) {
        using value = typename std::invoke_result_t<Main, runtime&>::value_type;
        struct at_end {
            ~at_end() { self.join(); }
            runtime& self;
        } const end{*this};
        return loop(0).context().run_until_done(conduct<value>(main));
    }

    [[nodiscard]] std::size_t size() const noexcept { return loops_.size(); }
    [[nodiscard]] runtime_loop& loop(std::size_t index) noexcept { return *loops_[index]; }
    /// The loop of that scheduler; nullptr: none of this runtime's.
    [[nodiscard]] runtime_loop* find_loop(const scheduler& of) noexcept;

    /// The loop of the task that awaits this, which must be of this runtime.
    [[nodiscard]] here_awaiter here() noexcept;

    /// Runs the task that `make()` returns on loop `index` and waits for it there.
    ///
    /// `make` is called on that loop, lives until its task has ended, and may be a coroutine that
    /// captures. Completes when the task has ended, with its value as a result, or throws its
    /// exception; resumes on the caller's loop. The value moves between threads: nothing that
    /// belongs to a loop may be in it. Cancelling stops the task, and waits for it. Errors:
    /// `broken_pipe` (that loop has ended), `not_enough_memory`, `operation_not_permitted` (the
    /// caller's loop is not of this runtime), and the task's own.
    /// g++ 12: name a `make` that owns something before the `co_await`.
    template <std::invocable Make>
    [[nodiscard]] auto spawn_on(std::size_t index, Make make) {
        return awaiter<remote_call_of<Make>>{*this, index, std::move(make)};
    }

    /// Hands the task that `make()` returns, of void or result<void>, to loop `index` and goes on
    /// at once: `co_await all.start_on(1, make)`.
    ///
    /// Its first exception, or error other than `canceled`, stops the runtime, and `run` throws it.
    /// Errors: as spawn_on, and `no_buffer_space` (that loop's mailbox is full).
    template <std::invocable Make>
    [[nodiscard]] auto start_on(std::size_t index, Make make) {
        return start_awaiter<Make>{*this, index, std::move(make)};
    }

    /// Runs `make(index)` on each loop at once, as spawn_on; completes when all have ended. The
    /// first failure stops the others and is reported. `make` is called from several threads.
    template <std::invocable<std::size_t> Make>
    [[nodiscard]] task<result<void>> for_each_loop(Make make) {
        // The body is a function: a lambda's type would have no linkage for g++.
        co_return co_await with_task_group(&runtime::spawn_everywhere<Make>, this, &make);
    }

    /// Asks all loops to stop, as Ctrl-C does; awaited in a task of this runtime, never suspends.
    [[nodiscard]] stop_awaiter stop() noexcept;

    /// Of each loop, by index.
    [[nodiscard]] task<result<std::vector<loop_statistics>>> statistics();

private:
    friend class runtime_loop;

    template <class Make>
    class started_task;
    template <class Make>
    class start_awaiter;
    struct shared;

    struct grace_timer : timer_node {
        explicit grace_timer(runtime& self) noexcept;
        runtime& self_;
    };
    /// Goes from loop to loop, each of which prints its tasks, and home to loop 0.
    struct print_round : message {
        explicit print_round(runtime& self) noexcept;
        void begin() noexcept;
        void go_on() noexcept;
        runtime& self_;
        bool is_away_ = false;  // loop 0's
        std::size_t at_ = 0;    // of whoever has it
    };
    struct interrupt : stop_callback {
        explicit interrupt(runtime& self) noexcept;
        runtime& self_;
    };

    template <class Make>
    static task<void> spawn_everywhere(task_group& group, runtime* self, Make* make) {
        for (std::size_t i = 0; i < self->size(); ++i) group.spawn(call_one(*self, i, *make));
        co_return;
    }
    template <class Make>
    static task<result<void>> call_one(runtime& self, std::size_t index, Make& make) {
        auto bound = [&make, index] { return make(index); };
        co_return co_await self.spawn_on(index, bound);
    }

    template <class T, class Main>
    task<T> conduct(Main& main);
    task<void> wind_down(task_group& own);

    void start_threads();
    void live(std::size_t index) noexcept;
    void pin(std::size_t index) const;
    void join() noexcept;

    // On any loop.
    void fail(std::exception_ptr why, runtime_loop& at) noexcept;
    void want_stop(runtime_loop& at) noexcept;
    // On loop 0.
    void begin_stop() noexcept;
    void stop_all() noexcept;
    void on_loop_finished() noexcept;

    const runtime_options options_;
    std::vector<int> processors_;
    std::unique_ptr<shared> shared_;
    print_round print_round_{*this};
    std::vector<std::unique_ptr<runtime_loop>> loops_;
    std::optional<interrupt_watch> interrupts_;
    std::optional<task_print_watch> task_prints_;
    interrupt on_interrupt_{*this};
    grace_timer grace_{*this};
    event all_finished_;
    std::size_t finished_ = 0;
    bool is_stopping_ = false;
    bool is_joined_ = false;
};

}  // namespace weft

#include <weft/runtime_detail.hpp>
