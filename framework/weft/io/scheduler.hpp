#pragma once
// The loop's turn, without a ring: run queue + timer wheel + clock.
//
// A turn: (1) whoever feeds the loop reaps its input, (2) due timers fire, (3) participants hand
// their flags to waiting operations and the run queue is worked off, (4) participants emit. Nothing
// is emitted between 2 and 4, so an acknowledgment rides on the response. `io_context` adds the
// ring; on a virtual clock the scheduler alone drives a simulation and jumps to the next deadline
// when it is idle. One thread.

#include <weft/base/instant.hpp>
#include <weft/base/intrusive_list.hpp>
#include <weft/base/operation.hpp>
#include <weft/base/timer_wheel.hpp>

namespace weft {

class scheduler;

/// Somebody with work at fixed points of the turn: a host of the network stack, above all.
class turn_participant : public list_hook<turn_participant> {
public:
    /// Step 3: moves what happened to the operations that wait for it (posts them).
    virtual void deliver(instant now) noexcept = 0;
    /// Step 4: emits what there is to say. Runs once a turn, after the run queue.
    virtual void settle(instant now) noexcept = 0;

protected:
    ~turn_participant() = default;
};

}  // namespace weft
