#pragma once
// Why a TAP could not be opened. Each message is one line that says what to do about it.

#include <system_error>

namespace weft::net {

enum class tap_errc {
    driver_missing = 1,  ///< no /dev/net/tun
    driver_forbidden,    ///< /dev/net/tun exists and may not be opened
    not_permitted,       ///< attaching needs CAP_NET_ADMIN
    busy,                ///< another program is attached
    bad_name,            ///< empty, longer than 15 bytes, or with a character Linux refuses
    no_such_interface,   ///< it does not exist and was not to be created
    not_a_tap,           ///< an interface of that name exists and is something else
    not_multi_queue,     ///< it exists and has one queue, several are wanted
    no_offload,          ///< the kernel refuses virtio headers or the offloads asked for
};

[[nodiscard]] const std::error_category& tap_category() noexcept;

[[nodiscard]] inline std::error_code make_error_code(tap_errc error) noexcept {
    return {static_cast<int>(error), tap_category()};
}

}  // namespace weft::net

template <>
struct std::is_error_code_enum<weft::net::tap_errc> : std::true_type {};
