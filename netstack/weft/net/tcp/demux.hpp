#pragma once
// Who a segment is for: the table of connections and listeners, and what all of them share.
//
// Owns every TCB. Answers for the states that have none, CLOSED and LISTEN (RFC 9293 §3.10.7.1,
// §3.10.7.2). Keeps intrusive lists of connections so that none is ever searched for: those with
// signals for the host, those with something to send, those to be destroyed.

#include <weft/base/timer_wheel.hpp>
#include <weft/net/charged_slab.hpp>
#include <weft/net/counters.hpp>
#include <weft/net/ip/route_table.hpp>
#include <weft/net/tcp/challenge_throttle.hpp>
#include <weft/net/tcp/connection.hpp>
#include <weft/net/tcp/connection_table.hpp>
#include <weft/net/tcp/fast_open_cache.hpp>
#include <weft/net/tcp/keyed_hash.hpp>
#include <weft/net/tcp/listener.hpp>
#include <weft/net/tcp/shard.hpp>
#include <weft/net/tcp/syn_cache.hpp>
#include <weft/net/tcp/syn_cookie.hpp>
#include <weft/net/tcp/time_wait.hpp>

#include <memory>
#include <optional>
#include <vector>

namespace weft::net::tcp {

/// What TCP needs of the layer below.
class network_layer {
public:
    /// Queues a segment that no connection sends (RST, or an ACK for TIME-WAIT). Bounded.
    virtual void send_reply(const reply& r, instant now) noexcept = 0;
    /// Payload bytes of the largest IP packet to there that needs no fragmentation as far as is
    /// known of the path, headers of TCP included (MMS_S of RFC 9293 §3.7.1).
    [[nodiscard]] virtual std::uint32_t max_segment_to(const ip_address& remote,
                                                       instant now) const noexcept = 0;
    /// The same of our link alone, whatever the path takes: what we can receive (MMS_R), and the
    /// most that any path can be found to take.
    [[nodiscard]] virtual std::uint32_t max_segment_of_link() const noexcept = 0;
    /// A connection has found out that the path to `remote` takes IP packets of `mtu_bytes`.
    virtual void learn_path_mtu(const ip_address& remote, std::uint32_t mtu_bytes,
                                instant now) noexcept = 0;
    /// Payload bytes that one frame may carry when the device cuts it; 0: the device does not.
    [[nodiscard]] virtual std::uint32_t max_offload_bytes() const noexcept = 0;

protected:
    ~network_layer() = default;
};

class demux {
public:
    demux(network_layer& network, const config& c, const hash_secret& secret, block_pool& pool,
          stack_counters& counters);
    demux(const demux&) = delete;
    demux& operator=(const demux&) = delete;
    ~demux();

    /// Only connections of this shard are begun: call it first, or be alone.
    void serve(const shard& mine) noexcept { shard_ = mine; }

    // user calls
    /// A connection to `remote` from `local` (port 0: one is chosen, RFC 6056), in SYN-SENT.
    /// Errors: address_in_use, address_not_available, no_buffers. The caller holds a handle:
    /// release() it.
    result<connection*> connect(endpoint local, const endpoint& remote,
                                const connection_options& options, instant now);
    /// Unspecified address: any of ours. Port 0: one is chosen. Errors: address_in_use,
    /// address_not_available (no port is free).
    result<listener*> listen(endpoint local, const listen_options& options, instant now);
    /// Ends a listener; its children that nobody accepted are reset.
    void close(listener& l, instant now);

    // input
    void on_segment(const four_tuple& tuple, segment& seg, instant now);
    void on_icmp_error(const four_tuple& tuple, errc kind, bool is_hard, sequence_number quoted,
                       instant now);
    /// `quoted_bytes`: the length of the packet that was too big, as the router saw it.
    void on_packet_too_big(const four_tuple& tuple, std::uint32_t mtu_bytes,
                           std::uint32_t quoted_bytes, sequence_number quoted, instant now);
    /// The next hop of `c` does not answer, or there is none: out of the line, until it is tried
    /// again.
    void on_unreachable(connection& c, errc kind, instant now);
    void on_unreachable(half_open& h, instant now);
    void on_timeout(instant now);

    // output
    /// The connection whose turn it is to send; nullptr: nobody has anything to say.
    [[nodiscard]] connection* transmitting() noexcept {
        return transmitting_.empty() ? nullptr : &transmitting_.front();
    }
    /// Its turn is over: to the back of the line, or out of it when it had nothing to say. In
    /// TIME-WAIT, and with nobody who holds it, a record takes its place then, and it is gone.
    void end_turn(connection& c, bool has_sent, instant now);
    /// The half-open connection whose SYN,ACK is due; nullptr: there is none.
    [[nodiscard]] half_open* answering() noexcept { return syn_cache_.answering(); }
    void poll_syn_ack(half_open& h, outgoing& out, instant now) {
        syn_cache_.poll_syn_ack(h, out, now);
    }
    /// Back into the line, after its next hop was resolved.
    void resume(ip::neighbor_waiter& w) noexcept;

