#pragma once
// A stack with a function on it that can be left and entered again: what of a fiber is machine.
//
// Asymmetric: `resume()` enters it and returns when it has left itself by `suspend()` or has ended;
// contexts may be resumed from within one another. The registers are switched by Boost.Context;
// told about each switch are AddressSanitizer (which stack it is), ThreadSanitizer (whose shadow
// stack) and the C++ runtime (which exceptions are being handled: a fiber may wait within a catch
// block). Knows no operations and no loop; `running_fiber` does. One thread.

#include <cstddef>
#include <span>

namespace weft::fiber {

/// The runtime's exceptions in flight and in handlers, of one stack (Itanium C++ ABI §2.2.2).
struct exception_state {
    void* caught = nullptr;
    unsigned int uncaught = 0;
};

class context {
public:
    using entry = void (*)(void* argument) noexcept;

    context() noexcept = default;
    context(const context&) = delete;
    context& operator=(const context&) = delete;
    ~context();

    /// Has the first resume() call `begin(argument)` on this memory.
    void prepare(std::span<std::byte> memory, entry begin, void* argument) noexcept;

    /// Runs it until it suspends or ends. Called from outside; precondition: it has not ended.
    void resume() noexcept;
    /// Goes back to whoever resumed it last, until the next resume(). Called on its stack.
    void suspend() noexcept;

    [[nodiscard]] bool has_ended() const noexcept { return has_ended_; }

private:
    struct trampoline;

    enum class departure : unsigned char { to_return, for_good };
    void leave(departure how) noexcept;

    void* other_side_ = nullptr;  // of the one that does not run: it, or who resumed it
    exception_state exceptions_;  // of the one that does not run
    entry begin_ = nullptr;
    void* argument_ = nullptr;
    std::span<std::byte> memory_;
    bool has_ended_ = false;

    // For the sanitizers; the library and its users agree on the layout without the macros.
    const void* resumer_bottom_ = nullptr;
    std::size_t resumer_bytes_ = 0;
    void* shadow_ = nullptr;
    void* resumer_shadow_ = nullptr;
};

}  // namespace weft::fiber
