// Bytes through a socket: recv and send with their flags, in the order of checks that Linux has.

#include <weft/net/posix/socket.hpp>

#include <algorithm>
#include <array>

namespace weft::net::posix {
namespace {

std::size_t total(std::span<const iovec> parts) noexcept {
    std::size_t bytes = 0;
    for (const iovec& part : parts) bytes += part.iov_len;
    return bytes;
}

/// Calls `use(bytes)` for what lies from `skip` on, part by part, while it uses up each of them.
template <class Byte, class Use>
std::size_t for_parts(std::span<const iovec> parts, std::size_t skip, std::size_t most, Use use) {
    std::size_t used = 0;
    for (const iovec& part : parts) {
        if (skip >= part.iov_len) {
            skip -= part.iov_len;
            continue;
        }
        const std::size_t count = std::min(part.iov_len - skip, most - used);
        if (count == 0) break;
        const std::size_t now_used =
            use(std::span{static_cast<Byte*>(part.iov_base) + skip, count});
        used += now_used;
        if (now_used < count) break;
        skip = 0;
    }
    return used;
}

}  // namespace

// ---- receiving

answer socket::receive(network::lock& held, std::span<const iovec> into, int flags) {
    if (connection_ == nullptr) {
        if (const int why = listener_ == nullptr ? take_error() : 0) return -why;
        return listener_ == nullptr && read_shut_ ? 0 : -ENOTCONN;
    }
    if ((flags & MSG_OOB) != 0) return receive_urgent(into, flags);
    const std::size_t wanted = total(into);
    const auto least = static_cast<std::size_t>(low_water_);
    const std::size_t enough = (flags & MSG_WAITALL) != 0 ? wanted : std::min(wanted, least);
    const instant until = deadline(receive_limit_, flags);
    const bool is_peek = (flags & MSG_PEEK) != 0;
    std::size_t done = 0;
    while (true) {
        const std::size_t before = done;
        done += take_text(into, is_peek ? 0 : done, flags) - (is_peek ? done : 0);
        if (done > before && !is_peek) network_.settle();
        if (done >= enough) return static_cast<answer>(done);
        const auto mark = urgent_.distance(*connection_);
        if (done != 0 && mark == 0U) return static_cast<answer>(done);
        if (const auto end = end_of_receiving()) {
            // Bytes that came before an error are delivered before it.
            if (done == 0) return *end;
            if (*end < 0) error_ = static_cast<int>(-*end);
            return static_cast<answer>(done);
        }
        const std::uint32_t seen = connection_->readable_bytes();
        const bool in_time = network_.wait(held, until, [&] {
            return closed_ || connection_ == nullptr || connection_->readable_bytes() > seen ||
                   is_read_shut() || pending_error() != 0 || urgent_.distance(*connection_) != mark;
        });
        if (closed_ || connection_ == nullptr) return done != 0 ? static_cast<answer>(done) : 0;
        if (!in_time) return done != 0 ? static_cast<answer>(done) : -EAGAIN;
    }
}

/// Copies out, or drops for MSG_TRUNC, what is there: up to the urgent byte, if there is one.
std::size_t socket::take_text(std::span<const iovec> into, std::size_t skip, int flags) {
    const bool is_peek = (flags & MSG_PEEK) != 0;
    tcp::connection& c = *connection_;
    std::uint32_t ahead = 0;
    if (is_before_urgent_byte()) {
        if (is_peek) {
            ahead = 1;
        } else {
            urgent_.pass(c, network::now());
        }
    }
    const std::size_t most = next_read_bytes();
    const std::size_t taken = for_parts<std::byte>(into, skip, most, [&](auto room) -> std::size_t {
        if (is_peek) {
            const std::uint32_t count = c.peek(room, ahead);
            ahead += count;
            return count;
        }
        if ((flags & MSG_TRUNC) == 0) return c.read(room, network::now());
        c.consume(static_cast<std::uint32_t>(room.size()), network::now());
        return room.size();
    });
    if (!is_peek) urgent_.on_read(c, taken);
    return taken;
}

/// The next unread byte is one that a read passes over.
bool socket::is_before_urgent_byte() const noexcept {
    if (urgent_inline_ || connection_->readable_bytes() == 0) return false;
    return urgent_.distance(*connection_) == 0U || urgent_.is_left_behind(*connection_);
}

std::uint32_t socket::next_read_bytes() const noexcept {
    const std::uint32_t passed_over = is_before_urgent_byte() ? 1 : 0;
    const std::uint32_t readable = connection_->readable_bytes();
    const std::uint32_t mark = urgent_.distance(*connection_).value_or(0);
    return (mark != 0 ? std::min(mark, readable) : readable) - passed_over;
}

std::optional<answer> socket::end_of_receiving() {
    // Once the peer's FIN was read, nothing that comes later can be heard.
    if (connection_->readable_bytes() == 0 && has_peers_fin()) return 0;
    if (const int why = take_error()) return -why;
    if (is_read_shut()) return 0;
    return std::nullopt;
}

answer socket::receive_urgent(std::span<const iovec> into, int flags) {
    if (urgent_inline_ || !urgent_.is_expected(*connection_)) return -EINVAL;
    const auto urgent = urgent_.look(*connection_);
    if (!urgent) return is_read_shut() ? 0 : -EAGAIN;  // announced, but not here yet
    const std::size_t copied = for_parts<std::byte>(into, 0, 1, [&](auto room) -> std::size_t {
        room[0] = *urgent;
        return 1;
    });
    if ((flags & MSG_PEEK) == 0) urgent_.take(*connection_);
    return static_cast<answer>(copied);
}

// ---- sending

answer socket::wait_connected(network::lock& held, instant until) {
    if (connection_ == nullptr) {
        const int why = take_error();
        return why != 0 ? -why : -EPIPE;
    }
    if (!is_connecting()) return 0;
    const bool in_time = network_.wait(held, until, [this] { return closed_ || !is_connecting(); });
    if (closed_ || connection_ == nullptr) return -EPIPE;
    return in_time ? 0 : -EAGAIN;
}

answer socket::send(network::lock& held, std::span<const iovec> from, int flags) {
    if (is_deferred()) return send_with_syn(held, from, flags);
    return send_rest(held, from, 0, flags);
}

answer socket::send_fast(network::lock& held, std::span<const iovec> from, int flags,
                         const std::optional<endpoint>& remote) {
    if (!network_.options().fast_open.client) return -EOPNOTSUPP;
    if (!is_deferred()) {
        if (is_connecting()) return -EALREADY;
        if (connection_ != nullptr || listener_ != nullptr) return -EISCONN;
        if (!remote) return -EINVAL;
        if (const answer failed = open(*remote, true)) return failed;
    }
    return send_with_syn(held, from, flags);
}

/// Our SYN leaves now. A call that does not wait takes no more than it carries; without a cookie
/// that is nothing, and the caller has to come again.
answer socket::send_with_syn(network::lock& held, std::span<const iovec> from, int flags) {
    const std::size_t sent = for_parts<const std::byte>(
        from, 0, std::min<std::size_t>(total(from), connection_->syn_text_room()),
        [&](auto bytes) -> std::size_t {
            return connection_->write(bytes, network::now()).value_or(0);
        });
    connection_->send_held_syn();
    network_.settle();
    if (non_blocking || (flags & MSG_DONTWAIT) != 0) {
        return sent != 0 ? static_cast<answer>(sent) : -EINPROGRESS;
    }
    const answer failed = finish_connecting(held);
    if (failed == -EINPROGRESS && sent != 0) return static_cast<answer>(sent);  // SO_SNDTIMEO
    if (failed != 0) return failed;
    return send_rest(held, from, sent, flags);
}

/// What comes behind the first `sent` bytes. Returns how many were sent in all.
answer socket::send_rest(network::lock& held, std::span<const iovec> from, std::size_t sent,
                         int flags) {
    const instant until = deadline(send_limit_, flags);
    if (const answer not_yet = wait_connected(held, until)) return not_yet;
    const std::size_t wanted = total(from);
    const auto urgency = (flags & MSG_OOB) != 0 ? tcp::urgency::urgent : tcp::urgency::normal;
    connection_->set_cork(corked_ || (flags & MSG_MORE) != 0, network::now());
    while (true) {
        if (const int why = take_error()) {
            if (sent == 0) return -why;
            error_ = why;
            return static_cast<answer>(sent);
        }
        if (is_write_shut()) return sent != 0 ? static_cast<answer>(sent) : -EPIPE;
        sent +=
            for_parts<const std::byte>(from, sent, wanted - sent, [&](auto bytes) -> std::size_t {
                return connection_->write(bytes, network::now(), urgency).value_or(0);
            });
        network_.settle();
        if (sent == wanted) return static_cast<answer>(sent);
        const bool in_time = network_.wait(held, until, [this] {
            return closed_ || connection_ == nullptr || is_write_shut() || pending_error() != 0 ||
                   has_room();
        });
        if (closed_ || connection_ == nullptr)
            return sent != 0 ? static_cast<answer>(sent) : -EPIPE;
        if (!in_time) return sent != 0 ? static_cast<answer>(sent) : -EAGAIN;
    }
}

}  // namespace weft::net::posix
