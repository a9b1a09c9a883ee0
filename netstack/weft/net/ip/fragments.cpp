#include <weft/net/ip/fragments.hpp>

#include <algorithm>
#include <limits>

namespace weft::net::ip {
namespace {

constexpr std::size_t unknown_end = std::numeric_limits<std::size_t>::max();
constexpr std::size_t largest_payload = 0xffff - wire::ipv4_header_bytes;

/// Where a fragment's payload belongs, and where it is kept.
struct piece {
    std::size_t begin;
    std::size_t end;
    std::size_t kept_at;
};

/// Lengths that one datagram's fragment may have (RFC 791 §3.2).
bool is_possible(const wire::ipv4_header& header, std::size_t payload_bytes) noexcept {
    return payload_bytes != 0 && (!header.more_fragments || payload_bytes % 8 == 0) &&
           header.fragment_offset_bytes + payload_bytes <= largest_payload;
}

}  // namespace

struct fragment_store::datagram {
    wire::ipv4_header header;  ///< the first fragment's once `has_first`, before it anyone's
    instant deadline{};
    std::vector<piece> pieces;  ///< by begin, not overlapping
    std::vector<std::byte> kept;
    std::size_t end = unknown_end;  ///< of the whole, known from the last fragment
    std::size_t arrived_bytes = 0;
    bool has_first = false;
    bool poisoned = false;  ///< given up: a tombstone until its timeout
    bool saw_ce = false;    ///< RFC 3168 §5.3
    bool saw_not_ect = false;

