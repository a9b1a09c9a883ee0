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

datagram_operation::datagram_operation(completion resume, datagram_port* on, direction way,
                                       void* bytes, std::size_t count) noexcept
    : operation{resume}, ring_completion{&answered}, port_{on}, bytes_{bytes, count}, way_{way} {}

datagram_operation::~datagram_operation() {
    if (!is_in_flight()) return;
    place() = nullptr;
    port_->ring().withdraw(*this);
}

void datagram_operation::start(const environment& in) noexcept {
    assert(place() == nullptr && "one operation of a kind at a time on a socket");
    if (port_->is_closed()) error_ = std::make_error_code(std::errc::broken_pipe);
    if (place() != nullptr) error_ = std::make_error_code(std::errc::device_or_resource_busy);
    if (!error_) {
        message_.msg_iov = &bytes_;
        message_.msg_iovlen = 1;
        const int answer = try_now();
        if (answer == -EAGAIN || answer == -EINTR) {
            place() = this;
            make_request();
            park(*in.scheduler, in.stop, &on_stop);
            return;
        }
        take(answer);
    }
    post_now(*in.scheduler);  // behind others: a flood of datagrams is not to hold the loop
}

void datagram_operation::name_peer() noexcept {
    message_.msg_name = &peer_.get();
    message_.msg_namelen = way_ == direction::sends ? peer_.length() : socket_address::capacity();
}

/// A ring that meets faults is to meet them here too, so it makes all of the requests.
int datagram_operation::try_now() noexcept {
    if (port_->ring().meets_faults()) return -EAGAIN;
    name_peer();
    constexpr int flags = MSG_DONTWAIT | MSG_NOSIGNAL;
    const int fd = port_->descriptor();
    const ssize_t done = way_ == direction::sends ? ::sendmsg(fd, &message_, flags)
                                                  : ::recvmsg(fd, &message_, MSG_DONTWAIT);
    return done < 0 ? -errno : static_cast<int>(done);
}

void datagram_operation::make_request() noexcept {
    name_peer();
    if (way_ == direction::sends) {
        port_->ring().send_message(*this, port_->descriptor(), message_);
    } else {
        port_->ring().receive_message(*this, port_->descriptor(), message_);
    }
}

void datagram_operation::answered(ring_completion& done, int answer, unsigned /*flags*/) noexcept {
    auto& self = static_cast<datagram_operation&>(done);
    if (answer == -EINTR) {
        if (!self.is_stopping_ && !self.port_->is_closed()) {
            self.make_request();
            return;
        }
        answer = -ECANCELED;
    }
    self.place() = nullptr;
    self.take(answer);
    self.post();
}

void datagram_operation::take(int answer) noexcept {
    answer_ = answer;
    if (answer == -ECANCELED && port_->is_closed()) {
        error_ = std::make_error_code(std::errc::broken_pipe);
    } else if (answer == -ECANCELED) {
        mark_canceled();
    } else if (answer < 0) {
        error_ = {-answer, std::generic_category()};
    }
}

void datagram_operation::on_stop(operation& stopped) noexcept {
    auto& self = static_cast<datagram_operation&>(stopped);
    self.is_stopping_ = true;
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
    : datagram_operation{resume, on, direction::sends,
                         const_cast<std::byte*>(bytes.data()),  // sendmsg(2) does not write there
                         bytes.size()} {
    if (on == nullptr) return;
    const bool fits = to.address.is_v4() || on->family() == AF_INET6;
    peer_ = socket_address{to, fits ? on->family() : AF_INET6};
}

receive_from_operation::receive_from_operation(completion resume, datagram_port* on,
                                               std::span<std::byte> into) noexcept
    : datagram_operation{resume, on, direction::receives, into.data(), into.size()} {}

result<datagram> receive_from_operation::finish() const noexcept {
    const result<std::size_t> came = answer();
    if (!came) return came.error();
    return datagram{*came, peer_.to_endpoint(), (message_.msg_flags & MSG_TRUNC) != 0};
}

}  // namespace weft::kernel
