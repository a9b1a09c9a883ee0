#include <weft/net/io/tap_error.hpp>
#include <weft/net/io/tap_interface.hpp>

#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <thread>

namespace weft::net {
namespace {

std::error_code last_error() noexcept { return {errno, std::generic_category()}; }

ifreq request_for(std::string_view name) noexcept {
    ifreq request{};
    std::ranges::copy(name, request.ifr_name);
    return request;
}

bool is_name(std::string_view name) noexcept {
    return !name.empty() && name.size() < IFNAMSIZ && name != "." && name != ".." &&
           name.find_first_of("/: \t\n") == std::string_view::npos;
}

result<int> open_driver() noexcept {
    const int fd = ::open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
    if (fd >= 0) return fd;
    switch (errno) {
        case ENOENT:
        case ENODEV:
        case ENXIO: return tap_errc::driver_missing;
        case EACCES:
        case EPERM: return tap_errc::driver_forbidden;
        default: return last_error();
    }
}

/// TUNSETIFF, again while the interface is busy.
result<void> set_interface(int fd, ifreq& request) {
    using namespace std::chrono_literals;
    constexpr int tries = 60;
    for (int left = tries; left > 0; --left) {
        if (::ioctl(fd, TUNSETIFF, &request) == 0) return {};
        if (errno != EBUSY) break;
        std::this_thread::sleep_for(5ms);
    }
    switch (errno) {
        case EPERM:
        case EACCES: return tap_errc::not_permitted;
        case EBUSY: return tap_errc::busy;
        case EINVAL:
            return (request.ifr_flags & IFF_MULTI_QUEUE) != 0 ? tap_errc::not_multi_queue
                                                              : tap_errc::not_a_tap;
        default: return last_error();
    }
}

/// An ioctl on the interface by its name, which needs a socket of any kind.
result<ifreq> ask_interface(const std::string& name, unsigned long what) noexcept {
    const int fd = ::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0) return last_error();
    ifreq request = request_for(name);
    const bool answered = ::ioctl(fd, what, &request) == 0;
    const std::error_code error = last_error();
    ::close(fd);
    if (!answered) return error;
    return request;
}

}  // namespace

result<tap_interface> tap_interface::attach(std::string_view name, bool may_create) {
    return attach_as(name, may_create, 0);
}

result<std::vector<tap_interface>> tap_interface::attach_queues(std::string_view name,
                                                                bool may_create,
                                                                std::size_t count) {
    std::vector<tap_interface> queues;
    for (std::size_t i = 0; i < count; ++i) {
        result<tap_interface> next =
            attach_as(i == 0 ? name : queues.front().name(), may_create, IFF_MULTI_QUEUE);
        if (!next) return next.error();
        queues.push_back(*std::move(next));
    }
    return queues;
}

result<tap_interface> tap_interface::attach_as(std::string_view name, bool may_create,
                                               int more_flags) {
    if (!is_name(name)) return tap_errc::bad_name;
    ifreq request = request_for(name);
    if (!may_create && ::if_nametoindex(request.ifr_name) == 0) return tap_errc::no_such_interface;

    const result<int> driver = open_driver();
    if (!driver) return driver.error();
    tap_interface attached{*driver};

    request.ifr_flags = static_cast<short>(IFF_TAP | IFF_NO_PI | IFF_VNET_HDR | more_flags);
    if (const result<void> set = set_interface(*driver, request); !set) return set.error();
    attached.name_.assign(request.ifr_name, ::strnlen(request.ifr_name, IFNAMSIZ));
    return attached;
}

tap_interface::~tap_interface() {
    if (fd_ >= 0) ::close(fd_);
}

result<void> tap_interface::accept_offloads(bool checksum, bool segmentation) noexcept {
    unsigned long flags = 0;
    if (checksum) flags |= TUN_F_CSUM;
    if (checksum && segmentation) flags |= TUN_F_TSO4;
    if (::ioctl(fd_, TUNSETOFFLOAD, flags) != 0) return tap_errc::no_offload;
    return {};
}

result<void> tap_interface::steer_by(int program) noexcept {
    if (::ioctl(fd_, TUNSETSTEERINGEBPF, &program) != 0) return last_error();
    return {};
}

result<std::uint32_t> tap_interface::mtu() const noexcept {
    const result<ifreq> answer = ask_interface(name_, SIOCGIFMTU);
    if (!answer) return answer.error();
    return static_cast<std::uint32_t>(answer->ifr_mtu);
}

result<mac_address> tap_interface::kernel_address() const noexcept {
    const result<ifreq> answer = ask_interface(name_, SIOCGIFHWADDR);
    if (!answer) return answer.error();
    std::array<std::uint8_t, 6> bytes{};
    std::memcpy(bytes.data(), answer->ifr_hwaddr.sa_data, bytes.size());
    return mac_address{bytes};
}

}  // namespace weft::net
