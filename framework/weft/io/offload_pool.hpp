#pragma once
// A few threads for calls that block and have no other form: `co_await pool.run(call)`.
//
// For getaddrinfo, getdents, compression, old libraries: never for waiting on peers, which the ring
// does without a thread. The call runs on a thread of the pool with all signals blocked; the
// coroutine resumes on its own loop. Several loops may share a pool; calls start in the order they
// came. Threads are started when there is work for them and stay until the pool goes.
//
// What waits for a thread waits in the caller's frame, and beyond `options::waiting` calls fail at
// once. A pool outlives its calls. After fork() a child must not use its parent's pool.

#include <weft/awaiter.hpp>
#include <weft/base/result.hpp>
#include <weft/io/offload_job.hpp>

#include <condition_variable>
#include <cstddef>
#include <memory>
#include <mutex>
#include <type_traits>
#include <utility>
#include <vector>

namespace weft {

class ring;

class offload_pool {
public:
    struct options {
        unsigned threads = 4;         ///< at most; one at least
        std::size_t waiting = 1024;   ///< calls that may wait for a thread, at most
        std::size_t stack_bytes = 0;  ///< of a thread; 0: what the system gives
    };
    struct counters {
        std::size_t threads = 0;    ///< started
        std::size_t waiting = 0;    ///< calls that wait for a thread
        std::size_t running = 0;    ///< calls on a thread, abandoned ones too
        std::size_t refused = 0;    ///< calls that failed because too many waited, or no thread
        std::size_t abandoned = 0;  ///< calls whose awaiter did not wait for the end
    };

    explicit offload_pool(options wanted = {4, 1024, 0});
    offload_pool(const offload_pool&) = delete;
    offload_pool& operator=(const offload_pool&) = delete;
    /// Waits for abandoned calls. Precondition: no other call is left.
    ~offload_pool();

    /// The one that the library's own blocking calls use (names, directories). Never destroyed, so
    /// the process ends without waiting for an abandoned call.
    [[nodiscard]] static offload_pool& shared();

    /// Runs `call(arguments…)` on a thread: a `result<T>` of what it returns (a result stays as it
    /// is). What it throws is thrown here.
    ///
    /// Stop ends a call that has not begun with `errc::canceled`, and waits for one that has, so
    /// `call` may refer to the caller's locals. Errors: resource_unavailable_try_again when too
    /// many calls wait or no thread can be started, too_many_files_open, operation_not_supported on
    /// a loop without a ring. A closure that owns something is named first and handed in by name
    /// (g++ 12 destroys a temporary one twice), or what it owns is an argument.
    template <class Call, class... Arguments>
    [[nodiscard]] auto run(Call&& call, Arguments&&... arguments) {
        return make<offload_stop::waits>(std::forward<Call>(call),
                                         std::forward<Arguments>(arguments)...);
    }

    /// The same, and a stop does not wait: a call that runs goes on alone and what it returns is
    /// thrown away. So `call` must own all it uses, and may refer to nothing of the caller's.
    template <class Call, class... Arguments>
    [[nodiscard]] auto run_abandonable(Call&& call, Arguments&&... arguments) {
        return make<offload_stop::abandons>(std::forward<Call>(call),
                                            std::forward<Arguments>(arguments)...);
    }

    [[nodiscard]] counters statistics() const;

private:
    friend class offload_operation_base;
    class inbox;
    class signals_blocked;

    template <offload_stop OnStop, class Call, class... Arguments>
    auto make(Call&& call, Arguments&&... arguments) {
        static_assert(
            std::is_lvalue_reference_v<Call> || std::is_trivially_destructible_v<Call>,
            "name the closure first, or pass what it owns as arguments (docs/platform.md)");
        using job = offload_call<std::decay_t<Call>, std::decay_t<Arguments>...>;
        return awaiter<offload_operation<job>>{
            *this, OnStop,
            std::make_unique<job>(std::forward<Call>(call), std::forward<Arguments>(arguments)...)};
    }

    // All with mutex_ held.
    [[nodiscard]] std::error_code prepare(ring& on, inbox*& into);
    [[nodiscard]] std::error_code start_thread_for_next();
    [[nodiscard]] int start_thread() noexcept;
    [[nodiscard]] std::size_t free_threads() const noexcept {
        return threads_.size() - counters_.running;
    }

    void work() noexcept;
    void finish(std::unique_lock<std::mutex>& lock, offload_job& job) noexcept;
    static void* thread_main(void* self) noexcept;

    const options options_;
    mutable std::mutex mutex_;
    std::condition_variable wanted_;    // workers: there is a job, or the end
    std::condition_variable finished_;  // who waits on the spot: a job has finished
    intrusive_list<offload_job> jobs_;
    std::vector<pthread_t> threads_;
    std::vector<std::unique_ptr<inbox>> inboxes_;
    counters counters_;
    bool ending_ = false;
};

}  // namespace weft
