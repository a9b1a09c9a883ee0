#include <weft/io/scheduler.hpp>
#include <weft/kernel/connect_operation.hpp>
#include <weft/kernel/network.hpp>
#include <weft/kernel/system_calls.hpp>

#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <new>

namespace weft::kernel {

connect_operation::connect_operation(completion resume, network& on, const endpoint& remote,
                                     const connect_options& options) noexcept
    : operation{resume},
      ring_completion{&answered},
      network_{on},
      remote_{remote},
      options_{options},
      address_{remote, socket_address::family_of(remote)} {}

connect_operation::~connect_operation() {
    if (is_in_flight()) network_.ring().withdraw(*this);
    if (fd_ >= 0) ::close(fd_);
}

/// Linux would take an unspecified address for the loopback, and more.
std::error_code connect_operation::open() noexcept {
    const ip_address& to = remote_.address;
    if (to.is_unspecified() || to.is_multicast() || to.is_broadcast() || remote_.port == 0) {
        return std::make_error_code(std::errc::invalid_argument);
    }
    const result<int> opened = open_socket(socket_address::family_of(remote_), SOCK_STREAM);
    if (!opened) return opened.error();
    fd_ = *opened;
    return apply(fd_, options_);
}

void connect_operation::start(const environment& in) noexcept {
    error_ = open();
    if (error_) {
        post_now(*in.scheduler);
        return;
    }
    network_.ring().connect(*this, fd_, address_.get(), address_.length());
    park(*in.scheduler, in.stop, &on_stop);
}

void connect_operation::answered(ring_completion& done, int answer, unsigned /*flags*/) noexcept {
    auto& self = static_cast<connect_operation&>(done);
    if (answer == -ECANCELED) {
        self.mark_canceled();
    } else if (answer < 0) {
        self.error_ = {-answer, std::generic_category()};
    }
    self.post();
}

void connect_operation::on_stop(operation& stopped) noexcept {
    auto& self = static_cast<connect_operation&>(stopped);
    self.network_.ring().cancel(self);
}

result<tcp_stream> connect_operation::finish() {
    if (const std::error_code no = wait_error()) return no;
    if (error_) return error_;
    auto* const made = new (std::nothrow) connection{network_, fd_, options_};
    if (made == nullptr) return std::make_error_code(std::errc::not_enough_memory);
    fd_ = -1;
    ++network_.statistics_.connected;
    return tcp_stream{*made};
}

}  // namespace weft::kernel
