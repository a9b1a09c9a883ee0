// What the layers below report, and errors that do not end a connection: RFC 9293 §3.9.2.2.

#include <weft/net/tcp/connection.hpp>
#include <weft/net/tcp/demux.hpp>

namespace weft::net::tcp {

void connection::set_soft_errors(bool on) noexcept {
    soft_errors_ = on;
    if (!on) soft_error_ = 0;
}

void connection::note_soft_error(errc what) noexcept {
    if (soft_errors_) soft_error_ = static_cast<std::uint8_t>(what);
}

std::error_code connection::take_soft_error() noexcept {
    const std::uint8_t e = std::exchange(soft_error_, {});
    return e == 0 ? std::error_code{} : make_error_code(static_cast<errc>(e));
}

/// RFC 9293 §3.9.2.2, with the validation of RFC 5927 §4: an error about nothing in flight is not
/// believed, and a hard one ends only a connection that is not synchronized.
void connection::on_icmp_error(errc kind, bool is_hard, sequence_number quoted, instant now) {
    if (quoted < snd_.una || quoted >= snd_.nxt) {
        ++owner_.counters_.icmp_error_unmatched;
        return;
    }
    ++owner_.counters_.icmp_error_delivered;
    if (is_hard && state_ == state::syn_sent) {
        end(event::timed_out, kind, now);
    } else {
        note_soft_error(kind);
    }
}

void connection::on_unreachable(errc kind, instant now) {
    if (is_one_of(state_, state::syn_sent, state::syn_received)) {
        end(event::timed_out, kind, now);
        return;
    }
    // Later packets find out whether it comes back; R2 ends it if not. An acknowledgment that was
    // due is lost, as one that left would have been.
    note_soft_error(kind);
    ack_now_ = false;
    duplicates_due_ = 0;
    const bool has_work = !in_flight_.empty() || unsent_bytes() != 0 || is_fin_due();
    if (retransmit_at_ == never && has_work) {
        asked_at_ = now;
        restart_retransmission_timer(now);
    }
}

}  // namespace weft::net::tcp
