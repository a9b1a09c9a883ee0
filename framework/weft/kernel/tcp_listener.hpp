#pragma once
// A port of the kernel that accepts connections: the concept weft::listener on a Linux socket.
// Made by kernel::network::listen().
//
// A move-only handle that must not outlive its network. Destroying or closing it resets the
// connections that nobody has accepted.

#include <weft/awaiter.hpp>
#include <weft/kernel/listening.hpp>

#include <utility>

namespace weft::kernel {

class tcp_listener {
public:
    /// Holds nothing.
    tcp_listener() noexcept = default;
    tcp_listener(tcp_listener&& other) noexcept
        : listening_{std::exchange(other.listening_, nullptr)} {}
    tcp_listener& operator=(tcp_listener&& other) noexcept {
        tcp_listener taken{std::move(other)};
        std::swap(listening_, taken.listening_);
        return *this;
    }
    ~tcp_listener() {
        if (listening_ != nullptr) listening_->release();
    }

    /// Takes the oldest connection whose handshake is complete. One that was reset while it waited
    /// is handed over too: reads give what came, then the error. Any number may wait, first come
    /// first served. Cancelling takes nothing. Running out of descriptors is no error here:
    /// accepting rests, and goes on. Errors: `std::errc::broken_pipe` when the listener was closed,
    /// `std::errc::not_enough_memory` (that connection is reset; the next may be accepted),
    /// `weft::errc::canceled`.
    [[nodiscard]] awaiter<accept_operation> accept() noexcept {
        return awaiter<accept_operation>{listening_};
    }
    /// No more connections: they are refused from now on.
    void close() noexcept {
        if (listening_ != nullptr) listening_->close();
    }

    [[nodiscard]] explicit operator bool() const noexcept {
        return listening_ != nullptr && !listening_->is_closed();
    }
    /// With the port that was chosen, if none was asked for.
    [[nodiscard]] endpoint local_endpoint() const noexcept {
        return listening_ == nullptr ? endpoint{} : listening_->local();
    }
    /// The socket, for setsockopt(2). It stays the listener's.
    [[nodiscard]] int descriptor() const noexcept {
        return listening_ == nullptr ? -1 : listening_->descriptor();
    }

private:
    friend class network;

    explicit tcp_listener(listening& held) noexcept : listening_{&held} { held.hold(); }

    listening* listening_ = nullptr;
};

}  // namespace weft::kernel
