#pragma once
// Something on a wire that changes frames under way: the interface. Concrete boxes are in
// weft/sim/. Several on one wire are passed in their order, and in the other order on the way back.

#include <weft/base/instant.hpp>
#include <weft/net/io/wire_frame.hpp>

#include <cstdint>

namespace weft::net {

class middlebox {
public:
    /// `forward` is from the first of the two devices that the box was put between to the second.
    enum class direction : std::uint8_t { forward, back };

    middlebox(const middlebox&) = delete;
    middlebox& operator=(const middlebox&) = delete;
    virtual ~middlebox() = default;

    /// A frame comes by. What goes on is appended to `out`, whose frames are left alone: the frame
    /// itself, changed or not, several in its place, or nothing.
    virtual void on_frame(wire_frame frame, direction way, instant now, wire_frames& out) = 0;

protected:
    middlebox() = default;
};

}  // namespace weft::net
