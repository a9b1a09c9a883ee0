#pragma once
// A bounded queue between coroutines of one thread: senders wait while it is full, receivers while
// it is empty.
//
//     while (true) {
//         auto job = co_await jobs.receive();
//         if (!job) break;  // closed and drained, or asked to stop
//         …
//     }
//
// Any number may send and receive; values, senders and receivers keep their order. With capacity 0
// a sender waits until a receiver takes its value. A value is moved out of the sender's own object
// when it goes into the channel, not before: a send that was canceled or came too late has left it
// where it was. A receiver that was handed a value returns it even if asked to stop meanwhile; if
// its frame is destroyed instead, the value goes back to the front. The channel must outlive its
// operations. Sending and receiving allocate nothing.

#include <weft/awaiter.hpp>
#include <weft/base/result.hpp>
#include <weft/base/ring_queue.hpp>
#include <weft/errc.hpp>
#include <weft/io/scheduler.hpp>

#include <cassert>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>
#include <type_traits>
#include <utility>

namespace weft {

template <class T>
class channel {
    static_assert(std::is_object_v<T> && std::is_nothrow_move_constructible_v<T> &&
                      std::is_nothrow_move_assignable_v<T>,
                  "what goes through a channel is moved, and moving it must not throw");

    class send_operation : public operation {
    public:
        static constexpr std::string_view trace_name = "channel::send";
        send_operation(completion on_completion, channel& to, T& value) noexcept
            : operation{on_completion}, to_{to}, value_{value} {}

        [[nodiscard]] bool ready() const noexcept { return to_.is_closed_ || to_.has_room(); }
        void start(const environment& in) noexcept { park(*in.scheduler, in.stop, to_.senders_); }
        result<void> finish() noexcept {
            if (is_canceled()) return errc::canceled;
            if (current_phase() == phase::idle) return to_.try_send(std::move(value_));
            if (!is_taken_) return errc::closed;
            return {};
        }

        /// Its turn came while it waited.
        T&& give() noexcept {
            is_taken_ = true;
            post();
            return std::move(value_);
        }

    private:
        channel& to_;
        T& value_;
        bool is_taken_ = false;
    };

    class receive_operation : public operation {
    public:
        static constexpr std::string_view trace_name = "channel::receive";
        receive_operation(completion on_completion, channel& from) noexcept
            : operation{on_completion}, from_{from} {}
        ~receive_operation() {
            if (value_ && current_phase() == phase::posted) from_.put_back(std::move(*value_));
        }

        [[nodiscard]] bool ready() const noexcept { return from_.is_closed_ || from_.has_value(); }
        void start(const environment& in) noexcept {
            park(*in.scheduler, in.stop, from_.receivers_);
        }
        result<T> finish() noexcept {
            if (is_canceled()) return errc::canceled;
            if (current_phase() == phase::idle) {
                if (!from_.has_value()) return errc::closed;
                return from_.take();
            }
            if (!value_) return errc::closed;
            return std::move(*value_);
        }

        void hand(T&& value) noexcept {
            value_.emplace(std::move(value));
            post();
        }

    private:
        channel& from_;
        std::optional<T> value_;
    };

public:
    /// Holds up to `capacity` values that nobody has received yet; room for them is made here.
    explicit channel(std::uint32_t capacity) : capacity_{capacity} { buffer_.reserve(capacity); }
    channel(const channel&) = delete;
    channel& operator=(const channel&) = delete;
    ~channel() {
        assert(senders_.empty() && "a channel outlives its senders");
        assert(receivers_.empty() && "a channel outlives its receivers");
    }

    /// Completes with success when `value` is in the channel or with a receiver, at once if there
    /// is room; with `errc::closed` or `errc::canceled` otherwise, and `value` is as it was.
    [[nodiscard]] awaiter<send_operation> send(T&& value) noexcept {
        return awaiter<send_operation>{*this, value};
    }
    /// A copy goes by `send(T{value})`: what becomes of it is then nobody's question.
    awaiter<send_operation> send(const T& value) = delete;

    /// Completes with the oldest value, at once if there is one; with `errc::closed` when the
    /// channel is closed and empty; with `errc::canceled` when asked to stop before.
    [[nodiscard]] awaiter<receive_operation> receive() noexcept {
        return awaiter<receive_operation>{*this};
    }

    /// Sends if it need not wait; `errc::would_block` or `errc::closed` leave `value` as it was.
    [[nodiscard]] result<void> try_send(T&& value) noexcept {
        if (is_closed_) return errc::closed;
        if (!has_room()) return errc::would_block;
        if (receivers_.empty()) {
            buffer_.push_back(std::move(value));
        } else {
            static_cast<receive_operation&>(receivers_.front()).hand(std::move(value));
        }
        return {};
    }
    /// Receives if it need not wait; otherwise `errc::would_block` or `errc::closed`.
    [[nodiscard]] result<T> try_receive() noexcept {
        if (has_value()) return take();
        return is_closed_ ? errc::closed : errc::would_block;
    }

    /// Nothing more is sent: those who wait to send are told `errc::closed` and keep their values.
    /// What is in the channel can still be received.
    void close() noexcept {
        is_closed_ = true;
        while (!senders_.empty()) senders_.front().post();
        while (!receivers_.empty()) receivers_.front().post();
    }
    /// The same, and what is in the channel is destroyed.
    void close_and_discard() noexcept {
        close();
        buffer_.clear();
    }

    [[nodiscard]] bool is_closed() const noexcept { return is_closed_; }
    /// How many values are in the channel, those of waiting senders not counted.
    [[nodiscard]] std::size_t size() const noexcept { return buffer_.size(); }
    [[nodiscard]] bool empty() const noexcept { return buffer_.empty(); }
    [[nodiscard]] std::size_t capacity() const noexcept { return capacity_; }

private:
    // While somebody waits to receive, nothing is in the channel and nobody waits to send; while
    // somebody waits to send, it is full.

    [[nodiscard]] bool has_room() const noexcept {
        return !receivers_.empty() || buffer_.size() < capacity_;
    }
    [[nodiscard]] bool has_value() const noexcept { return !buffer_.empty() || !senders_.empty(); }

    T take() noexcept {
        if (buffer_.empty()) return static_cast<send_operation&>(senders_.front()).give();
        T first = std::move(buffer_.front());
        buffer_.pop_front();
        if (!senders_.empty() && buffer_.size() < capacity_) {
            buffer_.push_back(static_cast<send_operation&>(senders_.front()).give());
        }
        return first;
    }

    /// A receiver died with a value in its hands. It may lie above the capacity here.
    void put_back(T&& value) noexcept {
        if (receivers_.empty()) {
            buffer_.insert(0, std::move(value));
        } else {
            static_cast<receive_operation&>(receivers_.front()).hand(std::move(value));
        }
    }

    const std::uint32_t capacity_;
    bool is_closed_ = false;
    ring_queue<T> buffer_;
    intrusive_list<operation> senders_;
    intrusive_list<operation> receivers_;
};

}  // namespace weft
