#pragma once
// Whether the window tells of the path or only of the past (RFC 7661).
//
// pipeACK is the most that was acknowledged in one round trip, lately. While it is below half of
// the window the window is not validated: congestion then reduces what was used and not what was
// allowed, and after five minutes the window is halved. Until there is a measurement (at first, and
// after each recovery) pipeACK is undefined and the window counts as validated.
// The loss-based algorithms own one; holds no clock.

#include <weft/net/tcp/congestion/ack_event.hpp>
#include <weft/net/tcp/congestion/windowed_max.hpp>

namespace weft::net::tcp {

class window_validation {
public:
    /// The non-validated period (§4.4: at most five minutes).
    static constexpr duration period = std::chrono::minutes{5};

    /// An acknowledgment outside recovery.
    void on_ack(const congestion_window& w, const ack_event& ack) noexcept;
    /// Recovery has ended: pipeACK is undefined (§4.4.1).
    void reset() noexcept { *this = window_validation{}; }

    [[nodiscard]] bool is_defined() const noexcept { return is_defined_; }
    [[nodiscard]] std::uint32_t pipe_ack() const noexcept { return recent_.best(); }
    [[nodiscard]] bool is_validated(const congestion_window& w) const noexcept {
        return !is_defined_ || pipe_ack() >= w.bytes / 2;
    }
    /// The end of the non-validated period (§4.4.3), once for each that has passed.
    void adjust(congestion_window& w, std::uint32_t initial_window, instant now) noexcept;

private:
    [[nodiscard]] static std::uint32_t milliseconds_of(instant t) noexcept {
        const auto since = t.time_since_epoch();
        return static_cast<std::uint32_t>(
            std::chrono::duration_cast<std::chrono::milliseconds>(since).count());
    }

    windowed_max<std::uint32_t> recent_;  // bytes, over milliseconds
    instant not_validated_since_ = never;
    sequence_number round_begin_;  // SND.UNA when this measurement began
    sequence_number round_end_;    // SND.NXT then
    bool has_round_ = false;
    bool is_defined_ = false;
};

}  // namespace weft::net::tcp
