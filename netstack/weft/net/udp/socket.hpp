#pragma once
// A UDP port in use (RFC 768, RFC 1122 §4.1): datagrams that wait to be read, datagrams that wait
// to be sent, and what was heard about those that were sent.
//
// Both queues are bounded. What is read is kept as it came, or copied together where it fills less
// than half of its block: many small datagrams cost what they are long. A connected socket has one
// peer: it hears of nobody else, and of ICMP errors about what it has sent. Made by udp::demux;
// whoever closes it does not touch it again.

#include <weft/base/intrusive_list.hpp>
#include <weft/base/ring_queue.hpp>
#include <weft/net/address.hpp>
#include <weft/net/block_pool.hpp>
#include <weft/net/errc.hpp>
#include <weft/net/udp/options.hpp>
#include <weft/net/udp/waiting_line.hpp>

#include <cstdint>
#include <optional>
#include <system_error>
#include <utility>

namespace weft::net::udp {

struct port_tag;
struct transmit_tag;
struct signaled_tag;

/// Waits to be read.
struct received_datagram {
    endpoint from;
    ip_address to;  ///< the address of ours that it was sent to, or a broadcast address
    slice payload;
    std::uint32_t charge_bytes = 0;
};

/// Waits to be sent, or for its next fragment to be.
struct outgoing_datagram {
    endpoint from;
    endpoint to;
    slice payload;
    std::uint32_t charge_bytes = 0;
    std::uint32_t sent_bytes = 0;  ///< with the UDP header
    std::uint16_t identification = 0;
    std::uint8_t hop_limit = 0;
    std::uint8_t traffic_class = 0;

    /// With the UDP header.
    [[nodiscard]] std::uint32_t total_bytes() const noexcept { return 8 + payload.size(); }
};

class socket : public list_hook<port_tag>,
               public list_hook<transmit_tag>,
               public list_hook<signaled_tag> {
public:
    socket(const endpoint& local, const socket_options& options) noexcept
        : local_{local}, options_{options} {}
    socket(const socket&) = delete;
    socket& operator=(const socket&) = delete;

    [[nodiscard]] const endpoint& local() const noexcept { return local_; }
    /// Nothing unless it is connected.
    [[nodiscard]] const std::optional<endpoint>& remote() const noexcept { return remote_; }
    [[nodiscard]] const socket_options& options() const noexcept { return options_; }

    // ---- reading
    /// Datagrams that wait, or an error does.
    [[nodiscard]] bool can_receive() const noexcept { return available() != 0; }
    [[nodiscard]] std::uint32_t queued() const noexcept { return received_.size(); }
    [[nodiscard]] std::uint32_t queued_bytes() const noexcept { return received_bytes_; }
    /// Removes the oldest. Precondition: queued() != 0.
    [[nodiscard]] received_datagram receive() noexcept;

    // ---- writing
    [[nodiscard]] bool can_send() const noexcept {
        return outgoing_bytes_ < options_.send_buffer_bytes;
    }
    /// What waits to be sent, with what waits for a neighbour.
    [[nodiscard]] std::uint32_t unsent_bytes() const noexcept { return outgoing_bytes_; }

    // ---- errors about what was sent (RFC 1122 §4.1.3.3)
    /// The peer's port is closed. Reading it clears it: the socket goes on.
    [[nodiscard]] std::error_code take_error() noexcept { return std::exchange(error_, {}); }
    [[nodiscard]] bool has_error() const noexcept { return static_cast<bool>(error_); }
    /// The last trouble that need not last: no route, no such host. Reading it clears it.
    [[nodiscard]] std::error_code take_soft_error() noexcept {
        return std::exchange(soft_error_, {});
    }

    // ---- who waits
    [[nodiscard]] waiting_line& receivers() noexcept { return receivers_; }
    [[nodiscard]] waiting_line& senders() noexcept { return senders_; }
    [[nodiscard]] bool may_receive_at_once() const noexcept {
        return receivers_.may_go_at_once(available());
    }
    [[nodiscard]] bool may_send_at_once() const noexcept {
        return has_error() || senders_.may_go_at_once(can_send() ? 1 : 0);
    }
    /// Tells those that something came for.
    void call_waiters() noexcept {
        receivers_.call(available());
        senders_.call(can_send() || has_error() ? 1 : 0);
    }

private:
    friend class demux;

    static constexpr std::uint32_t overhead_bytes = 128;  ///< of a queued datagram's own record

    [[nodiscard]] std::uint32_t available() const noexcept {
        return received_.size() + (has_error() ? 1U : 0U);
    }
    enum class taken : std::uint8_t { yes, no_room, no_memory };
    /// Queues what came.
    taken take(const endpoint& from, const ip_address& to, slice payload, block_pool& pool);
    [[nodiscard]] slice copy_together(const slice& payload, block_pool& pool) noexcept;
    void queue(outgoing_datagram sent) {
        outgoing_bytes_ += sent.charge_bytes;
        outgoing_.push_back(std::move(sent));
    }
    [[nodiscard]] bool has_outgoing() const noexcept { return !outgoing_.empty(); }

    endpoint local_;
    std::optional<endpoint> remote_;
    socket_options options_;
    ring_queue<received_datagram> received_;
    ring_queue<outgoing_datagram> outgoing_;
    slice chunk_;  ///< small datagrams lie in it one after the other
    std::uint32_t received_bytes_ = 0;
    std::uint32_t outgoing_bytes_ = 0;
    std::error_code error_;
    std::error_code soft_error_;
    waiting_line receivers_;
    waiting_line senders_;
    bool closed_ = false;
};

}  // namespace weft::net::udp
