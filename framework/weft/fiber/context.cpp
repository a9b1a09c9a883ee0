#include <weft/fiber/context.hpp>

#include <cxxabi.h>

#include <cassert>
#include <cstdlib>

namespace weft::fiber {
namespace {

exception_state* exceptions_in_force() noexcept {
    return static_cast<exception_state*>(static_cast<void*>(abi::__cxa_get_globals()));
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
    in_force_ = exceptions_in_force();
    shadow_ = sanitizer::make_shadow();
    other_side_ =
        machine::make_fcontext(memory.data() + memory.size(), memory.size(), &trampoline::run);
}

}  // namespace weft::fiber
