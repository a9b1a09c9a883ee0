#pragma once
// What the operations on one connection have in common: they wait in a slot of the connection, look
// when the host posts them whether there is something for them, and wait again when there is not.
// So a coroutine is resumed only when its operation has finished, and read_exactly or write_all go
// round as often as they need without it.
//
// An operation refers to the connection, not to the stream: the stream may be moved meanwhile, but
// not destroyed. A concrete operation derives from `stream_wait<itself>` and gives `ready()`,
// `advance()` (try; true: finished) and `finish()`.

#include <weft/base/operation.hpp>
#include <weft/base/result.hpp>
#include <weft/errc.hpp>
#include <weft/net/errc.hpp>
#include <weft/net/tcp/connection.hpp>

namespace weft::net {

class host;

class stream_operation : public operation {
protected:
    /// `on_event` is what the run queue calls, `resume` what goes on after the operation.
    stream_operation(completion on_event, completion resume, host* owner, tcp::connection* on,
                     tcp::wait slot) noexcept
        : operation{on_event}, resume_{resume}, host_{owner}, connection_{on}, slot_{slot} {}

    /// Parks in the slot. An occupied one asserts, or finishes as busy where assertions are off.
    /// `in` has to be on the host's loop, which asserts too.
    void wait(const environment& in) noexcept;
    void wait_again() noexcept;
    /// Finishes from the run queue without an event.
    void finish_soon() noexcept;

    [[nodiscard]] bool has_failed() const noexcept { return static_cast<bool>(wait_error()); }
    /// Why nothing was tried: stopped, a second operation of the kind, or no connection at all.
    [[nodiscard]] std::error_code refusal() const noexcept;
    /// What ended the connection; `not_connected` when that was in order.
    [[nodiscard]] std::error_code end_error() const noexcept;
    /// Has the host emit what the connection has to say, at the end of the turn.
    void settle_later() noexcept;
    [[nodiscard]] instant now() const noexcept;

    completion resume_;
    host* host_;
    tcp::connection* connection_;

private:
    void park_in_slot() noexcept;

    stop_token stop_;
    tcp::wait slot_;
};

template <class Derived>
class stream_wait : public stream_operation {
public:
    void start(const environment& in) noexcept { wait(in); }

protected:
    stream_wait(completion resume, host* owner, tcp::connection* on, tcp::wait slot) noexcept
        : stream_operation{&on_event, resume, owner, on, slot} {}

private:
    static void on_event(operation& posted) noexcept {
        Derived& self = static_cast<Derived&>(posted);
        stream_wait& base = self;
        if (base.has_failed() || self.advance()) {
            base.resume_(self);
        } else {
            base.wait_again();
        }
    }
};

}  // namespace weft::net
