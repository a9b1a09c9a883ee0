#include <weft/net/tcp/sack_reporter.hpp>

#include <algorithm>

namespace weft::net::tcp {

void sack_reporter::on_held(sequence_number at) noexcept {
    const auto known = std::find(recent_.begin(), recent_.begin() + count_, at);
    if (known == recent_.begin() + count_) {
        if (count_ < recent_.size()) ++count_;
        std::shift_right(recent_.begin(), recent_.begin() + count_, 1);
    } else {
        std::shift_right(recent_.begin(), known + 1, 1);
    }
    recent_.front() = at;
}

void sack_reporter::report(wire::tcp_options& into, const receive_buffer& held,
                           std::size_t most) noexcept {
    if (most != 0 && has_duplicate()) into.add_sack_block(duplicate_);
    std::size_t kept = 0;
    std::array<sequence_span, wire::tcp_max_sack_blocks> reported{};
    for (std::size_t i = 0; i < count_; ++i) {
        const auto block = held.held_from(recent_[i]);
        if (!block || block->begin > recent_[i]) continue;  // delivered since
        const bool is_known =
            std::any_of(reported.begin(), reported.begin() + kept,
                        [&](const sequence_span& r) { return r.begin == block->begin; });
        if (is_known) continue;  // two blocks have grown together
        recent_[kept] = recent_[i];
        reported[kept++] = *block;
        if (into.sack_blocks().size() < most) {
            into.add_sack_block({block->begin.value(), block->end.value()});
        }
    }
    count_ = kept;
}

}  // namespace weft::net::tcp
