#pragma once
// Where frames come from and go to. A device feeds one host and is fed by it; devices that wrap
// devices (a pcap writer, a tracer) are devices too.
//
// One thread: everything happens on the loop that the device was made on. A device never calls the
// host back from inside `submit()`.

#include <weft/base/instant.hpp>
#include <weft/net/address.hpp>
#include <weft/net/block_pool.hpp>
#include <weft/net/frame.hpp>

namespace weft::net {

/// Who takes a device's frames: a host, or a device that wraps another.
class device_client {
public:
    /// A frame arrived; the slice is the client's now.
    virtual void on_frame(slice frame, const rx_offload& offload, instant now) noexcept = 0;
    /// A transmit slot is free again, after `acquire_slot()` had none.
    virtual void on_slot_available() noexcept = 0;
    /// The device refused a frame it had taken (EAGAIN, EIO): lost, and to be counted.
    virtual void on_frame_refused() noexcept = 0;

protected:
    ~device_client() = default;
};

class device {
public:
    device(const device&) = delete;
    device& operator=(const device&) = delete;
    virtual ~device() = default;

    [[nodiscard]] virtual const device_capabilities& capabilities() const noexcept = 0;

    /// Starts handing frames, in blocks of `pool`, to `client`. Call once, before anything else.
    virtual void start(device_client& client, block_pool& pool) = 0;

    /// No frame is handed on any more, and every slice of the pool is given back once this returns.
    /// Safe to call twice.
    virtual void stop() noexcept = 0;

    /// A cleared slot to describe a frame in, or nullptr when all are on their way.
    [[nodiscard]] virtual tx_slot* acquire_slot() noexcept = 0;
    /// Sends what the slot describes, in the order of the calls; the slot returns to the device.
    virtual void submit(tx_slot& slot) noexcept = 0;
    /// Gives back an acquired slot unused.
    virtual void release(tx_slot& slot) noexcept = 0;

protected:
    device() = default;
};

}  // namespace weft::net
