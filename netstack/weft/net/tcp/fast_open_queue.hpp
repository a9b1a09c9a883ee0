#pragma once
// A listener's PendingFastOpenRequests (RFC 7413 §4.2, §5.1): how many connections it has handed to
// the program whose client has not been heard since its SYN, and how many more it may.
//
// One that ends by a RST counts for another minute: with somebody else's cookie a RST comes back
// from whoever has the address, and must not make room for the next SYN. Bounded by the limit.

#include <weft/base/instant.hpp>
#include <weft/base/ring_queue.hpp>

#include <chrono>
#include <cstdint>

namespace weft::net::tcp {

class fast_open_queue {
public:
    enum class ending : std::uint8_t { in_order, reset };
    static constexpr duration penalty = std::chrono::minutes{1};

    /// FastOpenEnabled is a limit that is not 0.
    explicit fast_open_queue(std::uint32_t limit) noexcept : limit_{limit} {}
    void set_limit(std::uint32_t limit) noexcept { limit_ = limit; }
    [[nodiscard]] std::uint32_t limit() const noexcept { return limit_; }
    [[nodiscard]] std::uint32_t pending() const noexcept { return pending_ + reset_until_.size(); }

    [[nodiscard]] bool has_room(instant now) noexcept {
        while (!reset_until_.empty() && reset_until_.front() <= now) reset_until_.pop_front();
        return pending() < limit_;
    }
    void add() noexcept { ++pending_; }
    void remove(ending how, instant now) {
        --pending_;
        if (how == ending::reset) reset_until_.push_back(now + penalty);
    }

private:
    std::uint32_t limit_;
    std::uint32_t pending_ = 0;
    ring_queue<instant> reset_until_;  // each as late as its forerunner, or later
};

}  // namespace weft::net::tcp
