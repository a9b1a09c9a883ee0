#include <weft/sim/option_stripper.hpp>

#include <algorithm>
#include <utility>

namespace weft::sim {
namespace kind = net::wire::tcp_option_kind;

bool option_stripper::applies(const net::segment_editor& segment, direction way) const noexcept {
    using enum option_stripper_settings::segments;
    using directions = option_stripper_settings::directions;
    const bool is_syn = segment.header().flags.has(net::wire::tcp_flags::syn);
    if (settings_.from != all && (settings_.from == with_syn) != is_syn) return false;
    return settings_.along == directions::both ||
           (settings_.along == directions::forward) == (way == direction::forward);
}

bool option_stripper::strips(std::uint8_t which) const noexcept {
    switch (which) {
        case kind::mss: return settings_.mss;
        case kind::window_scale: return settings_.window_scale;
        case kind::sack_permitted: return settings_.sack_permitted;
        case kind::sack: return settings_.sack_blocks;
        case kind::timestamps: return settings_.timestamps;
        default: return settings_.unknown;
    }
}

bool option_stripper::edit(const net::segment_editor& segment) noexcept {
    bool is_changed = false;
    std::span<std::byte> rest = segment.option_bytes();
    while (!rest.empty()) {
        const std::uint8_t which = net::wire::load_u8(rest.data());
        if (which == kind::end_of_list) break;
        if (which == kind::no_operation) {
            rest = rest.subspan(1);
            continue;
        }
        const std::size_t length = net::wire::load_u8(rest.data() + 1);  // was parsed: is right
        const std::span<std::byte> option = rest.first(length);
        rest = rest.subspan(length);
        if (strips(which)) {
            std::ranges::fill(option, std::byte{kind::no_operation});
            ++stripped_;
            is_changed = true;
        } else if (which == kind::mss && settings_.clamp_mss != 0 &&
                   net::wire::load_be16(option.data() + 2) > settings_.clamp_mss) {
            net::wire::store_be16(option.data() + 2, settings_.clamp_mss);
            ++clamped_;
            is_changed = true;
        }
    }
    return is_changed;
}

void option_stripper::on_frame(net::wire_frame frame, direction way, instant,
                               net::wire_frames& out) {
    const auto segment = net::segment_editor::find(frame);
    if (segment && applies(*segment, way) && edit(*segment)) segment->seal();
    out.push_back(std::move(frame));
}

}  // namespace weft::sim
