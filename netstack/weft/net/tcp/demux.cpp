#include <weft/net/tcp/demux.hpp>

#include <algorithm>
#include <cassert>

namespace weft::net::tcp {

demux::demux(network_layer& network, const config& c, const hash_secret& secret, block_pool& pool,
             stack_counters& counters)
    : network_{network},
      config_{c},
      secret_{secret},
      pool_{pool},
      counters_{counters},
      statistics_{pool},
      transmissions_{pool},
      slab_{pool},
      table_{secret},
      syn_cache_{*this},
      cookies_{secret},
      time_wait_{*this} {}

demux::~demux() {
    // TIME-WAIT and orphans die with the stack; whoever holds a handle must have released it.
    slab_.for_each([](connection& c) {
        assert(c.orphan_ || c.parent_ != nullptr || c.state_ == state::closed);
        c.drop_everything();
        c.received_.clear();
    });
}

// ---- user calls

result<connection*> demux::connect(endpoint local, const endpoint& remote,
                                   const connection_options& options, instant now) {
    if (local.port == 0) {
        local.port = choose_port(remote, local.address);
        if (local.port == 0) return errc::address_not_available;
    }
    const four_tuple tuple{local.address, remote.address, local.port, remote.port};
    if (!shard_.owns(tuple)) return errc::address_not_available;  // its answers go elsewhere
    if (is_in_use(tuple)) return errc::address_in_use;
    if (!may_begin()) {
        ++counters_.tcp_memory_refused;
        return errc::no_buffers;
    }
    connection* c = make(tuple, options, false, next_id_++);
    if (c == nullptr) return errc::no_buffers;
    if (options.fast_open) c->prepare_fast_open(options.fast_open_cookieless, now);
    c->open(now);
    return c;
}

result<listener*> demux::listen(endpoint local, const listen_options& options, instant) {
    if (local.port == 0) {
        for (std::uint32_t p = config_.ephemeral_port_first; p <= config_.ephemeral_port_last;
             ++p) {
            const auto port = static_cast<std::uint16_t>(p);
            if (!is_listening(local.address, port)) {
                local.port = port;
                break;
            }
        }
        if (local.port == 0) return errc::address_not_available;
    }
    if (is_listening(local.address, local.port)) return errc::address_in_use;
    listeners_.push_back(std::make_unique<listener>(local, options));
    return listeners_.back().get();
}

void demux::close(listener& l, instant now) {
    // The children are few against the table, and a listener closes once.
    std::vector<connection*> children;
    table_.for_each([&](connection& c) {
        if (c.parent_ == &l) children.push_back(&c);
        if (c.fast_open_ != nullptr && c.fast_open_->counted == &l) c.fast_open_->counted = nullptr;
    });
    for (connection* c : children) c->abort(now);
    while (l.can_accept()) bury(l.accept());  // over, now or since a while: nobody will hear how
    syn_cache_.reset_all(l, now);
    reap();
    std::erase_if(listeners_, [&](const auto& held) { return held.get() == &l; });
}

// ---- input

void demux::on_segment(const four_tuple& tuple, segment& seg, instant now) {
    const std::uint32_t hash = table_.hash_of(tuple);
    connection* c = table_.find(tuple, hash);
    if (c != nullptr && c->state_ != state::time_wait) {
        c->on_segment(seg, now);
    } else if (half_open* h =
                   syn_cache_.find(tuple, hash)) {  // that may be taking over a TIME-WAIT
        if (syn_cache_.on_segment(*h, seg, now) == syn_cache::outcome::complete) {
            complete(*h, seg, now);
        }
    } else if (c != nullptr) {
        if (!reopen(c->facts(), seg, now)) c->on_segment(seg, now);
    } else if (time_wait_record* ended = time_wait_.find(tuple, hash)) {
        if (!reopen(*ended, seg, now)) time_wait_.on_segment(*ended, seg, now);
    } else if (listener* l = find_listener(tuple.local_address, tuple.local_port)) {
        answer_listen(*l, tuple, seg, std::nullopt, now);
    } else {
        answer_closed(tuple, seg, now);
    }
    reap();
}

/// RFC 9293 §3.10.7.1.
void demux::answer_closed(const four_tuple& tuple, const segment& seg, instant now) {
    ++counters_.tcp_no_connection;
    if (seg.has(tcp_flags::rst)) return;
    if (seg.has(tcp_flags::ack)) {
        network_.send_reply({tuple, seg.ack.value(), 0, tcp_flags::rst}, now);
    } else {
        network_.send_reply(
            {tuple, 0, (seg.seq + seg.len()).value(), tcp_flags::rst | tcp_flags::ack}, now);
    }
}

void demux::on_icmp_error(const four_tuple& tuple, errc kind, bool is_hard, sequence_number quoted,
                          instant now) {
    connection* c = table_.find(tuple);
    if (c != nullptr) {
        c->on_icmp_error(kind, is_hard, quoted, now);
        reap();
        return;
    }
    // What a stranger began is not ended by what strangers say (RFC 5927 §4).
    const half_open* h = syn_cache_.find(tuple);
    ++(h != nullptr && quoted == h->iss ? counters_.icmp_error_delivered
                                        : counters_.icmp_error_unmatched);
}

void demux::on_packet_too_big(const four_tuple& tuple, std::uint32_t mtu_bytes,
                              std::uint32_t quoted_bytes, sequence_number quoted, instant now) {
    if (connection* c = table_.find(tuple)) {
        c->on_packet_too_big(mtu_bytes, quoted_bytes, quoted, now);
    } else {
        ++counters_.icmp_error_unmatched;
    }
}

void demux::on_unreachable(connection& c, errc kind, instant now) {
    transmitting_.erase(c);
    c.on_unreachable(kind, now);
    reap();
}

void demux::on_unreachable(half_open& h, instant now) { syn_cache_.end(h, event::timed_out, now); }

void demux::on_timeout(instant now) {
    timers_.advance(now);
    reap();
}

// ---- output

void demux::end_turn(connection& c, bool has_sent, instant now) {
    transmitting_.erase(c);
    if (has_sent) {
        transmitting_.push_back(c);
    } else if (c.is_retirable()) {
        retire(c, now);
    }
}

void demux::retire(connection& c, instant now) {
    const time_wait_facts facts = c.facts();
    table_.erase(c);
    bury(c);
    time_wait_.add(facts, now);
    reap();
}

void demux::resume(ip::neighbor_waiter& w) noexcept {
    if (w.kind() == half_open::waiter_kind) {
        syn_cache_.resume(static_cast<half_open&>(w));
    } else {
        static_cast<connection&>(w).mark_transmit();
    }
}

// ---- what connections ask for

connection* demux::make(const four_tuple& tuple, const connection_options& options, bool is_passive,
                        connection_id id) {
    if (live_count() >= config_.max_connections) return nullptr;
    assert(table_.find(tuple) == nullptr);  // one in TIME-WAIT has been ended
    connection& c = slab_.create(*this, id, tuple, options, is_passive);
    table_.insert(c);
    return &c;
}

void demux::forget(connection& c) noexcept {
    table_.erase(c);
    if (c.is_in_accept_queue()) return;  // whoever accepts it reads what came, and how it ended
    if (c.parent_ != nullptr) {
        --c.parent_->pending_;
        bury(c);
    } else if (c.orphan_) {
        bury(c);
    }
}

void demux::reap() noexcept {
    while (!dead_.empty()) {
        connection& c = dead_.pop_front();
        discount(c);
        slab_.destroy(c);
    }
}

void demux::discount(connection& c) noexcept {
    if (c.was_counted_) --orphans_;
    c.was_counted_ = false;
}

/// MAY-2, SHLD-4. The connection stays in TIME-WAIT until the third step shows that the SYN was no
/// old duplicate: "returns to TIME-WAIT state" is that it never left.
bool demux::reopen(const time_wait_facts& old, segment& seg, instant now) {
    if (!seg.has(tcp_flags::syn) || seg.flags.has_any(tcp_flags::ack | tcp_flags::rst)) {
        return false;
    }
    listener* l = find_listener(old.tuple.local_address, old.tuple.local_port);
    // A cookie cannot promise a number beyond those that the old connection used.
    if (l == nullptr || !has_room_for_record(*l) || may_be_old(seg, old)) return false;
    answer_listen(*l, old.tuple, seg, old.snd_nxt, now);
    return true;
}

/// RFC 6191 §2: a duplicate of a SYN from before the connection `in` TIME-WAIT.
bool demux::may_be_old(const segment& syn, const time_wait_facts& in) const noexcept {
    if (config_.timestamps && syn.options.has_timestamps()) {
        if (!in.has_timestamps) return false;
        const std::uint32_t value = syn.options.timestamps().value;
        if (value != in.ts_recent) return is_older_timestamp(value, in.ts_recent);
    }
    return syn.seq < in.rcv_nxt;  // not beyond the number of its FIN
}

void demux::end_time_wait(const four_tuple& tuple, instant now) {
    if (connection* c = table_.find(tuple)) {
        c->end_orderly(event::reopened, now);
    } else if (time_wait_record* ended = time_wait_.find(tuple)) {
        time_wait_.end(*ended, event::reopened, now);
    }
}

bool demux::is_listening(const ip_address& address, std::uint16_t port) const noexcept {
    return std::ranges::any_of(listeners_, [&](const auto& l) {
        return l->local_.port == port &&
               (l->local_.address == address || l->local_.address.is_unspecified() ||
                address.is_unspecified());
    });
}

listener* demux::find_listener(const ip_address& address, std::uint16_t port) noexcept {
    for (const auto& l : listeners_) {
        if (l->local_.port != port) continue;
        if (l->local_.address.is_unspecified() || l->local_.address == address) return l.get();
    }
    return nullptr;
}

/// RFC 6056 §3.3.3: a keyed offset for each destination, and a counter. 0: none is free.
std::uint16_t demux::choose_port(const endpoint& remote, const ip_address& local) {
    const std::uint32_t count = config_.ephemeral_port_last - config_.ephemeral_port_first + 1U;
    const four_tuple whom{local, remote.address, 0, remote.port};
    const auto offset =
        static_cast<std::uint32_t>(keyed_hash(secret_, whom, hash_purpose::source_port));
    for (std::uint32_t tried = 0; tried < count; ++tried) {
        const auto port = static_cast<std::uint16_t>(config_.ephemeral_port_first +
                                                     (offset + port_counter_++) % count);
        const four_tuple tuple{local, remote.address, port, remote.port};
        if (shard_.owns(tuple) && !is_in_use(tuple)) return port;
    }
    return 0;
}

/// RFC 9293 §3.4.1 (MUST-8, SHLD-1): M + F(four-tuple, secret), M ticking every 4 us.
sequence_number demux::initial_sequence(const four_tuple& tuple, instant now) const {
    const auto us =
        std::chrono::duration_cast<std::chrono::microseconds>(now.time_since_epoch()).count();
    return sequence_number{
        static_cast<std::uint32_t>(us / 4) +
        static_cast<std::uint32_t>(keyed_hash(secret_, tuple, hash_purpose::initial_sequence))};
}

bool demux::may_challenge(challenge_throttle& of, instant now) noexcept {
    if (!of.admits(now, config_.challenge_ack_interval) || !may_challenge_at_all(now)) {
        ++counters_.tcp_challenge_acks_limited;
        return false;
    }
    of.note(now);
    ++counters_.tcp_challenge_acks;
    return true;
}

bool demux::may_challenge_at_all(instant now) noexcept {
    const std::uint32_t mean = config_.challenge_acks_per_second;
    if (mean == 0) return true;
    if (now - challenge_window_ >= std::chrono::seconds{1} || challenge_window_ == instant{}) {
        challenge_window_ = now;
        // Between a half and three halves of it: a fixed number would let a stranger who is counted
        // too infer what others do.
        const auto when = static_cast<std::uint64_t>(now.time_since_epoch().count());
        constexpr auto purpose = static_cast<std::uint64_t>(hash_purpose::challenge_limit);
        challenges_left_ = mean / 2 + static_cast<std::uint32_t>(
                                          keyed_hash(secret_, {when, purpose}) % (mean + 1));
    }
    if (challenges_left_ == 0) return false;
    --challenges_left_;
    return true;
}

}  // namespace weft::net::tcp
