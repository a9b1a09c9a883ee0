#pragma once
// F-RTO: whether a retransmission timeout was needless (RFC 5682 §2.1, with SACK §3.1).
//
// After a timeout only the first segment goes out again. If the next two acknowledgments bring
// news of segments that were sent before the timeout and not since, nothing had been lost.

#include <cstdint>

namespace weft::net::tcp {

class f_rto {
public:
    enum class step : std::uint8_t {
        off,
        wait_for_retransmission,  ///< step 2: the acknowledgment of what was sent again
        wait_for_verdict,         ///< step 3: new segments have left; what comes back?
    };
    enum class verdict : std::uint8_t {
        none,          ///< nothing is decided: send nothing again
        send_new,      ///< up to two new segments may leave, nothing is sent again
        conventional,  ///< it was a loss: send again what is missing
        spurious,      ///< it was not
    };
    /// What an acknowledgment brought.
    struct news {
        bool advances = false;  ///< SND.UNA moved
        bool covers_recovery_point =
            false;                       ///< up to all that was sent before the timeout, or more
        bool originals_arrived = false;  ///< ranges that were sent only once, before the timeout
        bool is_duplicate = false;
        bool can_send_new = false;  ///< there is unsent text, and the peer's window has room
    };

    void begin() noexcept { step_ = step::wait_for_retransmission; }
    void end() noexcept { step_ = step::off; }
    [[nodiscard]] bool is_on() const noexcept { return step_ != step::off; }
    [[nodiscard]] step at() const noexcept { return step_; }

    [[nodiscard]] verdict on_ack(const news& n) noexcept {
        if (step_ == step::wait_for_retransmission) {
            if (!n.advances) return verdict::none;
            if (n.covers_recovery_point || !n.can_send_new) return decided(verdict::conventional);
            step_ = step::wait_for_verdict;
            return verdict::send_new;
        }
        if (n.covers_recovery_point) return decided(verdict::conventional);
        if (n.originals_arrived) return decided(verdict::spurious);
        if (n.advances || n.is_duplicate) return decided(verdict::conventional);
        return verdict::none;
    }

private:
    verdict decided(verdict v) noexcept {
        step_ = step::off;
        return v;
    }

    step step_ = step::off;
};

}  // namespace weft::net::tcp
