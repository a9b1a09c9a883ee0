// Whose SYN is taken together with its text: RFC 7413 §4.2.2, "Server: Receiving SYN and responding
// with SYN-ACK". Everybody else's handshake is as ever; an SYN,ACK may bring them a cookie.

#include <weft/net/tcp/demux.hpp>

namespace weft::net::tcp {

/// True: a child has been made, and waits to be accepted. False: a record is to be kept of `h`.
bool demux::take_fast_open(handshake& h, segment& syn, instant now) {
    listener& l = *h.parent;
    const wire::tcp_fast_open_cookie& cookie = syn.options.fast_open();
    const bool needs_cookie = !l.options_.fast_open_cookieless;
    const bool wants = syn.options.has_fast_open() || (!needs_cookie && !syn.text.empty());
    if (l.fast_open_.limit() == 0 || !wants) return false;  // FastOpenEnabled
    if (syn.options.has_fast_open() && cookie.is_empty()) ++counters_.tcp_fast_open_cookie_requests;
    if (!l.fast_open_.has_room(now)) {
        ++counters_.tcp_fast_open_overflow;
        return false;
    }
    const fast_open_keys keys = fast_open_keys_of(l, now);
    const cookie_verdict verdict =
        needs_cookie ? taste_fast_open_cookie(keys, h.tuple, cookie) : cookie_verdict::current;
    if (verdict == cookie_verdict::invalid) {
        if (!cookie.is_empty()) ++counters_.tcp_fast_open_passive_failed;
        h.offers_cookie = true;
        return false;
    }
    connection* const child = make(h.tuple, l.options_.connection, true, h.id);
    if (child == nullptr) return false;
    ++counters_.tcp_fast_open_passive;
    wire::tcp_fast_open_cookie renewed;
    if (verdict == cookie_verdict::previous) {
        ++counters_.tcp_fast_open_previous_key;
        renewed = bake_fast_open_cookie(keys.current, h.tuple);
    }
    announce_handshake(h, now);
    child->parent_ = &l;
    child->on_fast_open(h, renewed, syn, now);
    enter_accept_queue(*child);
    return true;
}

}  // namespace weft::net::tcp
