// Of nothing, none is ever first.
// both: no matching function
#include <weft/sleep.hpp>
#include <weft/when_any.hpp>

weft::task<> waits() {
#ifdef MISUSE
    (void)co_await weft::when_any();
#else
    (void)co_await weft::when_any(weft::sleep_for(std::chrono::seconds{1}));
#endif
}
