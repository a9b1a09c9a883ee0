#include <weft/fiber/context.hpp>
#include <weft/fiber/sanitizer.hpp>

#include <cxxabi.h>
#include <boost/context/detail/fcontext.hpp>

#include <cassert>
#include <cstdlib>
#include <cstring>

namespace weft::fiber {
namespace {

namespace machine = boost::context::detail;

/// Puts the exceptions of the other side into force and keeps those of this one.
void swap_exceptions(exception_state& kept) noexcept {
    static_assert(sizeof(exception_state) == 2 * sizeof(void*));
    void* const in_force = abi::__cxa_get_globals();
    exception_state leaving;
    std::memcpy(&leaving, in_force, sizeof leaving);
    std::memcpy(in_force, &kept, sizeof kept);
    kept = leaving;
}

}  // namespace

/// The first function on the stack. Never returns: there is nothing below it.
struct context::trampoline {
    static void run(machine::transfer_t from) noexcept {
        context& self = *static_cast<context*>(from.data);
        sanitizer::finish_switch(nullptr, &self.resumer_bottom_, &self.resumer_bytes_);
        self.other_side_ = from.fctx;
        self.begin_(self.argument_);
        self.has_ended_ = true;
        self.leave(departure::for_good);
        std::abort();
    }
};

context::~context() {
    assert((other_side_ == nullptr || has_ended_) && "a fiber is destroyed after it has ended");
    sanitizer::destroy_shadow(shadow_);
}

void context::prepare(std::span<std::byte> memory, entry begin, void* argument) noexcept {
    begin_ = begin;
    argument_ = argument;
    memory_ = memory;
    shadow_ = sanitizer::make_shadow();
    other_side_ =
        machine::make_fcontext(memory.data() + memory.size(), memory.size(), &trampoline::run);
}

void context::resume() noexcept {
    assert(other_side_ != nullptr && !has_ended_);
    resumer_shadow_ = sanitizer::current_shadow();
    swap_exceptions(exceptions_);
    void* frames = nullptr;
    sanitizer::start_switch(&frames, memory_.data(), memory_.size());
    sanitizer::switch_shadow(shadow_);
    other_side_ = machine::jump_fcontext(other_side_, this).fctx;
    sanitizer::finish_switch(frames, nullptr, nullptr);
}

void context::suspend() noexcept { leave(departure::to_return); }

void context::leave(departure how) noexcept {
    swap_exceptions(exceptions_);
    void* frames = nullptr;
    sanitizer::start_switch(how == departure::for_good ? nullptr : &frames, resumer_bottom_,
                            resumer_bytes_);
    sanitizer::switch_shadow(resumer_shadow_);
    other_side_ = machine::jump_fcontext(other_side_, nullptr).fctx;
    sanitizer::finish_switch(frames, &resumer_bottom_, &resumer_bytes_);
}

}  // namespace weft::fiber
