#pragma once
// A count of permits, for what there is only so much of: connections, buffers, requests in flight.
//
//     const auto slot = co_await slots.acquire();
//     if (!slot) co_return slot.error();
//
// `acquire(n)` takes n at once; nobody overtakes who came first, however few it wants. Permits are
// given back by the scope that holds them; `release(n)` adds new ones. One thread. The semaphore
// must outlive those who hold its permits and its waiters.

#include <weft/sync/permit_queue.hpp>

#include <cstddef>
#include <optional>
#include <string_view>
#include <utility>

namespace weft {

class semaphore {
public:
    /// Permits that are held until the end of their scope, or until `release()`.
    class [[nodiscard]] permits : public held_permits<semaphore> {
    public:
        static constexpr std::string_view acquire_name = "semaphore::acquire";
        permits() noexcept = default;

        [[nodiscard]] std::size_t count() const noexcept { return count_; }
        /// Lets go of them without giving them back, and returns how many they were: somebody calls
        /// `semaphore::release` with them later, or never.
        std::size_t detach() noexcept {
            if (from_ == nullptr) return 0;
            from_->forget(count_);
            from_ = nullptr;
            return std::exchange(count_, 0);
        }

    private:
        friend class semaphore;
        friend class acquire_operation<permits>;
        permits(permit_queue& from, std::size_t count) noexcept : held_permits{from, count} {}
    };

    explicit semaphore(std::size_t available) noexcept : line_{available} {}
    semaphore(const semaphore&) = delete;
    semaphore& operator=(const semaphore&) = delete;
    ~semaphore() {
        assert(line_.taken() == 0 && "a semaphore outlives those who hold its permits");
        assert(!line_.has_waiters() && "a semaphore outlives its waiters");
    }

    /// Completes with `count` permits when it is the caller's turn and there are so many, at once
    /// if that is now; with `errc::canceled` when asked to stop before.
    [[nodiscard]] awaiter<acquire_operation<permits>> acquire(std::size_t count = 1) noexcept {
        return awaiter<acquire_operation<permits>>{line_, count};
    }
    [[nodiscard]] std::optional<permits> try_acquire(std::size_t count = 1) noexcept {
        if (!line_.can_take(count)) return std::nullopt;
        line_.take(count);
        return permits{line_, count};
    }
    /// Adds `count` permits. The first in line are granted what they wait for, and resume later.
    void release(std::size_t count = 1) noexcept { line_.add(count); }

    [[nodiscard]] std::size_t available() const noexcept { return line_.available(); }
    [[nodiscard]] bool has_waiters() const noexcept { return line_.has_waiters(); }

private:
    permit_queue line_;
};

}  // namespace weft
