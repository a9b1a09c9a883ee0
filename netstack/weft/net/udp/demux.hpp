#pragma once
// A stack's UDP sockets: which one a datagram is for, whose turn it is to send, and which
// datagrams wait for a neighbour's link address.
//
// A port has one socket an address of ours, or one for all of them. A datagram whose next hop is
// not known yet is set aside, so that it does not hold up what its socket sends elsewhere; few are
// kept for a neighbour, the latest ones (RFC 1122 §2.3.2.2). Knows no wire formats: the stack
// reads and writes them.

#include <weft/base/result.hpp>
#include <weft/base/ring_queue.hpp>
#include <weft/net/charged_slab.hpp>
#include <weft/net/counters.hpp>
#include <weft/net/ip/neighbor_cache.hpp>
#include <weft/net/udp/socket.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>

namespace weft::net::udp {

/// For ports that nobody asked for (RFC 6056 §3.2).
struct port_range {
    std::uint16_t first = 32768;
    std::uint16_t last = 65535;
    /// When several stacks share the address: only those that leave `remainder`.
    std::uint32_t divisor = 1;
    std::uint32_t remainder = 0;
};

class demux {
public:
    static constexpr std::uint32_t max_aside = 64;
    static constexpr std::uint32_t max_aside_per_neighbor = 4;

    demux(port_range ephemeral, block_pool& pool, stack_counters& counters) noexcept
        : ephemeral_{ephemeral}, pool_{pool}, counters_{counters}, sockets_{pool} {}
    demux(const demux&) = delete;
    demux& operator=(const demux&) = delete;

    // ---- user calls
    /// Unspecified address: any of ours. Port 0: one is chosen, from where `random` says (RFC 6056
    /// §3.3.1). Errors: address_in_use, address_not_available (no port is free).
    result<socket*> open(endpoint local, const socket_options& options, std::uint64_t random);
    /// From now on it has this peer only. What waits from others, and errors, are dropped.
    void connect(socket& s, const ip_address& local, const endpoint& remote);
    /// What was given to it is still sent; what waits to be read is dropped. Operations that wait
    /// are posted.
    void close(socket& s);
    /// Copies a datagram and queues it; it has one turn for each fragment. Errors: no_buffers.
    result<std::uint32_t> send(socket& s, const ip_address& from, const endpoint& to,
                               std::span<const std::byte> payload, std::uint16_t identification);

    // ---- input
    /// Whose a datagram is; nullptr: nobody's.
    [[nodiscard]] socket* find(const endpoint& local, const endpoint& remote,
                               bool is_broadcast) noexcept;
    void on_datagram(socket& s, const endpoint& from, const ip_address& to, slice payload);
    /// What was heard about a datagram from `local` to `remote`.
    void on_error(const endpoint& local, const endpoint& remote, errc kind, bool is_hard);

    // ---- output
    /// Whose turn it is; nullptr: nobody's.
    [[nodiscard]] socket* transmitting() noexcept {
        return transmitting_.empty() ? nullptr : &transmitting_.front();
    }
    [[nodiscard]] bool is_transmit_pending(std::uint64_t neighbor_generation) const noexcept {
        return !transmitting_.empty() ||
               (!aside_.empty() && seen_generation_ != neighbor_generation);
    }
    /// What `s` has to send next.
    [[nodiscard]] outgoing_datagram& outgoing(socket& s) noexcept { return s.outgoing_.front(); }
    /// A fragment of it has left; the next in the line.
    void on_fragment_sent(socket& s);
    /// It cannot be sent. A connected socket hears of it.
    void drop_outgoing(socket& s, errc why);
    /// Its next hop is being asked for.
    void set_aside(socket& s, const ip_address& next_hop);
    /// Looks again at what was set aside, after the neighbours have changed: `ask(next_hop)` is a
    /// neighbor_answer's status.
    template <class Ask>
    void reconsider(std::uint64_t neighbor_generation, Ask ask);

    // ---- the host's side
    /// The next socket for which something has come, off the list; nullptr: none.
    [[nodiscard]] socket* pop_signaled() noexcept {
        return signaled_.empty() ? nullptr : &signaled_.pop_front();
    }
    void signal(socket& s) noexcept {
        if (!s.closed_ && !static_cast<list_hook<signaled_tag>&>(s).is_linked()) {
            signaled_.push_back(s);
        }
    }
    /// With those that are closed and have something to send.
    [[nodiscard]] std::size_t socket_count() const noexcept { return sockets_.size(); }
    [[nodiscard]] std::uint32_t aside_count() const noexcept { return aside_.size(); }

private:
    static constexpr std::size_t bucket_count = 256;

    struct waiting_datagram {
        socket* owner;
        ip_address next_hop;
        outgoing_datagram datagram;
    };

    [[nodiscard]] intrusive_list<socket, port_tag>& bucket(std::uint16_t port) noexcept {
        return ports_[port % bucket_count];
    }
    [[nodiscard]] bool is_in_use(const endpoint& local) noexcept;
    [[nodiscard]] std::uint16_t choose_port(const ip_address& local, std::uint64_t random) noexcept;
    void mark_transmit(socket& s) noexcept;
    /// A datagram of `s` is gone, sent or not.
    void discharge(socket& s, std::uint32_t charge_bytes);
    void report(socket& s, const endpoint& about, errc why) noexcept;
    void pop_outgoing(socket& s);
    /// Back to the front of its socket's queue.
    void resume(std::uint32_t index);
    void drop_aside(std::uint32_t index, errc why);
    /// Others need its place.
    void forget_aside(std::uint32_t index);

    port_range ephemeral_;
    block_pool& pool_;
    stack_counters& counters_;
    charged_slab<socket> sockets_;
    std::array<intrusive_list<socket, port_tag>, bucket_count> ports_;
    intrusive_list<socket, transmit_tag> transmitting_;
    intrusive_list<socket, signaled_tag> signaled_;
    ring_queue<waiting_datagram> aside_;  ///< oldest first
    std::uint64_t seen_generation_ = 0;
};

template <class Ask>
void demux::reconsider(std::uint64_t neighbor_generation, Ask ask) {
    if (seen_generation_ == neighbor_generation) return;
    seen_generation_ = neighbor_generation;
    for (std::uint32_t i = aside_.size(); i-- > 0;) {  // the latest first, each to the front
        switch (ask(aside_[i].next_hop)) {
            case ip::resolution::resolved: resume(i); break;
            case ip::resolution::failed: drop_aside(i, errc::host_unreachable); break;
            case ip::resolution::waiting: break;
        }
    }
}

}  // namespace weft::net::udp
