// A task is one run of a coroutine: it has one owner.
// both: deleted
#include <weft/task.hpp>

#include <utility>

weft::task<int> child() { co_return 1; }

weft::task<int> parent() {
    weft::task<int> one = child();
#ifdef MISUSE
    weft::task<int> two = one;
#else
    weft::task<int> two = std::move(one);
#endif
    co_return co_await std::move(two);
}
