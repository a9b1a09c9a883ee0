#pragma once
// A lock for coroutines: held across `co_await`, which is what it is for.
//
//     const auto lock = co_await mutex.lock();
//     if (!lock) co_return lock.error();
//
// Between two `co_await`s nothing else runs on a loop, so what a coroutine changes without awaiting
// needs no mutex. One thread; it does not exclude other threads. Owners follow each other in the
// order they asked. Not recursive. The mutex must outlive its owner and its waiters.

#include <weft/sync/permit_queue.hpp>

#include <optional>
#include <string_view>

namespace weft {

class condition_variable;

class mutex {
public:
    /// Holds the mutex until the end of its scope, or until `release()`.
    class [[nodiscard]] guard : public held_permits<mutex> {
    public:
        static constexpr std::string_view acquire_name = "mutex::lock";
        guard() noexcept = default;

    private:
        friend class mutex;
        friend class condition_variable;
        friend class acquire_operation<guard>;
        guard(permit_queue& from, std::size_t count) noexcept : held_permits{from, count} {}
    };

    mutex() noexcept : line_{1} {}
    mutex(const mutex&) = delete;
    mutex& operator=(const mutex&) = delete;
    ~mutex() {
        assert(!is_locked() && "a mutex outlives its owner");
        assert(!line_.has_waiters() && "a mutex outlives its waiters");
    }

    /// Completes with the lock when it is the caller's turn, at once if it is free; with
    /// `errc::canceled` when asked to stop before.
    [[nodiscard]] awaiter<acquire_operation<guard>> lock() noexcept {
        return awaiter<acquire_operation<guard>>{line_, 1u};
    }
    /// The lock if it is free and nobody waits for it.
    [[nodiscard]] std::optional<guard> try_lock() noexcept {
        if (!line_.can_take(1)) return std::nullopt;
        line_.take(1);
        return guard{line_, 1};
    }

    [[nodiscard]] bool is_locked() const noexcept { return line_.taken() != 0; }
    [[nodiscard]] bool has_waiters() const noexcept { return line_.has_waiters(); }

private:
    permit_queue line_;
};

}  // namespace weft