    [[nodiscard]] bool is_of(const wire::ipv4_header& other) const noexcept {
        return header.identification == other.identification && header.source == other.source &&
               header.destination == other.destination && header.protocol == other.protocol;
    }
};

fragment_store::fragment_store(stack_counters& counters, fragment_limits limits)
    : counters_{counters}, limits_{limits} {}

fragment_store::~fragment_store() = default;

std::size_t fragment_store::find(const wire::ipv4_header& header) const noexcept {
    std::size_t index = 0;
    while (index < pending_.size() && !pending_[index]->is_of(header)) {
        ++index;
    }
    return index;
}

fragment_store::fit fragment_store::fit_of(const datagram& into, std::size_t begin,
                                           std::size_t end) {
    for (const piece& other : into.pieces) {
        if (begin == other.begin && end == other.end) {
            return fit::duplicate;
        }
        if (begin < other.end && other.begin < end) {
            return fit::overlaps;
        }
    }
    return fit::fits;
}

std::optional<reassembled_datagram> fragment_store::on_fragment(const wire::ipv4_header& header,
                                                                wire::bytes_view payload,
                                                                instant now) {
    ++counters_.fragments_received;
    if (!is_possible(header, payload.size())) {
        ++counters_.fragments_malformed;
        return std::nullopt;
    }
    std::size_t index = find(header);
    if (index == pending_.size()) {
        if (pending_.size() >= limits_.max_datagrams) {
            give_up_oldest(nullptr);
        }
        auto added = std::make_unique<datagram>();
        added->header = header;
        added->deadline = now + limits_.timeout;
        pending_.push_back(std::move(added));
        index = pending_.size() - 1;
    }
    datagram* const into = pending_[index].get();
    if (into->poisoned) {
        return std::nullopt;
    }
    if (!add(*into, header, payload)) {
        return std::nullopt;
    }
    return into->arrived_bytes == into->end ? complete(find(header)) : std::nullopt;
}

/// True when the fragment was new and is kept.
bool fragment_store::add(datagram& into, const wire::ipv4_header& header,
                         wire::bytes_view payload) {
    const std::size_t begin = header.fragment_offset_bytes;
    const std::size_t end = begin + payload.size();
    const std::size_t known_end = into.pieces.empty() ? 0 : into.pieces.back().end;
    switch (fit_of(into, begin, end)) {
        case fit::duplicate: return false;
        case fit::overlaps: poison(into, counters_.fragments_overlapping); return false;
        case fit::fits: break;
    }
    // Two ends, or text behind the end: as impossible as an overlap, and as suspect.
    if (header.more_fragments ? end >= into.end : into.end != unknown_end || known_end > end) {
        poison(into, counters_.fragments_overlapping);
        return false;
    }
    if (into.pieces.size() >= limits_.max_fragments || !make_room(payload.size(), into)) {
        poison(into, counters_.fragments_over_limit);
        return false;
    }
    const auto after = std::find_if(into.pieces.begin(), into.pieces.end(),
                                    [&](const piece& other) { return other.begin > begin; });
    into.pieces.insert(after, {begin, end, into.kept.size()});
    into.kept.insert(into.kept.end(), payload.begin(), payload.end());
    into.arrived_bytes += payload.size();
    bytes_ += payload.size();
    if (!header.more_fragments) {
        into.end = end;
    }
    if (begin == 0) {
        into.header = header;
        into.has_first = true;
    }
    const unsigned codepoint = header.traffic_class & wire::ecn::mask;
    into.saw_ce = into.saw_ce || codepoint == wire::ecn::ce;
    into.saw_not_ect = into.saw_not_ect || codepoint == wire::ecn::not_ect;
    return true;
}

std::optional<reassembled_datagram> fragment_store::complete(std::size_t index) {
    datagram& whole = *pending_[index];
    if (whole.saw_ce && whole.saw_not_ect) {  // RFC 3168 §5.3: such a datagram must be dropped
        ++counters_.fragments_malformed;
        discard(index);
        return std::nullopt;
    }
    reassembled_datagram result;
    result.header = whole.header;
    result.header.more_fragments = false;
    result.header.header_bytes = wire::ipv4_header_bytes;  // its options do not come along
    result.header.total_bytes = static_cast<std::uint16_t>(wire::ipv4_header_bytes + whole.end);
    if (whole.saw_ce) {
        result.header.traffic_class |= wire::ecn::ce;
    }
    result.payload.reserve(whole.end);
    for (const piece& part : whole.pieces) {
        const auto from = whole.kept.begin() + static_cast<std::ptrdiff_t>(part.kept_at);
        result.payload.insert(result.payload.end(), from,
                              from + static_cast<std::ptrdiff_t>(part.end - part.begin));
    }
    ++counters_.datagrams_reassembled;
    discard(index);
    return result;
}

/// Frees the oldest datagrams but `keep` until the bytes fit; false if they never will.
bool fragment_store::make_room(std::size_t wanted_bytes, const datagram& keep) {
    while (bytes_ + wanted_bytes > limits_.max_bytes) {
        if (!give_up_oldest(&keep)) {
            return false;
        }
    }
    return true;
}

/// False when there is none but `keep`.
bool fragment_store::give_up_oldest(const datagram* keep) {
    for (std::size_t index = 0; index < pending_.size(); ++index) {
        if (pending_[index].get() != keep) {
            counters_.fragments_over_limit += pending_[index]->poisoned ? 0U : 1U;
            discard(index);
            return true;
        }
    }
    return false;
}

void fragment_store::discard(std::size_t index) {
    bytes_ -= pending_[index]->kept.size();
    pending_.erase(pending_.begin() + static_cast<std::ptrdiff_t>(index));
    if (pending_.empty()) {
        pending_.shrink_to_fit();
    }
}

/// Frees what a datagram holds; the rest of it will be dropped as it comes.
void fragment_store::poison(datagram& bad, std::uint64_t& reason) {
    ++reason;
    bytes_ -= bad.kept.size();
    bad.pieces = {};
    bad.kept = {};
    bad.poisoned = true;
}

instant fragment_store::next_timeout() const noexcept {
    return pending_.empty() ? never : pending_.front()->deadline;
}

std::optional<expired_datagram> fragment_store::poll_expired(instant now) {
    while (!pending_.empty() && pending_.front()->deadline <= now) {
        const datagram& oldest = *pending_.front();
        std::optional<expired_datagram> result;
        if (!oldest.poisoned) {
            ++counters_.fragments_timed_out;
            if (oldest.has_first) {
                result.emplace();
                result->header = oldest.header;
                std::copy_n(oldest.kept.begin() +
                                static_cast<std::ptrdiff_t>(oldest.pieces.front().kept_at),
                            std::min<std::size_t>(result->first_bytes.size(), oldest.kept.size()),
                            result->first_bytes.begin());
            }
        }
        discard(0);
        if (result) {
            return result;
        }
    }
    return std::nullopt;
}

}  // namespace weft::net::ip
