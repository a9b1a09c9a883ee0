#include <weft/net/io/host.hpp>
#include <weft/net/io/tcp_stream.hpp>

namespace weft::net {

tcp_stream::tcp_stream(host& owner, tcp::connection& held) noexcept
    : host_{&owner}, connection_{&held} {
    host_->count_handle(+1);
}

tcp_stream::~tcp_stream() {
    if (connection_ == nullptr) return;
    connection_->release(host_->now());
    host_->count_handle(-1);
    host_->settle_later();
}

std::span<const std::byte> tcp_stream::read_view() const noexcept {
    return connection_ == nullptr ? std::span<const std::byte>{} : connection_->view();
}

void tcp_stream::consume(std::size_t count) noexcept {
    if (connection_ == nullptr) return;
    connection_->consume(static_cast<std::uint32_t>(count), host_->now());
    host_->settle_later();
}

std::size_t tcp_stream::urgent_bytes() const noexcept {
    return connection_ == nullptr ? 0 : connection_->urgent_bytes();
}

void tcp_stream::abort() noexcept {
    if (connection_ == nullptr) return;
    connection_->abort(host_->now());
    host_->settle_later();
}

endpoint tcp_stream::local_endpoint() const noexcept {
    return connection_ == nullptr ? endpoint{} : connection_->local();
}

endpoint tcp_stream::remote_endpoint() const noexcept {
    return connection_ == nullptr ? endpoint{} : connection_->remote();
}

tcp::state tcp_stream::state() const noexcept {
    return connection_ == nullptr ? tcp::state::closed : connection_->state();
}

std::error_code tcp_stream::error() const noexcept {
    return connection_ == nullptr ? make_error_code(errc::not_connected) : connection_->error();
}

void tcp_stream::set_no_delay(bool on) noexcept {
    if (connection_ == nullptr) return;
    connection_->set_no_delay(on, host_->now());
    host_->settle_later();
}

void tcp_stream::set_keepalive(const tcp::keepalive_options& options) {
    if (connection_ == nullptr) return;
    connection_->set_keepalive(options, host_->now());
    host_->settle_later();
}

tcp::connection_info tcp_stream::info() const {
    return connection_ == nullptr ? tcp::connection_info{} : connection_->info(host_->now());
}

void tcp_stream::set_traffic_class(std::uint8_t value) noexcept {
    if (connection_ != nullptr) connection_->set_traffic_class(value);
}

void tcp_stream::set_hop_limit(std::uint8_t value) noexcept {
    if (connection_ != nullptr) connection_->set_hop_limit(value);
}

std::uint8_t tcp_stream::received_traffic_class() const noexcept {
    return connection_ == nullptr ? std::uint8_t{0} : connection_->received_traffic_class();
}

std::error_code tcp_stream::take_soft_error() noexcept {
    return connection_ == nullptr ? std::error_code{} : connection_->take_soft_error();
}

void tcp_stream::set_user_timeout(duration timeout) noexcept {
    if (connection_ != nullptr) connection_->set_user_timeout(timeout);
}

}  // namespace weft::net
