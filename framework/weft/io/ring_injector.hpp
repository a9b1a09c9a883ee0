#pragma once
// The place where a test may come between a ring and the kernel: every request is shown to the
// injector before the kernel sees it. weft/test/ring_faults.hpp is the injector to use.
//
// A ring without one pays a test of a pointer for each enter and each reap, nothing for a request.

#include <cstddef>
#include <cstdint>

namespace weft {

/// What a request is about. `any` is for rules.
enum class ring_request : std::uint8_t {
    any,
    read,  ///< of files, pipes, devices
    write,
    receive,  ///< of streams' sockets
    send,
    receive_message,  ///< of datagrams' sockets
    send_message,
    accept,
    connect,
    poll,
    open,
    close,
    sync,
    splice,
    names,  ///< rename, unlink, link, symlink, mkdir
    other   ///< status of a file, truncate; not what loops tell each other
};

/// What becomes of a request.
struct ring_fault {
    int error = 0;             ///< above zero: it is answered with this errno, and not made
    std::size_t moves = 0;     ///< above zero: it asks for that many bytes only
    unsigned delay_turns = 0;  ///< its answers come so many turns of the loop later
};

class ring_injector {
public:
    /// `bytes` is what it may move, and 0 where that cannot be shortened; of a receive into buffers
    /// that the kernel chooses, 4096. A close is made even if it is answered with an error, as
    /// Linux does.
    virtual ring_fault on_request(ring_request kind, std::size_t bytes) noexcept = 0;
    /// Asked before each enter. True: the completion queue overflows in it.
    virtual bool overflows() noexcept = 0;
    /// Asked before each enter. True: the kernel would have said EAGAIN, and nothing is submitted.
    virtual bool refuses_enter() noexcept = 0;

protected:
    ~ring_injector() = default;
};

}  // namespace weft
