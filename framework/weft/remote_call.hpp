#pragma once
// The operation behind `co_await runtime.spawn_on(i, fn)`: a task that is made, run and destroyed
// on another loop while the caller waits on its own.
//
// The call lives in the caller's frame and is lent to the other loop as a message; it completes
// when every message of it has come home, so a call that is cancelled waits for its task to end.
// Nothing is allocated but the task's own frames, there.

#include <weft/awaiter.hpp>
#include <weft/base/operation.hpp>
#include <weft/base/result.hpp>
#include <weft/io/mailbox.hpp>
#include <weft/runtime_loop.hpp>
#include <weft/stop.hpp>
#include <weft/task.hpp>

#include <coroutine>
#include <cstddef>
#include <exception>
#include <optional>
#include <string_view>
#include <type_traits>
#include <utility>

namespace weft {

/// Runs a task in an environment other than its caller's: on the same scheduler, with another stop
/// token. The environment is the awaiter's own.
template <class T>
class [[nodiscard]] task_in_environment : task_listener {
public:
    task_in_environment(const environment& in, task<T>&& body) noexcept
        : task_listener{[](task_listener& self) noexcept {
                            return static_cast<task_in_environment&>(self).caller_;
                        },
                        trace::owner{this}},
          in_{in},
          running_{std::move(body)} {}

    [[nodiscard]] bool await_ready() const noexcept { return false; }
    template <class Promise>
    bool await_suspend(std::coroutine_handle<Promise> caller,
                       trace::location where = trace::location::current()) noexcept {
        note_wait(caller.promise(), note_, where);
        caller_ = caller;
        return !running_.start(in_, *this);
    }
    T await_resume() {
        note_.resumed();
        return running_.take();
    }

private:
    environment in_;
    running_task<T> running_;
    std::coroutine_handle<> caller_;
    [[no_unique_address]] trace::wait_note note_{trace::call_kind, trace::owner{this}};
};

class remote_call : public operation {
public:
    static constexpr std::string_view trace_name = "runtime::spawn_on";
    [[nodiscard]] bool ready() const noexcept { return false; }
    void start(const environment& in) noexcept;

protected:
    using body = task<void> (*)(remote_call&);

    remote_call(completion on_completion, runtime& owner, std::size_t target, body run) noexcept
        : operation{on_completion}, owner_{owner}, target_{target}, run_{run} {}

    // On the other loop, from `run`.
    void begin(stop_source& stop) noexcept;
    void end() noexcept;

    std::error_code error_;  ///< why it was not run

private:
    struct letter : message {
        letter(remote_call& of, void (remote_call::*on_arrival)(fate) noexcept) noexcept
            : message{[](message& self, fate how) noexcept {
                  auto& me = static_cast<letter&>(self);
                  if (me.is_returning_) {
                      me.call_.on_home();
                  } else {
                      (me.call_.*me.on_arrival_)(how);
                  }
              }},
              call_{of},
              on_arrival_{on_arrival} {}
        remote_call& call_;
        void (remote_call::*on_arrival_)(fate) noexcept;
        bool is_returning_ = false;
    };

    static void on_stop(operation& self) noexcept;
    void on_call(message::fate how) noexcept;
    void on_cancel(message::fate how) noexcept;
    void send_home(letter& done) noexcept;
    void on_home() noexcept;

    runtime& owner_;
    const std::size_t target_;
    const body run_;
    letter call_letter_{*this, &remote_call::on_call};
    letter cancel_letter_{*this, &remote_call::on_cancel};
    // At home.
    runtime_loop* home_ = nullptr;
    int away_ = 0;
    bool has_canceled_ = false;
    // There.
    runtime_loop* there_ = nullptr;
    stop_source* running_ = nullptr;
    bool is_stopped_early_ = false;
};

template <class T>
struct flat_result {
    using type = result<T>;
};
template <class T>
struct flat_result<result<T>> {
    using type = result<T>;
};

/// `Make` is called on the other loop and returns a task; it lives until that task has ended, so it
/// may be a coroutine that uses its captures.
template <class Make>
class remote_call_of : public remote_call {
    using value = typename std::invoke_result_t<Make&>::value_type;
    using outcome = typename flat_result<value>::type;

public:
    remote_call_of(completion on_completion, runtime& owner, std::size_t target, Make make)
        : remote_call{on_completion, owner, target, &run}, make_{std::move(make)} {}

    outcome finish() {
        if (is_canceled()) return std::errc::operation_canceled;  // before it began
        if (error_) return error_;
        if (exception_ != nullptr) std::rethrow_exception(exception_);
        return *std::move(outcome_);
    }

private:
    static task<void> run(remote_call& base) {
        auto& self = static_cast<remote_call_of&>(base);
        environment in = co_await current_environment();
        stop_source stop{in.stop};
        in.stop = stop.token();
        self.begin(stop);
        try {
            if constexpr (std::is_void_v<value>) {
                co_await task_in_environment<value>{in, self.make_()};
                self.outcome_.emplace();
            } else {
                self.outcome_.emplace(co_await task_in_environment<value>{in, self.make_()});
            }
        } catch (...) {
            self.exception_ = std::current_exception();
        }
        self.end();
    }

    Make make_;
    std::optional<outcome> outcome_;
    std::exception_ptr exception_;
};

}  // namespace weft
