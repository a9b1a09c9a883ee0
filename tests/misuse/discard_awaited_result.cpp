// The same for a result that was awaited; g++ 12 does not see it.
// clang++: ignoring return value
#include <weft/sleep.hpp>

weft::task<> pauses() {
#ifdef MISUSE
    co_await weft::sleep_for(std::chrono::seconds{1});
#else
    const auto slept = co_await weft::sleep_for(std::chrono::seconds{1});
    if (!slept) co_return;
#endif
}
