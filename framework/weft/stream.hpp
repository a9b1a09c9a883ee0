#pragma once
// The concept `stream`: a connection of bytes in order, on whatever network. Programs are templates
// over it: `task<> echo(weft::stream auto peer)`.
//
// A stream is a movable handle that may hold nothing; it belongs to one loop. All awaitables resume
// on that loop, from its run queue. At most one read and one write wait at a time, side by side,
// and a shutdown beside a read. A buffer belongs to the caller and stays where it is until its
// operation has completed. Destroying the stream closes it without waiting: what was written is
// still sent, then the end; with unread bytes the peer gets a reset.
//
// Errors have the same std::errc condition on all networks (`error == std::errc::...`):
//   connection_reset    the peer reset the connection; bytes that came before are delivered first
//   timed_out           the peer did not answer; also what with_timeout() reports
//   connection_aborted  this side called abort()
//   not_connected       nothing is held
//   broken_pipe         write or shutdown after shutdown()
//   no_message_available  read_exactly: the peer closed before all bytes had come
//   operation_canceled  the coroutine was asked to stop
// What ended a connection stays: each later call reports it again.

#include <weft/awaitable.hpp>
#include <weft/base/address.hpp>
#include <weft/base/result.hpp>

#include <concepts>
#include <cstddef>
#include <span>

namespace weft {

/// Semantics, for a model `s`:
/// - `read_some(into)`: as soon as there is a byte, the number of bytes; 0 when the peer has closed
///   its direction. An empty buffer gives 0 at once, which is not the end. Cancelling moves
///   nothing.
/// - `read_exactly(into)`: fills the buffer, without resuming the coroutine in between.
/// - `readable()`: success once a read would not wait (bytes, or the end); holds no buffer
///   meanwhile.
/// - `write_some(from)`: takes at least one byte (0 of an empty span) and says how many.
/// - `write_all(from)`: all of it, without resuming the coroutine in between. That bytes were taken
///   does not say that they arrived.
/// - `shutdown()`: our end, behind what was written; completes when the peer has acknowledged it,
///   and reading goes on until the peer closes too. Cancelling does not take the end back.
/// - `abort()`: ends the connection at once, with a reset to the peer; operations that wait end
///   with connection_aborted.
template <class Stream>
concept stream = std::movable<Stream> && std::default_initializable<Stream> &&
                 requires(Stream& s, const Stream& held, std::span<std::byte> into,
                          std::span<const std::byte> from) {
                     { s.read_some(into) } -> awaitable_of<result<std::size_t>>;
                     { s.read_exactly(into) } -> awaitable_of<result<void>>;
                     { s.readable() } -> awaitable_of<result<void>>;
                     { s.write_some(from) } -> awaitable_of<result<std::size_t>>;
                     { s.write_all(from) } -> awaitable_of<result<void>>;
                     { s.shutdown() } -> awaitable_of<result<void>>;
                     s.abort();
                     s.set_no_delay(true);
                     static_cast<bool>(held);
                     { held.local_endpoint() } -> std::same_as<endpoint>;
                     { held.remote_endpoint() } -> std::same_as<endpoint>;
                 };

/// A stream whose received bytes can be looked at where they lie: `read_view()` is the first of
/// them that lie together (none: empty), valid until the next read or `consume(n)`, which drops the
/// first `n` of them.
template <class Stream>
concept viewable_stream =
    stream<Stream> && requires(Stream& s, const Stream& held, std::size_t count) {
        { held.read_view() } -> std::same_as<std::span<const std::byte>>;
        s.consume(count);
    };

}  // namespace weft
