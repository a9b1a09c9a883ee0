// How large a connection's packets are: what path_mtu.hpp decides, applied (RFC 1191, RFC 4821).

#include <weft/net/tcp/connection.hpp>
#include <weft/net/tcp/demux.hpp>
#include <weft/net/wire/ipv4.hpp>

#include <algorithm>

namespace weft::net::tcp {

namespace {

constexpr std::uint32_t timestamps_bytes = 12;
/// RFC 4821 §7.4: what must follow a probe for its loss to be noticed.
constexpr std::uint32_t segments_behind_probe = 3;
constexpr duration shortest_pause = std::chrono::milliseconds{100};
constexpr duration longest_pause = std::chrono::minutes{1};

std::uint32_t ip_header_bytes(const ip_address& remote) noexcept {
    constexpr std::uint32_t ipv6_header_bytes = 40;
    return remote.is_v4() ? static_cast<std::uint32_t>(wire::ipv4_header_bytes) : ipv6_header_bytes;
}

}  // namespace

/// Of a packet with text: IP, TCP, and the options that every segment carries.
std::uint32_t connection::header_bytes() const noexcept {
    return ip_header_bytes(tuple_.remote_address) +
           static_cast<std::uint32_t>(wire::tcp_header_bytes) +
           (timestamps_ ? timestamps_bytes : 0U);
}

void connection::begin_path(instant now) noexcept {
    const std::uint32_t ip = ip_header_bytes(tuple_.remote_address);
    const std::uint32_t link = owner_.network_.max_segment_of_link() + ip;
    const std::uint32_t peer = peer_mss_ + ip + static_cast<std::uint32_t>(wire::tcp_header_bytes);
    tx_->path.begin(std::min(link, peer), mss_ + header_bytes(), settings(), now);
    mss_ = static_cast<std::uint16_t>(tx_->path.current() - header_bytes());
}

/// The size of packets has changed: for this connection, and for those that follow.
void connection::adopt_path(instant now) noexcept {
    const path_mtu& path = tx_->path;
    mss_ = static_cast<std::uint16_t>(path.current() - header_bytes());
    tx_->congestion.on_mss(mss_);
    const std::uint32_t link =
        owner_.network_.max_segment_of_link() + ip_header_bytes(tuple_.remote_address);
    owner_.network_.learn_path_mtu(tuple_.remote_address,
                                   path.is_full_size() ? link : path.current(), now);
}

void connection::on_packet_too_big(std::uint32_t mtu_bytes, std::uint32_t quoted_bytes,
                                   sequence_number quoted, instant now) {
    if (quoted < snd_.una || quoted >= snd_.nxt) {  // RFC 5927 §4.1
        ++owner_.counters_.icmp_error_unmatched;
        return;
    }
    ++owner_.counters_.icmp_error_delivered;
    if (tx_ == nullptr) {  // only a SYN has left
        if (repeat_syn_without_text(mtu_bytes, quoted_bytes)) return;
        ++owner_.counters_.icmp_mtu_ignored;
        return;
    }
    const sequence_span probe = tx_->path.in_flight();
    switch (tx_->path.on_packet_too_big(mtu_bytes, quoted_bytes, quoted, settings(), now)) {
        case path_mtu::verdict::implausible: ++owner_.counters_.icmp_mtu_ignored; return;
        case path_mtu::verdict::deferred: ++owner_.counters_.icmp_mtu_deferred; return;
        case path_mtu::verdict::probe_failed:
            ++owner_.counters_.tcp_mtu_probes_lost;
            in_flight_.mark_lost_if([&](const sent_range& r) { return probe.holds(r.begin); });
            break;
        case path_mtu::verdict::reduced:
            ++owner_.counters_.tcp_path_mtu_reduced;
            adopt_path(now);
            // The others of that size met the same router. No sign of congestion.
            in_flight_.mark_lost_if([&](const sent_range& r) { return r.size() > mss_; });
            break;
    }
    mark_transmit();
}

/// A segment of new text that is larger than the others, when one is due and what follows it will
/// tell of its loss.
connection::mtu_probe connection::poll_mtu_probe(outgoing& out, tx_slot& slot, instant now) {
    path_mtu& path = tx_->path;
    if (path.is_full_size() || path.is_probing()) return mtu_probe::none;
    const std::uint32_t size = path.next_probe(settings(), now);
    if (size == 0) {
        if (path.current() != mss_ + header_bytes()) adopt_path(now);
        return mtu_probe::none;
    }
    const std::uint32_t text = size - header_bytes();
    const std::uint32_t needed = text + segments_behind_probe * mss_;
    const bool is_calm = tx_->recovery.phase() == recovery_phase::open &&
                         in_flight_.lost_bytes() == 0 && in_flight_.sacked_bytes() == 0 &&
                         sacks_ == nullptr && !is_sending_urgent() && !fin_sent_;
    if (!is_calm || std::min(unsent_bytes(), offered_room()) < needed ||
        tx_->congestion.window() < needed) {
        return mtu_probe::none;
    }
    // What is in flight makes room when it is acknowledged: §7.4 lets other text wait for that.
    if (congestion_room() < text) return mtu_probe::awaits_room;
    const sequence_number begin = snd_.nxt;
    emit_text(out, slot, begin, text, now);
    out.segment_bytes = 0;
    if (snd_.nxt - begin > mss_) {
        path.on_probe_sent(begin, snd_.nxt, (snd_.nxt - begin) + header_bytes());
        ++owner_.counters_.tcp_mtu_probes_sent;
    }
    return mtu_probe::sent;
}

/// After an acknowledgment: of a full packet, or of the probe.
void connection::take_path_news(bool has_advanced, instant now) noexcept {
    path_mtu& path = tx_->path;
    if (has_advanced && path.on_acknowledged(snd_.una, settings(), now)) {
        adopt_path(now);
        return;
    }
    if (!path.is_probing() || in_flight_.sacked_bytes() == 0) return;
    const sequence_span probe = path.in_flight();
    for (std::uint32_t i = 0; i < in_flight_.count(); ++i) {
        const sent_range& r = in_flight_[i];
        if (!r.is(sent_range::sacked) || r.begin > probe.begin || r.end < probe.end) continue;
        path.on_probe_arrived(settings(), now);
        adopt_path(now);
        return;
    }
}

/// After losses were looked for: alone, the probe was too large (RFC 4821 §7.6.2); among others it
/// tells nothing.
void connection::take_mtu_probe_loss(instant now) noexcept {
    path_mtu& path = tx_->path;
    if (!path.is_probing() || in_flight_.lost_bytes() == 0) return;
    const sequence_span probe = path.in_flight();
    for (std::uint32_t i = 0; i < in_flight_.count(); ++i) {
        const sent_range& r = in_flight_[i];
        if (!r.is(sent_range::lost) || r.begin >= probe.end || r.end <= probe.begin) continue;
        ++owner_.counters_.tcp_mtu_probes_lost;
        if (tx_->recovery.phase() == recovery_phase::open) {
            path.on_probe_lost(mtu_probe_pause(), settings(), now);
        } else {
            path.on_probe_inconclusive(mtu_probe_pause(), now);
        }
        mark_transmit();
        return;
    }
}

void connection::on_path_timeout(instant now) noexcept {
    path_mtu& path = tx_->path;
    if (path.is_probing()) {
        ++owner_.counters_.tcp_mtu_probes_lost;
        path.on_probe_inconclusive(5 * mtu_probe_pause(), now);  // RFC 4821 §7.6.3
    }
    const std::uint32_t text = in_flight_.front_segment_bytes(mss_);
    const auto effect = path.on_timeout(text + header_bytes(), settings(), now);
    if (effect == path_mtu::timeout_effect::none) return;
    ++owner_.counters_.tcp_path_mtu_reduced;
    if (effect == path_mtu::timeout_effect::black_hole) {
        ++owner_.counters_.tcp_path_mtu_black_holes;
    }
    adopt_path(now);
}

/// RFC 4821 §7.6.2: as many round trips as the window has segments, so that a probe's loss, which
/// is no sign of congestion, is rarer than losses that are.
duration connection::mtu_probe_pause() const noexcept {
    const std::uint32_t segments = tx_->congestion.window() / mss_ + 1;
    return std::clamp<duration>(rto_.smoothed() * segments, shortest_pause, longest_pause);
}

}  // namespace weft::net::tcp
