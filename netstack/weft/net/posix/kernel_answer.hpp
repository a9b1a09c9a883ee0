#pragma once
// How the kernel's side of a system call answers, and what the C library makes of it.
//
// Inside, a call returns a value or a negated errno, as in the kernel; at its border the negative
// ones become -1 with errno set. Also the errno of each of the stack's errors.

#include <sys/types.h>

#include <cerrno>
#include <system_error>

namespace weft::net::posix {

/// A result, or an errno negated.
using answer = ssize_t;

/// The errno that a Linux socket reports for this error of the stack. 0 for no error.
[[nodiscard]] inline int errno_of(const std::error_code& e) noexcept {
    if (!e) return 0;
    const std::error_condition condition = e.default_error_condition();
    return condition.category() == std::generic_category() ? condition.value() : EIO;
}

/// What the caller sees: -1 and errno for an error.
inline ssize_t to_caller(answer a) noexcept {
    if (a >= 0) return a;
    errno = static_cast<int>(-a);
    return -1;
}

}  // namespace weft::net::posix
