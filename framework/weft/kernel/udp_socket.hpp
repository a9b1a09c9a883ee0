#pragma once
// A UDP port of the kernel: the concept weft::datagram_socket on a Linux socket. Made by
// kernel::network::bind().
//
// A move-only handle that must not outlive its network. One receive and one send may wait at a
// time, side by side. What arrives while nobody receives waits in the kernel's buffer, and is
// dropped there when it is full.

#include <weft/awaiter.hpp>
#include <weft/kernel/datagram_operations.hpp>

#include <cstddef>
#include <span>
#include <utility>

namespace weft::kernel {

class udp_socket {
public:
    /// Holds nothing.
    udp_socket() noexcept = default;
    udp_socket(udp_socket&& other) noexcept : port_{std::exchange(other.port_, nullptr)} {}
    udp_socket& operator=(udp_socket&& other) noexcept {
        udp_socket taken{std::move(other)};
        std::swap(port_, taken.port_);
        return *this;
    }
    ~udp_socket() {
        if (port_ != nullptr) port_->release();
    }

    /// Sends one datagram. Completes with its size when the kernel has taken it. Errors:
    /// `message_size`, `network_unreachable`, `host_unreachable`, `permission_denied` (broadcast),
    /// `address_family_not_supported`, and on a connected socket `connection_refused` for an
    /// earlier one.
    [[nodiscard]] awaiter<send_to_operation> send_to(std::span<const std::byte> bytes,
                                                     const endpoint& to) noexcept {
        return awaiter<send_to_operation>{port_, bytes, to};
    }
    /// Receives one datagram: the oldest that waits, or the next that comes. What does not fit into
    /// the buffer is gone, and `truncated` says so. Cancelling takes none.
    [[nodiscard]] awaiter<receive_from_operation> receive_from(std::span<std::byte> into) noexcept {
        return awaiter<receive_from_operation>{port_, into};
    }
    /// Takes datagrams only from `remote` from now on, and is told when it refuses them.
    result<void> connect(const endpoint& remote) noexcept {
        if (port_ == nullptr) return std::errc::not_connected;
        if (const std::error_code why = port_->connect(remote)) return why;
        return {};
    }
    /// Operations that wait end with broken_pipe; the port is free once they have.
    void close() noexcept {
        if (port_ != nullptr) std::exchange(port_, nullptr)->release();
    }

    [[nodiscard]] explicit operator bool() const noexcept { return port_ != nullptr; }
    /// With the port that was chosen, if none was asked for.
    [[nodiscard]] endpoint local_endpoint() const noexcept {
        return port_ == nullptr ? endpoint{} : port_->local();
    }

private:
    friend class network;

    explicit udp_socket(datagram_port& held) noexcept : port_{&held} { held.hold(); }

    datagram_port* port_ = nullptr;
};

}  // namespace weft::kernel
