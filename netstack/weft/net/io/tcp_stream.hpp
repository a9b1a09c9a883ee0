#pragma once
// A TCP connection in a program's hands: bytes in order both ways, and awaitables that are the
// phases of the protocol (RFC 9293 §3.10).
//
// A move-only handle. Everything happens on the host's loop: a coroutine that awaits here is
// resumed from that loop's run queue, never inside protocol code. At most one operation of a kind
// waits at a time (a read, a write, a shutdown, a closed, a reached, side by side); a second one
// asserts in a debug build and completes with `weft::errc::busy` otherwise. A buffer that is passed
// belongs to the caller and has to stay until the operation completes. The stream may be moved
// while operations wait, and must not be destroyed then. It must not outlive its host.
//
// Every operation completes with `weft::errc::canceled` when its coroutine is asked to stop before
// it had finished. Errors that end a connection stay: each later call reports them again
// (`errc::connection_reset`, `timed_out`, `connection_aborted`, `host_unreachable`). On a stream
// that was moved from everything fails with `errc::not_connected`.

#include <weft/awaiter.hpp>
#include <weft/base/result.hpp>
#include <weft/net/address.hpp>
#include <weft/net/io/stream_operations.hpp>
#include <weft/net/tcp/connection_info.hpp>
#include <weft/net/tcp/options.hpp>
#include <weft/net/tcp/state.hpp>

#include <cstddef>
#include <span>
#include <utility>

namespace weft::net {

class tcp_stream {
public:
    /// Holds nothing.
    tcp_stream() noexcept = default;
    tcp_stream(tcp_stream&& other) noexcept
        : host_{std::exchange(other.host_, nullptr)},
          connection_{std::exchange(other.connection_, nullptr)} {}
    tcp_stream& operator=(tcp_stream&& other) noexcept {
        tcp_stream taken{std::move(other)};
        std::swap(host_, taken.host_);
        std::swap(connection_, taken.connection_);
        return *this;
    }
    /// Closes without waiting (RFC 9293 §3.6.1): the FIN follows the bytes already written. With
    /// unread bytes, or `linger_abort`, it aborts instead (SHLD-3): the peer gets a RST.
    ~tcp_stream();

    // ---- reading

    /// Reads what has arrived, at most `into.size()` bytes.
    ///
    /// Completes with the number of bytes as soon as there is one; with 0 when the peer's FIN was
    /// reached in order: the peer has closed its direction, ours stays open. An empty buffer
    /// completes at once with 0, which is not the end. Bytes that came before a RST are delivered
    /// before the error. Cancelling moves nothing.
    [[nodiscard]] awaiter<read_operation> read_some(std::span<std::byte> into) noexcept {
        return awaiter<read_operation>{host_, connection_, into};
    }

    /// Fills the whole buffer. Goes round without resuming the coroutine until it is full.
    ///
    /// Errors: `errc::end_of_stream` when the peer's FIN comes first. After that, an error or
    /// cancelling, the first bytes of the buffer may have been read, and nothing says how many: it
    /// is for protocols that give the connection up then.
    [[nodiscard]] awaiter<read_exactly_operation> read_exactly(std::span<std::byte> into) noexcept {
        return awaiter<read_exactly_operation>{host_, connection_, into};
    }

    /// Completes with success when a read would not wait: bytes are there, or the end. For programs
    /// with many idle peers, which take a buffer only then. Reads nothing.
    [[nodiscard]] awaiter<readable_operation> readable() noexcept {
        return awaiter<readable_operation>{host_, connection_};
    }

    /// The first readable bytes that lie together, in the stack's own memory; empty when there are
    /// none. Valid until the next read or consume() here.
    [[nodiscard]] std::span<const std::byte> read_view() const noexcept;
    /// Drops the first `count` bytes of what can be read. Precondition: `count` of them are there.
    void consume(std::size_t count) noexcept;

    // ---- writing

    /// Copies bytes into the send buffer, as many as there is room for.
    ///
    /// Completes with their number, at least one (0 for an empty span), when all fit or a third of
    /// the buffer is free. They leave at the end of the turn, or when windows allow; that they were
    /// taken does not say that they arrived. Cancelling moves nothing. Errors: `errc::closing`
    /// after shutdown(), `errc::no_buffers`.
    [[nodiscard]] awaiter<write_operation> write_some(std::span<const std::byte> bytes) noexcept {
        return awaiter<write_operation>{host_, connection_, bytes};
    }

    /// Copies all of the bytes into the send buffer, waiting for room as often as it takes, without
    /// resuming the coroutine in between. Completes when the last one was taken.
    ///
    /// Cancelling reports `canceled`; bytes that were taken by then stay queued and are sent.
    /// Errors as write_some.
    [[nodiscard]] awaiter<write_all_operation> write_all(
        std::span<const std::byte> bytes) noexcept {
        return awaiter<write_all_operation>{host_, connection_, bytes};
    }

