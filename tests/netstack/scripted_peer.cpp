#include "scripted_peer.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <stdexcept>
#include <utility>

namespace weft::test {

using namespace net::tcp;
using net::tcp::state;
using std::chrono::milliseconds;

namespace {

constexpr hash_secret secret{0x0123'4567'89ab'cdef, 0xfedc'ba98'7654'3210};
constexpr std::size_t endless = 20'000;

/// The instant at which the stack's clock-driven ISN (one step every 4 us) is `iss`.
instant start_for(std::uint32_t iss) {
    const auto hash = static_cast<std::uint32_t>(
        keyed_hash(secret, scripted_peer::tuple(), hash_purpose::initial_sequence));
    return instant{std::chrono::microseconds{std::int64_t{4} * std::uint32_t{iss - hash}}};
}

void require(bool condition, const char* what) {
    if (!condition) throw std::logic_error{what};
}

}  // namespace

four_tuple scripted_peer::tuple() {
    return {net::ipv4_address{10, 0, 0, 2}, net::ipv4_address{10, 0, 0, 1}, 40000, 80};
}

scripted_peer::scripted_peer(net::tcp::state s, const script_options& o)
    : pool{o.pool_bytes},
      demux{*this, o.config, secret, pool, counters},
      now{start_for(o.iss)},
      options{o},
      start_{now} {
    demux.watcher = this;
    if (s != state::closed) opens(s);
}

scripted_peer::~scripted_peer() {
    slot_.clear();
    if (held_) releases();
    if (listener != nullptr) demux.close(*listener, now);
}

void scripted_peer::opens(net::tcp::state target) {
    script_segment handshake = options.passive || target == state::listen
                                   ? syn(options.irs)
                                   : syn_ack(options.irs, options.iss + 1);
    if (options.passive || target == state::listen) {
        listener = demux.listen(tuple().local(), {.connection = options.connection}, now).value();
        if (target == state::listen) {
            state_ = state::listen;
            return;
        }
        sends(handshake);
        require(sees() == syn_ack(options.iss, options.irs + 1), "no SYN,ACK");
    } else {
        opens_actively();
        require(sees() == syn(options.iss), "no SYN");
        if (target == state::syn_sent) return;
        if (options.handshake_rtt != duration::zero()) waits(options.handshake_rtt);
        if (target == state::syn_received) {
            sends(syn(options.irs));
            require(sees() == syn_ack(options.iss, options.irs + 1), "no SYN,ACK");
            return;
        }
        sends(handshake);
        require(sees() == ack(options.iss + 1, options.irs + 1), "no ACK of the SYN,ACK");
    }
    if (target == state::syn_received) return;
    if (options.passive) {
        sends(ack(options.irs + 1, options.iss + 1));
        accepts();
    }
    leaves_established(target);
    require(state() == target, "the script did not reach the state");
}

void scripted_peer::opens_actively() {
    connection = demux.connect(tuple().local(), tuple().remote(), options.connection, now).value();
    held_ = true;
}

void scripted_peer::leaves_established(net::tcp::state target) {
    const std::uint32_t ours = options.iss + 1;
    const std::uint32_t theirs = options.irs + 1;
    switch (target) {
        case state::fin_wait_1:
        case state::fin_wait_2:
        case state::closing:
        case state::time_wait:
            require(closes().has_value() && sees() == fin_ack(ours, theirs), "no FIN");
            if (target == state::closing) {
                sends(fin_ack(theirs, ours));
                require(sees() == ack(ours + 1, theirs + 1), "no ACK of the FIN");
            } else if (target != state::fin_wait_1) {
                sends(ack(theirs, ours + 1));
                if (target == state::fin_wait_2) return;
                sends(fin_ack(theirs, ours + 1));
                require(sees() == ack(ours + 1, theirs + 1), "no ACK of the FIN");
            }
            return;
        case state::close_wait:
        case state::last_ack:
            sends(fin_ack(theirs, ours));
            require(sees() == ack(ours, theirs + 1), "no ACK of the FIN");
            if (target == state::close_wait) return;
            require(closes().has_value() && sees() == fin_ack(ours, theirs + 1), "no FIN");
            return;
        default: return;
    }
}

net::tcp::segment scripted_peer::segment_of(const script_segment& s) {
    net::tcp::segment seg;
    seg.seq = sequence_number{s.seq};
    seg.ack = sequence_number{s.ack};
    seg.flags = s.flags;
    seg.wnd = s.window.value_or(options.peer_window);
    seg.up = s.urgent;
    seg.traffic_class = s.traffic_class;
    seg.options = s.options;
    seg.segment_bytes = s.segment_bytes;
    if (!s.text.empty()) {
        seg.text = pool.allocate_for(s.text.size());
        require(static_cast<bool>(seg.text), "the script's own pool is empty");
        std::ranges::transform(s.text, seg.text.data(),
                               [](char c) { return static_cast<std::byte>(c); });
        seg.text.extend(static_cast<std::uint32_t>(s.text.size()));
    }
    return seg;
}

void scripted_peer::sends(const script_segment& s) {
    net::tcp::segment seg = segment_of(s);
    if (s.has(tcp_flags::syn)) {
        if (!seg.options.has_mss() && options.peer_mss != 0) seg.options.set_mss(options.peer_mss);
        if (options.peer_sack) seg.options.set_sack_permitted();
        if (!seg.options.has_window_scale() && options.peer_scale) {
            seg.options.set_window_scale(*options.peer_scale);
        }
    }
    if (options.peer_timestamps && !s.plain && !seg.options.has_timestamps()) {
        const auto ms = std::chrono::duration_cast<milliseconds>(elapsed()).count();
        seg.options.set_timestamps({100'000U + static_cast<std::uint32_t>(ms), last_timestamp_});
    }
    demux.on_segment(tuple(), seg, now);
}

void scripted_peer::sends_from(std::uint16_t port, const script_segment& s) {
    sends_from({tuple().remote_address, port}, s);
}

void scripted_peer::sends_from(const net::endpoint& stranger, const script_segment& s) {
    const net::endpoint local = tuple().local();
    sends_on({local.address, stranger.address, local.port, stranger.port}, s);
}

void scripted_peer::sends_on(const four_tuple& other, const script_segment& s) {
    net::tcp::segment seg = segment_of(s);
    demux.on_segment(other, seg, now);
}

void scripted_peer::flush() {
    for (std::size_t count = 0;; ++count) {
        require(count < endless, "the stack sends without end");
        while (!replies_.empty()) {
            left_.push_back(std::move(replies_.front()));
            replies_.pop_front();
            note_timestamp();
        }
        outgoing out;
        if (half_open* h = demux.answering()) {
            demux.poll_syn_ack(*h, out, now);
            left_.push_back(take(out, slot_));
            note_timestamp();
            continue;
        }
        net::tcp::connection* c = demux.transmitting();
        if (c == nullptr) return;
        const bool has_sent = c->poll_segment(out, slot_, now);
        demux.end_turn(*c, has_sent, now);
        if (!has_sent) continue;
        left_.push_back(take(out, slot_));
        note_timestamp();
        slot_.clear();
    }
}

void scripted_peer::note_timestamp() {
    if (left_.back().options.has_timestamps()) {
        last_timestamp_ = left_.back().options.timestamps().value;
    }
}

script_segment scripted_peer::take(const outgoing& out, const net::tx_slot& slot) const {
    script_segment s =
        segment_with(out.header.flags, out.header.sequence, out.header.acknowledgment);
    s.window = out.header.window;
    s.urgent = out.header.urgent_pointer;
    s.traffic_class = out.traffic_class;
    s.options = out.options;
    s.segment_bytes = out.segment_bytes;
    s.retransmission = out.retransmission;
    s.at = elapsed();
    for (const net::slice& part : slot.payload_slices()) {
        for (const std::byte b : part.bytes()) s.text.push_back(static_cast<char>(b));
    }
    return s;
}

script_segment scripted_peer::sees() {
    flush();
    if (left_.empty()) return nothing;
    script_segment s = std::move(left_.front());
    left_.pop_front();
    return s;
}

std::vector<script_segment> scripted_peer::sees_all() {
    flush();
    std::vector<script_segment> all{left_.begin(), left_.end()};
    left_.clear();
    return all;
}

script_segment scripted_peer::sees_last() {
    const auto all = sees_all();
    return all.empty() ? nothing : all.back();
}

void scripted_peer::waits(duration d) {
    flush();
    const instant until = now + d;
    for (std::size_t count = 0; demux.next_timeout() <= until; ++count) {
        require(count < endless, "the timers fire without end");
        now = std::max(now, demux.next_timeout());
        demux.on_timeout(now);
        flush();
    }
    now = until;
    demux.on_timeout(now);
    flush();
}

script_segment scripted_peer::waits_for_segment(duration limit) {
    flush();
    const instant until = now + limit;
    while (left_.empty() && demux.next_timeout() <= until) {
        now = std::max(now, demux.next_timeout());
        demux.on_timeout(now);
        flush();
    }
    if (left_.empty()) now = until;
    return sees();
}

std::uint32_t scripted_peer::writes(std::string_view text) {
    return connection->write(std::as_bytes(std::span{text}), now).value();
}

std::uint32_t scripted_peer::writes_urgent(std::string_view text) {
    return connection->write(std::as_bytes(std::span{text}), now, urgency::urgent).value();
}

std::string scripted_peer::reads(std::size_t most) {
    std::string text(std::min<std::size_t>(most, connection->readable_bytes()), '\0');
    text.resize(connection->read(std::as_writable_bytes(std::span{text}), now));
    return text;
}

void scripted_peer::releases() {
    held_ = false;
    std::exchange(connection, nullptr)->release(now);
}

void scripted_peer::accepts() {
    require(listener->can_accept(), "nothing to accept");
    connection = &listener->accept();
    held_ = true;
}

void scripted_peer::icmp(net::errc kind, bool is_hard, std::uint32_t quoted_seq) {
    demux.on_icmp_error(tuple(), kind, is_hard, sequence_number{quoted_seq}, now);
}

void scripted_peer::icmp_too_big(std::uint32_t mtu, std::uint32_t quoted_seq,
                                 std::uint32_t quoted_bytes) {
    demux.on_packet_too_big(tuple(), mtu, quoted_bytes, sequence_number{quoted_seq}, now);
}

void scripted_peer::send_reply(const reply& r, instant) noexcept {
    script_segment s = segment_with(r.flags, r.sequence, r.acknowledgment);
    s.window = r.window;
    s.traffic_class = r.traffic_class;
    s.options = r.options;
    s.at = elapsed();
    replies_.push_back(std::move(s));
}

void scripted_peer::on_transition(const net::transition_event& e) {
    state_ = e.to;
    path_.push_back(e.to);
}

}  // namespace weft::test
