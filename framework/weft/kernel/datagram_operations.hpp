#pragma once
// The operations behind a kernel::udp_socket's awaitables: one message of the ring each, from or
// into the caller's memory. Contracts in udp_socket.hpp.

#include <weft/base/operation.hpp>
#include <weft/base/result.hpp>
#include <weft/datagram_socket.hpp>
#include <weft/io/ring.hpp>
#include <weft/kernel/kernel_socket.hpp>
#include <weft/kernel/socket_address.hpp>

#include <sys/socket.h>
#include <sys/uio.h>

#include <cstddef>
#include <span>
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
    using slot = datagram_operation* datagram_port::*;
    using request = void (*)(datagram_operation&) noexcept;

    datagram_operation(completion resume, datagram_port* on, slot place, request make, void* bytes,
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

    slot slot_;
    request make_;
    int answer_ = 0;
    std::error_code error_;
};

class send_to_operation : public datagram_operation {
public:
    send_to_operation(completion resume, datagram_port* on, std::span<const std::byte> bytes,
                      const endpoint& to) noexcept;
    result<std::size_t> finish() const noexcept { return answer(); }

private:
    static void make(datagram_operation& self) noexcept;
};

class receive_from_operation : public datagram_operation {
public:
    receive_from_operation(completion resume, datagram_port* on,
                           std::span<std::byte> into) noexcept;
    result<datagram> finish() const noexcept;

private:
    static void make(datagram_operation& self) noexcept;
};

}  // namespace weft::kernel
