#pragma once
// One loop of a `runtime`: an io_context on a thread of its own, its mailbox, its tasks.
//
// Everything of a loop but `index()` is touched on its own thread only. A task finds the loop it
// runs on with `co_await runtime.here()`.

#include <weft/io/io_context.hpp>
#include <weft/io/mailbox.hpp>
#include <weft/sync/event.hpp>
#include <weft/task.hpp>
#include <weft/task_group.hpp>

#include <cstddef>
#include <memory>
#include <optional>
#include <vector>

namespace weft {

class runtime;

class runtime_loop {
public:
    runtime_loop(runtime& owner, std::size_t index) noexcept;
    runtime_loop(const runtime_loop&) = delete;
    runtime_loop& operator=(const runtime_loop&) = delete;
    ~runtime_loop();

    [[nodiscard]] std::size_t index() const noexcept { return index_; }
    [[nodiscard]] io_context& context() noexcept { return *context_; }

    /// Set when the runtime was asked to stop: a server takes no new work from then on. What still
    /// runs when `runtime_options::grace` is over sees its stop token.
    [[nodiscard]] event& draining() noexcept { return draining_; }

    /// Sends to the loop of that index, this one included. See mail_route::post.
    [[nodiscard]] result<void> post(std::size_t to, message& sent,
                                    mailbox::admission how = mailbox::admission::bounded) noexcept {
        return routes_[to]->post(sent, how);
    }

    /// Those that `spawn_on` and `start_on` brought here. Precondition: the loop takes messages.
    [[nodiscard]] task_group& tasks() noexcept { return *tasks_; }
    [[nodiscard]] const mailbox& mail() const noexcept { return *mail_; }

private:
    friend class runtime;

    /// What the runtime tells a loop, each thing once.
    struct letter : message {
        using action = void (runtime_loop::*)() noexcept;
        letter(runtime_loop& to, action what) noexcept
            : message{[](message& self, fate) noexcept {
                  auto& me = static_cast<letter&>(self);
                  (me.to_.*me.what_)();
              }},
              to_{to},
              what_{what} {}
        runtime_loop& to_;
        action what_;
    };

    void set_up(const struct runtime_options& wanted);
    void connect(const std::vector<std::unique_ptr<runtime_loop>>& all);
    void tear_down() noexcept;
    /// Runs what comes, until the runtime says `finish` and all tasks have ended.
    task<void> serve();
    void close_mail() noexcept;

    void drain() noexcept { draining_.set(); }
    void stop() noexcept { stop_.request_stop(); }
    void finish() noexcept { finish_.set(); }
    void report_stop_wanted() noexcept;
    void report_finished() noexcept;

    runtime& owner_;
    const std::size_t index_;
    std::unique_ptr<io_context> context_;
    std::unique_ptr<mailbox> mail_;
    std::vector<std::unique_ptr<mail_route>> routes_;
    stop_source stop_;
    event draining_;
    event finish_;
    task_group* tasks_ = nullptr;
    letter drain_letter_{*this, &runtime_loop::drain};
    letter stop_letter_{*this, &runtime_loop::stop};
    letter finish_letter_{*this, &runtime_loop::finish};
    // To loop 0, which sees to the end of all.
    letter stop_wanted_letter_{*this, &runtime_loop::report_stop_wanted};
    letter finished_letter_{*this, &runtime_loop::report_finished};
    bool has_wanted_stop_ = false;
};

}  // namespace weft
