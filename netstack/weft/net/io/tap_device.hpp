#pragma once
// A device on a Linux TAP: Ethernet frames through io_uring, several reads and writes in flight.
//
// Frames carry a virtio header, so the kernel leaves checksums (and, when asked to, TCP
// segmentation) to us on the way in, and does them for us on the way out. The interface's own
// address and the kernel's IP address belong to the other end of the link; `stack_address()` is
// ours. Making the TAP, bringing it up and giving it an address is the administrator's work
// (`ip tuntap add`, `ip addr`, `ip link`).

#include <weft/base/result.hpp>
#include <weft/io/io_context.hpp>
#include <weft/net/io/device.hpp>
#include <weft/net/io/tap_interface.hpp>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string_view>
#include <type_traits>
#include <vector>

namespace weft::net {

struct tap_options {
    std::string_view name = "weft0";  ///< at most 15 bytes
    bool create = true;               ///< make the interface when it does not exist
    bool checksum_in = true;          ///< take frames whose checksum the kernel did not compute
    bool segmentation_in = false;     ///< take frames of up to 64 KiB that are many TCP segments
    std::uint32_t reads = 4;          ///< in flight at once
    std::uint32_t writes = 64;        ///< slots: frames on their way at once
};
static_assert(std::is_trivially_destructible_v<tap_options>);

class tap_device final : public device {
public:
    struct counters {
        std::uint64_t frames_in = 0;
        std::uint64_t frames_out = 0;
        std::uint64_t truncated = 0;       ///< longer than the block they were read into
        std::uint64_t dropped_memory = 0;  ///< the pool had no block to put in place of theirs
        std::uint64_t refused = 0;         ///< writes that the kernel did not take
        std::uint64_t read_errors = 0;
    };

    /// Attaches to the interface. Errors: tap_errc, whose message says what to do.
    [[nodiscard]] static result<std::unique_ptr<tap_device>> open(io_context& io,
                                                                  tap_options options = {});
    /// On one queue of an interface, which was attached already.
    [[nodiscard]] static result<std::unique_ptr<tap_device>> open(io_context& io,
                                                                  tap_interface queue,
                                                                  tap_options options);
    ~tap_device() override;

    [[nodiscard]] const std::string& name() const noexcept { return interface_.name(); }
    /// Our end's address: locally administered, the same for the same interface.
    [[nodiscard]] mac_address stack_address() const noexcept { return stack_address_; }
    [[nodiscard]] const counters& statistics() const noexcept { return counters_; }

    [[nodiscard]] const device_capabilities& capabilities() const noexcept override {
        return capabilities_;
    }
    void start(device_client& client, block_pool& pool) override;
    void stop() noexcept override;
    [[nodiscard]] tx_slot* acquire_slot() noexcept override;
    void submit(tx_slot& slot) noexcept override;
    void release(tx_slot& slot) noexcept override;

private:
    struct receive_slot;
    struct transmit_slot;

    tap_device(io_context& io, tap_interface attached, tap_options options);

    void update_mtu() noexcept;
    void read_into(receive_slot& slot);
    void on_read(receive_slot& slot, int result) noexcept;
    void on_read_error(receive_slot& slot, int error) noexcept;
    void hand_on(receive_slot& slot, std::uint32_t bytes) noexcept;
    void on_written(transmit_slot& slot, int result) noexcept;

    io_context& io_;
    tap_interface interface_;
    tap_options options_;
    device_capabilities capabilities_;
    mac_address stack_address_;
    block_size read_size_ = block_size::small;
    device_client* client_ = nullptr;
    block_pool* pool_ = nullptr;
    std::vector<std::unique_ptr<receive_slot>> reads_;
    std::vector<std::unique_ptr<transmit_slot>> writes_;
    transmit_slot* free_ = nullptr;
    bool wants_slot_ = false;
    bool warned_refused_ = false;
    counters counters_;
};

}  // namespace weft::net
