// A task that nobody awaits never starts.
// g++: ignoring return(ed)? value
// clang++: ignoring return value
#include <weft/task.hpp>

weft::task<> child() { co_return; }

weft::task<> parent() {
#ifdef MISUSE
    child();
#else
    co_await child();
#endif
}