    // ---- urgent data (RFC 9293 §3.8.5): in line with the rest, with a mark at its end. For old
    // protocols: new ones should not use it (SHLD-13), what middleboxes leave of it varies (RFC
    // 6093 §3).

    /// As write_some, and the peer is told at once, even when its window is closed, that what was
    /// queued up to the last of these bytes is urgent. They do not overtake what was written
    /// before.
    [[nodiscard]] awaiter<write_operation> write_urgent(std::span<const std::byte> bytes) noexcept {
        return awaiter<write_operation>{host_, connection_, bytes, tcp::urgency::urgent};
    }

    /// Completes when the peer tells of urgent data, or of more of it, since the last time that
    /// this completed; with the number of bytes up to its end. Reads nothing: whoever is in a hurry
    /// reads up to there. May wait beside a read. Errors: `errc::end_of_stream` once the peer has
    /// closed its direction.
    [[nodiscard]] awaiter<urgent_operation> urgent() noexcept {
        return awaiter<urgent_operation>{host_, connection_};
    }
    /// Bytes still to be read up to the end of what is known to be urgent; 0: nothing is.
    [[nodiscard]] std::size_t urgent_bytes() const noexcept;

    // ---- closing

    /// Closes our direction: sends a FIN after every byte already written (RFC 9293 §3.10.4).
    ///
    /// Completes when the peer has acknowledged the FIN, in whatever state that finds us
    /// (FIN-WAIT-1 → FIN-WAIT-2, CLOSING → TIME-WAIT, LAST-ACK → CLOSED). Reading stays possible
    /// until the peer closes too; a read may wait beside it. Cancelling leaves the FIN queued.
    /// Errors: `errc::closing` when called before.
    [[nodiscard]] awaiter<shutdown_operation> shutdown() noexcept {
        return awaiter<shutdown_operation>{host_, connection_};
    }

    /// Completes when both directions are finished, in TIME-WAIT or CLOSED; with the error when the
    /// connection ended by one. Closes nothing itself.
    [[nodiscard]] awaiter<closed_operation> closed() noexcept {
        return awaiter<closed_operation>{host_, connection_};
    }

    /// Completes when the connection has visited `s`, at once if it has; CLOSED counts as visited
    /// when the connection is over. Errors: `errc::unreachable_state` once no path in
    /// `tcp::transitions` leads there any more.
    [[nodiscard]] awaiter<reached_operation> reached(tcp::state s) noexcept {
        return awaiter<reached_operation>{host_, connection_, s};
    }

    /// Ends the connection at once (RFC 9293 §3.10.5): to CLOSED, with a RST in the states that
    /// send one. What was not read or sent is gone; operations that wait complete with
    /// `errc::connection_aborted`.
    void abort() noexcept;

    // ---- queries and settings

    [[nodiscard]] explicit operator bool() const noexcept { return connection_ != nullptr; }
    [[nodiscard]] endpoint local_endpoint() const noexcept;
    [[nodiscard]] endpoint remote_endpoint() const noexcept;
    /// CLOSED when nothing is held.
    [[nodiscard]] tcp::state state() const noexcept;
    /// What ended the connection; a code of value 0 while it lives and after an orderly end.
    [[nodiscard]] std::error_code error() const noexcept;

    /// Turns Nagle's algorithm off (RFC 9293 §3.7.4), or on again.
    void set_no_delay(bool on) noexcept;
    /// Probes an idle peer from now on (RFC 9293 §3.8.4).
    void set_keepalive(const tcp::keepalive_options& options);
    /// How long sent bytes may stay unacknowledged; zero: the stack's default.
    void set_user_timeout(duration timeout) noexcept;

    /// The Diffserv field (IPv4's TOS, IPv6's traffic class) of what is sent from now on (RFC 9293
    /// §3.9.1.9). The two low bits are ECN's and are not looked at. A program that changes it often
    /// invites reordering (SHLD-23).
    void set_traffic_class(std::uint8_t value) noexcept;
    /// How many hops what is sent from now on may take; 0: the stack's figure.
    void set_hop_limit(std::uint8_t value) noexcept;
    /// The Diffserv field that the peer's last segment came with.
    [[nodiscard]] std::uint8_t received_traffic_class() const noexcept;
    /// The last trouble that did not end the connection: an ICMP error, or that nothing has been
    /// acknowledged for three retransmissions (RFC 9293 §3.9.1.8). Reading it clears it.
    [[nodiscard]] std::error_code take_soft_error() noexcept;

    /// The connection in numbers; all of them zero when nothing is held.
    [[nodiscard]] tcp::connection_info info() const;
    /// The protocol's side of it, for statistics.
    [[nodiscard]] const tcp::connection* connection() const noexcept { return connection_; }

private:
    friend class connect_operation;
    friend class accept_operation;

    /// Takes over one handle of `held`.
    tcp_stream(host& owner, tcp::connection& held) noexcept;

    host* host_ = nullptr;
    tcp::connection* connection_ = nullptr;
};

}  // namespace weft::net
