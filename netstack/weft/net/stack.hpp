#pragma once
// A host's whole protocol stack, sans-IO: frames, calls and the time come in as values, frames are
// polled out. No clock, no thread, no system call, no coroutine; see net/io/host.hpp for the side
// that waits and devices.
//
// A packet's way in: on_frame → on_ipv4 → tcp::demux → tcp::connection, or udp::demux →
// udp::socket. Out: poll_frame → tcp::connection::poll_segment, or a socket's queue → wire::emit_*.
// Nothing is emitted but in poll_frame.

#include <weft/base/instant.hpp>
#include <weft/base/result.hpp>
#include <weft/base/ring_queue.hpp>
#include <weft/net/address.hpp>
#include <weft/net/block_pool.hpp>
#include <weft/net/counters.hpp>
#include <weft/net/frame.hpp>
#include <weft/net/ip/fragments.hpp>
#include <weft/net/ip/icmp.hpp>
#include <weft/net/ip/neighbor_cache.hpp>
#include <weft/net/ip/path_mtu_cache.hpp>
#include <weft/net/ip/reply_queue.hpp>
#include <weft/net/ip/route_table.hpp>
#include <weft/net/observer.hpp>
#include <weft/net/shard_forwarder.hpp>
#include <weft/net/tcp/demux.hpp>
#include <weft/net/tcp/mib.hpp>
#include <weft/net/udp/demux.hpp>
#include <weft/net/udp/mib.hpp>
#include <weft/net/wire/arp.hpp>

#include <optional>

namespace weft::net {

/// What a stack is made of. Plain values.
struct stack_options {
    ip_prefix address;                  ///< ours, with the network's prefix
    std::optional<ip_address> gateway;  ///< for everything outside the prefix
    mac_address mac;                    ///< unused on a raw_ip link
    device_capabilities device;         ///< of the device the frames go to
    tcp::config tcp;
    tcp::hash_secret secret;  ///< 128 random bits; the same bits replay a run
    tcp::shard shard = {};    ///< when several stacks share `address` and `mac`
};

class stack final : private tcp::network_layer {
public:
    /// Throws std::invalid_argument when the address cannot be a host's, or the gateway is not in
    /// its network.
    stack(const stack_options& options, block_pool& pool);
    stack(const stack&) = delete;
    stack& operator=(const stack&) = delete;

    // ---- input
    void on_frame(slice frame, const rx_offload& offload, instant now);
    void on_timeout(instant now);
    /// Another shard has copied to us what is ours (see shard_forwarder).
    void on_forwarded(shard_cargo what, slice bytes, const rx_offload& offload, instant now);
    /// There was no memory for it.
    void on_copy_refused() noexcept { ++counters_.shard_refused; }
    /// Names who takes what is another shard's; nullptr: it is lost, and counted.
    void forward_to(shard_forwarder* carrier) noexcept { forwarder_ = carrier; }
    /// The device did not take a frame that poll_frame had given it.
    void on_frame_refused() noexcept { ++counters_.device_refused; }

    // ---- output
    /// Describes the next frame to send in a cleared slot. False: nothing to say now.
    bool poll_frame(tx_slot& slot, instant now);

    // ---- user calls; see tcp::demux
    /// An active OPEN. Errors: `invalid_endpoint` (MUST-46), `network_unreachable`, and demux's.
    result<tcp::connection*> connect(const endpoint& remote, const tcp::connection_options& options,
                                     instant now, const endpoint& local = {});
    result<tcp::listener*> listen(const endpoint& local, const tcp::listen_options& options,
                                  instant now);
    void close(tcp::listener& l, instant now) { tcp_.close(l, now); }

    // ---- user calls for UDP; see udp::demux
    /// Errors: `address_not_available` (not ours, or a port of another shard), and
    /// udp::demux::open's.
    result<udp::socket*> bind_udp(const endpoint& local, const udp::socket_options& options);
    /// Names the only peer. Errors: `invalid_endpoint`, `network_unreachable`,
    /// `broadcast_not_allowed`.
    result<void> connect(udp::socket& s, const endpoint& remote);
    /// Queues a datagram, whatever is queued: ask may_send_at_once() before. Returns its length. A
    /// large one leaves in fragments. Errors: `message_too_large`, `no_buffers`, and connect()'s.
    result<std::uint32_t> send(udp::socket& s, std::span<const std::byte> payload,
                               const endpoint& to);
    void close(udp::socket& s) { udp_.close(s); }

    /// Names who watches transitions and segments; nullptr: nobody.
    void observe(observer* watcher) noexcept { tcp_.watcher = watcher; }

