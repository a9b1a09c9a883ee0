// A task is moved into a combinator too.
// both: a task is awaited once: move it
#include <weft/when_all.hpp>

#include <utility>

weft::task<int> child() { co_return 1; }

weft::task<int> parent() {
    weft::task<int> one = child();
#ifdef MISUSE
    auto [a, b] = co_await weft::when_all(one, child());
#else
    auto [a, b] = co_await weft::when_all(std::move(one), child());
#endif
    co_return a + b;
}
