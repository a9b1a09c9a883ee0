#pragma once
// What stands behind a `std::coroutine_handle<>` where no coroutine waits: a fiber, or a callback.
//
// Whatever is awaited resumes a handle, and resuming a handle calls the function whose address
// stands first in the frame it points at: so GCC, Clang and MSVC lay frames out, of whatever
// coroutine, because handles cross between their programs. A `continuation` is an object that
// begins like a frame. So fibers and callbacks wait for everything that a coroutine waits for, by
// the same two words and at the same cost, and no awaiter knows of them.
//
// For whoever implements a way to wait, beside `environment_awaiter::suspend`. It must stay where
// it is while its handle is kept, is resumed once each time that it waits, and is never destroyed
// through the handle.

#include <coroutine>
#include <exception>
#include <type_traits>

namespace weft {

class continuation {
public:
    using invocation = void (*)(continuation&) noexcept;

    explicit continuation(invocation on_resume) noexcept : resume_{on_resume} {}
    continuation(const continuation&) = delete;
    continuation& operator=(const continuation&) = delete;

    /// Resuming it calls `on_resume(*this)`.
    [[nodiscard]] std::coroutine_handle<> handle() noexcept {
        static_assert(std::is_standard_layout_v<continuation>);
        return std::coroutine_handle<>::from_address(this);
    }

protected:
    ~continuation() = default;

private:
    // The head of a coroutine's frame. A reference is passed as the address that a frame gets.
    [[maybe_unused]] invocation resume_;
    [[maybe_unused]] void (*destroy_)(void*) noexcept = [](void*) noexcept { std::terminate(); };
};

}  // namespace weft
