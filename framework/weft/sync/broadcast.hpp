#pragma once
// Every receiver gets every value, and a slow one loses the oldest instead of holding up the rest.
//
//     auto news = updates.subscribe();
//     …
//     auto next = co_await news.receive();
//     if (!next) co_return;                       // closed and drained, or asked to stop
//     if (next->missed > 0) …                     // so many values were overwritten before this
//     one
//
// The last `capacity` values are kept once, whatever the number of receivers, and each receiver
// copies what it reads. Sending never waits. A receiver sees what is sent after it subscribed. One
// thread; waiting receivers resume from the run queue in the order they came. The broadcast must
// outlive its receivers.

#include <weft/awaiter.hpp>
#include <weft/base/result.hpp>
#include <weft/errc.hpp>
#include <weft/io/scheduler.hpp>

#include <algorithm>
#include <cassert>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

namespace weft {

/// A value, and how many before it this receiver was too slow for.
template <class T>
struct broadcast_item {
    broadcast_item(const T& sent, std::uint64_t lost) : value{sent}, missed{lost} {}

    T value;
    std::uint64_t missed;
};

template <class T>
class broadcast {
    static_assert(std::is_copy_constructible_v<T>, "each receiver gets a copy");
    static_assert(std::is_nothrow_move_constructible_v<T>, "moving a value must not throw");

public:
    class receiver;

private:
    class receive_operation : public operation {
    public:
        static constexpr std::string_view trace_name = "broadcast::receive";
        receive_operation(completion on_completion, receiver& by) noexcept
            : operation{on_completion}, by_{by} {}
        ~receive_operation() {
            if (is_waiting_) by_.is_receiving_ = false;
        }

        [[nodiscard]] bool ready() const noexcept {
            return !by_.is_receiving_ && (by_.from_->is_closed_ || by_.has_value());
        }
        void start(const environment& in) noexcept {
            if (by_.is_receiving_) {
                assert(!by_.is_receiving_ && "one receive at a time for each receiver");
                post_now(*in.scheduler);
                return;
            }
            is_waiting_ = by_.is_receiving_ = true;
            park(*in.scheduler, in.stop, by_.from_->waiters_);
        }
        result<broadcast_item<T>> finish() {
            if (is_canceled()) return errc::canceled;
            if (current_phase() != phase::idle && !is_waiting_) return errc::busy;
            return by_.try_receive();
        }

    private:
        receiver& by_;
        bool is_waiting_ = false;
    };

public:
    /// One reader and its place among the values. Movable while it does not wait.
    class receiver {
    public:
        receiver(receiver&& other) noexcept
            : from_{std::exchange(other.from_, nullptr)}, next_{other.next_} {
            assert(!other.is_receiving_ && "a receiver stays where it is while it waits");
        }
        receiver& operator=(receiver&&) = delete;
        ~receiver() {
            assert(!is_receiving_ && "a receiver outlives its receive");
            if (from_ != nullptr) from_->leave();
        }

        /// Completes with the next value, at once if there is one; with `errc::closed` when the
        /// broadcast is closed and this receiver has read what is left; with `errc::canceled` when
        /// asked to stop before. One at a time for each receiver.
        [[nodiscard]] awaiter<receive_operation> receive() noexcept {
            return awaiter<receive_operation>{*this};
        }
        /// The next value if there is one, otherwise `errc::would_block` or `errc::closed`.
        [[nodiscard]] result<broadcast_item<T>> try_receive() {
            if (!has_value()) return from_->is_closed_ ? errc::closed : errc::would_block;
            const std::uint64_t at = std::max(next_, from_->oldest());
            result<broadcast_item<T>> read{broadcast_item<T>{*from_->slot(at), at - next_}};
            next_ = at + 1;
            return read;
        }
        /// How many values it has not read; more than the capacity when some are lost.
        [[nodiscard]] std::uint64_t behind() const noexcept { return from_->sent_ - next_; }

    private:
        friend class broadcast;
        friend class receive_operation;
        explicit receiver(broadcast& from) noexcept : from_{&from}, next_{from.sent_} {}

        [[nodiscard]] bool has_value() const noexcept { return next_ != from_->sent_; }

        broadcast* from_;
        std::uint64_t next_;
        bool is_receiving_ = false;
    };

    /// Keeps the last `capacity` values, at least one.
    explicit broadcast(std::size_t capacity) : kept_(std::max<std::size_t>(capacity, 1)) {}
    broadcast(const broadcast&) = delete;
    broadcast& operator=(const broadcast&) = delete;
    ~broadcast() { assert(receivers_ == 0 && "a broadcast outlives its receivers"); }

    /// A receiver of what is sent from now on.
    [[nodiscard]] receiver subscribe() noexcept {
        ++receivers_;
        return receiver{*this};
    }

    /// Sends to all receivers there are; it is nobody's if there is none. `errc::closed` after
    /// `close()`. Never waits.
    result<void> send(T value) {
        if (is_closed_) return errc::closed;
        if (receivers_ == 0) return {};
        slot(sent_).emplace(std::move(value));
        ++sent_;
        wake();
        return {};
    }
    /// Nothing more is sent. What is kept can still be received.
    void close() noexcept {
        is_closed_ = true;
        wake();
    }

    [[nodiscard]] bool is_closed() const noexcept { return is_closed_; }
    [[nodiscard]] std::size_t receivers() const noexcept { return receivers_; }
    [[nodiscard]] std::size_t capacity() const noexcept { return kept_.size(); }

private:
    std::optional<T>& slot(std::uint64_t number) noexcept {
        return kept_[static_cast<std::size_t>(number % kept_.size())];
    }
    [[nodiscard]] std::uint64_t oldest() const noexcept {
        return sent_ - std::min<std::uint64_t>(sent_, kept_.size());
    }
    void wake() noexcept {
        while (!waiters_.empty()) waiters_.front().post();
    }
    void leave() noexcept {
        if (--receivers_ > 0) return;
        for (std::optional<T>& each : kept_) each.reset();  // nobody is left to read them
    }

    std::vector<std::optional<T>> kept_;
    std::uint64_t sent_ = 0;  // values so far; each lies at its number modulo the capacity
    std::size_t receivers_ = 0;
    bool is_closed_ = false;
    intrusive_list<operation> waiters_;
};

}  // namespace weft
