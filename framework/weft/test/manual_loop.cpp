#include <weft/test/manual_loop.hpp>

#include <cassert>

namespace weft::test {

std::size_t run_until_idle(scheduler& on, std::size_t most) {
    assert(on.clock_kind() == scheduler::clock::virtual_time &&
           "a steady clock does not stand still");
    std::size_t turns = 0;
    do {
        if (turns == most) throw std::logic_error{"the loop does not become idle"};
        on.turn();
        ++turns;
    } while (!on.is_idle());
    return turns;
}

}  // namespace weft::test
