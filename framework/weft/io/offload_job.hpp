#pragma once
// What a call on an offload_pool consists of: the job, which a thread runs, and the operation,
// which awaits it on a loop. See offload_pool.hpp; nobody else uses these.
//
// A job lives on the heap, because an abandoned one outlives the operation. Its stage belongs to
// the pool's mutex; call and outcome belong to the thread while it runs, to the loop otherwise.

#include <weft/base/intrusive_list.hpp>
#include <weft/base/operation.hpp>
#include <weft/base/result.hpp>

#include <pthread.h>

#include <cstdint>
#include <exception>
#include <functional>
#include <memory>
#include <optional>
#include <tuple>
#include <type_traits>
#include <utility>

namespace weft {

class offload_pool;
class offload_operation_base;

/// What a stop does to a call that runs.
enum class offload_stop : std::uint8_t { waits, abandons };

class offload_job : public list_hook<> {
public:
    enum class stage : std::uint8_t { idle, waiting, running, finished, abandoned };

    offload_job() noexcept = default;
    offload_job(const offload_job&) = delete;
    offload_job& operator=(const offload_job&) = delete;
    virtual ~offload_job() = default;

    virtual void run() noexcept = 0;

private:
    friend class offload_pool;
    friend class offload_operation_base;
    offload_operation_base* owner_ = nullptr;
    void* inbox_ = nullptr;
    stage stage_ = stage::idle;
};

/// A function object with its arguments, and what came of it.
template <class Call, class... Arguments>
class offload_call final : public offload_job {
    using returned = std::invoke_result_t<Call, Arguments...>;
    template <class T>
    struct as_result {
        using type = result<T>;
    };
    template <class T>
    struct as_result<result<T>> {
        using type = result<T>;
    };

public:
    using outcome = typename as_result<returned>::type;

    template <class F, class... A>
    explicit offload_call(F&& call, A&&... arguments)
        : call_{std::forward<F>(call)}, arguments_{std::forward<A>(arguments)...} {}

    void run() noexcept override {
        try {
            if constexpr (std::is_void_v<returned>) {
                std::apply(call_, std::move(arguments_));
                outcome_.emplace();
            } else {
                outcome_.emplace(std::apply(call_, std::move(arguments_)));
            }
        } catch (...) {
            exception_ = std::current_exception();
        }
    }

    /// Precondition: it has run.
    outcome take() {
        if (exception_) std::rethrow_exception(std::exchange(exception_, nullptr));
        return *std::move(outcome_);
    }

private:
    Call call_;
    std::tuple<Arguments...> arguments_;
    std::optional<outcome> outcome_;
    std::exception_ptr exception_;
};

class offload_operation_base : public operation {
public:
    [[nodiscard]] bool ready() const noexcept { return false; }
    void start(const environment& in);

protected:
    offload_operation_base(completion on_completion, offload_pool& pool, offload_stop on_stop,
                           std::unique_ptr<offload_job> job) noexcept
        : operation{on_completion}, pool_{pool}, job_{std::move(job)}, on_stop_{on_stop} {}
    ~offload_operation_base();  // abandons, or waits on the spot

    /// Why the call did not run.
    [[nodiscard]] std::error_code failure() const noexcept {
        if (is_canceled()) return std::make_error_code(std::errc::operation_canceled);
        return error_;
    }
    [[nodiscard]] offload_job& job() noexcept { return *job_; }

private:
    friend class offload_pool;
    static void on_stop(operation& self) noexcept;
    void leave_waiting() noexcept;

    offload_pool& pool_;
    std::unique_ptr<offload_job> job_;
    std::error_code error_;
    const offload_stop on_stop_;
};

template <class Job>
class offload_operation : public offload_operation_base {
public:
    offload_operation(completion on_completion, offload_pool& pool, offload_stop on_stop,
                      std::unique_ptr<Job> job) noexcept
        : offload_operation_base{on_completion, pool, on_stop, std::move(job)} {}

    typename Job::outcome finish() {
        if (const std::error_code error = failure()) return error;
        return static_cast<Job&>(job()).take();
    }
};

}  // namespace weft
