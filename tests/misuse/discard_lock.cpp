// A lock that nobody keeps is given back at once; g++ 12 does not see it.
// clang++: ignoring return value
#include <weft/sync/mutex.hpp>
#include <weft/task.hpp>

weft::task<> changes(weft::mutex& mutex) {
#ifdef MISUSE
    co_await mutex.lock();
#else
    const auto lock = co_await mutex.lock();
    if (!lock) co_return;
#endif
}
