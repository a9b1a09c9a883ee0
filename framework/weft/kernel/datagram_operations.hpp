#pragma once
// The operations behind a kernel::udp_socket's awaitables: one message each, from or into the
// caller's memory. Contracts in udp_socket.hpp.
//
// What need not wait is done by a system call when the operation starts, which costs half of what a
// request of the ring does; what has to wait is a request. docs/kernel-sockets.md has the figures.

#include <weft/base/operation.hpp>
#include <weft/base/result.hpp>
#include <weft/datagram_socket.hpp>
#include <weft/io/ring.hpp>
#include <weft/kernel/kernel_socket.hpp>
#include <weft/kernel/socket_address.hpp>

#include <sys/socket.h>
#include <sys/uio.h>

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <system_error>

namespace weft::kernel {

class datagram_operation;

/// A UDP port of the kernel.
class datagram_port final : public kernel_socket {
public:
    datagram_port(network& owner, int fd) noexcept;

    void close() noexcept;
    void release() noexcept {
        close();
        drop();
    }
    [[nodiscard]] bool is_closed() const noexcept { return is_closed_; }
    [[nodiscard]] const endpoint& local() const noexcept { return local_; }
    [[nodiscard]] class ring& ring() const noexcept;
    /// AF_INET6 takes IPv4 in its mapped form.
    [[nodiscard]] int family() const noexcept { return family_; }
    std::error_code connect(const endpoint& remote) noexcept;

    void withdraw_requests() noexcept override {}  // they are the operations', which hold us

    datagram_operation* receiver = nullptr;
    datagram_operation* sender = nullptr;

private:
    [[nodiscard]] bool has_requests() const noexcept override { return false; }

    endpoint local_;
    int family_;
    bool is_closed_ = false;
};

class datagram_operation : public operation, protected ring_completion {
public:
    [[nodiscard]] bool ready() const noexcept { return !port_; }
    void start(const environment& in) noexcept;
    /// The port was closed.
    void give_up() noexcept { port_->ring().cancel(*this); }

protected:
    enum class direction : std::uint8_t { receives, sends };

    datagram_operation(completion resume, datagram_port* on, direction way, void* bytes,
                       std::size_t count) noexcept;
    ~datagram_operation();
    [[nodiscard]] result<std::size_t> answer() const noexcept;

    socket_reference<datagram_port> port_;
    socket_address peer_;
    iovec bytes_;
    msghdr message_{};

private:
    static void answered(ring_completion& done, int answer, unsigned flags) noexcept;
    static void on_stop(operation& stopped) noexcept;

    [[nodiscard]] datagram_operation*& place() const noexcept {
        return way_ == direction::sends ? port_->sender : port_->receiver;
    }
    void name_peer() noexcept;
    [[nodiscard]] int try_now() noexcept;
    void make_request() noexcept;
    void take(int answer) noexcept;

    int answer_ = 0;
    std::error_code error_;
    direction way_;
    bool is_stopping_ = false;
};

class send_to_operation : public datagram_operation {
public:
    static constexpr std::string_view trace_name = "kernel::udp_socket::send_to";
    send_to_operation(completion resume, datagram_port* on, std::span<const std::byte> bytes,
                      const endpoint& to) noexcept;
    result<std::size_t> finish() const noexcept { return answer(); }
};

class receive_from_operation : public datagram_operation {
public:
    static constexpr std::string_view trace_name = "kernel::udp_socket::receive_from";
    receive_from_operation(completion resume, datagram_port* on,
                           std::span<std::byte> into) noexcept;
    result<datagram> finish() const noexcept;
};

}  // namespace weft::kernel
