#include <weft/net/io/host.hpp>
#include <weft/net/io/udp_socket.hpp>

#include <algorithm>

namespace weft::net {

// ---- bound_socket

bound_socket::bound_socket(host& owner, udp::socket& opened) noexcept
    : host_{owner}, socket_{&opened} {
    host_.count_handle(+1);
}

bound_socket::~bound_socket() {
    close();
    host_.count_handle(-1);
}

void bound_socket::close() noexcept {
    if (socket_ == nullptr) return;
    host_.stack().close(*std::exchange(socket_, nullptr));
    host_.settle_later();
}

// ---- what the operations share

std::error_code udp_operation::refusal() const noexcept {
    if (is_canceled()) return weft::errc::canceled;
    if (bound_ == nullptr || bound_->socket_ == nullptr) return errc::closing;
    return {};
}

// ---- receiving

receive_operation::~receive_operation() {
    if (current_phase() != phase::posted || refusal()) return;
    bound_->socket_->receivers().on_came();
    bound_->socket_->call_waiters();
}

bool receive_operation::ready() const noexcept {
    return static_cast<bool>(refusal()) || bound_->socket_->may_receive_at_once();
}

void receive_operation::start(const environment& in) noexcept {
    stop_ = in.stop;
    park(bound_->host_.scheduler(), stop_, bound_->socket_->receivers().waiters());
}

void receive_operation::on_event(operation& posted) noexcept {
    receive_operation& self = static_cast<receive_operation&>(posted);
    if (!self.refusal()) {
        udp::socket& from = *self.bound_->socket_;
        from.receivers().on_came();
        if (!from.can_receive()) {
            self.reset();
            self.park(self.bound_->host_.scheduler(), self.stop_, from.receivers().waiters());
            return;
        }
    }
    self.resume_(self);
}

result<datagram> receive_operation::finish() noexcept {
    if (const std::error_code no = refusal()) return no;
    udp::socket& from = *bound_->socket_;
    if (const std::error_code heard = from.take_error()) {
        from.call_waiters();
        return heard;
    }
    const udp::received_datagram oldest = from.receive();
    const std::size_t count = std::min<std::size_t>(into_.size(), oldest.payload.size());
    std::ranges::copy(oldest.payload.bytes().first(count), into_.begin());
    from.call_waiters();
    return datagram{count, oldest.from, count < oldest.payload.size()};
}

// ---- sending

send_operation::~send_operation() {
    if (current_phase() != phase::posted || refusal()) return;
    bound_->socket_->senders().on_came();
    bound_->socket_->call_waiters();
}

bool send_operation::ready() const noexcept {
    return static_cast<bool>(refusal()) || bound_->socket_->may_send_at_once();
}

void send_operation::start(const environment& in) noexcept {
    stop_ = in.stop;
    park(bound_->host_.scheduler(), stop_, bound_->socket_->senders().waiters());
}

void send_operation::on_event(operation& posted) noexcept {
    send_operation& self = static_cast<send_operation&>(posted);
    if (!self.refusal()) {
        udp::socket& to = *self.bound_->socket_;
        to.senders().on_came();
        if (!to.can_send() && !to.has_error()) {
            self.reset();
            self.park(self.bound_->host_.scheduler(), self.stop_, to.senders().waiters());
            return;
        }
    }
    self.resume_(self);
}

result<std::size_t> send_operation::finish() noexcept {
    if (const std::error_code no = refusal()) return no;
    udp::socket& from = *bound_->socket_;
    const std::error_code heard = from.take_error();
    if (!heard && !to_) to_ = from.remote();
    if (heard || !to_) {
        from.call_waiters();
        return heard ? heard : make_error_code(errc::not_connected);
    }
    const result<std::uint32_t> queued = bound_->host_.stack().send(from, bytes_, *to_);
    from.call_waiters();
    if (!queued) return queued.error();
    bound_->host_.settle_later();
    return std::size_t{*queued};
}

// ---- the handle

result<void> udp_socket::connect(const endpoint& remote) noexcept {
    if (!*this) return errc::closing;
    return bound_->host_.stack().connect(*bound_->socket_, remote);
}

endpoint udp_socket::local_endpoint() const noexcept {
    return *this ? bound_->socket_->local() : endpoint{};
}

endpoint udp_socket::remote_endpoint() const noexcept {
    return *this ? bound_->socket_->remote().value_or(endpoint{}) : endpoint{};
}

std::error_code udp_socket::take_soft_error() noexcept {
    return *this ? bound_->socket_->take_soft_error() : std::error_code{};
}

}  // namespace weft::net
