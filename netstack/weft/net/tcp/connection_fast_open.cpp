// TCP Fast Open (RFC 7413): text in the SYN. §4.2.2 for both sides; the demultiplexer decides whose
// SYN is taken (demux_fast_open.cpp), fast_open_cache what is known of a server.

#include <weft/net/tcp/connection.hpp>
#include <weft/net/tcp/demux.hpp>
#include <weft/net/wire/tcp.hpp>

#include <algorithm>

namespace weft::net::tcp {

namespace {

/// RFC 7413 §4.1.3: larger announcements are not believed of a packet that must not be cut.
constexpr std::uint16_t largest_mss_v4 = 1460;
constexpr std::uint16_t largest_mss_v6 = 1440;

}  // namespace

// ---- the client

void connection::prepare_fast_open(bool without_cookie, instant now) {
    const auto server = owner_.fast_open_cache_.look_up(tuple_, now);
    if (!server) ++owner_.counters_.tcp_fast_open_paused;
    if (!server || (server->cookie.is_empty() && !without_cookie)) {
        fast_open_outcome_ = fast_open_outcome::no_cookie;
    }
    if (!server) return;
    fast_open_ = std::make_unique<fast_open_state>();
    fast_open_->cookie = server->cookie;
    fast_open_->has_option = !(server->cookie.is_empty() && without_cookie);
    if (fast_open_outcome_ == fast_open_outcome::no_cookie) return;
    // "Include any data up to the cached server MSS or default": the MSS counts options (RFC 9293
    // §3.7.1), and boxes on the path may add some.
    const std::uint32_t by_path = owner_.network_.max_segment_to(tuple_.remote_address, now) -
                                  static_cast<std::uint32_t>(wire::tcp_header_bytes);
    const std::uint16_t most = tuple_.remote_address.is_v4() ? largest_mss_v4 : largest_mss_v6;
    const std::uint16_t announced = std::min(server->mss != 0 ? server->mss : peer_mss_, most);
    const std::uint32_t mss = std::min<std::uint32_t>(announced, by_path);
    constexpr auto options = static_cast<std::uint32_t>(wire::tcp_max_options_bytes);
    fast_open_->most_text = static_cast<std::uint16_t>(mss - std::min(mss, options));
}

void connection::send_held_syn() noexcept {
    if (!is_syn_held()) return;
    syn_due_ = true;
    mark_transmit();
}

/// "Client: Sending SYN", and the cookie in the first SYN,ACK of a server whose keys have changed.
/// The option always fits: beside ours there is room for the largest cookie.
void connection::add_fast_open(outgoing& out, tx_slot& slot, instant now) {
    if (fast_open_->has_option) out.options.set_fast_open(fast_open_->cookie);
    const std::uint32_t wanted = std::min(sending_.size(), syn_text_room());
    if (wanted == 0) return;
    const std::uint32_t count = sending_.gather(0, wanted, slot);
    in_flight_.sent(snd_.nxt, snd_.nxt + count, now);
    snd_.nxt += count;
    sent_at_ = now;
    owner_.counters_.tcp_bytes_sent += count;
    count_text_sent(out, count);
}

/// Our SYN is acknowledged: "Client: Receiving SYN-ACK", "Server: Receiving ACK".
void connection::conclude_fast_open(const segment& seg, instant now) {
    if (!passive_) conclude_active_fast_open(seg, now);
    drop_fast_open(fast_open_queue::ending::in_order, now);
}

void connection::conclude_active_fast_open(const segment& seg, instant now) {
    fast_open_cache& cache = owner_.fast_open_cache_;
    const std::uint32_t unacked = snd_.nxt - snd_.una;
    const bool had_text = snd_.nxt != snd_.iss + 1;
    const bool is_taken = had_text && unacked == 0;
    const bool has_cookie = fast_open_->has_option && !seg.options.fast_open().is_empty();
    if (has_cookie) {
        cache.learn(tuple_, seg.options.fast_open(), peer_mss_);
    } else {
        cache.learn_mss(tuple_, peer_mss_);
    }
    // §4.1.3.1, §4.2.1: neither a cookie nor an acknowledgment of text although we gave reason for
    // it. What a box on the path has dropped looks the same. A SYN that crosses ours, and a cookie
    // without text, are answered by no word about it.
    const bool has_crossed = (visited_ & mask_of(state::syn_received)) != 0;
    const bool asks = fast_open_->cookie.is_empty() && fast_open_->has_option;
    const bool expects_word = (had_text || asks || syn_was_lost_) && !has_crossed;
    if (has_cookie || seg.ack != snd_.iss + 1) {
        cache.on_success(tuple_);
    } else if (expects_word) {
        cache.on_failure(tuple_, settings().fast_open_pause, now);
    }
    if (!had_text) return;
    if (is_taken) {
        ++owner_.counters_.tcp_fast_open_active;
        fast_open_outcome_ = fast_open_outcome::text_acknowledged;
        return;
    }
    ++owner_.counters_.tcp_fast_open_active_failed;
    fast_open_outcome_ =
        syn_was_lost_ ? fast_open_outcome::syn_repeated : fast_open_outcome::text_not_acknowledged;
    // "The client SHOULD retransmit any unacknowledged data in the first ACK packet": the server
    // did not take it, which says nothing of the network.
    in_flight_.mark_all_lost();
}

/// The connection ends before its SYN was acknowledged.
void connection::abandon_fast_open(event e, instant now) {
    // No answer at all, or an ICMP error instead (§4.1.3.1).
    if (!passive_ && e == event::timed_out && snd_.nxt != snd_.iss) {
        owner_.fast_open_cache_.on_failure(tuple_, settings().fast_open_pause, now);
    }
    using enum fast_open_queue::ending;
    drop_fast_open(e == event::got_reset ? reset : in_order, now);
}

void connection::drop_fast_open(fast_open_queue::ending how, instant now) {
    if (fast_open_->counted != nullptr) fast_open_->counted->fast_open_.remove(how, now);
    fast_open_.reset();
}

/// A router says that our SYN was too big: without its text it is not. False: it had none.
bool connection::repeat_syn_without_text(std::uint32_t mtu_bytes,
                                         std::uint32_t quoted_bytes) noexcept {
    if (state_ != state::syn_sent || snd_.nxt == snd_.iss + 1 || syn_was_lost_) return false;
    if (mtu_bytes >= quoted_bytes) return false;
    syn_due_ = true;
    mark_transmit();
    return true;
}

// ---- the server

/// "Buffer the data and notify the application. [...] If the FastOpened flag is set, the packet
/// acknowledges the SYN and data sequence." A FIN behind the text waits for the handshake, as the
/// state machine has it (RFC 9293 §3.10.7.4 eighth).
void connection::on_fast_open(const handshake& h, const wire::tcp_fast_open_cookie& cookie,
                              segment& syn, instant now) {
    fast_open_ = std::make_unique<fast_open_state>();
    fast_open_->cookie = cookie;
    fast_open_->has_option = !cookie.is_empty();
    fast_open_->counted = h.parent;
    h.parent->fast_open_.add();
    on_handshake(h, now);
    if (!syn.text.empty()) count_received(syn);
    syn.seq += 1;
    syn.flags &= ~tcp_flags::syn;
    trim(syn);
    if (syn.has(tcp_flags::fin)) {
        fin_seen_ = true;
        rcv_.fin = syn.seq + syn.text.size();
    }
    if (syn.text.empty()) return;
    append_text(std::move(syn.text));
    fast_open_outcome_ = fast_open_outcome::text_acknowledged;
}

}  // namespace weft::net::tcp