    // the host's side
    /// The next connection with signals, off the list; nullptr: none.
    connection* pop_signaled() noexcept {
        return signaled_.empty() ? nullptr : &signaled_.pop_front();
    }

    // queries
    [[nodiscard]] instant next_timeout() const noexcept { return timers_.next_deadline(); }
    /// In any state but CLOSED and LISTEN, half-open ones included.
    [[nodiscard]] std::size_t connection_count() const noexcept {
        return table_.size() + syn_cache_.size() + time_wait_.size();
    }
    [[nodiscard]] std::size_t half_open_count() const noexcept { return syn_cache_.size(); }
    /// In TIME-WAIT without a TCB.
    [[nodiscard]] std::size_t time_wait_count() const noexcept { return time_wait_.size(); }
    [[nodiscard]] std::size_t time_wait_bytes() const noexcept {
        return time_wait_.reserved_bytes();
    }
    /// What half-open connections take of the memory.
    [[nodiscard]] std::size_t half_open_bytes() const noexcept {
        return syn_cache_.reserved_bytes();
    }
    [[nodiscard]] std::uint32_t orphan_count() const noexcept { return orphans_; }
    /// Those that have a TCB.
    template <class Visit>
    void for_each_connection(Visit visit) {
        table_.for_each(visit);
    }
    /// The records of those in TIME-WAIT that have none.
    template <class Visit>
    void for_each_time_wait(Visit visit) {
        time_wait_.for_each(visit);
    }

    observer* watcher = nullptr;

private:
    friend class connection;
    friend class syn_cache;
    friend class time_wait_table;

