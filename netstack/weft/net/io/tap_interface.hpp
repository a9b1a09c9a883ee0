#pragma once
// A TAP's descriptor and what ioctl(2) can do with it: attach, offloads, MTU, address. No frames:
// tap_device moves those.

#include <weft/base/result.hpp>
#include <weft/net/address.hpp>

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace weft::net {

/// Owns the descriptor of an attached TAP with virtio headers (IFF_TAP, IFF_NO_PI, IFF_VNET_HDR).
class tap_interface {
public:
    /// Attaches to `name`, made for as long as the descriptor is open when it does not exist and
    /// `may_create`. A name with "%d" lets the kernel choose the number. Waits up to 300 ms while
    /// the interface is busy: a ring releases a closed descriptor a little late. Errors: tap_errc.
    [[nodiscard]] static result<tap_interface> attach(std::string_view name, bool may_create);
    /// The same, `count` times: the queues of one interface that has several, in their order.
    [[nodiscard]] static result<std::vector<tap_interface>> attach_queues(std::string_view name,
                                                                          bool may_create,
                                                                          std::size_t count);

    tap_interface(tap_interface&& other) noexcept
        : fd_{std::exchange(other.fd_, -1)}, name_{std::move(other.name_)} {}
    tap_interface& operator=(tap_interface&& other) noexcept {
        std::swap(fd_, other.fd_);
        std::swap(name_, other.name_);
        return *this;
    }
    ~tap_interface();

    [[nodiscard]] int descriptor() const noexcept { return fd_; }
    [[nodiscard]] const std::string& name() const noexcept { return name_; }

    /// What the kernel may leave to us on frames it hands over: sums, and TCP segmentation.
    [[nodiscard]] result<void> accept_offloads(bool checksum, bool segmentation) noexcept;

    /// Has the kernel ask an eBPF program, by its descriptor, for the queue of each frame. Of the
    /// whole interface, until its last queue is closed.
    [[nodiscard]] result<void> steer_by(int program) noexcept;

    [[nodiscard]] result<std::uint32_t> mtu() const noexcept;
    /// The address of the kernel's end of the link.
    [[nodiscard]] result<mac_address> kernel_address() const noexcept;

private:
    explicit tap_interface(int fd) noexcept : fd_{fd} {}
    [[nodiscard]] static result<tap_interface> attach_as(std::string_view name, bool may_create,
                                                         int more_flags);

    int fd_;
    std::string name_;
};

}  // namespace weft::net
