#pragma once
// A UDP port in a program's hands (RFC 768): datagrams out and in. Made by host::bind().
//
// A move-only handle; it must not outlive its host. A coroutine that awaits here is resumed from
// the host's run queue. Any number of sends and of receives may wait, each kind first come first
// served. A buffer that is passed belongs to the caller and has to stay until the operation
// completes. The socket may be moved while operations wait, and must not be destroyed then.
//
// Nothing is promised of a datagram that was sent. A broadcast reaches a socket that is bound to no
// address; to send one takes `udp::socket_options::allow_broadcast`. Multicast is not offered.

#include <weft/awaiter.hpp>
#include <weft/base/intrusive_list.hpp>
#include <weft/base/operation.hpp>
#include <weft/base/result.hpp>
#include <weft/datagram_socket.hpp>
#include <weft/net/address.hpp>
#include <weft/net/udp/socket.hpp>

#include <cstddef>
#include <memory>
#include <optional>
#include <span>
#include <string_view>
#include <system_error>
#include <utility>

namespace weft::net {

class host;

/// A socket of the stack and who holds it. It stays where it is while the handle moves, and while
/// it is closed under the handle (by host::stop).
class bound_socket : public list_hook<> {
public:
    bound_socket(host& owner, udp::socket& opened) noexcept;
    bound_socket(const bound_socket&) = delete;
    bound_socket& operator=(const bound_socket&) = delete;
    ~bound_socket();

    /// Ends the socket; operations that wait complete with `errc::closing`.
    void close() noexcept;

private:
    friend class receive_operation;
    friend class send_operation;
    friend class udp_operation;
    friend class udp_socket;

    host& host_;
    udp::socket* socket_;
};

/// What sending and receiving have in common: a place in one of the socket's lines.
class udp_operation : public operation {
public:
    udp_operation(const udp_operation&) = delete;
    udp_operation& operator=(const udp_operation&) = delete;

protected:
    udp_operation(completion on_event, completion resume, bound_socket* on) noexcept
        : operation{on_event}, resume_{resume}, bound_{on} {}
    ~udp_operation() = default;

    [[nodiscard]] std::error_code refusal() const noexcept;

    completion resume_;
    bound_socket* bound_;
    stop_token stop_;
};

class receive_operation : public udp_operation {
public:
    static constexpr std::string_view trace_name = "udp_socket::receive_from";
    receive_operation(completion resume, bound_socket* on, std::span<std::byte> into) noexcept
        : udp_operation{&on_event, resume, on}, into_{into} {}
    /// Destroyed when it had been told of a datagram and did not run yet: the next one gets it.
    ~receive_operation();

    [[nodiscard]] bool ready() const noexcept;
    void start(const environment& in) noexcept;
    result<datagram> finish() noexcept;

private:
    static void on_event(operation& posted) noexcept;

    std::span<std::byte> into_;
};

class send_operation : public udp_operation {
public:
    static constexpr std::string_view trace_name = "udp_socket::send_to";
    send_operation(completion resume, bound_socket* on, std::span<const std::byte> bytes,
                   const std::optional<endpoint>& to) noexcept
        : udp_operation{&on_event, resume, on}, bytes_{bytes}, to_{to} {}
    ~send_operation();

    [[nodiscard]] bool ready() const noexcept;
    void start(const environment& in) noexcept;
    result<std::size_t> finish() noexcept;

private:
    static void on_event(operation& posted) noexcept;

    std::span<const std::byte> bytes_;
    std::optional<endpoint> to_;
};

class udp_socket {
public:
    /// Holds nothing.
    udp_socket() noexcept = default;
    explicit udp_socket(std::unique_ptr<bound_socket> held) noexcept : bound_{std::move(held)} {}

    /// Sends one datagram; an empty one is one, too.
    ///
    /// Completes with its size when it was queued, which is at once but when the send buffer is
    /// full. It leaves at the end of the turn, in fragments if it is larger than the path's MTU.
    /// Cancelling sends nothing. Errors: `errc::message_too_large` (above 65,507 bytes),
    /// `network_unreachable`, `broadcast_not_allowed`, `invalid_endpoint`, `no_buffers`, `closing`;
    /// for a connected socket also what is known of those before: see receive_from().
    [[nodiscard]] awaiter<send_operation> send_to(std::span<const std::byte> bytes,
                                                  const endpoint& to) noexcept {
        return awaiter<send_operation>{bound_.get(), bytes, std::optional{to}};
    }
    /// The same to the peer that connect() named. Errors: also `errc::not_connected`.
    [[nodiscard]] awaiter<send_operation> send(std::span<const std::byte> bytes) noexcept {
        return awaiter<send_operation>{bound_.get(), bytes, std::optional<endpoint>{}};
    }

    /// Receives one datagram.
    ///
    /// Completes when there is one; what of it does not fit the buffer is gone, and `truncated`
    /// says so. Cancelling takes nothing. Errors: `errc::closing`; for a connected socket
    /// `errc::connection_refused` when ICMP says that the peer's port is closed, and
    /// `host_unreachable` when its link address cannot be found. These are told once, by whichever
    /// operation comes first, before datagrams that wait; the socket goes on.
    [[nodiscard]] awaiter<receive_operation> receive_from(std::span<std::byte> into) noexcept {
        return awaiter<receive_operation>{bound_.get(), into};
    }

    /// From now on there is one peer: others are not heard, and ICMP errors are. Nothing is sent.
    /// Errors: as send_to().
    result<void> connect(const endpoint& remote) noexcept;

    /// Frees the port. What was queued is still sent.
    void close() noexcept {
        if (bound_ != nullptr) bound_->close();
    }

    [[nodiscard]] explicit operator bool() const noexcept {
        return bound_ != nullptr && bound_->socket_ != nullptr;
    }
    /// With the port that was chosen, if none was asked for.
    [[nodiscard]] endpoint local_endpoint() const noexcept;
    /// Unspecified unless it is connected.
    [[nodiscard]] endpoint remote_endpoint() const noexcept;
    /// The last ICMP error about a datagram of a connected socket that need not last. Reading it
    /// clears it.
    [[nodiscard]] std::error_code take_soft_error() noexcept;

private:
    std::unique_ptr<bound_socket> bound_;
};

static_assert(weft::datagram_socket<udp_socket>);

}  // namespace weft::net
