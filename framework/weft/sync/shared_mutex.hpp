#pragma once
// A lock that many readers or one writer hold, across `co_await`.
//
// Strictly first come first served: a reader that comes after a waiting writer waits behind it, so
// neither side is starved, and a task that holds the lock shared and asks for it again may wait for
// itself. One thread. The mutex must outlive its owners and its waiters.

#include <weft/sync/permit_queue.hpp>

#include <cstddef>
#include <limits>
#include <optional>
#include <string_view>

namespace weft {

class shared_mutex {
    static constexpr std::size_t everything = std::numeric_limits<std::size_t>::max();

public:
    /// Holds the mutex alone.
    class [[nodiscard]] guard : public held_permits<shared_mutex> {
    public:
        static constexpr std::string_view acquire_name = "shared_mutex::lock";
        guard() noexcept = default;

    private:
        friend class shared_mutex;
        friend class acquire_operation<guard>;
        guard(permit_queue& from, std::size_t count) noexcept : held_permits{from, count} {}
    };
    /// Holds the mutex beside other readers.
    class [[nodiscard]] shared_guard : public held_permits<shared_mutex> {
    public:
        static constexpr std::string_view acquire_name = "shared_mutex::lock_shared";
        shared_guard() noexcept = default;

    private:
        friend class shared_mutex;
        friend class acquire_operation<shared_guard>;
        shared_guard(permit_queue& from, std::size_t count) noexcept : held_permits{from, count} {}
    };

    shared_mutex() noexcept : line_{everything} {}
    shared_mutex(const shared_mutex&) = delete;
    shared_mutex& operator=(const shared_mutex&) = delete;
    ~shared_mutex() {
        assert(line_.taken() == 0 && "a shared_mutex outlives its owners");
        assert(!line_.has_waiters() && "a shared_mutex outlives its waiters");
    }

    /// Completes when nobody else holds the mutex and it is the caller's turn; with
    /// `errc::canceled` when asked to stop before.
    [[nodiscard]] awaiter<acquire_operation<guard>> lock() noexcept {
        return awaiter<acquire_operation<guard>>{line_, everything};
    }
    /// The same, when no writer holds the mutex.
    [[nodiscard]] awaiter<acquire_operation<shared_guard>> lock_shared() noexcept {
        return awaiter<acquire_operation<shared_guard>>{line_, std::size_t{1}};
    }
    [[nodiscard]] std::optional<guard> try_lock() noexcept {
        if (!line_.can_take(everything)) return std::nullopt;
        line_.take(everything);
        return guard{line_, everything};
    }
    [[nodiscard]] std::optional<shared_guard> try_lock_shared() noexcept {
        if (!line_.can_take(1)) return std::nullopt;
        line_.take(1);
        return shared_guard{line_, 1};
    }

    [[nodiscard]] bool is_locked() const noexcept { return line_.taken() == everything; }
    /// How many hold it shared.
    [[nodiscard]] std::size_t readers() const noexcept { return is_locked() ? 0 : line_.taken(); }
    [[nodiscard]] bool has_waiters() const noexcept { return line_.has_waiters(); }

private:
    permit_queue line_;
};

}  // namespace weft
