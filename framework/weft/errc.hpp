#pragma once
// The framework's own error codes. Each is the standard condition of the same meaning, so
// `error == std::errc::operation_canceled` and `error == weft::errc::canceled` say the same.

#include <system_error>
#include <type_traits>

namespace weft {

enum class errc {
    /// A stop request ended the operation before it moved anything.
    canceled = static_cast<int>(std::errc::operation_canceled),
    /// A deadline did.
    timed_out = static_cast<int>(std::errc::timed_out),
    /// Another operation of the kind is in flight where only one can be.
    busy = static_cast<int>(std::errc::device_or_resource_busy),
    /// The peer closed before all the bytes had come that were asked for.
    end_of_stream = static_cast<int>(std::errc::no_message_available),
    /// It cannot be done now without waiting, and waiting was not asked for.
    would_block = static_cast<int>(std::errc::resource_unavailable_try_again),
    /// A channel was closed: nothing can be sent, and nothing is left to receive.
    closed = static_cast<int>(std::errc::broken_pipe),
};

inline std::error_code make_error_code(errc code) noexcept {
    return {static_cast<int>(code), std::generic_category()};
}

}  // namespace weft

template <>
struct std::is_error_code_enum<weft::errc> : std::true_type {};
