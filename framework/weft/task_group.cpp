#include <weft/task_group.hpp>

#include <cassert>

namespace weft {

/// A child is posted twice: to start, and when its task has finished, to be freed; a frame is not
/// destroyed from within.
class task_group::child : public frame_allocated,
                          public operation,
                          public list_hook<task_group::child>,
                          public task_listener {
public:
    child(completion on_turn, task_group& group) noexcept
        : operation{on_turn},
          task_listener{&on_finished, trace::owner{static_cast<join_scope*>(&group)}},
          group_{group} {}
    virtual ~child() = default;

    void post_to_group() noexcept { post_now(*group_.environment().scheduler); }

protected:
    task_group& group_;

private:
    static std::coroutine_handle<> on_finished(task_listener& self) noexcept {
        static_cast<child&>(self).post_to_group();
        return std::noop_coroutine();
    }
};

template <class T>
class task_group::child_of final : public child {
public:
    child_of(task_group& group, task<T>&& body, trace::task_name name) noexcept
        : child{&on_turn, group}, running_{std::move(body)} {
        running_.set_name(name);
    }

private:
    static void on_turn(operation& self) noexcept {
        child_of& me = static_cast<child_of&>(self);
        if (!me.is_started_) {
            me.is_started_ = true;
            me.reset();
            if (!me.running_.start(me.group_.environment(), me)) return;
        }
        me.end();
    }

    void end() noexcept {
        task_group& group = group_;
        const std::exception_ptr exception = running_.exception();
        std::error_code error;
        if constexpr (!std::is_void_v<T>) {
            if (exception == nullptr) error = running_.take().error();
        }
        delete this;
        group.child_ended(exception, error);
    }

    running_task<T> running_;
    bool is_started_ = false;
};

task_group::task_group(const weft::environment& in) noexcept : join_scope{in} {}

task_group::~task_group() {
    assert(empty() && "a task group was destroyed before it was joined");
    while (!children_.empty()) delete &children_.front();
}

void task_group::spawn(task<void> body, trace::task_name name) {
    adopt(*new child_of<void>{*this, std::move(body), name});
}

void task_group::spawn(task<result<void>> body, trace::task_name name) {
    adopt(*new child_of<result<void>>{*this, std::move(body), name});
}

void task_group::adopt(child& made) noexcept {
    children_.push_back(made);
    child_began();
    made.post_to_group();
}

}  // namespace weft
