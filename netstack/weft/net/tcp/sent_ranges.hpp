#pragma once
// What is in flight, described once: a queue of ranges from SND.UNA to SND.NXT, without gaps.
//
// Each range remembers when it left first and last and what is believed of it. Recovery algorithms
// (the SACK scoreboard, RACK, tail loss probes, F-RTO) annotate ranges; none keeps a list of its
// own. A large frame is one range; acknowledgments, SACK blocks and retransmissions split it. The
// SYN and the FIN are ranges too: they occupy sequence numbers.

#include <weft/base/instant.hpp>
#include <weft/base/ring_queue.hpp>
#include <weft/net/tcp/delivery_rate.hpp>
#include <weft/net/tcp/sequence_number.hpp>

#include <cstdint>
#include <optional>
#include <string_view>

namespace weft::net::tcp {

struct sent_range {
    enum flag : std::uint8_t {
        lost = 1,           ///< believed lost and not sent again since
        retransmitted = 2,  ///< sent more than once: no round-trip sample (Karn)
        probe = 4,          ///< sent against a closed window
        sacked = 8,         ///< the peer holds it behind a gap (RFC 2018)
        merged = 16,  ///< of several sends: `first_sent_at` of the first, `sent_at` of the last
    };

    sequence_number begin;
    sequence_number end;
    instant sent_at;
    instant first_sent_at;
    delivery_snapshot delivery;  ///< as of `sent_at`; of a merged range, as of its first send
    std::uint8_t flags = 0;

    [[nodiscard]] std::uint32_t size() const noexcept { return end - begin; }
    [[nodiscard]] bool is(flag f) const noexcept { return (flags & f) != 0; }
    [[nodiscard]] bool is_outstanding() const noexcept { return (flags & (lost | sacked)) == 0; }
    /// [from, to) of it, as something that arrived: of a merged range it is the front that does,
    /// while what is missing may have left as late as `sent_at`.
    [[nodiscard]] sent_range arrived(sequence_number from, sequence_number to) const noexcept {
        sent_range part = *this;
        part.begin = from;
        part.end = to;
        if (is(merged)) part.sent_at = first_sent_at;
        return part;
    }
};

class sent_ranges {
public:
    /// Above this many, neighbours alike in flags are merged. Their times blur then, so it is more
    /// than a long path's frames.
    static constexpr std::uint32_t merge_above = 2048;
    /// From here on SACK blocks split no more ranges: what a block holds of one in part is not
    /// noted. Receivers report whole segments; one that reports octets would have as many ranges
    /// kept, and looked through, as there are octets in flight. Enough for what
    /// held_text::max_ranges tells.
    static constexpr std::uint32_t split_below = 8192;

    /// What an acknowledgment removed.
    struct acknowledged {
        std::uint32_t bytes = 0;
        std::uint32_t delivered = 0;         ///< of these, not known to have arrived before
        std::optional<instant> sample_from;  ///< of the newest range that was sent only once, alone
        bool any_retransmitted = false;
        instant resent_at;  ///< when the last of those was sent again
    };

    [[nodiscard]] bool empty() const noexcept { return ranges_.empty(); }
    [[nodiscard]] std::uint32_t count() const noexcept { return ranges_.size(); }
    [[nodiscard]] const sent_range& front() const noexcept { return ranges_.front(); }
    [[nodiscard]] const sent_range& operator[](std::uint32_t i) const noexcept {
        return ranges_[i];
    }
    /// What probed a closed window, and nothing else.
    [[nodiscard]] bool is_one_probe() const noexcept {
        return ranges_.size() == 1 && front().is(sent_range::probe);
    }
    [[nodiscard]] std::uint32_t total_bytes() const noexcept { return total_bytes_; }
    [[nodiscard]] std::uint32_t lost_bytes() const noexcept { return lost_bytes_; }
    [[nodiscard]] std::uint32_t sacked_bytes() const noexcept { return sacked_bytes_; }
    /// Sent more than once and neither acknowledged nor lost again.
    [[nodiscard]] bool has_retransmitted() const noexcept { return retransmitted_bytes_ != 0; }
    [[nodiscard]] std::uint32_t retransmitted_bytes() const noexcept {
        return retransmitted_bytes_;
    }
    /// Bytes believed to be in the network: sent, neither acknowledged in any way nor lost.
    [[nodiscard]] std::uint32_t pipe() const noexcept {
        return total_bytes_ - lost_bytes_ - sacked_bytes_;
    }

    void sent(sequence_number begin, sequence_number end, instant now, bool is_probe = false,
              const delivery_snapshot& delivery = {});

    /// Removes what lies before `up_to`. Calls `delivered(const sent_range&)` for each part that
    /// was not known to have arrived.
    template <class Visit>
    acknowledged acknowledge(sequence_number up_to, Visit&& delivered);
    acknowledged acknowledge(sequence_number up_to) {
        return acknowledge(up_to, [](const sent_range&) {});
    }
    /// The peer holds [begin, end). Calls `delivered(const sent_range&)` for each part that was not
    /// known to have arrived. Returns their bytes. `split_below` bounds what is noted.
    template <class Visit>
    std::uint32_t sack(sequence_number begin, sequence_number end, Visit&& delivered);

