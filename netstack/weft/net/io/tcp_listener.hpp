#pragma once
// A port that accepts connections (a passive OPEN, RFC 9293 §3.10.1). Made by host::listen().
//
// A move-only handle; it must not outlive its host. Destroying or closing it resets the handshakes
// under way and the connections that nobody has accepted.

#include <weft/awaiter.hpp>
#include <weft/base/intrusive_list.hpp>
#include <weft/base/operation.hpp>
#include <weft/base/result.hpp>
#include <weft/net/io/tcp_stream.hpp>
#include <weft/net/tcp/listener.hpp>

#include <memory>
#include <string_view>
#include <utility>

namespace weft::net {

class accept_operation;
class host;

/// A listener of the stack and who holds it. It stays where it is while the handle moves, and while
/// it is closed under the handle (by host::stop).
class listening : public list_hook<> {
public:
    listening(host& owner, tcp::listener& opened) noexcept;
    ~listening();

    /// Ends the listener; accepts that wait complete with `errc::closing`.
    void close() noexcept;

private:
    friend class accept_operation;
    friend class tcp_listener;

    host& host_;
    tcp::listener* listener_;
    endpoint local_;
    intrusive_list<accept_operation, accept_operation> accepts_;  // to be told when it goes
};

/// Knows its listener as long as there is one: destroying that while an accept waits, or before an
/// accept that was made is awaited, ends the accept with `errc::closing`.
class accept_operation : public operation, public list_hook<accept_operation> {
public:
    static constexpr std::string_view trace_name = "tcp_listener::accept";

    accept_operation(completion resume, listening* on) noexcept;

    accept_operation(const accept_operation&) = delete;
    accept_operation& operator=(const accept_operation&) = delete;
    /// Destroyed when it had been told of a connection and did not run yet: the next one gets it.
    ~accept_operation();

    [[nodiscard]] bool ready() const noexcept;
    void start(const environment& in) noexcept;
    result<tcp_stream> finish() noexcept;

private:
    friend class listening;

    static void on_event(operation& posted) noexcept;
    void answer_call() noexcept;
    [[nodiscard]] bool is_closed() const noexcept {
        return listening_ == nullptr || listening_->listener_ == nullptr;
    }

    completion resume_;
    listening* listening_;
    stop_token stop_;
};

class tcp_listener {
public:
    /// Holds nothing.
    tcp_listener() noexcept = default;
    explicit tcp_listener(std::unique_ptr<listening> held) noexcept : listening_{std::move(held)} {}

    /// Takes the oldest connection whose handshake is complete.
    ///
    /// Completes when there is one: the third step of the handshake has arrived, and the connection
    /// is ESTABLISHED or further; with `listen_options::fast_open_queue` also when a SYN came with
    /// a cookie (RFC 7413): the connection is in SYN-RECEIVED then, can be read from and written
    /// to, and ends with `errc::timed_out` when nobody goes on with it. A connection that ended
    /// while it waited is handed over too: reads give what came, then the error. Resumes on the
    /// host's loop. Any number may wait, first come first served. Cancelling takes nothing. Errors:
    /// `errc::closing` when the listener was closed or destroyed, `weft::errc::canceled`.
    [[nodiscard]] awaiter<accept_operation> accept() noexcept {
        return awaiter<accept_operation>{listening_.get()};
    }

    /// No more connections: SYNs are refused from now on.
    void close() noexcept {
        if (listening_ != nullptr) listening_->close();
    }

    [[nodiscard]] explicit operator bool() const noexcept {
        return listening_ != nullptr && listening_->listener_ != nullptr;
    }
    /// With the port that was chosen, if none was asked for.
    [[nodiscard]] endpoint local_endpoint() const noexcept {
        return listening_ == nullptr ? endpoint{} : listening_->local_;
    }

private:
    std::unique_ptr<listening> listening_;
};

}  // namespace weft::net
