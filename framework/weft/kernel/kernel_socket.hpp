#pragma once
// What lies behind the handles of kernel sockets: the descriptor and who still needs it.
//
// The handle, each operation and each request in flight keep it alive, so a handle can be destroyed
// at any time: its requests are cancelled without waiting, and the descriptor is closed when the
// kernel has let go of the last of them. The network knows all of them and ends the rest.

#include <weft/base/intrusive_list.hpp>

#include <utility>

namespace weft::kernel {

class network;

class kernel_socket : public list_hook<> {
public:
    kernel_socket(const kernel_socket&) = delete;
    kernel_socket& operator=(const kernel_socket&) = delete;

    void hold() noexcept { ++holders_; }
    void drop() noexcept {
        --holders_;
        end_if_unused();
    }
    [[nodiscard]] bool is_held() const noexcept { return holders_ != 0; }
    [[nodiscard]] network& owner() const noexcept { return owner_; }
    [[nodiscard]] int descriptor() const noexcept { return fd_; }

    /// Ends the requests in flight and waits for that, on the spot; for the network's own end.
    virtual void withdraw_requests() noexcept = 0;
    /// Closes the descriptor and frees the object, unless it is held or requests are in flight.
    void end_if_unused() noexcept;

protected:
    kernel_socket(network& owner, int fd) noexcept;
    virtual ~kernel_socket();
    [[nodiscard]] virtual bool has_requests() const noexcept = 0;

    network& owner_;
    int fd_;

private:
    unsigned holders_ = 0;
};

/// Keeps a socket alive; may be empty.
template <class Socket>
class socket_reference {
public:
    socket_reference() noexcept = default;
    explicit socket_reference(Socket* to) noexcept : to_{to} {
        if (to_ != nullptr) to_->hold();
    }
    socket_reference(socket_reference&& other) noexcept : to_{std::exchange(other.to_, nullptr)} {}
    socket_reference& operator=(socket_reference&& other) noexcept {
        socket_reference taken{std::move(other)};
        std::swap(to_, taken.to_);
        return *this;
    }
    ~socket_reference() {
        if (to_ != nullptr) to_->drop();
    }

    [[nodiscard]] Socket* get() const noexcept { return to_; }
    Socket* operator->() const noexcept { return to_; }
    Socket& operator*() const noexcept { return *to_; }
    explicit operator bool() const noexcept { return to_ != nullptr; }

private:
    Socket* to_ = nullptr;
};

}  // namespace weft::kernel