    /// Everything in flight that has not arrived is believed lost (a retransmission timeout).
    void mark_all_lost() noexcept;
    /// The first `bytes` in flight are believed lost (fast retransmit, partial acknowledgment).
    void mark_first_lost(std::uint32_t bytes);
    /// The window opened: what was sent against it is to be sent again, and the time that it was
    /// closed does not count against the peer.
    void mark_probes_lost(instant now) noexcept;
    /// Each outstanding range for which `is_lost(const sent_range&)` is believed lost. Returns how
    /// many bytes.
    template <class Predicate>
    std::uint32_t mark_lost_if(Predicate&& is_lost) noexcept;
    /// Nothing is lost after all.
    void mark_none_lost() noexcept;
    /// The peer took back what it had acknowledged selectively (RFC 2018 §8): nothing is.
    void forget_sacks() noexcept;

    /// The first range to send again, cut to `max_bytes`; nothing when none is lost.
    std::optional<sent_range> first_lost(std::uint32_t max_bytes);
    /// Bytes that the segment at the front had when it last left, `max_bytes` at most: what is sent
    /// again takes its neighbours along. Precondition: there is one.
    [[nodiscard]] std::uint32_t front_segment_bytes(std::uint32_t max_bytes) const noexcept;
    /// The last `max_bytes` that are outstanding and lie together; nothing when none is.
    std::optional<sent_range> last_outstanding(std::uint32_t max_bytes) const;
    /// That range has been sent again.
    void resent(sequence_number begin, sequence_number end, instant now,
                const delivery_snapshot& delivery = {});

    /// What is wrong with them as a description of [una, nxt); empty: nothing. For tests.
    [[nodiscard]] std::string_view violated_invariant(sequence_number una,
                                                      sequence_number nxt) const noexcept;

    void clear() noexcept {
        ranges_.release();
        total_bytes_ = lost_bytes_ = sacked_bytes_ = retransmitted_bytes_ = 0;
    }

private:
    /// The range that holds `at`, or the first one behind it.
    [[nodiscard]] std::uint32_t index_of(sequence_number at) const noexcept;
    void split(std::uint32_t i, sequence_number at);
    /// Accounts for `bytes` of `r` changing their flags, or going away.
    void add(const sent_range& r, std::uint32_t bytes) noexcept;
    void subtract(const sent_range& r, std::uint32_t bytes) noexcept;
    void set_flags(sent_range& r, unsigned flags) noexcept;
    void set_lost(sent_range& r) noexcept;
    void join_sacked(std::uint32_t i) noexcept;
    void merge_back() noexcept;

    ring_queue<sent_range> ranges_;
    std::uint32_t total_bytes_ = 0;
    std::uint32_t lost_bytes_ = 0;
    std::uint32_t sacked_bytes_ = 0;
    std::uint32_t retransmitted_bytes_ = 0;
};

template <class Visit>
sent_ranges::acknowledged sent_ranges::acknowledge(sequence_number up_to, Visit&& delivered) {
    acknowledged done;
    while (!ranges_.empty() && ranges_.front().begin < up_to) {
        sent_range& r = ranges_.front();
        const sent_range part = r.arrived(r.begin, earlier_of(r.end, up_to));
        done.bytes += part.size();
        subtract(r, part.size());
        total_bytes_ -= part.size();
        if (!r.is(sent_range::sacked)) {
            done.delivered += part.size();
            if (r.is(sent_range::retransmitted)) {
                done.any_retransmitted = true;
                if (done.resent_at < r.sent_at) done.resent_at = r.sent_at;
            } else if (!r.is(sent_range::merged)) {
                done.sample_from = r.sent_at;
            }
            delivered(part);
        }
        if (r.end > up_to) {
            r.begin = up_to;
            break;
        }
        ranges_.pop_front();
    }
    return done;
}

template <class Visit>
std::uint32_t sent_ranges::sack(sequence_number begin, sequence_number end, Visit&& delivered) {
    std::uint32_t bytes = 0;
    for (std::uint32_t i = index_of(begin); i < ranges_.size() && ranges_[i].begin < end; ++i) {
        if (ranges_[i].is(sent_range::sacked)) continue;
        const bool is_in_part = ranges_[i].begin < begin || ranges_[i].end > end;
        if (is_in_part && ranges_.size() >= split_below) continue;
        if (ranges_[i].begin < begin) {
            split(i, begin);
            continue;
        }
        if (ranges_[i].end > end) split(i, end);
        sent_range& r = ranges_[i];
        bytes += r.size();
        delivered(r.arrived(r.begin, r.end));
        set_flags(r, (r.flags & ~unsigned{sent_range::lost}) | sent_range::sacked);
    }
    if (bytes != 0) join_sacked(index_of(begin));
    return bytes;
}

template <class Predicate>
std::uint32_t sent_ranges::mark_lost_if(Predicate&& is_lost) noexcept {
    std::uint32_t bytes = 0;
    for (std::uint32_t i = 0; i < ranges_.size(); ++i) {
        sent_range& r = ranges_[i];
        if (!r.is_outstanding() || !is_lost(static_cast<const sent_range&>(r))) continue;
        bytes += r.size();
        set_lost(r);
    }
    return bytes;
}

}  // namespace weft::net::tcp
