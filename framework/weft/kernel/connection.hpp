#pragma once
// One TCP connection of the kernel, as its operations see it: what has come, how each direction
// ended, and the requests that say so.
//
// Receiving is one multishot request that stays armed while the connection is read. It pauses
// while more lies unread than one connection may hold, so the kernel's buffer and then the peer's
// window fill up. The end of each direction stays what it was, where Linux reports an error once. A
// second multishot request, a poll, watches for what no read or write sees: that our FIN was
// acknowledged (SIOCOUTQ is 0) and that the connection is over (TCP_INFO).

#include <weft/base/address.hpp>
#include <weft/base/operation.hpp>
#include <weft/base/timer_wheel.hpp>
#include <weft/io/ring.hpp>
#include <weft/kernel/kernel_socket.hpp>
#include <weft/kernel/options.hpp>
#include <weft/kernel/receive_pool.hpp>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <system_error>

namespace weft::kernel {

class send_operation;

class connection final : public kernel_socket {
public:
    connection(network& owner, int fd, const connect_options& options) noexcept;

    // ---- reading
    [[nodiscard]] std::size_t unread_bytes() const noexcept { return unread_bytes_; }
    [[nodiscard]] bool is_read_finished() const noexcept {
        return unread_bytes_ == 0 && reading_ == reading::finished;
    }
    /// A read would not wait: bytes, the end, or an error.
    [[nodiscard]] bool can_read() const noexcept {
        return unread_bytes_ != 0 || reading_ != reading::open;
    }
    std::size_t read(std::span<std::byte> into) noexcept;
    [[nodiscard]] std::span<const std::byte> view() const noexcept;
    void consume(std::size_t count) noexcept;
    /// Has bytes come in from now on.
    void want_input() noexcept;

    // ---- writing and closing
    /// What a write now would fail with.
    [[nodiscard]] std::error_code write_refusal() const noexcept;
    /// How a write of so many bytes goes out.
    [[nodiscard]] weft::ring::sending sending_of(std::size_t bytes) const noexcept;
    void on_zero_copy_was_copied() noexcept;
    /// The kernel refused a send; gives the error that stays.
    std::error_code on_send_failure(int error) noexcept;
    /// Our FIN. Fails when it was sent before, or the connection is over.
    std::error_code shutdown() noexcept;
    [[nodiscard]] bool is_shut_down() const noexcept { return is_shut_down_; }
    [[nodiscard]] bool is_fin_acked() const noexcept { return is_fin_acked_; }
    /// Both directions are finished, or an error ended them.
    [[nodiscard]] bool is_over() const noexcept { return is_over_; }
    /// Has the end be noticed from now on, without a read or a write.
    void watch_end() noexcept;
    void abort() noexcept;
    /// The handle is gone.
    void release() noexcept;

    [[nodiscard]] std::error_code error() const noexcept { return error_; }
    [[nodiscard]] class ring& ring() const noexcept;
    [[nodiscard]] endpoint local() const noexcept;
    [[nodiscard]] endpoint remote() const noexcept;

    // Who waits. One of a kind.
    operation* reader = nullptr;
    operation* finisher = nullptr;  ///< for our FIN's acknowledgment
    operation* closer = nullptr;    ///< for the end
    send_operation* writer = nullptr;

    void withdraw_requests() noexcept override;

private:
    enum class reading : std::uint8_t { open, finished, failed };

    struct receipt : ring_completion {
        explicit receipt(connection& self) noexcept;
        connection& self_;
    };
    struct end_watch : ring_completion {
        explicit end_watch(connection& self) noexcept;
        connection& self_;
    };
    struct look_again : timer_node {
        explicit look_again(connection& self) noexcept;
        connection& self_;
    };

    [[nodiscard]] bool has_requests() const noexcept override {
        return receipt_.is_in_flight() || watch_.is_in_flight();
    }
    void on_received(int answer, unsigned flags) noexcept;
    void on_receive_end(int answer) noexcept;
    void queue(std::uint16_t buffer, std::size_t bytes) noexcept;
    void on_watch(int answer, unsigned flags) noexcept;
    void look_at_end() noexcept;
    /// Makes the requests that somebody waits for again, after a while.
    void look_later() noexcept;
    void go_on() noexcept;
    void fail(std::error_code why) noexcept;
    void drop_unread() noexcept;
    void keep_endpoints() noexcept;
    static void tell(operation* waiting) noexcept {
        if (waiting != nullptr) waiting->post();
    }

    received_bytes* first_ = nullptr;
    received_bytes* last_ = nullptr;
    std::size_t unread_bytes_ = 0;
    std::error_code error_;
    receipt receipt_;
    end_watch watch_;
    look_again again_;
    std::uint32_t zero_copy_from_bytes_;
    reading reading_ = reading::open;
    bool linger_abort_;
    bool is_shut_down_ = false;
    bool is_fin_acked_ = false;
    bool is_over_ = false;
    bool is_paused_ = false;  // the receive request was asked to end
    bool watches_room_ = false;
    bool is_released_ = false;
    mutable std::optional<endpoint> local_;
    mutable std::optional<endpoint> remote_;
};

}  // namespace weft::kernel
