// A generator is synchronous.
// both: deleted
#include <weft/async_generator.hpp>
#include <weft/generator.hpp>
#include <weft/yield.hpp>

#ifdef MISUSE
weft::generator<int> numbers() {
#else
weft::async_generator<int> numbers() {
#endif
    co_await weft::yield();
    co_yield 1;
}
