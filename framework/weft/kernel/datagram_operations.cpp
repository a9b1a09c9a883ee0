#include <weft/io/scheduler.hpp>
#include <weft/kernel/datagram_operations.hpp>
#include <weft/kernel/network.hpp>
#include <weft/kernel/system_calls.hpp>

#include <cassert>
#include <cerrno>

namespace weft::kernel {

// ---- datagram_port

datagram_port::datagram_port(network& owner, int fd) noexcept
    : kernel_socket{owner, fd},
      local_{local_endpoint_of(fd)},
      family_{socket_address::family_of(local_)} {}

ring& datagram_port::ring() const noexcept { return owner_.ring(); }

void datagram_port::close() noexcept {
    if (is_closed_) return;
    is_closed_ = true;
    if (receiver != nullptr) receiver->give_up();
    if (sender != nullptr) sender->give_up();
}

std::error_code datagram_port::connect(const endpoint& remote) noexcept {
    const socket_address to{remote, family_};
    if (::connect(fd_, &to.get(), to.length()) != 0) return {errno, std::generic_category()};
    local_ = local_endpoint_of(fd_);
    return {};
}

// ---- datagram_operation

datagram_operation::datagram_operation(completion resume, datagram_port* on, slot place,
                                       request make, void* bytes, std::size_t count) noexcept
    : operation{resume},
      ring_completion{&answered},
      port_{on},
      bytes_{bytes, count},
      slot_{place},
      make_{make} {}

datagram_operation::~datagram_operation() {
    if (!is_in_flight()) return;
    port_.get()->*slot_ = nullptr;
    port_->ring().withdraw(*this);
}

void datagram_operation::start(const environment& in) noexcept {
    datagram_operation*& place = port_.get()->*slot_;
    assert(place == nullptr && "one operation of a kind at a time on a socket");
    if (port_->is_closed()) error_ = std::make_error_code(std::errc::broken_pipe);
    if (place != nullptr) error_ = std::make_error_code(std::errc::device_or_resource_busy);
    if (error_) {
        post_now(*in.scheduler);
        return;
    }
    place = this;
    message_.msg_iov = &bytes_;
    message_.msg_iovlen = 1;
    make_(*this);
    park(*in.scheduler, in.stop, &on_stop);
}

void datagram_operation::answered(ring_completion& done, int answer, unsigned /*flags*/) noexcept {
    auto& self = static_cast<datagram_operation&>(done);
    self.port_.get()->*self.slot_ = nullptr;
    self.answer_ = answer;
    if (answer == -ECANCELED && self.port_->is_closed()) {
        self.error_ = std::make_error_code(std::errc::broken_pipe);
    } else if (answer == -ECANCELED) {
        self.mark_canceled();
    } else if (answer < 0) {
        self.error_ = {-answer, std::generic_category()};
    }
    self.post();
}

void datagram_operation::on_stop(operation& stopped) noexcept {
    auto& self = static_cast<datagram_operation&>(stopped);
    self.port_->ring().cancel(self);
}

result<std::size_t> datagram_operation::answer() const noexcept {
    if (const std::error_code no = wait_error()) return no;
    if (!port_) return std::make_error_code(std::errc::not_connected);
    if (error_) return error_;
    return static_cast<std::size_t>(answer_);
}

// ---- what is sent, what is received

send_to_operation::send_to_operation(completion resume, datagram_port* on,
                                     std::span<const std::byte> bytes, const endpoint& to) noexcept
    : datagram_operation{resume,
                         on,
                         &datagram_port::sender,
                         &make,
                         const_cast<std::byte*>(bytes.data()),  // sendmsg(2) does not write there
                         bytes.size()} {
    if (on == nullptr) return;
    const bool fits = to.address.is_v4() || on->family() == AF_INET6;
    peer_ = socket_address{to, fits ? on->family() : AF_INET6};
}

void send_to_operation::make(datagram_operation& self) noexcept {
    auto& op = static_cast<send_to_operation&>(self);
    op.message_.msg_name = &op.peer_.get();
    op.message_.msg_namelen = op.peer_.length();
    op.port_->ring().send_message(op, op.port_->descriptor(), op.message_);
}

receive_from_operation::receive_from_operation(completion resume, datagram_port* on,
                                               std::span<std::byte> into) noexcept
    : datagram_operation{resume, on, &datagram_port::receiver, &make, into.data(), into.size()} {}

void receive_from_operation::make(datagram_operation& self) noexcept {
    auto& op = static_cast<receive_from_operation&>(self);
    op.message_.msg_name = &op.peer_.get();
    op.message_.msg_namelen = socket_address::capacity();
    op.port_->ring().receive_message(op, op.port_->descriptor(), op.message_);
}

result<datagram> receive_from_operation::finish() const noexcept {
    const result<std::size_t> came = answer();
    if (!came) return came.error();
    return datagram{*came, peer_.to_endpoint(), (message_.msg_flags & MSG_TRUNC) != 0};
}

}  // namespace weft::kernel
