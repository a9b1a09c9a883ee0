#include <weft/net/udp/demux.hpp>
#include <weft/net/wire/ipv4.hpp>

#include <algorithm>

namespace weft::net::udp {

// ---- user calls

result<socket*> demux::open(endpoint local, const socket_options& options, std::uint64_t random) {
    if (local.port == 0) {
        local.port = choose_port(local.address, random);
        if (local.port == 0) return errc::address_not_available;
    } else if (is_in_use(local)) {
        return errc::address_in_use;
    }
    socket& made = sockets_.create(local, options);
    bucket(local.port).push_back(made);
    return &made;
}

void demux::connect(socket& s, const ip_address& local, const endpoint& remote) {
    s.local_.address = local;
    s.remote_ = remote;
    while (s.queued() != 0) (void)s.receive();
    s.error_ = s.soft_error_ = {};
}

void demux::close(socket& s) {
    s.closed_ = true;
    static_cast<list_hook<port_tag>&>(s).unlink();
    static_cast<list_hook<signaled_tag>&>(s).unlink();
    while (s.queued() != 0) (void)s.receive();
    s.receivers_.dismiss();
    s.senders_.dismiss();
    if (s.outgoing_bytes_ == 0) sockets_.destroy(s);
}

result<std::uint32_t> demux::send(socket& s, const ip_address& from, const endpoint& to,
                                  std::span<const std::byte> payload,
                                  std::uint16_t identification) {
    slice copy;
    if (!payload.empty()) {
        copy = pool_.allocate_for(payload.size());
        if (!copy) return errc::no_buffers;
        std::ranges::copy(payload, copy.data());
        copy.extend(static_cast<std::uint32_t>(payload.size()));
    }
    const std::uint32_t charge = copy.capacity() + socket::overhead_bytes;
    outgoing_datagram queued{{from, s.local_.port}, to, std::move(copy), charge};
    queued.identification = identification;
    queued.hop_limit = s.options_.hop_limit;
    queued.traffic_class = static_cast<std::uint8_t>(s.options_.traffic_class & ~wire::ecn::mask);
    s.queue(std::move(queued));
    mark_transmit(s);
    return static_cast<std::uint32_t>(payload.size());
}

bool demux::is_in_use(const endpoint& local) noexcept {
    bool found = false;
    bucket(local.port).for_each([&](socket& s) {
        found = found || (s.local_.port == local.port &&
                          (local.address.is_unspecified() || s.local_.address.is_unspecified() ||
                           s.local_.address == local.address));
    });
    return found;
}

std::uint16_t demux::choose_port(const ip_address& local, std::uint64_t random) noexcept {
    const std::uint32_t count = ephemeral_.last - ephemeral_.first + 1U;
    for (std::uint32_t tried = 0; tried < count; ++tried) {
        const auto port =
            static_cast<std::uint16_t>(ephemeral_.first + (random % count + tried) % count);
        const bool is_ours = port % ephemeral_.divisor == ephemeral_.remainder;
        if (is_ours && !is_in_use({local, port})) return port;
    }
    return 0;
}

// ---- input

socket* demux::find(const endpoint& local, const endpoint& remote, bool is_broadcast) noexcept {
    for (socket& s : bucket(local.port)) {
        if (s.local_.port != local.port) continue;
        const bool is_ours = s.local_.address.is_unspecified() ||
                             (!is_broadcast && s.local_.address == local.address);
        if (!is_ours) continue;
        if (s.remote_ && *s.remote_ != remote) continue;
        return &s;
    }
    return nullptr;
}

void demux::on_datagram(socket& s, const endpoint& from, const ip_address& to, slice payload) {
    switch (s.take(from, to, std::move(payload), pool_)) {
        case socket::taken::no_room: ++counters_.udp_queue_overflow; return;
        case socket::taken::no_memory: ++counters_.udp_memory_dropped; return;
        case socket::taken::yes: break;
    }
    ++counters_.udp_received;
    signal(s);
}

void demux::on_error(const endpoint& local, const endpoint& remote, errc kind, bool is_hard) {
    socket* const s = find(local, remote, false);
    if (s == nullptr || !s->remote_) {
        ++counters_.icmp_error_unmatched;  // nobody could tell which datagram it is about
        return;
    }
    ++counters_.icmp_error_delivered;
    (is_hard ? s->error_ : s->soft_error_) = kind;
    if (is_hard) signal(*s);
}

// ---- output

void demux::mark_transmit(socket& s) noexcept {
    if (s.has_outgoing() && !static_cast<list_hook<transmit_tag>&>(s).is_linked()) {
        transmitting_.push_back(s);
    }
}

void demux::pop_outgoing(socket& s) {
    s.outgoing_.pop_front();
    static_cast<list_hook<transmit_tag>&>(s).unlink();
    mark_transmit(s);
}

void demux::discharge(socket& s, std::uint32_t charge_bytes) {
    s.outgoing_bytes_ -= charge_bytes;
    if (s.closed_ && s.outgoing_bytes_ == 0) {
        sockets_.destroy(s);
    } else {
        signal(s);
    }
}

void demux::on_fragment_sent(socket& s) {
    const outgoing_datagram& sent = s.outgoing_.front();
    if (sent.sent_bytes < sent.total_bytes()) {
        static_cast<list_hook<transmit_tag>&>(s).unlink();
        transmitting_.push_back(s);
        return;
    }
    ++counters_.udp_sent;
    const std::uint32_t charge = sent.charge_bytes;
    pop_outgoing(s);
    discharge(s, charge);
}

void demux::drop_outgoing(socket& s, errc why) {
    const outgoing_datagram& gone = s.outgoing_.front();
    report(s, gone.to, why);
    const std::uint32_t charge = gone.charge_bytes;
    pop_outgoing(s);
    discharge(s, charge);
}

void demux::report(socket& s, const endpoint& about, errc why) noexcept {
    ++counters_.udp_not_sent;
    if (s.remote_ != about) return;
    s.error_ = why;  // signalled by discharge()
}

void demux::set_aside(socket& s, const ip_address& next_hop) {
    std::uint32_t same = 0;
    std::uint32_t oldest = 0;
    for (std::uint32_t i = aside_.size(); i-- > 0;) {
        if (aside_[i].next_hop != next_hop) continue;
        ++same;
        oldest = i;
    }
    aside_.push_back({&s, next_hop, std::move(s.outgoing_.front())});
    pop_outgoing(s);
    if (same == max_aside_per_neighbor) {
        forget_aside(oldest);
    } else if (aside_.size() > max_aside) {
        forget_aside(0);
    }
}

void demux::forget_aside(std::uint32_t index) {
    ++counters_.neighbor_queue_dropped;
    socket& s = *aside_[index].owner;
    const std::uint32_t charge = aside_[index].datagram.charge_bytes;
    aside_.erase(index);
    discharge(s, charge);
}

void demux::drop_aside(std::uint32_t index, errc why) {
    socket& s = *aside_[index].owner;
    report(s, aside_[index].datagram.to, why);
    const std::uint32_t charge = aside_[index].datagram.charge_bytes;
    aside_.erase(index);
    discharge(s, charge);
}

void demux::resume(std::uint32_t index) {
    socket& s = *aside_[index].owner;
    s.outgoing_.insert(0, std::move(aside_[index].datagram));
    aside_.erase(index);
    mark_transmit(s);
}

}  // namespace weft::net::udp
