#pragma once
// How large the packets of one connection may be: what routers say of the path (RFC 1191), believed
// as far as RFC 5927 §7.2 goes, and what the connection finds out by itself (RFC 4821): that large
// packets vanish without a word (a black hole), and by probes, that larger ones get through.
//
// A probe is one segment of real data that is larger than the others. Its loss alone says that the
// path is narrower than the probe and is no sign of congestion. Sizes are those of IP packets, in
// bytes. The class decides; the connection sends, tells it what has become of packets, and shares
// what was found with those to the same destination (ip/path_mtu_cache.hpp). One for each
// connection that sends text; not for the path of what arrives.

#include <weft/base/instant.hpp>
#include <weft/net/tcp/options.hpp>
#include <weft/net/tcp/sequence_number.hpp>

#include <cstdint>

namespace weft::net::tcp {

class path_mtu {
public:
    /// What became of a router's word.
    enum class verdict : std::uint8_t {
        implausible,   ///< nothing of ours is larger than that, or no path is so narrow
        deferred,      ///< as large ones have arrived: it counts if the packet times out
        probe_failed,  ///< about the probe alone
        reduced,       ///< current() is less now: what is in flight has to be sent again
    };

    /// `most`: no packet can be larger, for our link or for the peer. `known`: what is known of the
    /// path, `most` if nothing is.
    void begin(std::uint32_t most, std::uint32_t known, const config& c, instant now) noexcept;

    /// The size of a full packet.
    [[nodiscard]] std::uint32_t current() const noexcept { return current_; }
    /// The path takes less than we are willing to send: routers may cut our packets.
    [[nodiscard]] bool may_fragment() const noexcept { return may_fragment_; }
    /// Nothing is known to keep packets from being as large as they can be.
    [[nodiscard]] bool is_full_size() const noexcept { return current_ >= most_; }

    /// A packet with text was sent, anew or again, its text ending at `end`.
    void on_sent(sequence_number end, std::uint32_t packet_bytes) noexcept {
        if (packet_bytes <= largest_sent_) return;
        largest_sent_ = static_cast<std::uint16_t>(packet_bytes);
        largest_end_ = end;
    }
    /// The peer has everything before `una`. True: current() has changed.
    bool on_acknowledged(sequence_number una, const config& c, instant now) noexcept;

    /// A router could not forward the packet that begins at `quoted`, which is in flight: it takes
    /// `claimed` bytes; 0: it does not say (RFC 1191 §5). `quoted_bytes`: the length of the packet.
    verdict on_packet_too_big(std::uint32_t claimed, std::uint32_t quoted_bytes,
                              sequence_number quoted, const config& c, instant now) noexcept;
    /// What a timeout has changed.
    enum class timeout_effect : std::uint8_t { none, believed_router, black_hole };
    /// The first packet in flight, of this size, has timed out: current() may be less now.
    timeout_effect on_timeout(std::uint32_t packet_bytes, const config& c, instant now) noexcept;

    /// The size of the probe that is due, 0: none is. In mode `off` raises current() when its time
    /// has come (RFC 1191 §6.3) instead; ask for it again.
    [[nodiscard]] std::uint32_t next_probe(const config& c, instant now) noexcept;
    void on_probe_sent(sequence_number begin, sequence_number end,
                       std::uint32_t packet_bytes) noexcept;
    [[nodiscard]] bool is_probing() const noexcept { return probe_bytes_ != 0; }
    /// The text of the probe that is in flight; empty when none is.
    [[nodiscard]] sequence_span in_flight() const noexcept {
        return is_probing() ? sequence_span{probe_begin_, probe_end_} : sequence_span{};
    }
    /// It arrived, by whatever the peer says: current() has changed.
    void on_probe_arrived(const config& c, instant now) noexcept;
    /// It alone is lost: it was too large. No other for `pause` (RFC 4821 §7.6.2).
    void on_probe_lost(duration pause, const config& c, instant now) noexcept;
    /// It is lost among others, or timed out: that says nothing of its size (§7.6.3, §7.6.4).
    void on_probe_inconclusive(duration pause, instant now) noexcept;

    /// Between these the search goes on (RFC 4821 §7.1).
    [[nodiscard]] std::uint32_t search_low() const noexcept { return low_; }
    [[nodiscard]] std::uint32_t search_high() const noexcept { return high_; }

private:
    void reduce(std::uint32_t bytes, const config& c, instant now) noexcept;
    bool fall_into_black_hole(const config& c, instant now) noexcept;
    [[nodiscard]] bool has_converged() const noexcept;
    [[nodiscard]] std::uint32_t pick() const noexcept;
    void go_on(duration pause, const config& c, instant now) noexcept;

    std::uint16_t most_ = 0;
    std::uint16_t current_ = 0;        ///< eff_pmtu
    std::uint16_t low_ = 0;            ///< search_low: gets through, as far as is known
    std::uint16_t high_ = 0;           ///< search_high: larger ones do not
    std::uint16_t largest_sent_ = 0;   ///< maxsizesent of RFC 5927 §7.2
    std::uint16_t largest_acked_ = 0;  ///< maxsizeacked
    std::uint16_t claimed_ = 0;        ///< a deferred word; 0: none
    std::uint16_t raised_from_ = 0;    ///< before the last probe that arrived
    std::uint16_t probe_bytes_ = 0;    ///< of the probe in flight; 0: none
    std::uint8_t timeouts_ = 0;        ///< in a row, of packets that may be too large
    bool tries_high_ : 1 = false;      ///< the next probe is of search_high itself
    bool may_fragment_ : 1 = false;
    sequence_number largest_end_;
    sequence_number claimed_at_;
    sequence_number probe_begin_;
    sequence_number probe_end_;
    instant next_probe_at_ = never;
};

}  // namespace weft::net::tcp
