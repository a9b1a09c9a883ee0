#pragma once
// A middlebox that takes TCP options out of segments, or changes them: firewalls that know no
// option but MSS, and routers that clamp the MSS to their tunnel.
//
// An option is overwritten with NOPs (RFC 9293 §3.1), so that the segment keeps its length.

#include <weft/net/io/middlebox.hpp>

#include <cstdint>
#include <type_traits>

namespace weft::sim {

struct option_stripper_settings {
    enum class segments : std::uint8_t { with_syn, without_syn, all };
    enum class directions : std::uint8_t { both, forward, back };

    bool mss = false;
    bool window_scale = false;
    bool sack_permitted = false;
    bool sack_blocks = false;
    bool timestamps = false;
    bool unknown = false;           ///< every option that is none of these
    std::uint16_t clamp_mss = 0;    ///< an MSS above it becomes it; 0: none does
    segments from = segments::all;  ///< broken boxes strip some and leave others
    directions along = directions::both;
};
static_assert(std::is_trivially_destructible_v<option_stripper_settings>);

class option_stripper final : public net::middlebox {
public:
    explicit option_stripper(const option_stripper_settings& settings) noexcept
        : settings_{settings} {}

    void on_frame(net::wire_frame frame, direction way, instant now,
                  net::wire_frames& out) override;

    [[nodiscard]] std::uint64_t stripped() const noexcept { return stripped_; }
    [[nodiscard]] std::uint64_t clamped() const noexcept { return clamped_; }

private:
    [[nodiscard]] bool applies(const net::segment_editor& segment, direction way) const noexcept;
    [[nodiscard]] bool strips(std::uint8_t kind) const noexcept;
    /// True when a byte was changed.
    bool edit(const net::segment_editor& segment) noexcept;

    option_stripper_settings settings_;
    std::uint64_t stripped_ = 0;
    std::uint64_t clamped_ = 0;
};

}  // namespace weft::sim
