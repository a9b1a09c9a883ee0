#include <weft/net/io/tap_error.hpp>

#include <string>

namespace weft::net {
namespace {

class category final : public std::error_category {
public:
    [[nodiscard]] const char* name() const noexcept override { return "weft.tap"; }

    [[nodiscard]] std::string message(int value) const override {
        switch (static_cast<tap_errc>(value)) {
            case tap_errc::driver_missing:
                return "no /dev/net/tun: run `sudo modprobe tun`, or in a container `sudo mkdir -p "
                       "/dev/net && sudo mknod -m 666 /dev/net/tun c 10 200`";
            case tap_errc::driver_forbidden:
                return "no permission to open /dev/net/tun: run with sudo, or give your user "
                       "access "
                       "with `sudo chmod 666 /dev/net/tun`";
            case tap_errc::not_permitted:
                return "attaching to a TAP needs CAP_NET_ADMIN: run with sudo, inside `unshare "
                       "-rn`, or have root run `ip tuntap add NAME mode tap user YOU` first";
            case tap_errc::busy: return "another program is attached to this TAP";
            case tap_errc::bad_name:
                return "not an interface name: 1 to 15 bytes, without '/', ':', '%' and spaces";
            case tap_errc::no_such_interface:
                return "no such interface: make it with `sudo ip tuntap add NAME mode tap`";
            case tap_errc::not_a_tap:
                return "an interface of this name exists and cannot be used as a TAP with one "
                       "queue";
            case tap_errc::not_multi_queue:
                return "an interface of this name exists and cannot be used as a TAP with several "
                       "queues: make it with `sudo ip tuntap add NAME mode tap multi_queue`";
            case tap_errc::no_offload:
                return "the kernel refuses virtio headers or offloads on this TAP";
        }
        return "unknown TAP error";
    }

    [[nodiscard]] std::error_condition default_error_condition(int value) const noexcept override {
        switch (static_cast<tap_errc>(value)) {
            case tap_errc::driver_missing:
            case tap_errc::no_such_interface: return std::errc::no_such_device;
            case tap_errc::driver_forbidden: return std::errc::permission_denied;
            case tap_errc::not_permitted: return std::errc::operation_not_permitted;
            case tap_errc::busy: return std::errc::device_or_resource_busy;
            case tap_errc::bad_name:
            case tap_errc::not_multi_queue:
            case tap_errc::not_a_tap: return std::errc::invalid_argument;
            case tap_errc::no_offload: return std::errc::not_supported;
        }
        return {value, *this};
    }
};

}  // namespace

const std::error_category& tap_category() noexcept {
    static const category instance;
    return instance;
}

}  // namespace weft::net
