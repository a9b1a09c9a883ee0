// A switch to another stack and back, nothing around it: weft::fiber::context, which also hands the
// C++ runtime's exceptions over, and Boost.Context's own fiber, on the same library's registers.

#include "loops.hpp"

#include <weft/fiber/context.hpp>
#include <weft/fiber/stack.hpp>

#include <boost/context/fiber.hpp>

#include <utility>

namespace weft::bench {
namespace {

struct counting {
    fiber::context machine;
    benchmark::IterationCount count = 0;
    bool goes_on = true;
};

void switch_weft(benchmark::State& state) {
    auto stack = fiber::stack::map(std::size_t{64} * 1024);
    if (!stack) return state.SkipWithError("no stack");
    counting inside;
    inside.machine.prepare(
        stack->memory(),
        [](void* argument) noexcept {
            auto& own = *static_cast<counting*>(argument);
            while (own.goes_on) {
                own.machine.suspend();
                ++own.count;
            }
        },
        &inside);
    inside.machine.resume();
    for (auto _ : state) inside.machine.resume();
    if (inside.count != state.iterations()) state.SkipWithError("it was not there as often");
    inside.goes_on = false;
    inside.machine.resume();
}
BENCHMARK(switch_weft)->Name("fiber_switch/weft");

void switch_boost(benchmark::State& state) {
    benchmark::IterationCount count = 0;
    bool goes_on = true;
    boost::context::fiber inside{[&](boost::context::fiber&& outside) {
        while (goes_on) {
            outside = std::move(outside).resume();
            ++count;
        }
        return std::move(outside);
    }};
    inside = std::move(inside).resume();
    for (auto _ : state) inside = std::move(inside).resume();
    if (count != state.iterations()) state.SkipWithError("it was not there as often");
    goes_on = false;
    inside = std::move(inside).resume();
}
BENCHMARK(switch_boost)->Name("fiber_switch/boost_context");

}  // namespace
}  // namespace weft::bench
