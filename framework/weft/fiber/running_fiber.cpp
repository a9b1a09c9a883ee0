#include <weft/fiber/group.hpp>
#include <weft/fiber/running_fiber.hpp>

namespace weft::fiber {

bool running_fiber::start(const weft::environment& in, stack&& on, std::size_t reserved_bytes,
                          group* member_of) noexcept {
    in_ = &in;
    owner_ = member_of;
    const void* const starter =
        member_of == nullptr ? static_cast<const void*>(this) : static_cast<join_scope*>(member_of);
    begin(in.scheduler, trace::owner{starter}, trace::record_type::fiber);
    stack_ = std::move(on);
    const std::span<std::byte> memory = stack_.memory();
    machine_.prepare(
        memory.first(memory.size() - reserved_bytes),
        [](void* me) noexcept {
            auto& fiber = *static_cast<running_fiber*>(me);
            fiber.run_(fiber);
        },
        this);
    enter();
    return machine_.has_ended();
}

void running_fiber::enter() noexcept {
    running_fiber* const outer = std::exchange(current_, this);
    machine_.resume();
    current_ = outer;
}

void running_fiber::resumed(continuation& self) noexcept {
    auto& me = static_cast<running_fiber&>(self);
    me.enter();
    if (me.machine_.has_ended()) me.on_ended_(me);
}

}  // namespace weft::fiber