    void answer_closed(const four_tuple& tuple, const segment& seg, instant now);
    /// `above`: the four-tuple is in TIME-WAIT, and that connection had used numbers up to there;
    /// no TCB may be made before the third step.
    void answer_listen(listener& l, const four_tuple& tuple, segment& seg,
                       std::optional<sequence_number> above, instant now);
    /// Whether a new listener there would overlap with one that exists.
    [[nodiscard]] bool is_listening(const ip_address& address, std::uint16_t port) const noexcept;
    listener* find_listener(const ip_address& address, std::uint16_t port) noexcept;
    [[nodiscard]] std::uint16_t choose_port(const endpoint& remote, const ip_address& local);
    /// The third step of a handshake: is there room in the accept queue, and memory?
    [[nodiscard]] bool may_establish(const listener& l) noexcept;
    /// The third step has come: from here on there is a TCB.
    void complete(half_open& h, segment& seg, instant now);
    void begin(connection& child, const handshake& h, segment& seg, instant now);
    [[nodiscard]] bool has_room_for_record(const listener& l) const noexcept;
    void send_cookie(handshake& h, instant now);
    bool take_cookie(listener& l, const four_tuple& tuple, segment& seg, instant now);
    // RFC 7413 (demux_fast_open.cpp)
    bool take_fast_open(handshake& h, segment& syn, instant now);
    [[nodiscard]] fast_open_keys fast_open_keys_of(const listener& l, instant now) const noexcept {
        const auto& own = l.options_.fast_open_secret;
        return own ? *own : fast_open_keys_at(secret_, now);
    }
    [[nodiscard]] wire::tcp_fast_open_cookie fast_open_cookie_for(const handshake& h,
                                                                  instant now) const noexcept {
        return bake_fast_open_cookie(fast_open_keys_of(*h.parent, now).current, h.tuple);
    }
    void on_child_established(connection& child) noexcept;
    void enter_accept_queue(connection& child) noexcept;
    [[nodiscard]] bool is_short_of_memory() const noexcept {
        return pool_.bytes_in_use() > pool_.limit_bytes() / 8 * 7;
    }
    /// Connections and what else has a four-tuple get half of the memory, so that those that exist
    /// can go on. To begin one more, and to go on with a handshake that has begun:
    [[nodiscard]] bool may_begin() const noexcept {
        return may_go_on() && pool_.charged_bytes() + sizeof(connection) <= pool_.limit_bytes() / 2;
    }
    [[nodiscard]] bool may_go_on() const noexcept {
        return !is_short_of_memory() && pool_.charged_bytes() <= pool_.limit_bytes() / 2;
    }
    /// What buffers that grow with their path must know.
    [[nodiscard]] memory_use memory() const noexcept {
        return memory_use_of(pool_.bytes_in_use(), pool_.limit_bytes());
    }
    /// Text behind a gap is a loan that the peer may never make good: it gets half the memory, so
    /// that text in order, which frees what waits behind it, still gets in.
    [[nodiscard]] bool may_hold() const noexcept {
        return pool_.bytes_in_use() <= pool_.limit_bytes() / 2;
    }
    connection* make(const four_tuple& tuple, const connection_options& options, bool is_passive,
                     connection_id id);
    /// Tells the observer what became of a connection that has no TCB.
    void announce(const four_tuple& tuple, connection_id id, state from, event e,
                  instant now) noexcept;
    void announce(const handshake& h, state from, event e, instant now) noexcept {
        announce(h.tuple, h.id, from, e, now);
    }
    void announce_handshake(const handshake& h, instant now) noexcept;
    /// A segment of a handshake, in the listener's traffic class.
    [[nodiscard]] reply reply_for(const handshake& h, sequence_number seq,
                                  tcp_flags flags) const noexcept;
    [[nodiscard]] tcp_flags syn_ack_flags(const handshake& h) const noexcept;
    [[nodiscard]] wire::tcp_options syn_ack_options(const handshake& h, instant now) const noexcept;
    /// A connection reached CLOSED: out of the table, and buried if nobody holds a handle or will
    /// accept it.
    void forget(connection& c) noexcept;
    /// To be destroyed by reap(), when no code of the connection is running any more.
    void bury(connection& c) noexcept { dead_.push_back(c); }
    void reap() noexcept;
    /// No longer among the orphans that are limited.
    void discount(connection& c) noexcept;
    /// A record in the place of one in TIME-WAIT.
    void retire(connection& c, instant now);
    /// A SYN begins a handshake beside a connection in TIME-WAIT. False: it is none, or may not.
    bool reopen(const time_wait_facts& old, segment& seg, instant now);
    [[nodiscard]] bool may_be_old(const segment& syn, const time_wait_facts& in) const noexcept;
    /// A new connection takes the four-tuple; nothing happens unless it is in TIME-WAIT.
    void end_time_wait(const four_tuple& tuple, instant now);
    [[nodiscard]] bool is_in_use(const four_tuple& tuple) noexcept {
        const std::uint32_t hash = table_.hash_of(tuple);
        return table_.find(tuple, hash) != nullptr || syn_cache_.find(tuple, hash) != nullptr ||
               time_wait_.find(tuple, hash) != nullptr;
    }
    /// All that count against `max_connections`.
    [[nodiscard]] std::size_t live_count() const noexcept {
        return table_.size() + syn_cache_.size();
    }
    [[nodiscard]] sequence_number initial_sequence(const four_tuple& tuple, instant now) const;
    /// RFC 5961 §7: one connection's limit, and the stack's if there is one; counted either way.
    [[nodiscard]] bool may_challenge(challenge_throttle& of, instant now) noexcept;
    [[nodiscard]] bool may_challenge_at_all(instant now) noexcept;
    /// Of one that failed the first check of §3.10.7.4.
    void count_unacceptable(const segment& seg, sequence_number rcv_nxt) noexcept {
        const bool is_old = !seg.text.empty() && seg.seq < rcv_nxt;
        ++(is_old ? counters_.tcp_duplicate_segments : counters_.tcp_out_of_window);
    }
    /// RFC 7323 §5.4: a millisecond clock, from an origin that a stranger cannot tell.
    [[nodiscard]] std::uint32_t timestamp_for(const four_tuple& tuple, instant now) const noexcept {
        return timestamp_clock(now) + timestamp_offset(tuple);
    }
    [[nodiscard]] static std::uint32_t timestamp_clock(instant now) noexcept {
        return static_cast<std::uint32_t>(
            std::chrono::duration_cast<std::chrono::milliseconds>(now.time_since_epoch()).count());
    }
    [[nodiscard]] std::uint32_t timestamp_offset(const four_tuple& tuple) const noexcept {
        return static_cast<std::uint32_t>(
            keyed_hash(secret_, tuple, hash_purpose::timestamp_offset));
    }
    /// What we announce with a SYN (RFC 9293 §3.7.1, MUST-67).
    [[nodiscard]] std::uint16_t offered_mss() const noexcept;
    /// The window of a SYN, which is never scaled (RFC 7323 §2.2).
    [[nodiscard]] std::uint16_t syn_window(const connection_options& options) const noexcept;

    network_layer& network_;
    config config_;
    hash_secret secret_;
    block_pool& pool_;
    stack_counters& counters_;
    timer_wheel timers_;
    charged_slab<connection_statistics> statistics_;
    charged_slab<transmission> transmissions_;  // before the connections, which give theirs back
    charged_slab<connection> slab_;
    connection_table table_;
    syn_cache syn_cache_;
    syn_cookies cookies_;
    time_wait_table time_wait_;
    std::optional<instant> last_cookie_at_;
    fast_open_cache fast_open_cache_;
    std::vector<std::unique_ptr<listener>> listeners_;
    intrusive_list<connection, signaled_tag> signaled_;
    intrusive_list<connection, transmit_tag> transmitting_;
    intrusive_list<connection, transmit_tag> dead_;
    connection_id next_id_ = 1;
    instant challenge_window_;
    std::uint32_t challenges_left_ = 0;
    std::uint32_t orphans_ = 0;
    std::uint32_t port_counter_ = 0;
    shard shard_;
};

}  // namespace weft::net::tcp
