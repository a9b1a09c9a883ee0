#pragma once
// Time as a value: `duration` and `instant`.
//
// There is deliberately no `now()` here. Protocol code receives the time as an argument; only a
// scheduler's clock (steady or virtual) makes instants. An instant counts nanoseconds from an
// origin that the clock chooses: compare and subtract, never interpret.

#include <chrono>
#include <cstdint>

namespace weft {

using duration = std::chrono::nanoseconds;

/// The time line that instants belong to. Not a clock: it cannot be asked for the time.
struct monotonic {
    using duration = weft::duration;
    using rep = duration::rep;
    using period = duration::period;
    using time_point = std::chrono::time_point<monotonic, duration>;
    static constexpr bool is_steady = true;
};

using instant = std::chrono::time_point<monotonic, duration>;

/// Later than every deadline.
inline constexpr instant never = instant::max();

}  // namespace weft
