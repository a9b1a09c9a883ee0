// The one queue of packets in the stack: stateless replies (RST, ICMP, cookies) on their way out.
//
// A connection never queues packets; it is asked when there is room. A reply has nobody to ask, so
// it is kept here as bytes until poll_frame takes it or its next hop is resolved (RFC 1122
// §2.3.2.2). Bounded in packets, in packets a waiting next hop, and in bytes; what does not fit is
// dropped and counted. Small packets reuse their slot's buffer, so a flood of resets allocates
// nothing.
#pragma once

#include <weft/net/counters.hpp>
#include <weft/net/ip/neighbor_cache.hpp>
#include <weft/net/wire/bytes.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

namespace weft::net::ip {

/// A packet ready to be framed: valid until the queue's next call.
struct ready_reply {
    wire::bytes_view packet;  ///< from its IP header on
    ip_address next_hop;
    mac_address mac;
};

class reply_queue {
public:
    static constexpr std::size_t max_packets = 64;
    static constexpr std::size_t max_waiting_per_neighbor = 4;
    static constexpr std::size_t max_bytes = 128 * 1024;

    explicit reply_queue(stack_counters& counters);

    /// True when that many packets of that many bytes in all would be taken now.
    [[nodiscard]] bool has_room(std::size_t packets, std::size_t bytes) const noexcept;

    /// Room for one packet to `next_hop`, to be filled by the caller at once; empty, and counted,
    /// when the queue is full.
    [[nodiscard]] std::span<std::byte> push(const ip_address& next_hop, std::size_t packet_bytes);

    /// The oldest packet whose next hop is resolved, removed from the queue. Those whose next hop
    /// has failed are dropped. On a link without neighbours pass nullptr: all are ready.
    [[nodiscard]] std::optional<ready_reply> poll(neighbor_cache* neighbors, instant now);

    [[nodiscard]] bool is_empty() const noexcept { return size_ == 0; }
    [[nodiscard]] std::size_t size() const noexcept { return size_; }

private:
    static constexpr std::size_t kept_capacity = 256;

    struct slot {
        ip_address next_hop;
        std::vector<std::byte> bytes;
        bool is_waiting = false;  ///< was unresolved when the cache last changed
    };

    [[nodiscard]] slot& at(std::size_t position) noexcept { return slots_[order_[position]]; }
    [[nodiscard]] ready_reply lend(std::size_t position, const mac_address& mac);
    void drop(std::size_t position);
    void take_out(std::size_t position);
    void release_lent() noexcept;
    static void trim(slot& unused) noexcept;
    [[nodiscard]] std::size_t waiting_for(const ip_address& next_hop) const noexcept;
    [[nodiscard]] std::size_t first_waiting_for(const ip_address& next_hop) noexcept;

    stack_counters& counters_;
    std::array<slot, max_packets> slots_;
    std::array<std::uint8_t, max_packets> order_{};  ///< slots in use, oldest first, then free ones
    std::size_t size_ = 0;
    std::size_t bytes_ = 0;
    std::uint64_t seen_generation_ = 0;
    std::optional<std::uint8_t> lent_;  ///< the slot of the last poll's packet
    bool has_news_ = false;             ///< a packet may have become ready since the last poll
};

}  // namespace weft::net::ip
