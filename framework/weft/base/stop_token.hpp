#pragma once
// Cancellation on one thread, without allocation: a `stop_source` holds the state in place,
// `stop_token`s point at it, `stop_callback`s hang on it as list nodes.
//
// Differs from std::stop_source: nothing is shared or atomic, and the source must outlive its
// tokens (structured concurrency sees to that: the frame that owns the source joins its children).
// A callback runs inside `request_stop()`; it may post operations and unlink callbacks, and must
// not resume a coroutine or destroy the source.

#include <weft/base/intrusive_list.hpp>

namespace weft {

class stop_source;

/// Called once, when the source it hangs on is asked to stop. Leaves by itself when destroyed.
class stop_callback : public list_hook<stop_callback> {
public:
    using invocation = void (*)(stop_callback&) noexcept;
    explicit stop_callback(invocation on_stop) noexcept : invoke_{on_stop} {}

    void invoke() noexcept { invoke_(*this); }

private:
    invocation invoke_;
};

/// A view of a source's state. Empty: stop is never requested.
class stop_token {
public:
    stop_token() noexcept = default;

    [[nodiscard]] bool stop_requested() const noexcept;
    [[nodiscard]] bool stop_possible() const noexcept { return source_ != nullptr; }

    /// Hangs `callback` on the source. Precondition: stop was not requested yet.
    void attach(stop_callback& callback) const noexcept;

    friend bool operator==(stop_token, stop_token) noexcept = default;

private:
    friend class stop_source;
    explicit stop_token(stop_source* source) noexcept : source_{source} {}
    stop_source* source_ = nullptr;
};

/// Owns the request. A source made from a parent's token stops when the parent stops.
class stop_source {
public:
    stop_source() noexcept : from_parent_{*this} {}
    explicit stop_source(stop_token parent) noexcept : from_parent_{*this} { follow(parent); }
    stop_source(const stop_source&) = delete;
    stop_source& operator=(const stop_source&) = delete;

    /// Makes this source stop when `parent` does. Call at most once.
    void follow(stop_token parent) noexcept {
        if (parent.stop_requested()) {
            request_stop();
        } else if (parent.stop_possible()) {
            parent.attach(from_parent_);
        }
    }

    [[nodiscard]] stop_token token() noexcept { return stop_token{this}; }
    [[nodiscard]] bool stop_requested() const noexcept { return requested_; }

    /// Runs every callback, in the order they were attached. True the first time.
    bool request_stop() noexcept {
        if (requested_) return false;
        requested_ = true;
        while (!callbacks_.empty()) callbacks_.pop_front().invoke();
        return true;
    }

private:
    friend class stop_token;

    struct link : stop_callback {
        explicit link(stop_source& self) noexcept
            : stop_callback{[](stop_callback& callback) noexcept {
                  static_cast<link&>(callback).self_.request_stop();
              }},
              self_{self} {}
        stop_source& self_;
    };

    intrusive_list<stop_callback, stop_callback> callbacks_;
    link from_parent_;
    bool requested_ = false;
};

inline bool stop_token::stop_requested() const noexcept {
    return source_ != nullptr && source_->requested_;
}

inline void stop_token::attach(stop_callback& callback) const noexcept {
    if (source_ != nullptr) source_->callbacks_.push_back(callback);
}

}  // namespace weft
