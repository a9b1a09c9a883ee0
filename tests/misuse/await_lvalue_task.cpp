// A task is awaited once, so it is moved into the await.
// both: a task is awaited once: co_await std::move
#include <weft/task.hpp>

#include <utility>

weft::task<int> child() { co_return 1; }

weft::task<int> parent() {
    weft::task<int> started_later = child();
#ifdef MISUSE
    co_return co_await started_later;
#else
    co_return co_await std::move(started_later);
#endif
}
