#pragma once
// What groups of children have in common, whatever the children are: they are counted, the first
// that fails stops its siblings, and `join()` waits for the last and reports the first failure.
//
// The base of task_group, fiber::group and callback_group. Stopping the parent stops the children.
// Who owns a group joins it before it dies, and no failure goes unreported: a debug build aborts.

#include <weft/awaiter.hpp>
#include <weft/base/result.hpp>
#include <weft/io/scheduler.hpp>
#include <weft/stop.hpp>

#include <cstddef>
#include <exception>
#include <string_view>
#include <system_error>

namespace weft {

class join_scope {
    class join_operation : public operation {
    public:
        static constexpr std::string_view trace_name = "group::join";
        using ignores_stop = void;  // the stop reaches the children, and they are waited for
        join_operation(completion on_completion, join_scope& scope) noexcept
            : operation{on_completion}, scope_{scope} {}

        [[nodiscard]] bool ready() const noexcept { return scope_.empty(); }
        void start(const environment& in) noexcept {
            park(*in.scheduler, stop_token{}, scope_.joiner_);
        }
        result<void> finish() { return scope_.take_outcome(); }
        [[nodiscard]] trace::owner trace_owner() const noexcept { return trace::owner{&scope_}; }

    private:
        join_scope& scope_;
    };

public:
    join_scope(const join_scope&) = delete;
    join_scope& operator=(const join_scope&) = delete;

    /// Completes when no child is left. Throws the exception or returns the error of the child that
    /// failed first. That a child was `canceled` is no failure if `cancel()` was called. One join
    /// at a time, and by no child of its own. A stop request reaches the children, not this wait.
    [[nodiscard]] awaiter<join_operation> join() noexcept { return awaiter<join_operation>{*this}; }

    /// Asks all children to stop, those that begin later too.
    void cancel() noexcept;

    [[nodiscard]] bool empty() const noexcept { return size_ == 0; }
    [[nodiscard]] std::size_t size() const noexcept { return size_; }
    /// What the children see.
    [[nodiscard]] const weft::environment& environment() const noexcept { return in_; }

protected:
    explicit join_scope(const weft::environment& in) noexcept
        : stop_{in.stop}, in_{in.scheduler, stop_.token()} {}
    ~join_scope();

    void child_began() noexcept { ++size_; }
    void child_ended() noexcept {
        if (--size_ == 0 && joiner_ != nullptr) joiner_->post();
    }
    /// The same, with how it failed, if it did.
    void child_ended(std::exception_ptr exception, std::error_code error) noexcept;

private:
    result<void> take_outcome();

    stop_source stop_;
    weft::environment in_;
    std::size_t size_ = 0;
    operation* joiner_ = nullptr;
    std::exception_ptr first_exception_;
    std::error_code first_error_;
    bool was_canceled_ = false;
};

}  // namespace weft
