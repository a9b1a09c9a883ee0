// An operation that nobody awaits never starts.
// both: ignoring return(ed)? value
#include <weft/sleep.hpp>

weft::task<> pauses() {
#ifdef MISUSE
    weft::sleep_for(std::chrono::seconds{1});
    co_return;
#else
    (void)co_await weft::sleep_for(std::chrono::seconds{1});
#endif
}