    // ---- queries
    [[nodiscard]] instant next_timeout() const noexcept;
    [[nodiscard]] const stack_counters& counters() const noexcept { return counters_; }
    /// The counters by the names of RFC 4022.
    [[nodiscard]] tcp::mib mib() const noexcept { return tcp::mib::of(counters_, options_.tcp); }
    /// And by those of RFC 4113.
    [[nodiscard]] udp::mib udp_mib() const noexcept { return udp::mib::of(counters_); }
    [[nodiscard]] const stack_options& options() const noexcept { return options_; }
    [[nodiscard]] tcp::demux& tcp() noexcept { return tcp_; }
    [[nodiscard]] udp::demux& udp() noexcept { return udp_; }
    [[nodiscard]] block_pool& pool() noexcept { return pool_; }
    /// True when poll_frame may have something to say.
    [[nodiscard]] bool is_transmit_pending() noexcept;

private:
    static constexpr std::uint32_t max_arp_replies = 64;

    void on_arp(std::span<const std::byte> bytes, instant now);
    void on_ipv4(slice frame, std::uint32_t offset, ip::link_delivery delivery,
                 const rx_offload& offload, instant now);
    void on_datagram(const wire::ipv4_header& header, slice payload, ip::link_delivery delivery,
                     const rx_offload& offload, instant now);
    void on_icmp(const wire::ipv4_header& header, const slice& payload, ip::link_delivery delivery,
                 instant now);
    void on_tcp(const wire::ipv4_header& header, slice payload, const rx_offload& offload,
                instant now);
    [[nodiscard]] bool pass_on(const wire::ipv4_header& header, wire::bytes_view packet,
                               ip::link_delivery delivery, const rx_offload& offload);
    [[nodiscard]] bool pass_on_whole(const wire::ipv4_header& header, wire::bytes_view payload,
                                     ip::link_delivery delivery);
    [[nodiscard]] bool share_arp(wire::bytes_view bytes);
    void forward(std::uint32_t to, shard_cargo what, wire::bytes_view bytes,
                 const rx_offload& offload);
    void on_udp(const wire::ipv4_header& header, slice payload, ip::link_delivery delivery,
                const rx_offload& offload, instant now);
    void on_udp_error(const wire::icmp_report& report);
    void send_icmp_error(const ip::icmp_problem& problem, const wire::ipv4_header& header,
                         wire::bytes_view payload, ip::link_delivery delivery, instant now);
    void send_echo_reply(const wire::ipv4_header& request, wire::bytes_view message);
    void send_datagram(const wire::ipv4_header& header, wire::bytes_view payload);

    bool poll_arp(tx_slot& slot, instant now);
    bool poll_reply(tx_slot& slot, instant now);
    bool poll_transport(tx_slot& slot, instant now);
    bool poll_udp(tx_slot& slot, instant now);
    void emit_udp_fragment(udp::outgoing_datagram& sent, const mac_address& to, tx_slot& slot,
                           instant now);
    [[nodiscard]] result<ip_address> source_to(const endpoint& remote, bool may_broadcast) const;
    bool poll_tcp(tx_slot& slot, instant now);
    bool poll_syn_ack(tx_slot& slot, instant now);
    bool poll_connection(tx_slot& slot, instant now);
    void emit_tcp_frame(const tcp::four_tuple& tuple, const tcp::outgoing& out,
                        const mac_address& to, tx_slot& slot, instant now);
    void emit_ethernet(const mac_address& to, std::uint16_t type, tx_slot& slot) noexcept;
    void watch_sent(const tcp::four_tuple& tuple, const wire::tcp_segment_header& header,
                    std::uint32_t payload_bytes, bool retransmission, instant now);
    void resume_resolved();
    [[nodiscard]] bool is_ethernet() const noexcept;

    // tcp::network_layer
    void send_reply(const tcp::reply& r, instant now) noexcept override;
    [[nodiscard]] std::uint32_t max_segment_to(const ip_address& remote,
                                               instant now) const noexcept override;
    [[nodiscard]] std::uint32_t max_segment_of_link() const noexcept override;
    void learn_path_mtu(const ip_address& remote, std::uint32_t mtu_bytes,
                        instant now) noexcept override;
    [[nodiscard]] std::uint32_t max_offload_bytes() const noexcept override;

    stack_options options_;
    block_pool& pool_;
    stack_counters counters_;
    ip::route_table routes_;
    ip::neighbor_cache neighbors_;
    ip::path_mtu_cache paths_;
    ip::fragment_store fragments_;
    ip::icmp_error_sender icmp_errors_;
    ip::reply_queue replies_;
    ring_queue<wire::arp_packet> arp_replies_;
    tcp::demux tcp_;
    udp::demux udp_;
    std::uint64_t udp_sockets_opened_ = 0;
    std::uint16_t identification_ = 0;
    shard_forwarder* forwarder_ = nullptr;
    bool announce_due_ = true;
    bool is_turn_of_connections_ = false;
    bool is_turn_of_udp_ = false;
};

}  // namespace weft::net
