#pragma once
// Whether a recovery was needless: the segments had not been lost, only late.
//
// Two witnesses. The Eifel detection (RFC 3522): the first acknowledgment after a retransmission
// echoes a timestamp from before it, so the original arrived. D-SACK (RFC 2883 §5, RFC 3708): the
// peer reports each of our retransmissions as a duplicate. F-RTO, the third, is in f_rto.hpp.
// Whoever asks undoes the reduction (RFC 4015).

#include <weft/net/tcp/sequence_number.hpp>

#include <cstdint>

namespace weft::net::tcp {

class spurious_recovery {
public:
    /// A recovery or a timeout begins at SND.UNA. `was_resent`: what is there was sent again before
    /// it began, so that an old timestamp may be that retransmission's and is no witness.
    void begin(sequence_number una, bool was_resent) noexcept {
        *this = {};
        marker_ = una;
        watching_ = true;
        eifel_decided_ = was_resent;
    }
    void end() noexcept { watching_ = false; }

    /// [begin, end) was sent again, with this TSval (0 bits when there are no timestamps).
    void on_retransmission(sequence_number begin, sequence_number end,
                           std::uint32_t timestamp) noexcept {
        if (!watching_) return;
        if (retransmitted_ == 0 && !eifel_decided_) first_timestamp_ = timestamp;
        if (retransmitted_ == 0 || end > highest_) highest_ = end;
        retransmitted_ += end - begin;
        reported_needed_ += end - begin;
    }

    /// RFC 3522 §3.2 (4): SND.UNA moves for the first time since a retransmission. True: needless.
    [[nodiscard]] bool on_advance(bool has_echo, std::uint32_t echo) noexcept {
        if (!watching_ || eifel_decided_ || retransmitted_ == 0) return false;
        eifel_decided_ = true;
        return has_echo && is_older_timestamp(echo, first_timestamp_);
    }

    /// The peer has received [begin, end) twice. True: everything that was sent again was needless.
    /// What lies above all that this recovery sent again is an earlier one's, of a rescue or a tail
    /// loss probe: it tells nothing of this one.
    [[nodiscard]] bool on_dsack(sequence_number begin, sequence_number end) noexcept {
        if (!watching_ || retransmitted_ == 0 || begin < marker_ || end > highest_) return false;
        const std::uint32_t bytes = end - begin;
        reported_needed_ -= bytes < reported_needed_ ? bytes : reported_needed_;
        return reported_needed_ == 0;
    }

private:
    sequence_number marker_;
    sequence_number highest_;  // end of what was sent again
    std::uint32_t retransmitted_ = 0;
    std::uint32_t reported_needed_ = 0;  // of these, not reported as duplicates
    std::uint32_t first_timestamp_ = 0;
    bool watching_ = false;
    bool eifel_decided_ = false;
};

}  // namespace weft::net::tcp
