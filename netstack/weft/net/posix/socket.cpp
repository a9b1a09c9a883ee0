// A socket's life: bind, listen, accept, connect, shutdown, close, and what poll sees of it.

#include <weft/net/posix/socket.hpp>

#include <poll.h>

#include <algorithm>
#include <chrono>
#include <utility>

namespace weft::net::posix {
namespace {

using tcp::state;

}  // namespace

socket::~socket() {
    end_listening();
    let_go();
}

// ---- opening

answer socket::bind(const endpoint& local) noexcept {
    if (bound_ || connection_ != nullptr || listener_ != nullptr) return -EINVAL;
    local_ = local;
    bound_ = true;
    return 0;
}

answer socket::listen(int backlog) {
    if (connection_ != nullptr) return -EINVAL;
    // Linux admits one more than it is asked for, and takes a negative number for a large one.
    const int wanted = backlog < 0 ? most_backlog : std::min(backlog, most_backlog);
    backlog_ = wanted;
    const tcp::listen_options options{.backlog = static_cast<std::uint32_t>(wanted) + 1,
                                      .fast_open_queue = fast_open_limit(),
                                      .fast_open_cookieless = needs_no_cookie(),
                                      .fast_open_secret = fast_open_keys(),
                                      .connection = options_};
    if (listener_ != nullptr) {
        listener_->set_backlog(options.backlog);
        listener_->set_fast_open_queue(options.fast_open_queue);
        return 0;
    }
    const auto opened = network_.stack().listen(local_, options, network::now());
    if (!opened) return -errno_of(opened.error());
    listener_ = *opened;
    local_ = listener_->local();
    bound_ = true;
    return 0;
}

answer socket::accept(network::lock& held, std::shared_ptr<socket>& made) {
    if (listener_ == nullptr) return -EINVAL;
    if (!listener_->can_accept()) {
        if (non_blocking) return -EAGAIN;
        const auto is_ready = [this] { return listener_ == nullptr || listener_->can_accept(); };
        const bool in_time = network_.wait(held, deadline(receive_limit_, 0), is_ready);
        if (!in_time) return -EAGAIN;
        if (listener_ == nullptr) return -EINVAL;
    }
    made = std::make_shared<socket>(network_);
    made->options_ = options_;
    made->linger_ = linger_;
    made->reuse_address_ = reuse_address_;
    made->urgent_inline_ = urgent_inline_;
    made->low_water_ = low_water_;
    made->receive_limit_ = receive_limit_;
    made->send_limit_ = send_limit_;
    made->adopt(listener_->accept());
    ++accepted_;
    network_.settle();
    return 0;
}

void socket::adopt(tcp::connection& c) noexcept {
    connection_ = &c;
    connection_->set_cork(corked_, network::now());
    local_ = c.local();
    bound_ = true;
}

answer socket::connect(network::lock& held, const endpoint& remote) {
    if (listener_ != nullptr || is_deferred()) return -EISCONN;
    if (connect_unfinished_) {
        if (is_connecting() && non_blocking) return -EALREADY;
        return finish_connecting(held);
    }
    if (const answer failed = open(remote, fast_open_connect_)) return failed;
    if (fast_open_connect_ && connection_->syn_text_room() != 0) {
        connection_->hold_syn();  // it leaves with what is sent first
        return 0;
    }
    network_.settle();
    if (non_blocking && is_connecting()) return -EINPROGRESS;
    return finish_connecting(held);
}

answer socket::open(const endpoint& remote, bool is_fast) {
    if (connection_ != nullptr) return -EISCONN;
    if (remote.port == 0) return -EADDRNOTAVAIL;
    tcp::connection_options options = options_;
    options.fast_open = is_fast;
    options.fast_open_cookieless =
        network_.options().fast_open.client_cookieless || fast_open_cookieless_;
    const auto opened = network_.stack().connect(remote, options, network::now(), local_);
    if (!opened) {
        // RFC 9293 MUST-46; Linux has no route to such addresses.
        if (opened.error() == errc::invalid_endpoint) return -ENETUNREACH;
        return -errno_of(opened.error());
    }
    adopt(**opened);
    connect_unfinished_ = true;
    error_taken_ = read_shut_ = write_shut_ = false;
    return 0;
}

/// Sleeps until the handshake has ended, one way or the other.
answer socket::finish_connecting(network::lock& held) {
    const bool in_time = network_.wait(held, deadline(send_limit_, 0),
                                       [this] { return closed_ || !is_connecting(); });
    if (!in_time) return -EINPROGRESS;
    if (closed_) return -EBADF;
    connect_unfinished_ = false;
    if (connection_ == nullptr) return -ECONNABORTED;
    if (connection_->state() != state::closed) return 0;
    const int why = take_error();
    let_go();  // another attempt may be made
    read_shut_ = write_shut_ = false;
    return why != 0 ? -why : -ECONNABORTED;
}

answer socket::disconnect() {
    if (listener_ != nullptr) {
        end_listening();
    } else if (connection_ != nullptr) {
        if (!is_over()) error_ = ECONNRESET;
        connection_->abort(network::now());
        let_go();
    }
    connect_unfinished_ = read_shut_ = write_shut_ = false;
    network_.settle();
    return 0;
}

// ---- ending

answer socket::shutdown(int how) {
    if (how != SHUT_RD && how != SHUT_WR && how != SHUT_RDWR) return -EINVAL;
    const bool is_read = how != SHUT_WR;
    const bool is_write = how != SHUT_RD;
    if (listener_ != nullptr) {
        if (is_read) {
            end_listening();
            network_.settle();
        }
        return 0;
    }
    if (is_connecting() && connection_->state() == state::syn_sent) {
        error_ = ECONNRESET;
        connection_->abort(network::now());
        network_.settle();
        return 0;
    }
    // The kernel marks a socket without a connection too, and complains all the same.
    const bool has_connection = connection_ != nullptr && !is_over();
    read_shut_ = read_shut_ || is_read;
    write_shut_ = write_shut_ || is_write;
    if (!has_connection) {
        network_.wake_sleepers();
        return -ENOTCONN;
    }
    if (is_write && !connection_->is_close_called()) (void)connection_->close(network::now());
    ++activity_;
    network_.settle();
    return 0;
}

void socket::close(network::lock& held) {
    closed_ = true;
    end_listening();
    if (connection_ != nullptr && linger_.enabled) {
        if (linger_.seconds == 0) {
            connection_->abort(network::now());
        } else if (!is_over() && connection_->readable_bytes() == 0) {
            if (!connection_->is_close_called()) (void)connection_->close(network::now());
            network_.settle();
            const auto is_done = [this] {
                return connection_ == nullptr ||
                       !is_one_of(connection_->state(), state::syn_received, state::fin_wait_1,
                                  state::closing, state::last_ack);
            };
            const instant until = network::now() + std::chrono::seconds{linger_.seconds};
            (void)network_.wait(held, until, is_done);
        }
    }
    let_go();
    network_.settle();
}

void socket::let_go() {
    if (connection_ == nullptr) return;
    std::exchange(connection_, nullptr)->release(network::now());
    error_taken_ = false;
}

void socket::end_listening() {
    if (listener_ == nullptr) return;
    network_.stack().close(*std::exchange(listener_, nullptr), network::now());
}

// ---- queries

bool socket::is_connecting() const noexcept {
    // A child in SYN-RECEIVED that was accepted is as good as connected (RFC 7413).
    return connection_ != nullptr && !connection_->is_passive() &&
           is_one_of(connection_->state(), state::syn_sent, state::syn_received);
}

bool socket::is_connected() const noexcept {
    return connection_ != nullptr && !is_connecting() && !is_over();
}

bool socket::is_over() const noexcept {
    return connection_ != nullptr && connection_->is_finished();
}

bool socket::has_peers_fin() const noexcept {
    return connection_ != nullptr &&
           (connection_->visited() &
            (tcp::mask_of(state::close_wait) | tcp::mask_of(state::closing) |
             tcp::mask_of(state::time_wait))) != 0;
}

bool socket::is_read_shut() const noexcept { return read_shut_ || has_peers_fin() || is_over(); }

bool socket::is_write_shut() const noexcept {
    return write_shut_ || is_over() || (connection_ != nullptr && connection_->is_close_called());
}

/// As in Linux: half as much room as there is text queued.
bool socket::has_room() const noexcept {
    return connection_->write_room() >= std::max(connection_->queued_bytes() / 2, 1U);
}

int socket::pending_error() const noexcept {
    if (error_ != 0) return error_;
    if (connection_ == nullptr || error_taken_) return 0;
    const std::error_code why = connection_->error();
    // Whoever still writes after the peer's FIN broke a pipe.
    if (why == errc::connection_reset && has_peers_fin()) return EPIPE;
    return errno_of(why);
}

int socket::take_error() noexcept {
    const int why = pending_error();
    if (error_ != 0) {
        error_ = 0;
        return why;
    }
    if (why == 0) return 0;
    error_taken_ = true;
    if (why != ETIMEDOUT) return why;
    // What a router said of the silence tells more (RFC 9293 §3.9.2.2).
    const std::error_code soft = connection_->take_soft_error();
    return soft && soft != errc::timed_out ? errno_of(soft) : why;
}

endpoint socket::local() const noexcept { return connection_ ? connection_->local() : local_; }

endpoint socket::remote() const noexcept {
    return connection_ != nullptr ? connection_->remote() : endpoint{};
}

instant socket::deadline(duration limit, int flags) const noexcept {
    if (non_blocking || (flags & MSG_DONTWAIT) != 0) return instant{};
    return limit == duration::zero() ? never : network::now() + limit;
}

short socket::poll_events() {
    if (listener_ != nullptr) return listener_->can_accept() ? POLLIN | POLLRDNORM : 0;
    int events = 0;
    if (connection_ == nullptr || is_over() || (is_read_shut() && is_write_shut())) {
        events |= POLLHUP;
    }
    if (is_read_shut()) events |= POLLIN | POLLRDNORM | POLLRDHUP;
    if (is_deferred()) events |= POLLOUT | POLLWRNORM;
    if (!is_connecting()) {
        if (connection_ != nullptr) {
            const std::uint32_t passed_over = is_before_urgent_byte() ? 1 : 0;
            if (connection_->readable_bytes() - passed_over >=
                static_cast<std::uint32_t>(low_water_)) {
                events |= POLLIN | POLLRDNORM;
            }
            if (connection_->urgent_bytes() != 0 && urgent_.look(*connection_)) events |= POLLPRI;
        }
        if (is_write_shut() || connection_ == nullptr || has_room()) {
            events |= POLLOUT | POLLWRNORM;
        }
    }
    if (pending_error() != 0) events |= POLLERR;
    return static_cast<short>(events);
}

std::uint64_t socket::activity() const noexcept {
    return listener_ != nullptr ? accepted_ + listener_->queued() : activity_;
}

}  // namespace weft::net::posix
