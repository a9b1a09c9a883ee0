#pragma once
// What is in flight, described once: a queue of ranges from SND.UNA to SND.NXT, without gaps.
//
// Each range remembers when it left first and last and what is believed of it. Recovery algorithms
// annotate ranges; none keeps a list of its own. A large frame is one range; acknowledgments and
// retransmissions split it. The SYN and the FIN are ranges too: they occupy sequence numbers.

#include <weft/base/instant.hpp>
#include <weft/base/ring_queue.hpp>
#include <weft/net/tcp/sequence_number.hpp>

#include <cstdint>
#include <optional>

namespace weft::net::tcp {

struct sent_range {
    enum flag : std::uint8_t {
        lost = 1,           ///< believed lost and not sent again since
        retransmitted = 2,  ///< sent more than once: no round-trip sample (Karn)
        probe = 4,          ///< sent against a closed window
    };

    sequence_number begin;
    sequence_number end;
    instant sent_at;
    instant first_sent_at;
    std::uint8_t flags = 0;

    [[nodiscard]] std::uint32_t size() const noexcept { return end - begin; }
    [[nodiscard]] bool is(flag f) const noexcept { return (flags & f) != 0; }
};

class sent_ranges {
public:
    /// Above this many, neighbours alike in flags are merged.
    static constexpr std::uint32_t merge_above = 512;

    /// What an acknowledgment removed.
    struct acknowledged {
        std::uint32_t bytes = 0;
        std::optional<instant> sample_from;  ///< of the newest range that was sent only once
        bool any_retransmitted = false;
        instant resent_at;  ///< when the last of those was sent again
    };

    [[nodiscard]] bool empty() const noexcept { return ranges_.empty(); }
    [[nodiscard]] const sent_range& front() const noexcept { return ranges_.front(); }
    [[nodiscard]] std::uint32_t lost_bytes() const noexcept { return lost_bytes_; }
    /// Bytes believed to be in the network: sent, not acknowledged, not lost.
    [[nodiscard]] std::uint32_t pipe() const noexcept { return total_bytes_ - lost_bytes_; }

    void sent(sequence_number begin, sequence_number end, instant now, bool is_probe = false);
    acknowledged acknowledge(sequence_number up_to);

    /// Everything in flight is believed lost (a retransmission timeout).
    void mark_all_lost() noexcept;
    /// The first `bytes` in flight are believed lost (fast retransmit, partial acknowledgment).
    void mark_first_lost(std::uint32_t bytes);
    /// The window opened: what was sent against it is to be sent again, and the time that it was
    /// closed does not count against the peer.
    void mark_probes_lost(instant now) noexcept;

    /// The first range to send again, cut to `max_bytes`; nothing when none is lost.
    std::optional<sent_range> first_lost(std::uint32_t max_bytes);
    /// That range has been sent again.
    void resent(sequence_number begin, sequence_number end, instant now);

    void clear() noexcept {
        ranges_.release();
        total_bytes_ = lost_bytes_ = 0;
    }

private:
    void split(std::uint32_t i, sequence_number at);
    void set_lost(sent_range& r) noexcept;
    void merge_back() noexcept;

    ring_queue<sent_range> ranges_;
    std::uint32_t total_bytes_ = 0;
    std::uint32_t lost_bytes_ = 0;
};

}  // namespace weft::net::tcp
