#include <weft/net/io/connect_operation.hpp>
#include <weft/net/io/host.hpp>

#include <utility>

namespace weft::net {

connect_operation::~connect_operation() { give_up(); }

void connect_operation::give_up() noexcept {
    if (connection_ == nullptr) return;
    tcp::connection& attempt = *std::exchange(connection_, nullptr);
    reset();  // off its slot, before the connection goes
    attempt.abort(host_.now());
    attempt.release(host_.now());
    host_.settle_later();
}

void connect_operation::start(const environment& in) noexcept {
    stop_ = in.stop;
    error_ = open();
    if (error_) {
        give_up();
        post_now(host_.scheduler_);
        return;
    }
    host_.settle_later();
    park(host_.scheduler_, stop_, connection_->waiter(tcp::wait::connected));
}

/// Our SYN leaves at the end of the turn, with as much of the text as it may carry.
std::error_code connect_operation::open() noexcept {
    if (host_.stopped_) return errc::stack_stopped;
    const result<tcp::connection*> opened =
        host_.stack_.connect(remote_, options_, host_.now(), local_);
    if (!opened) return opened.error();
    connection_ = *opened;
    if (first_.empty()) return {};
    if (connection_->write_room() < first_.size()) return errc::no_buffers;
    const result<std::uint32_t> taken = connection_->write(first_, host_.now());
    if (!taken) return taken.error();
    return *taken == first_.size() ? std::error_code{} : make_error_code(errc::no_buffers);
}

bool connect_operation::has_finished() const noexcept {
    return connection_ == nullptr || connection_->is_synchronized() ||
           connection_->state() == tcp::state::closed;
}

void connect_operation::on_event(operation& posted) noexcept {
    connect_operation& self = static_cast<connect_operation&>(posted);
    if (self.is_canceled() || self.has_finished()) {
        self.resume_(self);
        return;
    }
    self.reset();
    self.park(self.host_.scheduler_, self.stop_, self.connection_->waiter(tcp::wait::connected));
}

result<tcp_stream> connect_operation::finish() noexcept {
    if (is_canceled()) {
        give_up();
        return weft::errc::canceled;
    }
    if (error_) return error_;
    if (connection_->is_synchronized()) {  // and if it has ended since, the stream says why
        return tcp_stream{host_, *std::exchange(connection_, nullptr)};
    }
    const std::error_code why = connection_->error();
    give_up();
    return why ? why : make_error_code(errc::connection_aborted);
}

}  // namespace weft::net
