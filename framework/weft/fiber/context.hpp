#pragma once
// A stack with a function on it that can be left and entered again: what of a fiber is machine.
//
// Asymmetric: `resume()` enters it and returns when it has left itself by `suspend()` or has ended;
// contexts may be resumed from within one another. The registers are switched by Boost.Context;
// told about each switch are AddressSanitizer (which stack it is), ThreadSanitizer (whose shadow
// stack) and the C++ runtime (which exceptions are being handled: a fiber may wait within a catch
// block). Knows no operations and no loop; `running_fiber` does. One thread.
//
// The switches are inline: a processor predicts where a function returns to from the calls it has
// seen, and gets each return wrong that comes after a switch. Library and program are built with
// the same sanitizers, or with none.

#include <weft/fiber/sanitizer.hpp>

#include <boost/context/detail/fcontext.hpp>

#include <cassert>
#include <cstddef>
#include <span>
#include <utility>

namespace weft::fiber {

namespace machine = boost::context::detail;

/// The runtime's exceptions in flight and in handlers, of one stack (Itanium C++ ABI §2.2.2).
struct exception_state {
    [[nodiscard]] bool is_empty() const noexcept { return caught == nullptr && uncaught == 0; }

    void* caught = nullptr;
    unsigned int uncaught = 0;
};

/// Puts the exceptions of the other side into force and keeps those of this one. Mostly there are
/// none on either side, and nothing is written.
inline void swap_exceptions(exception_state& in_force, exception_state& kept) noexcept {
    if (in_force.is_empty() && kept.is_empty()) return;
    std::swap(in_force, kept);
}

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
    void suspend() noexcept { leave(departure::to_return); }

    [[nodiscard]] bool has_ended() const noexcept { return has_ended_; }

private:
    struct trampoline;

    enum class departure : unsigned char { to_return, for_good };
    void leave(departure how) noexcept;

    void* other_side_ = nullptr;           // of the one that does not run: it, or who resumed it
    exception_state exceptions_;           // of the one that does not run
    exception_state* in_force_ = nullptr;  // of this thread: asking for it costs more than a switch
    entry begin_ = nullptr;
    void* argument_ = nullptr;
    std::span<std::byte> memory_;
    bool has_ended_ = false;

    // For the sanitizers.
    const void* resumer_bottom_ = nullptr;
    std::size_t resumer_bytes_ = 0;
    void* shadow_ = nullptr;
    void* resumer_shadow_ = nullptr;
};

inline void context::resume() noexcept {
    assert(other_side_ != nullptr && !has_ended_);
    resumer_shadow_ = sanitizer::current_shadow();
    swap_exceptions(*in_force_, exceptions_);
    void* frames = nullptr;
    sanitizer::start_switch(&frames, memory_.data(), memory_.size());
    sanitizer::switch_shadow(shadow_);
    other_side_ = machine::jump_fcontext(other_side_, this).fctx;
    sanitizer::finish_switch(frames, nullptr, nullptr);
}

inline void context::leave(departure how) noexcept {
    swap_exceptions(*in_force_, exceptions_);
    void* frames = nullptr;
    sanitizer::start_switch(how == departure::for_good ? nullptr : &frames, resumer_bottom_,
                            resumer_bytes_);
    sanitizer::switch_shadow(resumer_shadow_);
    other_side_ = machine::jump_fcontext(other_side_, nullptr).fctx;
    sanitizer::finish_switch(frames, &resumer_bottom_, &resumer_bytes_);
}

}  // namespace weft::fiber
