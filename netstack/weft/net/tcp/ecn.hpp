#pragma once
// Explicit congestion notification (RFC 3168 §6.1): what the two SYNs agree on, which packets may
// be marked, and the conversation of CE, ECE and CWR.
//
// A router marks a packet (CE) where it would have dropped it; the receiver says so in every ACK
// (ECE) until the sender answers that it has slowed down (CWR). This class only keeps that
// conversation: the reduction itself is loss recovery's and the congestion control's, who tell here
// that it has happened. Owned and asked by `connection`.
//
// Not done: marks on SYNs, pure ACKs and retransmissions, which RFC 8311 allows as an experiment.

#include <weft/net/tcp/options.hpp>
#include <weft/net/tcp/segment.hpp>
#include <weft/net/wire/ipv4.hpp>

#include <cstdint>

namespace weft::net::tcp {

class ecn {
public:
    // ---- negotiation (§6.1.1)

    /// The bits of a SYN of ours. One that is sent again asks for nothing: the first may have been
    /// dropped for what it asked (§6.1.1.1).
    tcp_flags flags_of_syn(ecn_mode mode, bool is_again) noexcept;
    /// The bits of our SYN,ACK: what the SYNs up to now allow.
    tcp_flags flags_of_syn_ack(ecn_mode mode) noexcept;
    /// The peer's SYN, also one that it repeats: without the bits it has given up on ECN.
    void on_syn(tcp_flags flags) noexcept;
    /// The peer's SYN,ACK. One with both bits reflects ours and means nothing (§6.1.1.2).
    void on_syn_ack(tcp_flags flags) noexcept;

    /// Our data may be marked.
    [[nodiscard]] bool may_mark() const noexcept {
        return sent_setup_ && got_setup_ && !sent_plain_ && !got_plain_;
    }
    /// Marks on the peer's data are echoed. More than may_mark(): a SYN without the bits does not
    /// take back what the first one promised.
    [[nodiscard]] bool is_receiver() const noexcept {
        return sent_setup_ && got_setup_ && !got_plain_;
    }

    // ---- receiving (§6.1.3)

    enum class answer : std::uint8_t { in_time, at_once };
    /// Text in the window has arrived in a packet of that traffic class. A first mark is worth an
    /// ACK at once, and so is the sender's CWR, which may have no more than a segment in flight.
    answer on_text(std::uint8_t traffic_class, tcp_flags flags) noexcept;
    /// Every ACK carries ECE.
    [[nodiscard]] bool is_echoing() const noexcept { return echoing_; }

    // ---- sending (§6.1.2)

    /// An acceptable ACK has come. True: it tells of congestion that nothing was done about yet.
    /// `reduced_at`: SND.NXT as it was at the last reduction. Until the text from there on is
    /// acknowledged the peer may not have heard of it: at most one reduction for a window.
    bool on_ack(tcp_flags flags, sequence_number ack, sequence_number reduced_at) noexcept;
    /// The congestion window was reduced, for whatever reason.
    void on_reduced() noexcept;
    /// The next new text carries CWR. It has to be one segment: a device would put the bit into
    /// each that it cuts a frame into.
    [[nodiscard]] bool is_cwr_due() const noexcept { return cwr_due_; }

    struct marks {
        std::uint8_t codepoint = wire::ecn::not_ect;
        tcp_flags flags = {};
    };
    /// For a segment with text that was never sent before, and is no window probe (§6.1.5, §6.1.6).
    marks take_marks_of_new_text() noexcept;

private:
    bool sent_setup_ : 1 = false;
    bool sent_plain_ : 1 = false;
    bool got_setup_ : 1 = false;
    bool got_plain_ : 1 = false;
    bool echoing_ : 1 = false;
    bool cwr_due_ : 1 = false;
    bool has_reduced_ : 1 = false;
};

static_assert(sizeof(ecn) == 1);

}  // namespace weft::net::tcp
