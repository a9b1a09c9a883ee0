// A predicate that owns something is destroyed twice by g++ 12, and has no reason to.
// both: capture by reference
#include <weft/sync/condition_variable.hpp>
#include <weft/task.hpp>

#include <string>

weft::task<> waits(weft::condition_variable& changed, weft::mutex::guard& lock, std::string& state,
                   std::string wanted) {
#ifdef MISUSE
    const auto woken = co_await changed.wait(lock, [&state, wanted] { return state == wanted; });
#else
    const auto woken = co_await changed.wait(lock, [&state, &wanted] { return state == wanted; });
#endif
    if (!woken) co_return;
}
