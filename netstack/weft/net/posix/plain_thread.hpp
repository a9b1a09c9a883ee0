#pragma once
// A thread with ordinary scheduling and a small stack, whatever its maker has.
//
// A program under a real-time policy, or with all its memory locked, hands both on to the threads
// it makes. A protocol stack's thread must neither starve others nor lock megabytes of stack.

#include <pthread.h>

#include <functional>

namespace weft::net::posix {

class plain_thread {
public:
    plain_thread() = default;
    plain_thread(const plain_thread&) = delete;
    plain_thread& operator=(const plain_thread&) = delete;
    ~plain_thread() { join(); }

    /// Runs `body` on a thread of its own. Once only. Throws std::system_error.
    void start(std::function<void()> body);
    /// Waits for its end; at once when it never began.
    void join() noexcept;

private:
    static void* run(void* self) noexcept;

    std::function<void()> body_;
    pthread_t thread_{};
    bool is_running_ = false;
};

}  // namespace weft::net::posix
