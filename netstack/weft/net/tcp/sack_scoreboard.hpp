#pragma once
// What selective acknowledgments say of what is in flight (RFC 2018 §5, RFC 2883 §4, RFC 6675 §4).
//
// The scoreboard is the flag `sacked` on sent_ranges. Here blocks are checked, those that report a
// duplicate (D-SACK) told apart, and the others noted.

#include <weft/net/tcp/sent_ranges.hpp>
#include <weft/net/wire/tcp_options.hpp>

#include <optional>
#include <span>

namespace weft::net::tcp {

struct sack_news {
    struct block {
        sequence_number begin, end;
    };
    std::uint32_t newly_sacked = 0;  ///< bytes not known to have arrived before
    std::optional<block> duplicate;  ///< received twice (D-SACK)
    std::uint32_t rejected = 0;      ///< blocks that cannot be
    sequence_number highest;         ///< right edge of the highest block; una when there is none
};

/// Applies the blocks of one acknowledgment. `una`: after it. `oldest`: what a D-SACK may reach
/// back to. `delivered` as in sent_ranges::sack().
template <class Visit>
sack_news apply_sack_blocks(sent_ranges& ranges, std::span<const wire::sack_block> blocks,
                            sequence_number ack, sequence_number una, sequence_number nxt,
                            sequence_number oldest, Visit&& delivered) {
    sack_news news;
    news.highest = una;
    for (std::size_t i = 0; i < blocks.size(); ++i) {
        const sequence_number left{blocks[i].left};
        const sequence_number right{blocks[i].right};
        if (left >= right || right > nxt || left < oldest) {
            ++news.rejected;
            continue;
        }
        if (i == 0) {
            const bool is_below = left < ack;
            const bool is_inside_next = blocks.size() > 1 &&
                                        left >= sequence_number{blocks[1].left} &&
                                        right <= sequence_number{blocks[1].right};
            if (is_below || is_inside_next) {
                news.duplicate = sack_news::block{left, right};
                continue;
            }
        }
        if (right <= una) continue;  // old news
        news.newly_sacked += ranges.sack(later_of(left, una), right, delivered);
        news.highest = later_of(news.highest, right);
    }
    return news;
}

}  // namespace weft::net::tcp
