#pragma once
// What a descriptor of ours stands for: a socket or an epoll instance. Each is known by a real
// descriptor of the process, an eventfd, so that numbers never collide with the kernel's.

#include <weft/net/posix/kernel_answer.hpp>

#include <cstdint>

namespace weft::net::posix {

/// What poll may be asked of a descriptor. The network's lock is held in all of these.
class descriptor {
public:
    descriptor() = default;
    descriptor(const descriptor&) = delete;
    descriptor& operator=(const descriptor&) = delete;
    virtual ~descriptor() = default;

    /// The POLL* bits that hold now, whether asked for or not.
    [[nodiscard]] virtual short poll_events() = 0;
    /// A number that moves whenever something happens that an edge is made of.
    [[nodiscard]] virtual std::uint64_t activity() const noexcept = 0;

    bool non_blocking = false;  ///< O_NONBLOCK
};

}  // namespace weft::net::posix
